"""``isthmus fit --model codec`` of pictures that come back with a loss: the photographic codec, tuned to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isthmus import checks
from isthmus.checks.coding import SHORT
from isthmus.cli.shipped import at_rates
from isthmus.cli.terminal import Result, Terminal, counted
from isthmus.cli.tuning import STARTS, tune

if TYPE_CHECKING:
    from isthmus.models.photographic_codec import PhotographicCodec

__all__ = ["fit_photographs"]


def fit_photographs(
    terminal: Terminal, data: str, output: str, given: Mapping[str, Any], *, seed: int, resume: bool, force: bool
) -> Result:
    """Tune the codec of photographs to pictures of a person, with those parameters that were given."""
    start = given.get("start", "shipped")
    checks.choice("fit --model codec", "--from", start, tuple(STARTS))
    from isthmus.models.photographic_codec import PhotographicCodec

    own = {name: value for name, value in given.items() if name not in ("start", "mode", "validation")}
    how: dict[str, Any] = {"start": STARTS[start], "random_state": seed, "verbose": 0 if terminal.quiet else 1}
    estimator = PhotographicCodec(**how, **own)
    opening: dict[str, Any] = {"mode": given.get("mode"), "validation": given.get("validation")}
    tune(terminal, estimator, data, output, model="codec", **opening, resume=resume, force=force)
    terminal.say(f"next: isthmus compress FILE --psnr 38 -m {output}")
    return _fitted(estimator, output)


def _fitted(codec: PhotographicCodec, output: str) -> Result:
    """Return what is said of a codec that was fitted."""
    provenance, history = codec.provenance_, codec.history_
    line = (
        f"{output}: PhotographicCodec {codec.fingerprint_[:SHORT]}, learned from "
        f"{counted(provenance['records'], 'picture')} in {provenance['steps']:,} steps and {provenance['minutes']:.1f} "
        f"min"
    )
    document = {"output": output, "model": "PhotographicCodec", "fingerprint": codec.fingerprint_}
    found = {"provenance": provenance, "history": history, "bits_saved": codec.bits_saved_, "notes": codec.notes_}
    return Result(document | found, [line, *_judged(codec)])


def _judged(codec: PhotographicCodec) -> list[str]:
    """Return what held-out pictures say of a fit."""
    if not codec.history_:
        return []
    lines, saved = [at_rates(codec.history_[-1])], codec.bits_saved_
    if saved is not None:
        share = f"{100 * abs(saved):.1f} % {'fewer' if saved >= 0 else 'more'} bits"
        lines.append(f"at the same PSNR they take {share} than with the weights that come with isthmus")
    if codec.fingerprint_ == codec.provenance_["begun_with"]:
        lines.append("the file holds the weights that the fit began with")
    return lines
