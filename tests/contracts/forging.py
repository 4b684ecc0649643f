"""Model files that say something wrong with checksums that are right, and whether what reads them keeps its word.

Used by the fuzz of the tests (a few hundred files) and by ``benchmarks/artifact_fuzz.py`` (as many as one likes).
"""

from __future__ import annotations

import copy
import hashlib
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors.numpy import save
from torch import nn

import isthmus
from isthmus import artifact
from isthmus.errors import IsthmusError

GOLDEN = Path(__file__).parent / "golden"
FEW = 12  # records that a file that was read is used on

Arrays = dict[str, np.ndarray]
Place = tuple[Any, ...]


@dataclass(frozen=True)
class Source:
    """A sound file, and what to do with it.

    Parameters
    ----------
    name : str
        What it holds.
    envelope, arrays : dict
        Of the file.
    records : object
        Some like those it was fitted on.
    network : callable
        Returns new instances of the user's own modules; None where there are none.
    """

    name: str
    envelope: dict[str, Any]
    arrays: Arrays
    records: Any
    network: Callable[[], Any] = lambda: None


# ------------------------------------------------------------------ sound files


def golden() -> Iterator[Source]:
    """Yield the files of the promise that they stay readable: pictures and a table."""
    pictures = np.load(GOLDEN / "format-1-image.npz")["records"][:FEW]
    with pa.ipc.open_file(GOLDEN / "format-1-table.records.arrow") as file:
        table = file.read_all().slice(0, FEW)
    yield _source("image", GOLDEN / "format-1-image.safetensors", pictures)
    yield _source("table", GOLDEN / "format-1-table.safetensors", table)


