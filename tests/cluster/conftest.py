"""Small records in files, models of them, and a folder for jobs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from isthmus import Autoencoder

SMALL = {"latent_dim": 2, "hidden": (8,), "network": "dense", "max_epochs": 1, "random_state": 0, "device": "cpu"}
ROWS, GROUP = 240, 40


@dataclass(frozen=True)
class Case:
    """Records by name, and the file of a model that was fitted on them."""

    data: str
    model: str


def matrix(rows: int = ROWS) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(rows, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(rows, 5))).astype(np.float32)


def events(rows: int = ROWS) -> pa.Table:
    """Return a table with an id, two numbers with gaps, a category and a label."""
    rng = np.random.default_rng(1)
    amount = [None if index % 17 == 3 else float(value) for index, value in enumerate(rng.normal(size=rows))]
    return pa.table(
        {
            "id": np.arange(rows) + 5_000_000,
            "time": rng.normal(size=rows).astype(np.float32),
            "amount": amount,
            "kind": np.array(["card", "cash", "wire"])[rng.integers(0, 3, rows)],
            "fraud": np.array(["no", "yes"])[rng.integers(0, 2, rows)],
        }
    )


@pytest.fixture(scope="session")
def array_case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("array")
    np.save(folder / "x.npy", matrix())
    Autoencoder(**SMALL).fit(matrix()).save(folder / "m.safetensors")
    return Case(str(folder / "x.npy"), str(folder / "m.safetensors"))


@pytest.fixture(scope="session")
def table_case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Three Parquet files of two row groups each; the label is no column of the fit."""
    folder = tmp_path_factory.mktemp("table")
    write_events(folder / "events")
    Autoencoder(**SMALL).fit(events().drop_columns("fraud")).save(folder / "m.safetensors")
    return Case(str(folder / "events"), str(folder / "m.safetensors"))


def write_events(folder: Path) -> None:
    folder.mkdir()
    for number in range(ROWS // GROUP // 2):
        part = events().slice(2 * GROUP * number, 2 * GROUP)
        parquet.write_table(part, folder / f"day{number}.parquet", row_group_size=GROUP)
