"""Training on a Ray cluster: Ray Train starts the ranks, and each of them runs what it would run under ``torchrun``.

Ray Train places one worker a rank, notices workers that are lost, and starts all of them again. It is told to set no
group up, but the environment of ``torchrun`` instead: so the ranks meet as they do there, listen for each other as they
do there, go on from the same checkpoint, and end with the same weights, bit for bit.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from threading import Thread
from typing import Any

from isthmus import checks
from isthmus.cluster import ray_session

__all__ = ["RESTARTS", "fit", "train"]

RESTARTS = 3  # times that the ranks are started again, after one was lost
LISTENING = 0.5  # seconds between two looks at what the first rank says


def train(
    function: Callable[..., Any],
    *arguments: Any,
    workers: int | None = None,
    address: str | None = None,
    gpu: bool = False,
    restarts: int = RESTARTS,
    hear: Callable[[str], object] | None = None,
) -> Any:
    """Call a function in each of several processes of a cluster, as ``torchrun`` would.

    Parameters
    ----------
    function : callable
        What each rank does: for example fit a model, which all then do together, and save it where
        :func:`isthmus.training.distributed.is_first`.
    *arguments : object
        Of the function, sent to each rank.
    workers : int, optional
        Ranks; by default one a processor of the cluster, or one a GPU.
    address : str, optional
        ``local``, ``auto``, ``ray://HOST:PORT`` or ``HOST:PORT``: see :mod:`isthmus.cluster.ray_session`.
    gpu : bool, default=False
        Whether each rank takes a GPU; else it takes a processor.
    restarts : int, default=3
        Times that all ranks are started again after one was lost.
    hear : callable, optional
        Is given what the first rank writes to its standard error.

    Returns
    -------
    object
        What the function returns in the first rank.

    Raises
    ------
    UnavailableError
        Ray is not installed, no cluster answers, a machine has other versions, or nothing has started in 60 seconds.
    IsthmusError
        Ranks were lost more often than ``restarts`` times.

    Examples
    --------
    ::

        def learn(path):
            model = isthmus.VAE(random_state=0).fit(path)
            if distributed.is_first():
                model.save("vae.safetensors")

        train(learn, "/shared/events.parquet", workers=16, address="auto")
    """
    processor = "GPU" if gpu else "CPU"
    os.environ.setdefault("RAY_TRAIN_ENABLE_PRINT_PATCH", "0")
    ray_session.import_ray("pandas", "pydantic", "tensorboardX")
    with ray_session.joined(address, workers) as (ray, name):
        ray_session.same_versions(ray, name, processor)
        n = workers or ray_session.processors(ray, processor)
        ear = ray.remote(_Ear).options(num_cpus=0).remote()
        trainer = _trainer(function, arguments, n, ear, gpu, restarts)
        outcome: list[Any] = []
        thread = Thread(target=lambda: outcome.append(_outcome(trainer)), daemon=True)
        thread.start()  # beside this one, which a person can interrupt
        begun = time.monotonic()
        while thread.is_alive():
            thread.join(LISTENING)
            started, words = ray.get(ear.heard.remote())
            if hear and words:
                hear(words)
            if not started and time.monotonic() - begun > 4 * ray_session.STARTING:
                raise ray_session.nothing_started(ray, name, processor)
        result = outcome[0]
        if isinstance(result, Exception):
            raise _sentence(result, restarts) from result
        return result


def fit(arguments: Sequence[str], *, workers: int | None, address: str | None, gpu: bool) -> int:
    """Run a command in each rank; print what the first of them prints.

    Parameters
    ----------
    arguments : sequence of str
        The command, without the name of the program.
    workers, address, gpu
        As :func:`train` takes them.

    Returns
    -------
    int
        The exit code.
    """
    code, printed = train(
        _command, list(arguments), os.getcwd(), workers=workers, address=address, gpu=gpu, hear=sys.stderr.write
    )
    sys.stdout.write(printed)
    return int(code)


def _trainer(
    function: Callable[..., Any], arguments: Sequence[Any], workers: int, ear: Any, gpu: bool, restarts: int
) -> Any:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.train.v2.api.config import LoggingConfig

    return TorchTrainer(
        lambda: _rank(function, arguments, ear),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu),
        torch_config=_as_torchrun(),
        run_config=RunConfig(
            storage_path=os.path.join(tempfile.gettempdir(), "isthmus-ray-train"),
            failure_config=FailureConfig(max_failures=restarts),
            logging_config=LoggingConfig(log_level="CRITICAL"),
        ),
    )


def _outcome(trainer: Any) -> Any:
    try:
        return trainer.fit().return_value
    except Exception as error:  # noqa: BLE001 - told by the thread that waits for it
        return error


def _sentence(error: Exception, restarts: int) -> Exception:
    """Return what a rank raised, or that ranks were lost: Ray wraps it, with the lines of all of them."""
    for failure in getattr(error, "worker_failures", {}).values():
        cause = getattr(failure, "cause", failure)
        if not type(cause).__module__.startswith("ray."):
            return cause
    return checks.ranks_given_up(restarts, str(error).strip().splitlines()[-1])


def _as_torchrun() -> Any:
    """Return what Ray Train sets workers up with: the environment that ``torchrun`` gives its processes."""
    from ray.train.backend import Backend
    from ray.train.torch import TorchConfig

    run = uuid.uuid4().hex

    class Environment(Backend):
        starts = 0

        def on_start(self, worker_group: Any, backend_config: Any) -> None:
            address, port = worker_group.execute_single(0, _free_port)
            run_environment = {
                "MASTER_ADDR": address,
                "MASTER_PORT": str(port),
                "TORCHELASTIC_RUN_ID": run,
                "TORCHELASTIC_RESTART_COUNT": str(self.starts),
            }
            worker_group.execute(_set_environment, run_environment)
            self.starts += 1

    class Config(TorchConfig):
        @property
        def backend_cls(self) -> Any:
            return Environment

    return Config()


# ------------------------------------------------------------------ what runs on a worker


def _free_port() -> tuple[str, int]:
    """Return this worker's address, and a port that is free for the ranks to meet at."""
    import socket

    import ray

    address = ray.util.get_node_ip_address()
    with socket.socket() as one:
        one.bind((address, 0))
        return address, int(one.getsockname()[1])


