"""Ranks that train together: the same weights on all, those of one process, and the same turn where one has trouble."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from isthmus.training import GroupedBatches, PairedBatches, ResidentBatches, StreamedBatches
from isthmus.training.batches import epoch_generator, noise_generator

sys.path.insert(0, str(Path(__file__).parent))
import one_of_two

TURNS = [
    *("undisturbed", "a step is skipped", "going back", "memory, before a normalisation", "memory, in a gradient"),
    *("memory, at the end", "a bad row", "stop"),
]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Return the folder that two processes of one group have written to, and what each says."""
    folder = tmp_path_factory.mktemp("ranks")
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, one_of_two.__file__]
    both = [
        subprocess.Popen(
            [*command, str(rank), str(folder / "store"), str(folder)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    return folder, [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


def _of_both(folder, name):
    return [np.load(folder / f"{name}-{rank}.npy") for rank in range(2)]


@pytest.mark.parametrize("name", [*one_of_two.FITS, *TURNS])
def test_ranks_have_the_same_weights(two, name):
    first, second = _of_both(two[0], name)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["plain", "normalised over the batch", "few records"])
def test_two_ranks_learn_what_one_process_learns(two, name):
    one = one_of_two.FITS[name]()
    np.testing.assert_allclose(_of_both(two[0], name)[0], one_of_two.weights(one.module_), atol=1e-5)
    for together, alone in zip(two[1][0]["fits"][name]["history"], one.history_, strict=True):
        for key in ("train_loss", "validation_loss"):
            if key in alone:
                assert together[key] == pytest.approx(alone[key], abs=1e-5)


def test_held_out_losses_and_seeds_are_the_same_bits_on_both(two):
    def said(about):
        return {
            name: (its["seed"], [{k: v for k, v in record.items() if k != "seconds"} for record in its["history"]])
            for name, its in about["fits"].items()
        }

    first, second = map(said, two[1])
    assert first == second


def test_statistics_of_a_batch_are_those_of_torch_over_all_records(two):
    for about in two[1]:
        assert max(about["statistics"].values()) < 1e-12, about["statistics"]


def test_both_take_the_turn_that_one_of_them_needs(two):
    first, second = (about["turns"] for about in two[1])
    assert first == second
    assert first["undisturbed"] | {"losses": None} == {
        "epochs": 2,
        "steps": 6,
        "batch": 16,
        "returns": 0,
        "notes": [],
        "said": "",
        "losses": None,
    }
    assert (first["a step is skipped"]["steps"], first["a step is skipped"]["returns"]) == (6, 0)
    assert first["going back"]["returns"] == 1
    assert "the loss term 'error' was not finite" in first["going back"]["notes"][0]
    for name in ("memory, before a normalisation", "memory, in a gradient", "memory, at the end"):
        assert first[name]["batch"] == 8
        assert len(first[name]["notes"]) == 1
        assert np.isfinite(first[name]["losses"]).all()
    assert first["stop"]["epochs"] == 2


def test_rows_that_one_rank_cannot_learn_from_are_named_by_both(two):
    for about in two[1]:
        assert "rows 7 cause it" in about["turns"]["a bad row"]["said"]


# ------------------------------------------------------------------ shares


def _resident(read):
    return ResidentBatches(torch.arange(23.0)[:, None], np.arange(23))


def _streamed(read):
    return StreamedBatches(read, np.arange(23), torch.device("cpu"), block=4, window=2)


def _grouped(read):
    sizes = [(2, 2) if row % 3 else (3, 2) for row in range(23)]
    return GroupedBatches(read, np.arange(23), sizes, torch.device("cpu"))


def _paired(read):
    batches = ResidentBatches(torch.arange(23.0)[:, None], np.arange(23))
    batches.labels = torch.where(torch.arange(23) < 6, torch.arange(23) % 3, -1)
    return PairedBatches(batches)


@pytest.mark.parametrize("world", [1, 2, 3, 30])
@pytest.mark.parametrize("make", [_resident, _streamed, _grouped, _paired])
@pytest.mark.parametrize("order", ["epoch", "in_order"])
def test_ranks_share_batches_without_rest(make, order, world):
    def drawn(share):
        batches = make(lambda rows: rows[:, None].astype("float32") + np.zeros((1, 1), "float32"))
        if make is _grouped:
            batches.read = lambda rows: [np.full((1, 2, 2), row, "float32") for row in rows]
        given = (5, torch.Generator().manual_seed(3)) if order == "epoch" else (5,)
        return [rows.tolist() for _, rows in getattr(batches, order)(*given, share)]

    whole = drawn(slice(None))
    shares = [drawn(slice(rank, None, world)) for rank in range(world)]
    if make is _streamed and order == "epoch":  # of these each rank has stretches of its own, in as many batches
        assert {len(share) for share in shares} == {len(whole)}
        assert sorted(itertools.chain(*itertools.chain(*shares))) == sorted(itertools.chain(*whole))
        return
    for number, batch in enumerate(whole):
        parts = [share[number] for share in shares]
        assert sorted(itertools.chain(*parts)) == sorted(batch)
        assert max(map(len, parts)) - min(map(len, parts)) <= (2 if make is _paired else 1)


def test_labelled_records_spread_over_ranks():
    batches = _paired(None)
    for rank in range(2):
        for _, rows in batches.epoch(12, torch.Generator().manual_seed(0), slice(rank, None, 2)):
            assert (rows < 6).sum() >= 3


def test_a_rank_reads_only_its_own_records():
    read: list[int] = []

    def noted(rows):
        read.extend(rows.tolist())
        return [np.full((1, 2, 2), row, "float32") for row in rows]

    batches = _grouped(noted)
    own = [row for _, rows in batches.epoch(5, torch.Generator().manual_seed(0), slice(1, None, 2)) for row in rows]
    assert sorted(read) == sorted(map(int, own))
    assert 0 < len(own) < 12


def test_noise_differs_between_ranks_and_that_of_the_first_is_that_of_one_process(monkeypatch):
    from isthmus.training import batches

    states = []
    for rank in range(3):
        monkeypatch.setattr(batches, "rank", lambda rank=rank: rank)
        states.append(noise_generator(7, 2).initial_seed())
    assert states[0] == epoch_generator(7, 2).initial_seed()
    assert len(set(states)) == 3
