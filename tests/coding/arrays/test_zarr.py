"""The codec that Zarr finds, where numcodecs is installed."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import numpy as np
import pytest

from .samples import field, same

numcodecs = pytest.importorskip("numcodecs")


def codec(**config: Any) -> Any:
    from isthmus.coding.arrays.zarr import Isthmus

    numcodecs.register_codec(Isthmus)
    return numcodecs.get_codec({"id": "isthmus", **config})


def test_the_codec_stands_in_the_list_of_numcodecs() -> None:
    found = [entry.value for entry in entry_points(group="numcodecs.codecs") if entry.name == "isthmus"]
    assert found == ["isthmus.coding.arrays.zarr:Isthmus"] or not found  # not where the source is used uninstalled


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2", "?", "<M8[s]"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_chunk_comes_back(dtype: str, order: Any) -> None:
    chunk = np.asarray(field((9, 20, 30)).astype("i2").astype(dtype), order=order)
    packed = codec().encode(chunk)
    assert isinstance(packed, bytes)
    assert same(codec().decode(packed), chunk)
    out = np.zeros_like(chunk)
    codec().decode(packed, out)
    assert np.array_equal(out, chunk)


def test_its_settings_come_back_and_the_bound_holds() -> None:
    made = codec(max_error=0.01, fill=-1.0)
    assert made.get_config() == {"id": "isthmus", "max_error": 0.01, "rel_error": None, "fill": -1.0}
    assert numcodecs.get_codec(made.get_config()) == made
    chunk = field((9, 20, 30))
    chunk[0] = -1
    found = made.decode(made.encode(chunk))
    assert (found[0] == -1).all()
    assert 0 < np.abs(found.astype(float) - chunk).max() <= 0.01


def test_a_zarr_array_uses_it(tmp_path: Any) -> None:
    zarr = pytest.importorskip("zarr")
    array = field((20, 30, 40))
    kept = {"shape": array.shape, "chunks": (5, 30, 40), "dtype": array.dtype, "zarr_format": 2, "filters": None}
    zarr.create_array(tmp_path / "a.zarr", compressors=codec(max_error=0.01), **kept)[:] = array
    found = zarr.open_array(tmp_path / "a.zarr", mode="r")
    assert np.abs(found[:].astype(float) - array).max() <= 0.01
    assert found.nbytes_stored() * 5 < array.nbytes
