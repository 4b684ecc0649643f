from __future__ import annotations

import gzip
import hashlib
import io
import os
import socket
import struct
import tarfile
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from isthmus import data
from isthmus.data import public
from isthmus.errors import ArtifactError, ParameterError, UnavailableError


@pytest.fixture(autouse=True)
def _nothing_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """No test reaches the network; only the marked ones see sets that lie on this machine."""

    def refuse(*arguments: object) -> NoReturn:
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path / "cache"))
    if "real" not in request.node.name:
        monkeypatch.delenv("ISTHMUS_DATA", raising=False)


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(head + array.tobytes())


@pytest.fixture
def small_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder that holds a set laid out as MNIST, with its own checksums."""
    folder = tmp_path / "sets" / "mnist"
    folder.mkdir(parents=True)
    sums = {}
    for n, names in ((6, public.IDX_FILES["train"]), (4, public.IDX_FILES["test"])):
        arrays = (np.full((n, 3, 3), n, np.uint8), np.arange(n, dtype=np.uint8))
        for name, array in zip(names, arrays, strict=True):
            (folder / name).write_bytes(idx(array))
            sums[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    monkeypatch.setitem(public.SETS, "mnist", public.PublicSet(("https://nowhere.invalid/",), public.IDX_FILES, sums))
    return folder


def test_digits_need_nothing() -> None:
    opened = data.open("digits")
    assert opened.array.shape == (1797, 8, 8)
    assert opened.schema.dtype == "uint8"
    assert (opened.array.min(), opened.array.max()) == (0, 16)
    assert np.bincount(opened.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert opened.source == "digits"


def test_folder_of_the_environment_comes_first(
    small_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISTHMUS_DATA", os.pathsep.join([str(tmp_path / "none"), str(small_mnist.parent)]))
    assert len(data.open("mnist")) == 6
    assert len(data.open("mnist/train")) == 6
    test = data.open("mnist/test")
    assert len(test) == 4
    assert test.labels.tolist() == [0, 1, 2, 3]
    assert data.load("mnist", "test").source == "mnist/test"


def test_cache_is_looked_into(small_mnist: Path, tmp_path: Path) -> None:
    small_mnist.parent.rename(tmp_path / "cache")
    assert len(data.open("mnist")) == 6


def test_altered_file_is_refused(small_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_DATA", str(small_mnist.parent))
    path = small_mnist / public.IDX_FILES["train"][0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=r"train-images-idx3-ubyte\.gz' is altered or truncated: its sha256 is"):
        data.open("mnist")


def test_absent_set_is_a_clear_error() -> None:
    with pytest.raises(UnavailableError, match="the set 'kmnist' is not on this machine") as caught:
        data.open("kmnist")
    assert caught.value.exit_code == 5
    assert "download=True (--download)" in str(caught.value)


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.HTTPWarning")
def test_download_without_network_is_a_clear_error() -> None:
    with pytest.raises(UnavailableError, match="the set 'kmnist' could not be downloaded") as caught:
        data.open("kmnist", download=True)
    assert caught.value.exit_code == 5


def test_wrong_split_and_name() -> None:
    with pytest.raises(
        ParameterError, match=r"split must be one of 'train', 'test', got 'tset'; did you mean 'test'\?"
    ):
        data.open("mnist/tset")
    with pytest.raises(ParameterError, match="split must be one of None, got 'test'"):
        data.open("digits/test")
    with pytest.raises(ParameterError, match=r"name must be one of .*; did you mean 'mnist'\?"):
        data.load("mnits")


def test_cifar_is_read_from_its_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 32, 32, 3)).astype(np.uint8)
    labels = rng.integers(0, 10, 12).astype(np.uint8)
    records = np.concatenate([labels[:, None], images.transpose(0, 3, 1, 2).reshape(12, -1)], axis=1)
    path = tmp_path / "cache" / "cifar10" / "cifar-10-binary.tar.gz"
    path.parent.mkdir(parents=True)
    names = [*public.CIFAR_MEMBERS["train"], *public.CIFAR_MEMBERS["test"]]
    with tarfile.open(path, "w:gz") as archive:
        for i, name in enumerate(names):
            content = records[2 * i : 2 * i + 2].tobytes()
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    original = public.SETS["cifar10"]
    monkeypatch.setitem(
        public.SETS, "cifar10", public.PublicSet(original.mirrors, original.splits, {path.name: digest})
    )
    train, test = data.open("cifar10"), data.open("cifar10/test")
    np.testing.assert_array_equal(train.array, images[:10])
    np.testing.assert_array_equal(test.array, images[10:])
    assert train.labels.tolist() == [public.CIFAR_CLASSES[label] for label in labels[:10]]


@pytest.mark.skipif(not os.environ.get("ISTHMUS_DATA"), reason="ISTHMUS_DATA names no folder of public sets")
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_real_files(name: str) -> None:
    for split, n in (("train", 60000), ("test", 10000)):
        opened = data.open(f"{name}/{split}")
        assert opened.array.shape == (n, 28, 28)
        assert np.bincount(opened.labels).sum() == n
