"""The one progress bar of a terminal."""

from __future__ import annotations

from typing import Any, TextIO

__all__ = ["bar"]


def bar(stream: TextIO) -> Any:
    """Return a bar that has begun, with words and the time left; it leaves nothing behind when it stops.

    Parameters
    ----------
    stream : text stream
        A terminal.

    Returns
    -------
    rich.progress.Progress
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    found = Progress(
        BarColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
        console=Console(file=stream),
        transient=True,
    )
    found.start()
    return found
