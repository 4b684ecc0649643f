"""Work that grows with the cells of a table, not with the square of its columns."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from isthmus import VAE, Detector
from isthmus import data as isthmus_data

FEW, MANY, ROWS = 500, 2000, 100
MORE = 1.5  # times what is due: a square would be four times


def wide(columns: int) -> pd.DataFrame:
    """Return a frame of numbers, of which a tenth has few distinct values and a tenth is text."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(ROWS, columns)), columns=[f"c{i}" for i in range(columns)])
    tenth = columns // 10
    texts = {f"c{i}": np.array(["low", "high"])[(frame[f"c{i}"] > 0).astype(int)] for i in range(tenth)}
    whole = {f"c{i}": frame[f"c{i}"].round().astype(int) for i in range(tenth, 2 * tenth)}
    return frame.assign(**texts, **whole)


def spent(work: Callable[[], Any]) -> float:
    """Return processor seconds, the fewer of two calls."""
    seconds = []
    for _ in range(2):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


@pytest.fixture(scope="module")
def fitted() -> dict[int, tuple[pd.DataFrame, Detector]]:
    found = {}
    for columns in (FEW, MANY):
        frame = wide(columns)
        model = VAE(latent_dim=2, hidden=(16,), max_epochs=1, random_state=0)
        found[columns] = frame, Detector(model=model, random_state=0).fit(frame)
    return found


WORK: dict[str, Callable[[pd.DataFrame, Detector], Any]] = {
    "open": lambda frame, detector: isthmus_data.open(frame),
    "fit": lambda frame, detector: VAE(latent_dim=2, hidden=(16,), max_epochs=1, random_state=0).fit(frame),
    "reconstruct": lambda frame, detector: detector.model_.reconstruct(frame),
    "score": lambda frame, detector: detector.score_samples(frame),
    "reasons": lambda frame, detector: detector.reasons(frame[:1]),
}


@pytest.mark.long
@pytest.mark.parametrize("name", WORK)
def test_time_grows_with_the_columns(fitted, name):
    few, many = (spent(lambda columns=columns: WORK[name](*fitted[columns])) for columns in (FEW, MANY))
    assert many / few < MORE * MANY / FEW


def test_reasons_of_a_frame_are_those_of_its_array():
    X = np.random.default_rng(0).normal(size=(200, 6))
    X[:, 1] = X[:, 0] + 0.05 * X[:, 1]
    frame = pd.DataFrame(X, columns=[f"column {i}" for i in range(6)])
    odd = X[:3].copy()
    odd[:, 0] += 6
    told = []
    for records, some in ((X, odd), (frame, pd.DataFrame(odd, columns=frame.columns))):
        model = VAE(latent_dim=4, hidden=(32,), max_epochs=30, random_state=0)
        reasons = Detector(model=model, random_state=0).fit(records).reasons(some, k=1)
        told.append([reason[0].name for reason in reasons])
        assert all(reason[0].value == pytest.approx(value) for reason, value in zip(reasons, odd[:, 0], strict=True))
    assert told == [["column 0"] * 3] * 2
