"""Pages about compression, as compress --compare writes them with --report."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.cli.terminal import Result, Terminal
from isthmus.version import __version__

if TYPE_CHECKING:
    from isthmus.report.compression import Shown

__all__ = ["with_page"]


def with_page(terminal: Terminal, result: Result, page: Path, shown: Sequence[Shown] = (), *, force: bool) -> Result:
    """Write the page of a comparison, and return its result with the names of what was written.

    Parameters
    ----------
    terminal : Terminal
        Whose command the page gives.
    result : Result
        Of a comparison of files, or of records by a model of these, made for a page.
    page : Path
        Where to; the figures go beside it as .json.
    shown : sequence of Shown
        Rows of pictures.
    force : bool
        Whether what is there may be replaced.
    """
    from isthmus.report.compression import written_page

    about = {
        "isthmus": __version__,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": terminal.command,
    }
    written_page(page, {**about, **result.document}, shown, force=force)
    figures = page.with_suffix(".json")
    document = {**result.document, "page": str(page), "figures": str(figures)}
    return Result(document, [*result.lines, "", f"{page} (and {figures.name} beside it)"])
