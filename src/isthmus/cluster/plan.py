"""What a job is, and how it is cut into parts; plain values that any engine can send to its workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

__all__ = [
    "TRIES",
    "Done",
    "Engine",
    "Job",
    "Part",
    "Plan",
    "cut",
    "digits_of",
    "from_document",
    "part_name",
    "to_document",
]

PART_BYTES = 64 * 2**20  # of records, as they lie in memory: what is lost when a worker dies, and does not fit twice
PART_ROWS = 2**20  # records, at most
TRIES = 3  # times that a part is given to a worker: the first, and twice more where a worker died over it

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Job:
    """What is to be done, the same for all parts.

    Parameters
    ----------
    verb : str
        One of :data:`isthmus.cluster.work.VERBS`.
    data : str
        Path or URL of the records; empty for a verb that reads none.
    model : str
        Path of a model's or a task's file, which every worker sees.
    output : str
        Path or URL of the folder of parts, which every worker sees.
    options : tuple of (str, value)
        Of the verb.
    opening : tuple of (str, value)
        How the records are opened: what :func:`isthmus.data.open` takes, as the command line writes it.
    """

    verb: str
    data: str
    model: str
    output: str
    options: tuple[tuple[str, Value], ...] = ()
    opening: tuple[tuple[str, Value], ...] = ()

    def option(self, name: str, default: Any = None) -> Any:
        """Return one of the verb's options."""
        return dict(self.options).get(name, default)


@dataclass(frozen=True)
class Part:
    """Neighbouring records.

    Parameters
    ----------
    number : int
        Of the part, counted from 0.
    start, stop : int
        Its records, counted from 0 over the whole input.
    files : tuple of str
        Those of the input that hold them, where it is known without opening the others; else none.
    first : int
        Number of the first record of the first of these files.
    digits : int
        Of the number in the name of its file, so that names sort as numbers do.
    """

    number: int
    start: int
    stop: int
    files: tuple[str, ...] = ()
    first: int = 0
    digits: int = 5

    def __len__(self) -> int:
        return self.stop - self.start

    def __str__(self) -> str:
        """Return what sentences call it."""
        return f"part {self.number} (rows {self.start:,} to {self.stop - 1:,})"


@dataclass(frozen=True)
class Done:
    """What a worker tells of a part.

    Parameters
    ----------
    number : int
        Of the part.
    name : str
        Of the file in the output folder.
    nbytes : int
        Its size.
    checksum : str
        CRC-32 of its bytes, eight hexadecimal digits.
    seconds : float
        That it took.
    figures : tuple of (str, float)
        Sums over its records, such as how many are outliers.
    notes : tuple of str
        What a person should know of its records.
    error : str
        The sentence, where it could not be done.
    kind : str
        Then the class of the error, of those of :mod:`isthmus.errors`.
    """

    number: int
    name: str = ""
    nbytes: int = 0
    checksum: str = ""
    seconds: float = 0.0
    figures: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Plan:
    """What a worker sees of a job's model and data, and the parts that these are cut into.

    Parameters
    ----------
    rows : int
        Records in all.
    parts : tuple of Part
        In order.
    model, data : str
        Fingerprints.
    suffix : str
        Of the parts' files.
    notes : tuple of str
        What a person should know.
    """

    rows: int
    parts: tuple[Part, ...]
    model: str
    data: str
    suffix: str
    notes: tuple[str, ...] = ()


class Engine(Protocol):
    """What runs a job's parts: processes of this machine, or a cluster.

    An engine is entered before it is used and left afterwards, which ends its workers. It writes no manifest.
    """

    def __enter__(self) -> Engine: ...

    def __exit__(self, *error: object) -> None: ...

    def look(self, job: Job) -> Plan:
        """Return what :func:`isthmus.cluster.work.look` finds where a worker runs; its errors are raised here."""
        ...

    def run(self, job: Job, parts: Sequence[Part]) -> Iterator[Done]:
        """Yield what :func:`isthmus.cluster.work.do` says of each part, in any order.

        A part whose worker died is given to another, ``TRIES`` times in all; then
        :func:`isthmus.checks.part_given_up` is raised.
        """
        ...


def part_name(number: int, suffix: str, digits: int = 5) -> str:
    """Return the name of a part's file."""
    return f"part-{number:0{digits}d}{suffix}"


def digits_of(parts: int) -> int:
    """Return how many digits the numbers of so many parts are written with."""
    return max(5, len(str(parts - 1)))


def cut(sizes: Sequence[tuple[str, Sequence[int]]], row_bytes: float, rows: int | None = None) -> tuple[Part, ...]:
    """Return the parts of records that lie in groups, none of which is divided.

    Parameters
    ----------
    sizes : sequence of (str, sequence of int)
        Each file, and how many records are in each of its groups; of records that can be cut anywhere one file without
        a name, and its number of records as the only group.
    row_bytes : float
        Bytes that a record takes in memory.
    rows : int, optional
        Records in a part, at least where they lie in groups; by default as many as take 64 MiB, a million at most.

    Examples
    --------
    >>> [str(part) for part in cut([("", [5])], 1.0, rows=2)]
    ['part 0 (rows 0 to 1)', 'part 1 (rows 2 to 3)', 'part 2 (rows 4 to 4)']
    >>> cut([("a", [3, 3]), ("b", [3])], 1.0, rows=5)[1]
    Part(number=1, start=6, stop=9, files=('b',), first=6)
    """
    wanted = rows or max(1, min(PART_ROWS, int(PART_BYTES / max(row_bytes, 1e-9))))
    if [name for name, _ in sizes] == [""]:
        n = sum(sizes[0][1])
        found = [Part(k, at, min(at + wanted, n)) for k, at in enumerate(range(0, n, wanted))]
    else:
        found = list(_in_groups(sizes, wanted))
    digits = digits_of(len(found))
    return tuple(found if digits == Part.digits else [replace(part, digits=digits) for part in found])


def _in_groups(sizes: Sequence[tuple[str, Sequence[int]]], wanted: int) -> Iterator[Part]:
    """Yield parts of whole groups, so many that each has the records wanted, or is the last."""
    number = start = at = first = 0
    files: list[str] = []
    for name, groups in sizes:
        begin = at
        for group in groups:
            if not group:
                continue
            if not files:
                first = begin
            if files[-1:] != [name]:
                files.append(name)
            at += group
            if at - start >= wanted:
                yield Part(number, start, at, tuple(files), first)
                number, start, files = number + 1, at, []
    if at > start:
        yield Part(number, start, at, tuple(files), first)


# --- as JSON ---------------------------------------------------------------------------------------------------------

SENT = {cls.__name__: cls for cls in (Job, Part, Done)}


def to_document(value: Any) -> Any:
    """Return a job, a part, what was done of one, or a plan as JSON has it."""
    return {"is": type(value).__name__, **asdict(value)}


def from_document(document: dict[str, Any]) -> Any:
    """Return what :func:`to_document` was given.

    Examples
    --------
    >>> job = Job("encode", "x.npy", "m.safetensors", "codes", options=(("n", 3),))
    >>> from_document(to_document(job)) == job
    True
    """
    fields = {name: _tuples(value) for name, value in document.items() if name != "is"}
    if document["is"] == "Plan":
        parts = tuple(Part(**{name: _tuples(one[name]) for name in one}) for one in document["parts"])
        return Plan(**{**fields, "parts": parts})
    return SENT[document["is"]](**fields)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
