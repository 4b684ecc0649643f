"""Ranks that are killed, frozen, stopped by an error or in trouble, in real processes that torchrun starts."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.cluster

TIMEOUT = 12.0  # seconds, of which torchrun takes some to end itself


@pytest.fixture(scope="module")
def lost_ranks() -> Any:
    """Return the benchmark, which knows how to lose a rank."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("lost_ranks")


@pytest.fixture(scope="module")
def whole(lost_ranks: Any) -> dict[str, Any]:
    """Return what becomes of a run that nothing happens to."""
    found: dict[str, Any] = lost_ranks.run(2, "nothing", 0, timeout=TIMEOUT)
    assert found["code"] == 0
    return found


@pytest.mark.parametrize(
    ("what", "lost"), [("killed", 1), ("killed", 0), ("frozen", 1), ("frozen", 0), ("an error", 1)]
)
def test_a_lost_rank_ends_the_run_with_one_sentence(lost_ranks: Any, what: str, lost: int) -> None:
    found = lost_ranks.run(2, what, lost, timeout=TIMEOUT)
    assert found["code"] == 1
    assert found["ranks ended after"] <= lost_ranks.BOUND * TIMEOUT
    assert len(found["sentences"]) == 1
    assert f"rank {lost} of 2 (process " in found["sentences"][0]
    assert found["sentences"][0].endswith("is kept: go on with the same command and --resume.")
    assert found["checkpoint"]["step"] <= lost_ranks.STEP
    assert found["weights"] is None


@pytest.mark.parametrize(("what", "lost"), [("killed", 1), ("frozen", 0), ("an error", 1)])
def test_started_again_it_has_the_weights_of_a_run_that_nothing_happened_to(
    lost_ranks: Any, whole: dict[str, Any], what: str, lost: int
) -> None:
    found = lost_ranks.run(2, what, lost, restarts=1, timeout=TIMEOUT)
    assert found["code"] == 0
    assert found["weights"] == whole["weights"] is not None
    assert len(found["sentences"]) == 1
    assert "model.safetensors.checkpoint" not in found["files"]


@pytest.mark.parametrize(
    ("what", "note"), [("not finite", "was not finite"), ("out of memory", "memory ran out"), ("says stop", "")]
)
def test_trouble_of_one_rank_is_met_by_all(lost_ranks: Any, what: str, note: str) -> None:
    found = lost_ranks.run(2, what, 1, timeout=TIMEOUT)
    assert (found["code"], found["sentences"]) == (0, [])
    assert found["weights"] is not None
    assert any(note in line for line in found["notes"]) or not note
