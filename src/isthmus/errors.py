"""The few exceptions of isthmus; each carries the exit code of the command line (see ``isthmus --help``).

Python users can catch the usual built-in classes: a bad parameter or bad data is also a ``ValueError``,
a failed training also an ``ArithmeticError``, and so on.
"""

from __future__ import annotations

from isthmus.plain import sentence

__all__ = [
    "ArtifactError",
    "DataError",
    "DataTypeError",
    "FormatNumberError",
    "IsthmusError",
    "IsthmusWarning",
    "LostRankError",
    "OutOfMemoryError",
    "OutputExistsError",
    "OutputInUseError",
    "ParameterError",
    "ShapeError",
    "TrainingError",
    "UnavailableError",
]


class IsthmusError(Exception):
    """Base of every error that isthmus raises on purpose: one sentence, and an exit code.

    Parameters
    ----------
    message : str
        The sentence; what it quotes of others is escaped and shortened.
    lines : bool, default=False
        Whether its line breaks are meant.
    """

    exit_code = 1

    def __init__(self, message: str = "", *, lines: bool = False) -> None:
        super().__init__(sentence(message, lines=lines))


class ParameterError(IsthmusError, ValueError):
    """A parameter or an option has a value that is not allowed."""

    exit_code = 2


class OutputExistsError(IsthmusError, FileExistsError):
    """The output is there already and overwriting was not asked for."""

    exit_code = 2


class OutputInUseError(IsthmusError, BlockingIOError):
    """Another process is writing the output."""

    exit_code = 2


class DataError(IsthmusError, ValueError):
    """The data cannot be used: empty, not finite, unreadable, outside a likelihood's support."""

    exit_code = 3


class DataTypeError(DataError, TypeError):
    """The data are of a type that cannot be read as numbers, images, a table or text."""


class ShapeError(DataError):
    """The data have another rank, width or size than the model was fitted on."""


class ArtifactError(IsthmusError, ValueError):
    """A file is truncated, altered, or not what it says it is."""

    exit_code = 4


class UnavailableError(IsthmusError, RuntimeError):
    """A device, an optional dependency or a public data set is not at hand."""

    exit_code = 5


class FormatNumberError(ArtifactError):
    """A file has a format number that this version does not know."""

    exit_code = 6


class OutOfMemoryError(IsthmusError, MemoryError):
    """Memory ran out, also with smaller batches."""

    exit_code = 7


class TrainingError(IsthmusError, ArithmeticError):
    """Training could not go on: values stayed non-finite after every remedy."""

    exit_code = 1


class LostRankError(IsthmusError, ConnectionError):
    """One of the processes that train together is lost: killed, frozen, cut off, or stopped by an error of its own."""

    exit_code = 1


class IsthmusWarning(UserWarning):
    """What a person should know about a result: records unlike those of the fit, a model that does harm.

    Parameters
    ----------
    message : str
        The sentence; what it quotes of others is escaped and shortened.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(sentence(message))
