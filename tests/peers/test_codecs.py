"""The table of codecs: each gives back what it was given, and what does not is found out."""

from __future__ import annotations

import bz2
import lzma
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isthmus.peers import PEERS, Codec, LeftOut, Sample, measured, missing, peers_for
from isthmus.peers.codecs import EXACT, QUALITY, WITHIN, Coder

from .test_samples import npy, png

RNG = np.random.default_rng(0)
TEXT = b"".join(b"%d,%d,word\n" % (n, n * n) for n in range(200))
FIELD = np.cumsum(RNG.normal(size=(20, 30)), 1).astype(np.float32)
SAMPLES = {
    "bytes": Sample(Path("x.txt"), TEXT),
    "table": Sample(Path("x.csv"), b"a,b,c\n" + TEXT),
    "array": Sample(Path("x.npy"), npy(FIELD), "array", 0.01),
    "picture": Sample(Path("x.png"), png(RNG.integers(0, 9, (12, 16, 3)).astype(np.uint8))),
}


def test_names_are_their_own() -> None:
    assert len({peer.name for peer in PEERS}) == len(PEERS)


@pytest.mark.parametrize("peer", [peer for peer in PEERS if peer.does != QUALITY], ids=lambda peer: peer.name)
def test_each_gives_back_what_it_was_given(peer: Codec) -> None:
    if not peer.is_installed:
        pytest.skip(f"{peer.package} is not installed")
    found = measured(peer, [SAMPLES[str(peer.takes)]] * 2)
    assert found.compressed_bytes > 0
    assert found.encode_seconds > 0 < found.decode_seconds
    assert found.max_error == 0 if peer.does == EXACT else found.max_error <= 0.01
    assert found.version.startswith(("Python 3.", f"{peer.package} "))


def test_sizes_are_those_of_the_tools() -> None:
    sizes = {peer.name: measured(peer, [SAMPLES["bytes"]]).compressed_bytes for peer in peers_for("bytes")[:3]}
    assert sizes == {
        "gzip -9": len(zlib.compress(TEXT, 9)) + 12,
        "bzip2 -9": len(bz2.compress(TEXT)),
        "xz -9e": len(lzma.compress(TEXT, preset=9 | lzma.PRESET_EXTREME)),
    }


def test_which_are_for_which_data() -> None:
    names = {kind: {peer.name for peer in peers_for(kind)} for kind in ("bytes", "table", "array", "picture")}
    assert names["table"] - names["bytes"] == {"Parquet, zstd -19"}
    assert names["array"] - names["bytes"] == {"fpzip", "pcodec, level 12", "zfp, reversible"}
    assert names["picture"] == {"PNG, optimised", "WebP, lossless", "JPEG XL, lossless"}
    within = {peer.name for peer in peers_for("array", within=True)} - names["array"]
    assert within == {"zfp, within the bound", "SZ3, within the bound"}


def test_what_is_missing_has_the_name_that_pip_knows() -> None:
    def absent() -> Coder:
        raise ImportError

    assert missing([replace(peers_for("bytes")[0], load=absent, package="zip"), peers_for("bytes")[1]]) == {
        "gzip -9": "zip"
    }


def made(change: Any, does: str = EXACT, takes: str = "bytes") -> Codec:
    """Return a codec that gives something back, whatever it was given."""
    return Codec("made", takes, None, lambda: Coder(lambda sample, _: b"x", lambda _, sample: change(sample)), does)


def test_a_codec_that_gives_other_data_back_is_found_out() -> None:
    assert measured(made(lambda sample: sample.data), [SAMPLES["bytes"]]).max_error == 0
    with pytest.raises(LeftOut, match="other data"):
        measured(made(lambda sample: sample.data[:-1]), [SAMPLES["bytes"]])
    with pytest.raises(LeftOut, match="other data"):
        measured(made(lambda sample: sample.array + 1, takes="array"), [SAMPLES["array"]])


def test_the_largest_error_is_measured() -> None:
    noise = RNG.uniform(-0.01, 0.01, FIELD.shape).astype(np.float32)
    found = measured(made(lambda sample: sample.array + noise, WITHIN, "array"), [SAMPLES["array"]])
    expected = np.abs((FIELD + noise).astype(np.longdouble) - FIELD).max()
    assert found.max_error == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_has_to_come_back(value: float) -> None:
    array = FIELD.copy()
    array[3, 4] = value
    sample = Sample(Path("x.npy"), npy(array), "array", 0.01)
    with pytest.raises(LeftOut, match="not finite"):
        measured(made(lambda sample: np.nan_to_num(sample.array), WITHIN, "array"), [sample])


def test_data_that_a_codec_does_not_take_are_left_out_with_its_reason() -> None:
    def refuse(_: Sample) -> bytes:
        raise TypeError("only floats\nand more")

    with pytest.raises(LeftOut, match=r"^does not take these data \(only floats\)$"):
        measured(made(refuse), [SAMPLES["bytes"]])
    with pytest.raises(LeftOut, match="does not take these data"):
        measured(made(lambda sample: sample.array, takes="array"), [SAMPLES["bytes"]])