def fitted(folder: Path) -> Iterator[Source]:
    """Yield small files of every kind of object and of preprocessing, fitted here.

    Parameters
    ----------
    folder : Path
        Where they are written.
    """
    rng = np.random.default_rng(0)
    rows = np.round(rng.normal(size=(120, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(120, 5)), 3)
    labels = (rows[:, 0] > 0).astype(int)
    few: dict[str, Any] = {"latent_dim": 2, "hidden": (8,), "max_epochs": 2, "random_state": 0}
    amounts = np.where(rng.random((120, 1)) < 0.3, 0.0, rows[:, :1])
    texts = ["".join(rng.choice(list("abc "), 9)) for _ in range(60)]
    towns = rng.choice(["Bern", "Oslo"], 120)
    days = np.datetime64("2024-01-01") + rng.integers(0, 500, 120)
    table = pa.table({"amount": amounts[:, 0], "size": rows[:, 1], "town": towns, "day": days})
    made: list[tuple[str, Any, Any]] = [
        ("quantiles", isthmus.VAE(scaling="quantile", **few).fit(table), table),
        ("rows", isthmus.SparseAutoencoder(scaling="quantile", **few).fit(np.hstack([rows, amounts])), None),
        ("texts", isthmus.Autoencoder(**few).fit(texts), texts),
        ("classes", isthmus.ConditionalVAE(**few).fit(rows, labels), rows),
        ("map", isthmus.Map(max_epochs=2, random_state=0).fit(rows), rows),
        ("cluster", isthmus.Clusterer(model=isthmus.Autoencoder(**few), n_clusters=2, random_state=0).fit(rows), rows),
        ("mixture", isthmus.Clusterer(method="mixture", n_clusters=2, random_state=0).fit(rows), rows),
        ("detect", isthmus.Detector(model=isthmus.Autoencoder(**few), random_state=0).fit(rows), rows),
        ("classify", isthmus.Classifier(model=isthmus.Autoencoder(**few), random_state=0).fit(rows, labels), rows),
        ("tune", isthmus.Tuner(families=["Autoencoder"], n_trials=2, cv=2, settings={"max_epochs": 1}).fit(rows), rows),
    ]
    made[1] = (*made[1][:2], np.hstack([rows, amounts]))
    for name, one, records in made:
        path = folder / f"{name}.safetensors"
        one.save(path)
        yield _source(name, path, records[:FEW])
    own = isthmus.Autoencoder(network=_own(), max_epochs=2, random_state=0).fit(rows)
    own.save(folder / "own.safetensors")
    yield _source("own", folder / "own.safetensors", rows[:FEW], _own)


def _own() -> tuple[nn.Module, nn.Module]:
    return nn.Linear(5, 2), nn.Linear(2, 5)


def _source(name: str, path: Path, records: Any, network: Callable[[], Any] = lambda: None) -> Source:
    envelope = artifact.describe(path)
    return Source(name, envelope, artifact.read(path)[1], records, network)


# ------------------------------------------------------------------ forged ones


def signed(envelope: object, arrays: Arrays) -> bytes:
    """Return a file whose checksums are right, whatever it says."""
    if isinstance(envelope, dict) and "sha256" in envelope:
        envelope = envelope | {"sha256": artifact.digest(arrays)}
    text = json.dumps(envelope)
    return save(arrays, {"isthmus": text, "sha256": hashlib.sha256(text.encode()).hexdigest()})


def places(value: object, place: Place = ()) -> list[Place]:
    """Return the ways to all values in a JSON document, but two of many neighbours."""
    inside = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    return [place, *(found for key, item in inside for found in places(item, (*place, key)))][place == () :]


def at(envelope: Any, place: Place) -> Any:
    """Return the value at a place of a document."""
    for key in place:
        envelope = envelope[key]
    return envelope


def changed(envelope: dict[str, Any], place: Place, value: object) -> dict[str, Any]:
    """Return a document with another value at a place; ``...`` leaves the key out."""
    envelope = copy.deepcopy(envelope)
    parent = at(envelope, place[:-1])
    if value is ...:
        del parent[place[-1]]
    else:
        parent[place[-1]] = value
    return envelope


def deep(levels: int) -> Any:
    """Return lists in lists."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 7, 10**6, 10**9, 2**31, 2**53 + 1, 2**63, 2**64, 10**30, 10**400),
    *(0.5, -1.5, 1e-300, 1e300, 1e39, "", "x", "x" * 10_000, "0", "1", "nan", "none", "auto", "cpu", "cuda", "meta"),
    *("\ud800", "\x1b[31m", "\n", "QUJD", "float16", "object", "U5", "V8", "datetime64[s]", "table", "image", "text"),
    *([], {}, [[]], [None], ["x"], ["x", None], [0], [-1], [1.5], [1] * 1000, [[1, 2], [3]], {"a": {}}, {"": None}),
    *({"name": "x"}, {"modules": []}, {"modules": [3]}, {"modules": [{"name": "os.system"}]}, deep(200)),
)


def mutant(source: Source, rng: np.random.Generator) -> bytes:
    """Return a file that differs from a sound one in a few places of its document, or of its arrays."""
    envelope, arrays = copy.deepcopy(source.envelope), dict(source.arrays)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        if rng.random() < 0.2:
            with np.errstate(all="ignore"):
                _change_array(arrays, rng)
        else:
            envelope = _change_document(envelope, rng)
    return signed(envelope, arrays)


def _change_document(envelope: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    everywhere = places(envelope)
    # Half of the changes are near the top, where most of a reader's decisions hang.
    near = [place for place in everywhere if len(place) <= 4]
    some = near if rng.random() < 0.5 else everywhere
    place = some[int(rng.integers(len(some)))]
    value = at(envelope, place)
    way = int(rng.integers(7))
    if way == 0:  # the value of another place
        return changed(envelope, place, copy.deepcopy(at(envelope, everywhere[int(rng.integers(len(everywhere)))])))
    if way == 6:
        return changed(envelope, place, ...)
    if way == 1 and isinstance(value, dict):
        return changed(envelope, place, {**value, str(rng.choice(["x", "kind", "name", "network"])): _odd(rng) or 0})
    if way == 1 and isinstance(value, list):
        new = [value[1:], value[:-1], value + value, [*value, _odd(rng)], value[::-1], [value]]
        return changed(envelope, place, new[int(rng.integers(len(new)))])
    if way == 1 and isinstance(value, str):
        return changed(
            envelope, place, str(rng.choice([value[:-1], value + "x", value.upper(), value * 3, value[::-1]]))
        )
    if way == 1 and isinstance(value, int | float):
        new = [-value, value + 1, value - 1, value * 1000, float(value) + 0.5, str(value), [value], bool(value)]
        return changed(envelope, place, new[int(rng.integers(len(new)))])
    return changed(envelope, place, _odd(rng))


def _odd(rng: np.random.Generator) -> Any:
    return ODD[int(rng.integers(len(ODD)))]


def _change_array(arrays: Arrays, rng: np.random.Generator) -> None:
    if not arrays:
        return
    name = sorted(arrays)[int(rng.integers(len(arrays)))]
    old = arrays.pop(name)
    flat = old.reshape(-1)
    is_float = old.dtype.kind == "f"
    spoilt = flat.astype(old.dtype if is_float else np.float32)
    if len(spoilt):
        spoilt[int(rng.integers(len(spoilt)))] = rng.choice([np.nan, np.inf, -np.inf, 1e38, -1e38])
    new: tuple[Any, ...] = (
        *(None, flat, flat[:0], flat[:1], np.concatenate([flat] * 3), old[..., None], old.astype(bool)),
        *(old.astype(np.float16), old.astype(np.int8), old.astype(np.float64), old.astype(np.uint64)),
        *(np.full_like(old, np.nan if is_float else 0), np.full_like(old, 1e38 if is_float else 100)),
        *(spoilt.reshape(old.shape), -old if old.dtype.kind in "fi" else old, flat[::-1].reshape(old.shape)),
    )
    array = new[int(rng.integers(len(new)))]
    if array is not None:
        arrays[name if rng.random() < 0.95 else f"{name}x"] = np.ascontiguousarray(array)


# ------------------------------------------------------------------ what reading and using one comes to


@dataclass(frozen=True)
class Outcome:
    """What came of a file: "refused", "used", "refused at use", or a fault, and what was said."""

    kind: str
    said: str = ""
    error: BaseException | None = None

    @property
    def is_fault(self) -> bool:
        """Whether the reader did what it must not."""
        return self.kind in ("foreign at load", "foreign at use", "not finite")


def outcome(path: Path, source: Source) -> Outcome:
    """Return what reading a file comes to, and, where it is read, its use on some records."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            loaded = isthmus.load(path, network=source.network())
        except IsthmusError as error:
            return Outcome("refused", str(error), error)
        except Exception as error:  # noqa: BLE001 - which is what is looked for
            return Outcome("foreign at load", f"{type(error).__name__}: {error}", error)
        try:
            refused = [said for name in USES if (said := _refused(loaded, name, source.records))]
        except ArithmeticError:
            return Outcome("not finite", "")
        except Exception as error:  # noqa: BLE001
            return Outcome("foreign at use", f"{type(error).__name__}: {error}", error)
    return Outcome("refused at use", refused[0]) if refused else Outcome("used")


def _refused(loaded: Any, name: str, records: Any) -> str:
    """Return the sentence with which a use is refused; nothing where it is not, or there is no such use."""
    if not hasattr(loaded, name):
        return ""
    try:
        found = _used(loaded, name, records)
    except IsthmusError as error:
        return str(error)
    if _not_finite(found):
        raise ArithmeticError(name)
    return ""


USES = ("transform", "reconstruct", "score_samples", "sample", "inverse_transform", "predict_proba", "predict")


def _used(loaded: Any, name: str, records: Any) -> Any:
    if name == "sample":
        return loaded.sample(2, random_state=0)
    if name == "inverse_transform":
        return loaded.inverse_transform(loaded.transform(records))
    return getattr(loaded, name)(records)


def _not_finite(found: Any) -> bool:
    """Tell whether numbers that came out are not finite; likelihoods may be minus infinity, but never no number."""
    if not isinstance(found, np.ndarray) or found.dtype.kind != "f":
        return False
    return bool(np.isnan(found).any() or (found.ndim > 1 and np.isinf(found).any()))
