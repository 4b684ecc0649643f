"""Notes of a call about records that differ from the data of the fit: once a call, with counts.

Models count while they encode (:class:`isthmus.preprocessing.Differences`), the outermost call tells. A row counts
once, however often a call reads it, and only the records that the caller gave do: not those that a task makes of them
on the way. Their marks are the object that was given and the store of the data that were opened from it.

In Python a call tells by an :class:`~isthmus.errors.IsthmusWarning` that points to the caller's line, and by ``notes_``
of the object that was called; the command line by a note (:func:`of_command`).
"""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from isthmus.data import Data
from isthmus.data.rows import RowNumbers
from isthmus.errors import IsthmusWarning
from isthmus.preprocessing import Differences, Preprocessor
from isthmus.preprocessing.differences import NAMED, shown

__all__ = [
    "Scope",
    "belongs",
    "each",
    "encode",
    "fit_of",
    "gives_back",
    "learns",
    "learns_a_use",
    "left_out",
    "listed",
    "methods_tell",
    "note",
    "of_command",
    "of_fit",
    "sentences",
    "tells",
]

F = TypeVar("F", bound=Callable[..., Any])
Rows = slice | NDArray[np.int64]
QUIET = ("isthmus", "sklearn", "joblib", "functools", "contextlib")  # packages whose frames are not the caller's line


