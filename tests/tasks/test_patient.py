"""Latents and changes of weights that are learned for one picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus.coding.photographs.changes import changes_from_bytes
from isthmus.coding.photographs.weights import Weights
from isthmus.networks.photographic import Analysis, Decoder
from isthmus.networks.photographic_integers import to_integers
from isthmus.tasks.compression.patient import Goal, Patient, soft_round

QUALITY, STEPS = 120, 24


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    """Return a smooth picture, (1, 3, 32, 48), in units."""
    y, x = np.mgrid[:32, :48]
    waves = np.stack([np.sin(x / 5 + c) + np.cos(y / 4 - c) for c in range(3)])
    return torch.from_numpy(waves.astype(np.float32))[None]


def patient(x: torch.Tensor, goal: Goal | None = None, progress=None) -> Patient:
    torch.manual_seed(0)
    decoder = Decoder()
    with torch.no_grad():
        latents = Analysis()(x, decoder, torch.tensor([QUALITY / 255])).latents
    return Patient([x], [latents], decoder, QUALITY, goal, progress)


def test_what_is_learned_costs_less(picture: torch.Tensor) -> None:
    learner = patient(picture)
    bits, error = learner._measured()
    before = bits + learner.slope * error
    found = learner.learn(STEPS)
    bits, error = learner._measured()
    assert found.bits == pytest.approx(bits + 8 * len(found.changes), rel=0.05)
    assert learner.best_cost < 0.97 * before


def test_changes_are_those_of_a_decoder(picture: torch.Tensor) -> None:
    """A decoder that has the file gets the very weights that the latents were learned under."""
    learner = patient(picture)
    found = learner.learn(STEPS)
    known = Weights(to_integers(Decoder()))
    changed = known.with_changes(changes_from_bytes(found.changes, known))
    learned = to_integers(learner.decoder)
    assert all(np.array_equal(changed.tensors[name], learned[name]) for name in learned)


@pytest.mark.parametrize("kind", ["psnr", "bits"])
def test_a_goal_is_met(picture: torch.Tensor, kind: str) -> None:
    plain = patient(picture)
    bits, error = plain._measured()
    psnr = 10 * np.log10(255**2 / (error / plain.pixels))
    found = patient(picture, Goal(kind, psnr if kind == "psnr" else bits)).learn(STEPS)
    assert found.psnr >= psnr
    assert found.bits <= bits
    assert found.psnr > psnr + 0.1 or found.bits < 0.98 * bits


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