def _set_environment(of_run: dict[str, str]) -> None:
    import ray

    context = ray.train.get_context()
    of_rank = {
        "RANK": context.get_world_rank(),
        "WORLD_SIZE": context.get_world_size(),
        "LOCAL_RANK": context.get_local_rank(),
        "LOCAL_WORLD_SIZE": context.get_local_world_size(),
        "GROUP_RANK": context.get_node_rank(),
    }
    os.environ |= of_run | {name: str(value) for name, value in of_rank.items()}


def _rank(function: Callable[..., Any], arguments: Sequence[Any], ear: Any) -> Any:
    """Do what a rank does; what the first one says on its standard error is heard by the one who waits."""
    ear.hear.remote("")
    first = os.environ["RANK"] == "0"
    with redirect_stderr(_Mouth(ear) if first else io.StringIO()):
        result = function(*arguments)
    return result if first else None


def _command(arguments: Sequence[str], folder: str) -> tuple[int, str]:
    """Run a command of isthmus as in another folder, where this machine has it; return its exit code and output."""
    from isthmus.cli import main

    with suppress(OSError):
        os.chdir(folder)
    with redirect_stdout(io.StringIO()) as printed:
        code = main(arguments)
    return code, printed.getvalue()


class _Mouth(io.TextIOBase):
    """A stream for text that says it to an :class:`_Ear`."""

    def __init__(self, ear: Any) -> None:
        self.ear = ear

    def write(self, text: str) -> int:
        """Say a text."""
        self.ear.hear.remote(text)
        return len(text)


class _Ear:
    """Keeps what is said until someone asks; an actor of Ray."""

    def __init__(self) -> None:
        self.started, self.words = False, ""

    def hear(self, text: str) -> None:
        """Take a text."""
        self.started = True
        self.words += text

    def heard(self) -> tuple[bool, str]:
        """Return whether anything was ever said, and what was said since the last time."""
        words, self.words = self.words, ""
        return self.started, words


def without(command: str, *flags: str) -> list[str]:
    """Return the arguments of a command without some flags and their values.

    Parameters
    ----------
    command : str
        As a person typed it, with the name of the program.
    *flags : str
        Flags that take a value.

    Examples
    --------
    >>> without("isthmus fit x.npy --cluster auto --workers=2 -q", "--cluster", "--workers")
    ['fit', 'x.npy', '-q']
    """
    kept: list[str] = []
    given = iter(shlex.split(command)[1:])
    for argument in given:
        if argument in flags:
            next(given, None)
        elif argument.partition("=")[0] not in flags:
            kept.append(argument)
    return kept
