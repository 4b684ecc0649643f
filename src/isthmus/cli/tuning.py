"""What ``isthmus fit --model restorer`` and ``--model codec`` share: networks tuned to a person's own pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus import checks, files
from isthmus.cli import inputs, outputs
from isthmus.cli.fit import check_checkpoint, keeping
from isthmus.errors import ParameterError

if TYPE_CHECKING:
    from isthmus.cli.terminal import Terminal
    from isthmus.data import Data

__all__ = ["STARTS", "tune"]

STARTS = {"shipped": "shipped", "nothing": None}


def tune(
    terminal: Terminal,
    estimator: Any,
    data: str,
    output: str,
    *,
    model: str,
    mode: str | None = None,
    validation: float | None,
    resume: bool,
    force: bool,
) -> Path:
    """Fit an estimator to pictures and write its file, which is returned; an interruption leaves a checkpoint.

    Parameters
    ----------
    terminal : Terminal
    estimator : Restorer or PhotographicCodec
    data : str
        Pictures.
    output : str
        The file.
    model : str
        What sentences call it.
    mode : str, optional
        To which channels pictures are converted.
    validation : float, optional
    resume, force : bool
    """
    estimator.check_parameters()
    path = outputs.check_file_output(output, force)
    checkpoint = files.sibling(path, ".checkpoint")
    check_checkpoint(checkpoint, resume=resume, force=force)
    if not resume:
        checkpoint.unlink(missing_ok=True)
    pictures = _pictures(terminal, data, mode, f"fit --model {model}")
    with keeping(checkpoint, "within the first two minutes"):
        estimator.fit(pictures, validation=validation, checkpoint=checkpoint)
    estimator.provenance_["command"] = terminal.command
    estimator.save(path, force=force)
    checkpoint.unlink(missing_ok=True)
    terminal.say(*(f"note: {note}" for note in estimator.notes_ if f"{note}." not in pictures.notes))
    return path


def _pictures(terminal: Terminal, data: str, mode: str | None, owner: str) -> Data:
    """Return opened pictures of any sizes; records of another kind are refused."""
    try:
        return inputs.open_data(terminal, data, {"mode": mode, "sizes": "group"})
    except ParameterError:  # sizes are for pictures
        opened = inputs.open_data(terminal, data, {})
        checks.are_pictures(owner, data, opened.schema.kind)
        raise