class SeenRows:
    """Which rows were seen: a bit each, and none of stretches of which all or no rows were."""

    STRETCH = 2**16

    def __init__(self) -> None:
        self._whole: set[int] = set()
        self._bits: dict[int, NDArray[np.uint8]] = {}

    def mark(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which rows were not seen before, and mark all."""
        fresh = np.zeros(len(rows), bool)
        stretches = rows // self.STRETCH
        for stretch in np.unique(stretches).tolist():
            if stretch in self._whole:
                continue
            here = stretches == stretch
            places = rows[here] - stretch * self.STRETCH
            bits = self._bits.get(stretch)
            seen = np.zeros(self.STRETCH, np.uint8) if bits is None else np.unpackbits(bits)
            fresh[here] = seen[places] == 0
            seen[places] = 1
            if seen.all():
                self._whole.add(stretch)
                self._bits.pop(stretch, None)
            else:
                self._bits[stretch] = np.packbits(seen)
        return fresh


class Scope:
    """One call by the user, with all calls inside it.

    Attributes
    ----------
    depth : int
        Calls of models and tasks that are running: 0 between those of a command.
    returned : bool
        Whether records were given back.
    """

    def __init__(self) -> None:
        self.depth = 0
        self.returned = False
        self._given: dict[int, Any] = {}  # by identity: what the caller gave, and the stores opened from it
        self._aliases: dict[int, tuple[Any, RowNumbers | None]] = {}  # where else the rows of a store are
        self._differences: dict[int, tuple[Preprocessor, Differences]] = {}
        self._seen: dict[tuple[int, int], SeenRows] = {}
        self._learned: set[tuple[int, int]] = set()
        self._made: list[Preprocessor] = []  # during this call
        self._kept: list[Any] = []  # so that no other object gets the identity of one that is remembered
        self._notes: list[str] = []

    def give(self, records: Any) -> None:
        """Remember what the caller gave."""
        thing = records.store if isinstance(records, Data) else records
        if thing is not None:
            self._given[id(thing)] = thing

    def adopt(self, data: Data, source: Any) -> None:
        """Remember that data were opened from what the caller gave, where they were."""
        origin = source.store if isinstance(source, Data) else source
        if id(origin) not in self._given or data.store is origin:
            return
        self._given[id(data.store)] = data.store
        rows = source.rows if isinstance(source, Data) and data.rows is None else None
        self._aliases[id(data.store)] = (origin, rows)

    def learn(self, preprocessor: Preprocessor, records: Any) -> None:
        """Remember what a preprocessor was fitted on: nothing is told of that."""
        origin = self._rows(records, slice(0, 0))[0]
        self._made.append(preprocessor)
        self._kept.append(origin)
        self._learned.add((id(preprocessor), id(origin)))

    @contextmanager
    def learning(self, records: Any) -> Iterator[None]:
        """Remember that all preprocessors that are fitted meanwhile learn from these records, in whatever form."""
        start = len(self._made)
        yield
        for preprocessor in self._made[start:]:
            self.learn(preprocessor, records)

    def encode(self, preprocessor: Preprocessor, source: Any, places: Rows, block: Any) -> Any:
        """Return a block of records as numbers; count those rows of the caller's that were not counted yet."""
        n = len(block)
        origin, rows = self._rows(source, places)
        if id(origin) not in self._given or (id(preprocessor), id(origin)) in self._learned:
            return preprocessor.encode(block)
        fresh = self._fresh(preprocessor, origin, rows, n)
        if not fresh.any():
            return preprocessor.encode(block)
        differences = self._differences.setdefault(id(preprocessor), (preprocessor, Differences()))[1]
        differences.records += int(fresh.sum())
        if fresh.all():
            return preprocessor.encode(block, differences)
        preprocessor.encode(_some(block, np.flatnonzero(fresh)), differences)
        return preprocessor.encode(block)

    def _rows(self, source: Any, rows: Rows) -> tuple[Any, Rows]:
        """Return where rows come from first of all, and which they are there."""
        if not isinstance(source, Data):
            return source, rows
        origin: Any = source.store
        rows = rows if source.rows is None else source.rows[rows]
        while id(origin) in self._aliases:
            origin, base = self._aliases[id(origin)]
            rows = rows if base is None else base[rows]
        return origin, rows

    def _fresh(self, preprocessor: Preprocessor, origin: Any, rows: Rows, n: int) -> NDArray[np.bool_]:
        """Return which rows were not counted yet, and mark them."""
        seen = self._seen.setdefault((id(preprocessor), id(origin)), SeenRows())
        if isinstance(rows, slice):
            return seen.mark(np.arange(rows.start, rows.stop))
        first = np.zeros(n, bool)  # a row that is there twice counts once
        first[np.unique(rows, return_index=True)[1]] = True
        return first & seen.mark(np.asarray(rows))

    def note(self, sentence: str) -> None:
        """Tell something else."""
        if sentence not in self._notes:
            self._notes.append(sentence)

    def sentences(self) -> list[str]:
        """Return everything that is to be told, each sentence once."""
        found = (each.sentences(returned=self.returned) for _, each in self._differences.values())
        return list(dict.fromkeys([*self._notes, *chain.from_iterable(found)]))


_END = object()
_learned_from: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()
_current: ContextVar[Scope | None] = ContextVar("isthmus_scope", default=None)


# ------------------------------------------------------------------ what a model or a task says of what it does


def belongs(data: Data, source: Any) -> Data:
    """Return data, once it is known that they were opened from ``source``: the caller's if that is."""
    scope = _current.get()
    if scope is not None:
        scope.adopt(data, source)
    return data


def encode(preprocessor: Preprocessor, source: Any, rows: int | NDArray[np.int64], block: Any) -> Any:
    """Return a block of records as numbers, counting what of the caller's records is unlike the fit's.

    Parameters
    ----------
    preprocessor : Preprocessor
    source : Data or array
        What the block was read from.
    rows : int or array of int
        Its first row there, or all of them.
    block : block of records
    """
    scope = _current.get()
    if scope is None:
        return preprocessor.encode(block)
    places = slice(rows, rows + len(block)) if isinstance(rows, int) else rows
    return scope.encode(preprocessor, source, places, block)


def gives_back() -> None:
    """Say that the call from outside is one that gives its records back, within the range of the fit."""
    scope = _current.get()
    if scope is not None and scope.depth == 1:
        scope.returned = True


def note(sentence: str) -> None:
    """Tell something else that a person should know about the result; once."""
    scope = _current.get()
    if scope is not None:
        scope.note(sentence)


def left_out(names: Sequence[str]) -> None:
    """Tell which columns are not looked at, since the fit did not have them."""
    note(f"the fit had no column {listed([*map(shown, names)])}, and what is there is not looked at")


def listed(names: Sequence[str]) -> str:
    """Return names side by side, the first few of many."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def sentences() -> list[str]:
    """Return what is to be told of the call that runs."""
    scope = _current.get()
    return [] if scope is None else scope.sentences()


def of_fit(owner: Any) -> list[str]:
    """Return ``notes_`` without what the last call told: what belongs into a file."""
    told = owner._told or ()
    return [sentence for sentence in owner.notes_ if sentence not in told]


# ------------------------------------------------------------------ calls


def tells(function: F) -> F:
    """Make a function, or a method, one that tells where it is the outermost: of its parameter ``X``, or ``data``."""
    names = list(inspect.signature(function).parameters)
    name = "X" if "X" in names else "data"
    place = names.index(name)

    @functools.wraps(function)
    def telling(*args: Any, **kwargs: Any) -> Any:
        records = args[place] if len(args) > place else kwargs.get(name)
        with _within(args[0] if args else kwargs.get(names[0]), records):
            return function(*args, **kwargs)

    telling._tells = True  # type: ignore[attr-defined]
    return telling  # type: ignore[return-value]


def learns(function: F) -> F:
    """Make a ``fit`` one of whose records nothing is told by calls inside: what it has to say is in ``notes_``.

    What a fitted model makes of other records during it, such as those to validate on, :func:`sentences` returns. Of
    these very records the model tells nothing afterwards either: it may have held some of them out, but whoever calls
    has given them to be learned from.
    """

    @functools.wraps(function)
    def learning(self: Any, X: Any = None, *args: Any, **kwargs: Any) -> Any:
        with fit_of(self, X, kwargs.get("validation")):
            made = function(self, X, *args, **kwargs)
        _remember(self, X)
        return made

    return learning  # type: ignore[return-value]


@contextmanager
def fit_of(model: Any, records: Any, others: Any = None) -> Iterator[None]:
    """Tell nothing, meanwhile and later in the call around it, of records that a model's preprocessing is fitted to.

    Parameters
    ----------
    model : Model
    records : records
        That it is fitted on.
    others : records, optional
        Of which :func:`sentences` returns meanwhile what of them is unlike the fit's.
    """
    outer, inner = _current.get(), Scope()
    inner.depth = 1
    inner.give(others)
    token = _current.set(inner)
    try:
        yield
    finally:
        _current.reset(token)
    if outer is not None and "preprocessor_" in vars(model):
        outer.learn(model.preprocessor_, records)


def learns_a_use(function: F) -> F:
    """Make a ``fit`` of a task one that tells what a model that was fitted before makes of its records.

    Of these very records the fitted object tells nothing afterwards: it may have kept some of them from its own model,
    but whoever calls has given them to be learned from.
    """

    @functools.wraps(function)
    def learning(self: Any, X: Any = None, *args: Any, **kwargs: Any) -> Any:
        with _within(self, X) as scope, scope.learning(X):
            made = function(self, X, *args, **kwargs)
        _remember(self, X)
        return made

    return learning  # type: ignore[return-value]


def methods_tell(cls: type) -> None:
    """Make all public methods of a class tell that take records, ``X``, and are its own; its ``fit`` is left alone."""
    for name, method in list(vars(cls).items()):
        if name.startswith("_") or name == "fit" or not inspect.isfunction(method):
            continue
        if "X" in inspect.signature(method).parameters and not hasattr(method, "_tells"):
            setattr(cls, name, tells(method))


def each(owner: Any, records: Any, results: Iterable[Any]) -> Iterator[Any]:
    """Yield results that are computed one by one, as one call that tells when all are there."""
    scope = _current.get()
    if scope is not None and scope.depth:
        return iter(results)
    return _each(owner, records, iter(results))


def _each(owner: Any, records: Any, results: Iterator[Any]) -> Iterator[Any]:
    outer = _current.get()
    scope = Scope() if outer is None else outer
    scope.give(records)
    while True:
        token = _current.set(scope)
        scope.depth += 1
        try:
            result = next(results, _END)
        finally:
            scope.depth -= 1
            _current.reset(token)
        if result is _END:
            break
        yield result
    if outer is None:
        _say(owner, scope.sentences())


@contextmanager
def of_command() -> Iterator[Scope]:
    """Collect the notes of all calls of a command, to be shown by the caller."""
    scope = Scope()
    token = _current.set(scope)
    try:
        yield scope
    finally:
        _current.reset(token)


@contextmanager
def _within(owner: Any, records: Any) -> Iterator[Scope]:
    """Go one call deeper; the outermost one of Python tells when it is done."""
    scope = _current.get()
    if scope is not None:
        if scope.depth == 0 and not _is_learned_from(owner, records):
            scope.give(records)
        scope.depth += 1
        try:
            yield scope
        finally:
            scope.depth -= 1
        return
    scope = Scope()
    if not _is_learned_from(owner, records):
        scope.give(records)
    scope.depth = 1
    token = _current.set(scope)
    try:
        yield scope
    finally:
        _current.reset(token)
    _say(owner, scope.sentences())


def _remember(owner: Any, records: Any) -> None:
    """Remember what an object learned from, where that can be told again."""
    with suppress(TypeError):  # of a list there is no weak reference
        _learned_from[owner] = weakref.ref(records.store if isinstance(records, Data) else records)


def _is_learned_from(owner: Any, records: Any) -> bool:
    """Tell whether a fitted object learned from these very records."""
    learned = _learned_from.get(owner) if hasattr(owner, "_told") else None
    return learned is not None and learned() is (records.store if isinstance(records, Data) else records)


def _say(owner: Any, told: list[str]) -> None:
    """Warn, and keep what was told in the object that was called, in the place of what an earlier call told."""
    if hasattr(owner, "_told") and (told or owner._told):
        owner.notes_ = [*(of_fit(owner) if hasattr(owner, "notes_") else ()), *told]
        owner._told = told
    if told:
        warnings.warn("; ".join(told) + ".", IsthmusWarning, stacklevel=_level_of_caller())


def _level_of_caller() -> int:
    """Return the ``stacklevel``, as seen by :func:`_say`, of the first frame that is neither ours nor a library's."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in QUIET:
        level, frame = level + 1, frame.f_back
    return level


def _some(block: Any, rows: NDArray[np.int64]) -> Any:
    """Return some records of a block."""
    if isinstance(block, list):
        return [block[row] for row in rows]
    return block.take(rows) if hasattr(block, "column_names") else block[rows]
