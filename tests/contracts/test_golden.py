"""Files that earlier versions wrote stay readable, and mean what they meant."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import isthmus
from isthmus import artifact

FOLDER = Path(__file__).parent / "golden"
FORMATS = range(1, artifact.FORMAT_NUMBER + 1)
CLOSE = {"rtol": 1e-4, "atol": 1e-5}  # another processor sums in another order


@pytest.mark.parametrize("number", FORMATS)
@pytest.mark.parametrize(("name", "class_name"), [("image", "Autoencoder"), ("table", "DenoisingAutoencoder")])
def test_an_old_file_is_described(number, name, class_name):
    envelope = artifact.describe(FOLDER / f"format-{number}-{name}.safetensors")
    assert envelope["format"] == number
    assert envelope["class"] == class_name
    assert {"parameters", "schema", "preprocessing", "history", "notes", "provenance", "scores"} <= set(
        envelope["document"]
    )


@pytest.mark.parametrize("number", FORMATS)
def test_old_pictures(number):
    model = isthmus.load(FOLDER / f"format-{number}-image.safetensors")
    with np.load(FOLDER / f"format-{number}-image.npz") as kept:
        np.testing.assert_allclose(model.transform(kept["records"]), kept["codes"], **CLOSE)
        np.testing.assert_allclose(model.score_samples(kept["records"]), kept["log_likelihoods"], rtol=1e-4)
        pictures = model.inverse_transform(kept["codes"])
        assert pictures.dtype == kept["reconstructions"].dtype
        # A value halfway between two grey levels may be rounded either way.
        off = np.abs(pictures.astype(int) - kept["reconstructions"])
        assert off.max() <= 1
        assert off.mean() <= 0.001


@pytest.mark.parametrize("number", FORMATS)
def test_old_tables(number):
    path = FOLDER / f"format-{number}-table.safetensors"
    model = isthmus.load(path)
    records = _table(path.with_suffix(".records.arrow"))
    expected = _table(path.with_suffix(".reconstructions.arrow"))
    with np.load(path.with_suffix(".npz")) as kept:
        np.testing.assert_allclose(model.transform(records), kept["codes"], **CLOSE)
        np.testing.assert_allclose(model.score_samples(records), kept["log_likelihoods"], rtol=1e-4)
        back = model.inverse_transform(kept["codes"])
    assert back.schema.equals(expected.schema)
    for name in ("id", "town", "note", "member", "country"):
        assert back[name].to_pylist() == expected[name].to_pylist()
    np.testing.assert_allclose(back["age"], expected["age"], atol=1)
    np.testing.assert_allclose(_numbers(back["income"]), _numbers(expected["income"]), rtol=1e-4)
    for name, unit in (("since", "D"), ("seen", "s")):
        days, kept_days = (column[name].to_numpy().astype(f"datetime64[{unit}]") for column in (back, expected))
        assert np.abs(days - kept_days).max() <= np.timedelta64(1, "D")


@pytest.mark.parametrize("number", FORMATS)
def test_old_texts(number):
    """Written before there were networks for sequences: dense ones, which know of places only."""
    path = FOLDER / f"format-{number}-text.safetensors"
    model, kept = isthmus.load(path), json.loads(path.with_suffix(".json").read_text())
    assert model.likelihood_reason_.startswith("categorical")
    np.testing.assert_allclose(model.transform(kept["records"]), kept["codes"], **CLOSE)
    np.testing.assert_allclose(model.score_samples(kept["records"]), kept["log_likelihoods"], rtol=1e-4)
    assert model.reconstruct(kept["records"]) == kept["reconstructions"]


@pytest.mark.parametrize("number", FORMATS)
def test_an_old_text_model_is_saved_as_it_was(number, tmp_path):
    model = isthmus.load(FOLDER / f"format-{number}-text.safetensors")
    model.save(tmp_path / "again.safetensors")
    again = isthmus.load(tmp_path / "again.safetensors")
    assert again.sample(4, random_state=0) == model.sample(4, random_state=0)


def _table(path):
    with pa.ipc.open_file(path) as file:
        return file.read_all()


def _numbers(column):
    return np.array([np.nan if value is None else value for value in column.to_pylist()])
