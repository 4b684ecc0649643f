"""Latents and changes of weights that are learned for one picture."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

from isthmus.coding.photographs.changes import changes_from_bytes
from isthmus.coding.photographs.weights import shipped
from isthmus.networks.photographic_integers import to_integers
from isthmus.tasks.compression.patient import Goal, Patient, soft_round
from isthmus.tasks.compression.photographs import networks

QUALITY, STEPS = 120, 30


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    """Return a part of a photograph, (1, 3, 96, 96), in units."""
    levels = load_sample_image("flower.jpg")[100:196, 200:296].astype(np.float32)
    return torch.from_numpy(levels / 32 - 4).permute(2, 0, 1)[None]


def patient(x: torch.Tensor, goal: Goal | None = None, progress=None) -> Patient:
    torch.manual_seed(0)
    analysis, decoder = networks()
    with torch.no_grad():
        latents = analysis(x, decoder, torch.tensor([QUALITY / 255])).latents
    return Patient([x], [latents], decoder, QUALITY, goal, progress)


def start(x: torch.Tensor) -> tuple[float, float]:
    """Return bits and PSNR of what the quick encoder finds."""
    learner = patient(x)
    bits, error = learner._measured()
    return bits, 10 * math.log10(255**2 / (error / learner.pixels))


def test_what_is_learned_costs_less(picture: torch.Tensor) -> None:
    learner = patient(picture)
    bits, error = learner._measured()
    before = bits + learner.slope * error
    found = learner.learn(STEPS)
    bits, error = learner._measured()
    assert found.bits == pytest.approx(bits + 8 * len(found.changes), rel=0.05)
    assert learner.best_cost < 0.99 * before


def test_changes_are_those_of_a_decoder(picture: torch.Tensor) -> None:
    """A decoder that has the file gets the very weights that the latents were learned under."""
    learner = patient(picture)
    learner.learn(STEPS)
    known = shipped()
    assert known is not None
    changed = known.with_changes(changes_from_bytes(learner.changes, known))
    learned = to_integers(learner.decoder)
    assert all(np.array_equal(changed.tensors[name], learned[name]) for name in learned)


def test_a_psnr_is_kept_and_bytes_are_saved(picture: torch.Tensor) -> None:
    bits, psnr = start(picture)
    found = patient(picture, Goal("psnr", psnr - 0.5)).learn(STEPS)
    assert found.psnr >= psnr - 0.5
    assert found.bits < 0.98 * bits


def test_bits_are_kept(picture: torch.Tensor) -> None:
    bits, psnr = start(picture)
    found = patient(picture, Goal("bits", 0.97 * bits)).learn(STEPS)
    assert found.bits <= 0.97 * bits
    assert found.psnr > psnr - 0.5


def test_whoever_stops_it_keeps_the_best_so_far(picture: torch.Tensor) -> None:
    told: list[tuple[float, float, float]] = []

    def progress(*state: float) -> bool:
        told.append(state)
        return len(told) < 3

    found = patient(picture, progress=progress).learn(1000)
    assert len(told) == 3
    assert found.bits / 8 <= told[0][1]


def test_soft_rounding_goes_from_nothing_to_rounding() -> None:
    y = torch.tensor([-1.3, 0.2, 0.9, 2.5])
    assert soft_round(y, 1e-3).tolist() == pytest.approx(y.tolist(), abs=1e-3)
    assert soft_round(y[:3], 100.0).tolist() == pytest.approx([-1, 0, 1], abs=1e-3)
