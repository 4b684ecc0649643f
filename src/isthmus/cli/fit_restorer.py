"""``isthmus fit --model restorer``: tuning to a person's own pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isthmus import checks
from isthmus.cli.fit import SEED
from isthmus.cli.restorer import DAMAGES
from isthmus.cli.terminal import Result, Terminal, counted
from isthmus.cli.tuning import STARTS, tune

if TYPE_CHECKING:
    from isthmus.models.restorer import Restorer

__all__ = ["fit_restorer"]


def fit_restorer(
    terminal: Terminal,
    data: str,
    *,
    model: str = "restorer",
    output: str = "model.safetensors",
    from_: str = "shipped",
    self_supervised: bool = False,
    mode: str | None = None,
    validation: float | None = None,
    max_steps: int = 1000,
    max_seconds: float | None = None,
    batch_size: int = 10,
    patch: int = 104,
    learning_rate: float | None = None,
    seed: int = SEED,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    resume: bool = False,
    force: bool = False,
) -> Result:
    """Tune the network that denoise, inpaint and enhance use to clean pictures of your own kind.

    It learns to undo noise, JPEG blocks, reduction, holes and blur, which are put onto your pictures anew in each step.
    Some pictures are held out and scored before and after; where they come back worse, the weights stay as they were.
    With --self-supervised your pictures may be noisy, as of a microscope or a scanner: it learns to denoise from them
    alone, where the noise is independent from pixel to pixel, and says what the result is worth.
    Interrupted with Ctrl-C it leaves a checkpoint, and --resume goes on from there.

    Parameters
    ----------
    data : str
        Clean pictures: a file, a folder or a pattern. With --self-supervised noisy ones.
    model : {"restorer"}
        The other models have other flags: see isthmus models.
    output : str
        Where to.
    from_ : {"shipped", "nothing"}
        What to begin with: the weights that come with isthmus, or none.
    self_supervised : bool
        Learn to denoise from noisy pictures, of which there are no clean ones.
    mode : {"grey", "rgb", "rgba"}
        Convert pictures to these channels; by default they keep what they hold.
    validation : float
        Share of the pictures to hold out; by default a tenth, one of two at least.
    max_steps : int
        Steps of training.
    max_seconds : float
        Wall time to train for.
    batch_size : int
        Patches a step.
    patch : int
        Pixels a side of a patch: 8 more than a multiple of 24.
    learning_rate : float
        At the start; by default 0.001 from the weights of isthmus, else 0.01.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to compute.
    precision : {"auto", "float32", "bfloat16"}
        Of convolutions; auto takes bfloat16 where the device has it in hardware.
    resume : bool
        Go on from the checkpoint of an interrupted run of the same command.

    Examples
    --------
    isthmus fit photos/ --model restorer -o restorer.safetensors
    isthmus fit photos/ --model restorer --from shipped --max-seconds 600
    isthmus fit micrographs/ --model restorer --self-supervised -o restorer.safetensors
    isthmus denoise noisy.png -m restorer.safetensors -o clean.png
    """
    checks.choice("fit --model restorer", "--from", from_, tuple(STARTS))
    from isthmus.models.restorer import Restorer

    estimator = Restorer(
        start=STARTS[from_],
        self_supervised=self_supervised,
        max_steps=max_steps,
        max_seconds=max_seconds,
        batch_size=batch_size,
        patch=patch,
        learning_rate=learning_rate,
        device=device,
        precision=precision,
        random_state=seed,
        verbose=0 if terminal.quiet else 1,
    )
    how: dict[str, Any] = {"mode": mode, "validation": validation, "resume": resume, "force": force}
    tune(terminal, estimator, data, output, model="restorer", **how)
    terminal.say(f"next: isthmus denoise FILE -m {output}")
    return _fitted(estimator, output)


def _fitted(estimator: Restorer, output: str) -> Result:
    """Return what is said of a restorer that was fitted."""
    provenance, history = estimator.provenance_, estimator.history_
    line = (
        f"{output}: Restorer, learned from {counted(provenance['records'], 'picture')} in {provenance['steps']:,} "
        f"steps and {provenance['minutes']:.1f} min"
    )
    changes = [_changed(history[0], history[-1])] if history else []
    document = {"output": output, "model": "Restorer", "provenance": provenance, "history": history}
    return Result({**document, "notes": estimator.notes_}, [line, *changes])


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return what a fit changed for held-out pictures."""
    shown = [f"{name.replace('_', ' ')} {before[name]:.2f} to {after[name]:.2f}" for name in DAMAGES if name in after]
    return f"held-out pictures, in dB: {', '.join(shown)}"
