"""What becomes of a run of `torchrun` when one of its ranks is lost, or has trouble of its own.

Groups of 2 and 3 processes on this machine (gloo on loopback) run `isthmus fit`, and in the middle of an epoch one of
them is killed (SIGKILL), freezes (SIGSTOP), raises an error, has losses that are not finite, has no memory left for a
step, or says stop. Measured are

end         seconds from there until the last living rank has ended, and until `torchrun` has, over `--rank-timeout`:
            1.5 at most
sentences   that isthmus prints about it: one
checkpoint  whether the last one can be read
weights     of the same run with `--max-restarts 1`, against those of a run that nothing happened to: the same bits

A run is not to end because of losses that are not finite, of memory, or of a rank that says stop: all ranks skip the
step or go back, go on with smaller batches, or stop, and the model is written.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import harness
import numpy as np

LOST = ("killed", "frozen", "an error")
TROUBLE = ("not finite", "out of memory", "says stop")
TIMEOUT = 30.0  # seconds
BOUND = 1.5  # timeouts
WORLDS = (2, 3)
STEP = 40  # where it happens: in the third epoch of 16 steps
PAUSE = 0.05  # seconds of a step, so that there are checkpoints between
EPOCHS = 5
TOLD = "LOST_RANKS"  # the variable that tells a rank what is to happen

FIT = ("--hidden", "16", "--latent-dim", "2", "--batch-size", "32", "--max-epochs", str(EPOCHS), "--test", "0.1")


# ------------------------------------------------------------------ a rank


def rank() -> int:
    """Run the command line, and let something happen to one rank, once."""
    from isthmus import launch
    from isthmus.cli import main as isthmus
    from isthmus.training.engine import Engine

    plan = json.loads(os.environ[TOLD])
    mine = plan["rank"] == launch.rank() and launch.restarts() == 0
    happens, told, terms, run = plan["what"], Engine._tell_step, Engine._terms, Engine.run

    def after_a_step(self: Any) -> None:
        told(self)
        time.sleep(PAUSE)
        if self.progress.step == STEP:
            _note(plan, f"happened-{launch.rank()}")
            if mine and happens == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if mine and happens == "frozen":
                os.kill(os.getpid(), signal.SIGSTOP)
            if mine and happens == "an error":
                raise ZeroDivisionError("of this very rank")

    def of_a_loss(self: Any, *arguments: Any) -> Any:
        found = terms(self, *arguments)
        if mine and self.progress.step in range(STEP, STEP + 3) and not self.progress.notes:
            if happens == "not finite":
                return {name: term * float("nan") for name, term in found.items()}
            if happens == "out of memory" and len(arguments[1][1]) > 1:  # the rows of a batch: one fits
                raise MemoryError
        return found

    def looked_on(self: Any) -> Any:
        from isthmus.training.callbacks import as_callbacks

        if mine and happens == "says stop":
            self.callbacks += as_callbacks([lambda state: "stop" if state.epoch == EPOCHS - 2 else None])
        return run(self)

    Engine._tell_step, Engine._terms, Engine.run = after_a_step, of_a_loss, looked_on  # type: ignore[method-assign]
    code = isthmus()
    _note(plan, f"ended-{launch.restarts()}-{launch.rank()}")
    return code


def _note(plan: dict[str, Any], what: str) -> None:
    Path(plan["folder"], what).write_text(repr(time.time()))


# ------------------------------------------------------------------ a run


def run(world: int, what: str, lost: int, *, restarts: int = 0, timeout: float = TIMEOUT) -> dict[str, Any]:
    """Let something happen in a run of so many ranks, and return what became of it.

    Parameters
    ----------
    world : int
        Ranks.
    what : str
        One of ``LOST`` or ``TROUBLE``, or "nothing".
    lost : int
        The rank that it happens to.
    restarts : int, default=0
        As often may ``torchrun`` start the ranks again.
    timeout : float, default=30
        Of the ranks.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rng = np.random.default_rng(0)
        np.save(folder / "rows.npy", (rng.normal(size=(632, 2)) @ rng.normal(size=(2, 8))).astype("float32"))
        plan = {"what": what, "rank": lost, "folder": name}
        launch = ["-m", "torch.distributed.run", f"--nproc-per-node={world}", f"--max-restarts={restarts}"]
        launch += ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1"]
        fit = ["fit", "rows.npy", *FIT, "--rank-timeout", str(timeout), "--checkpoint-every", "0.2"]
        done = subprocess.run(
            [sys.executable, *launch, __file__, *fit],
            cwd=folder,
            env=os.environ | {TOLD: json.dumps(plan), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(harness.SOURCE)},
            capture_output=True,
            text=True,
            timeout=20 * timeout,
        )
        ended = time.time()
        times = {path.name: float(path.read_text()) for path in folder.glob("*ed-*")}
        happened = times.get(f"happened-{lost}", ended)
        last = max((at for name, at in times.items() if name.startswith("ended-0-")), default=ended)
        return {
            "code": done.returncode,
            "ranks ended after": round(last - happened, 1),
            "torchrun ended after": round(ended - happened, 1),
            "sentences": [line for line in done.stderr.splitlines() if line.startswith("isthmus: ")],
            "notes": [line for line in done.stderr.splitlines() if re.match(r"note: .*epoch", line)],
            "epochs": len(re.findall(r"^epoch ", done.stderr, re.MULTILINE)),
            "checkpoint": _checkpoint(folder / "model.safetensors.checkpoint"),
            "weights": _weights(folder / "model.safetensors"),
            "files": sorted(path.name for path in folder.iterdir() if path.name.startswith(("model", ".isthmus"))),
        }


