"""Public data sets by name: ``digits`` comes with scikit-learn; others are cached, and downloaded only when asked.

A set is first looked for in the folders that the environment variable ``ISTHMUS_DATA`` names, then in the cache
(``ISTHMUS_CACHE``, or the user's cache folder). Every file is checked against its published sha256.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isthmus.checks import data as checks
from isthmus.data.arrays import from_array
from isthmus.data.idx import read as read_idx
from isthmus.data.records import Data

__all__ = ["NAMES", "load", "split_name"]


@dataclass(frozen=True, slots=True)
class PublicSet:
    """Where the files of a set are and what they must be.

    Parameters
    ----------
    mirrors : tuple of str
        Addresses of folders that hold the files; tried in order.
    splits : mapping of str to tuple of str
        The files of every split: images and labels, or one archive.
    sha256 : dict of str to str
        Checksum of every file.
    """

    mirrors: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]]
    sha256: dict[str, str]


IDX_FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}


def _idx_set(mirrors: tuple[str, ...], *sums: str) -> PublicSet:
    """Return a set laid out as MNIST is; the sums are those of train and test images and labels."""
    files = [*IDX_FILES["train"], *IDX_FILES["test"]]
    return PublicSet(mirrors, IDX_FILES, dict(zip(files, sums, strict=True)))


SETS = {
    # LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 1998.
    "mnist": _idx_set(
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
    # Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms", 2017.
    "fashion-mnist": _idx_set(
        (
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    # Clanuwat et al., "Deep learning for classical Japanese literature", 2018.
    "kmnist": _idx_set(
        ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
        "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    ),
    # Krizhevsky, "Learning multiple layers of features from tiny images", 2009. The binary files: they need no pickle.
    "cifar10": PublicSet(
        ("https://www.cs.toronto.edu/~kriz/",),
        {"train": ("cifar-10-binary.tar.gz",), "test": ("cifar-10-binary.tar.gz",)},
        {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
    ),
}
NAMES = ("digits", *SETS)

CIFAR_MEMBERS = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR_RECORD = 1 + 3 * 32 * 32


def split_name(source: str) -> tuple[str, str | None] | None:
    """Return name and split of ``"mnist"`` or ``"mnist/test"``, and None for any other text."""
    name, _, split = source.partition("/")
    return (name, split or None) if name in NAMES else None


def load(name: str, split: str | None = None, *, download: bool = False) -> Data:
    """Return a public data set.

    Parameters
    ----------
    name : {"digits", "mnist", "fashion-mnist", "kmnist", "cifar10"}
        Which one; ``"mnist/test"`` names its split too.
    split : {"train", "test"} or None, default=None
        None for the training part. ``digits`` has one part only.
    download : bool, default=False
        Fetch the files where they are not on this machine.

    Returns
    -------
    Data
        Images, uint8, with labels.

    Raises
    ------
    ParameterError
        If there is no such set or split.
    UnavailableError
        If the files are not here and downloading was not asked for, or failed.
    ArtifactError
        If a file has a wrong checksum.
    """
    name, _, part = name.partition("/")
    split = split or part or None
    checks.one_of("name", name, NAMES)
    if name == "digits":
        checks.one_of("split", split, (None,))
        return _digits()
    split = split or "train"
    checks.one_of("split", split, tuple(SETS[name].splits))
    paths = [_find(name, file, download) for file in SETS[name].splits[split]]
    if name == "cifar10":
        images, labels = _read_cifar(paths[0], split)
    else:
        images, labels = read_idx(paths[0]), read_idx(paths[1])
    return from_array(images, name=f"{name}/{split}", container="files").labelled(labels)


def _digits() -> Data:
    """Return the 1,797 handwritten digits of 8 x 8 pixels that scikit-learn carries (Alpaydin and Kaynak, 1998)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    notes = ["digits: its whole numbers from 0 to 16, which scikit-learn keeps as float64, were taken as uint8."]
    return from_array(digits.images.astype(np.uint8), name="digits", container="files", notes=notes).labelled(
        digits.target
    )


# --- files -----------------------------------------------------------------------------------------------------------


def folders() -> list[Path]:
    """Return the folders that may hold data sets, in the order in which they are looked into."""
    named = [Path(part).expanduser() for part in os.environ.get("ISTHMUS_DATA", "").split(os.pathsep) if part]
    return [*named, cache()]


def cache() -> Path:
    """Return the folder of downloaded sets: ``ISTHMUS_CACHE``, or the place that the system has for such things."""
    if os.environ.get("ISTHMUS_CACHE"):
        return Path(os.environ["ISTHMUS_CACHE"]).expanduser()
    import pooch

    return Path(pooch.os_cache("isthmus"))


def _find(name: str, file: str, download: bool) -> Path:
    """Return the path of a file of a set, checked; downloaded where it is not here and that was asked for."""
    for folder in folders():
        path = folder / name / file
        if path.is_file():
            expected, found = SETS[name].sha256[file], _sha256(path)
            if found != expected:
                raise checks.public_set_altered(path, expected, found)
            return path
    if not download:
        raise checks.public_set_absent(name, [str(folder / name) for folder in folders()])
    return _download(name, file)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(name: str, file: str) -> Path:
    """Fetch a file into the cache; it takes its name there only once its checksum is right."""
    import pooch

    reason = ""
    for mirror in SETS[name].mirrors:
        try:
            path = pooch.retrieve(mirror + file, "sha256:" + SETS[name].sha256[file], fname=file, path=cache() / name)
        except (OSError, ValueError) as error:
            # Connections fail as OSError (requests), checksums as ValueError.
            reason = f"{type(error).__name__} at {mirror}"
            continue
        return Path(path)
    raise checks.public_set_absent(name, [], reason)


def _read_cifar(path: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images ``(n, 32, 32, 3)`` and class names from the binary archive: a label and three planes a record."""
    parts: dict[str, np.ndarray] = {}
    wanted: Sequence[str] = CIFAR_MEMBERS[split]
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            file = archive.extractfile(member) if Path(member.name).name in wanted else None
            if file is not None:
                content = file.read(10_000 * CIFAR_RECORD)
                parts[Path(member.name).name] = np.frombuffer(content, np.uint8).reshape(-1, CIFAR_RECORD)
    records = np.concatenate([parts[name] for name in wanted])
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(CIFAR_CLASSES)[records[:, 0]]
