"""The result of an evaluation: figures as a dictionary, as plain text, and as one page of HTML."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus import plain
from isthmus.artifact import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from isthmus.report.generation import Generation
    from isthmus.report.sample import Sample

__all__ = ["FORMAT", "FORMAT_NUMBER", "Report", "written"]

FORMAT = "isthmus-report"
FORMAT_NUMBER = 1


class Report:
    """The evaluation of a model on held-out records; made by :func:`isthmus.report.evaluate`.

    Parameters
    ----------
    document : dict
        All figures, as JSON values.
    sample : Sample
        What the pictures are drawn from.
    made : Generation, optional
        New records.
    """

    def __init__(self, document: dict[str, Any], sample: Sample, made: Generation | None = None) -> None:
        self.document = document
        self.sample = sample
        self.made = made

    def __repr__(self) -> str:
        return f"Report({self.document['verdict']!r})"

    def _repr_html_(self) -> str:
        """Show the page inside a notebook."""
        from isthmus.report.page import framed

        return framed(self.to_html())

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain JSON values; what ``report.json`` holds."""
        copy: dict[str, Any] = json.loads(json.dumps(self.document))
        return copy

    def figures(self) -> dict[str, Figure]:
        """Return the pictures by name, as matplotlib figures.

        Returns
        -------
        dict of str to matplotlib.figure.Figure
            ``distribution``, ``codes``, ``units``; ``loss`` where there is a history; ``images`` and ``worst`` for
            images, ``parity`` for arrays, ``columns`` for tables and narrow arrays; ``kl`` or ``levels`` for
            variational models, ``entries`` for those with a codebook, ``meaning`` where gradients explain the code; of
            new records ``new``, ``closest``, ``distances``, ``between``, ``moved`` and ``marginals``.
        """
        from isthmus.report.pictures import draw

        return draw(self.document, self.sample, self.made)

    def to_html(self) -> str:
        """Return the whole report as one page that needs no other file and no network."""
        from isthmus.report.page import render

        return render(self.document, self.sample, self.figures())

    def summary(self) -> str:
        """Return the scores as plain text for a terminal."""
        from isthmus.report.terminal import summary

        return summary(self.document)

    def write(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the page and, beside it, the figures as JSON.

        Parameters
        ----------
        path : path
            A name that ends in ``.html``, or a folder (made where it is missing) that gets ``report.html``. The JSON
            file has the same name with ``.json``.
        force : bool, default=False
            Whether files of these names may be replaced.

        Returns
        -------
        Path
            Of the page.

        Raises
        ------
        OutputExistsError
            One of the two files exists and ``force`` is off; nothing is written then.
        OSError
            The disk is full or the folder cannot be written; no half-written file stays behind.
        """
        return written(path, self.to_html, self.document, force=force)


def written(
    path: str | os.PathLike[str], to_html: Callable[[], str], document: dict[str, Any], *, force: bool = False
) -> Path:
    """Write a page and, beside it, its figures as JSON: see :meth:`Report.write`.

    Parameters
    ----------
    path : path
        The page, or a folder.
    to_html : callable
        Returns the page.
    document : dict
        The figures.
    force : bool, default=False
        Whether files of these names may be replaced.
    """
    page = Path(path)
    if page.suffix.lower() not in (".html", ".htm"):
        page = page / "report.html"
    figures = page.with_suffix(".json")
    page.parent.mkdir(parents=True, exist_ok=True)
    # Both names are claimed before anything is drawn, and before either file appears.
    with replacing(figures, force=force) as json_file, replacing(page, force=force) as html_file:
        html_file.write(to_html().encode())
        figures_as_text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
        json_file.write(plain.escaped(figures_as_text, lines=True).encode() + b"\n")
    return page