def _checkpoint(path: Path) -> dict[str, int] | None:
    from isthmus import artifact

    if not path.exists():
        return None
    document, _ = artifact.read(path, "Checkpoint")
    return {"step": document["progress"]["step"], "done": document.get("under_way", {}).get("done", 0)}


def _weights(path: Path) -> str | None:
    from isthmus import artifact

    return artifact.digest(artifact.read(path)[1]) if path.exists() else None


# ------------------------------------------------------------------ all of them


def main() -> int:
    """Let everything happen, and publish."""
    made = harness.parser(__doc__)
    made.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds without a sign of a rank")
    made.add_argument("--worlds", type=int, nargs="+", default=list(WORLDS), help="numbers of ranks")
    options = made.parse_args()
    some = "" if options.worlds == list(WORLDS) else "_of_" + "_and_".join(map(str, options.worlds))
    report = harness.Report(f"lost_ranks{some}", {"timeout": options.timeout, "step": STEP}, harness.isthmus_versions())
    table = []
    for world in options.worlds:
        whole = run(world, "nothing", 0, timeout=options.timeout)
        report.claim(f"{world} ranks, nothing happens: exit code", whole["code"], "0", whole["code"] == 0)
        cases = [*((what, world - 1) for what in LOST), ("killed", 0), ("frozen", 0)]
        for what, lost in [*cases, *((what, world - 1) for what in TROUBLE)]:
            title = f"{world} ranks, rank {lost} {what}"
            found = run(world, what, lost, timeout=options.timeout)
            shares = [found[name] / options.timeout for name in ("ranks ended after", "torchrun ended after")]
            if what in LOST:
                again = run(world, what, lost, restarts=1, timeout=options.timeout)
                found["restarted"] = again
                report.claim(f"{title}: end, in timeouts", max(shares), f"{BOUND} or less", max(shares) <= BOUND)
                one = len(found["sentences"]) == 1 and f"rank {lost} of {world}" in found["sentences"][0]
                report.claim(f"{title}: sentences that name it", len(found["sentences"]), "1", one)
                kept = found["checkpoint"]
                done = None if kept is None else kept["step"]
                report.claim(f"{title}: step of the checkpoint", done, f"{STEP} or less", done is not None)
                same = again["weights"] == whole["weights"] is not None
                report.claim(f"{title}: started again, the same weights", same, "yes", same)
            else:
                right = found["code"] == 0 and found["weights"] is not None and not found["sentences"]
                report.claim(f"{title}: ends with a model", right, "yes", right)
            report.measurements[title] = found
            table.append((title, *(f"{share:.2f}" for share in shares), " ".join(found["sentences"] or found["notes"])))
            print(table[-1], flush=True)
            report.write(options.out)  # what there is, should the rest not come to its end
    harness.print_table(("what", "ranks end", "torchrun ends", "said"), table)
    return report.publish(options.out)


if __name__ == "__main__":
    sys.exit(rank() if TOLD in os.environ else main())
