"""Training on a Ray cluster: Ray starts the ranks, and each of them runs what it would run under ``torchrun``.

::

    train(function, workers=3)
        placement group   three processors at once, or none: ranks that wait for others would hold what those need
        rank 0, 1, 2      actors with the environment of torchrun: they meet as there, listen for each other as there
        a rank is lost    all are ended and started again, which goes on from the checkpoint as there

So the weights are those of ``torchrun`` with as many ranks, bit for bit.

This stands on Ray's actors, and not on Ray Train: what that adds to them is a process group, checkpoints, reports and
restarts, all of which isthmus has of its own, the same without Ray; and it starts six more processes for them, which on
a busy machine took two minutes.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any

from isthmus import checks
from isthmus.cluster import ray_session

__all__ = ["RESTARTS", "fit", "train", "without"]

RESTARTS = 3  # times that the ranks are started again, after one was lost
LISTENING = 0.5  # seconds between two looks at what the first rank says
LINGER = 60.0  # seconds after which a rank is lost that has not ended when another has


def train(
    function: Callable[..., Any],
    *arguments: Any,
    workers: int | None = None,
    address: str | None = None,
    device: str = "cpu",
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
    device : str, default="cpu"
        "cuda" gives each rank a GPU beside its processor; "auto" does so where the cluster has any.
    restarts : int, default=3
        Times that all ranks are started again after one was lost. The function is called anew; a command of isthmus
        goes on from its checkpoint.
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
    Exception
        What the function raised in a rank.

    Examples
    --------
    ::

        def learn(path):
            model = isthmus.VAE(random_state=0).fit(path)
            if distributed.is_first():
                model.save("/shared/vae.safetensors")

        train(learn, "/shared/events.parquet", workers=16, address="auto")
    """
    with ray_session.joined(address, workers) as (ray, name):
        processor = _processor(ray, device)
        ray_session.same_versions(ray, name, processor)
        ranks = _Ranks(ray, name, workers or ray_session.processors(ray, processor), processor, hear or (lambda _: 0))
        with ranks.placed():
            for start in range(restarts + 1):
                with ranks.started(start):
                    if ranks.finish(function, arguments):
                        return ranks.result
        raise checks.ranks_given_up(restarts + 1)


def fit(arguments: Sequence[str], *, workers: int | None, address: str | None, device: str) -> int:
    """Run a command in each rank; print what the first of them prints.

    Parameters
    ----------
    arguments : sequence of str
        The command, without the name of the program.
    workers, address, device
        As :func:`train` takes them.

    Returns
    -------
    int
        The exit code.
    """
    order = (list(arguments), os.getcwd())
    code, printed = train(_command, *order, workers=workers, address=address, device=device, hear=_to_standard_error)
    print(printed, end="", flush=True)
    return int(code)


def _processor(ray: Any, device: str) -> str:
    """Return what Ray calls the processors that ranks run on."""
    any_gpu = device == "auto" and ray_session.processors(ray, "GPU") > 0
    return "GPU" if any_gpu or device.startswith("cuda") else "CPU"


def _to_standard_error(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)


class _Ranks:
    """The ranks of a run: actors of Ray, which are started and ended together."""

    def __init__(self, ray: Any, name: str, n: int, processor: str, hear: Callable[[str], object]) -> None:
        self.ray, self.name, self.n, self.processor, self.hear = ray, name, n, processor, hear
        self.run = uuid.uuid4().hex
        self.result: Any = None

    @contextmanager
    def placed(self) -> Iterator[None]:
        """Hold a processor a rank, until the block ends."""
        bundle = {"CPU": 1, self.processor: 1}
        self.group = self.ray.util.placement_group([bundle] * self.n, strategy="PACK")
        try:
            self._wait_for(self.group.ready())
            yield
        finally:
            self.ray.util.remove_placement_group(self.group)

    @contextmanager
    def started(self, start: int) -> Iterator[None]:
        """Start the ranks and give them the environment of ``torchrun``; end them with the block."""
        self.ear = self.ray.remote(_Ear).options(num_cpus=0).remote()
        self.actors = [self._actor(bundle) for bundle in range(self.n)]
        try:
            self._introduce(start)
            yield
        finally:
            for actor in (*self.actors, self.ear):
                self.ray.kill(actor)

    def _actor(self, bundle: int) -> Any:
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        place = PlacementGroupSchedulingStrategy(self.group, placement_group_bundle_index=bundle)
        gpus = {"num_gpus": 1} if self.processor == "GPU" else {}
        return self.ray.remote(_Rank).options(num_cpus=1, scheduling_strategy=place, **gpus).remote()

    def _introduce(self, start: int) -> None:
        """Tell each rank its number, and where the first one is; those of one machine follow each other."""
        where = [actor.address.remote() for actor in self.actors]
        self._wait_for(*where)
        addresses = self.ray.get(where)
        order = sorted(range(self.n), key=lambda one: (addresses.index(addresses[one]), one))
        self.actors, machines = [self.actors[one] for one in order], [addresses[one] for one in order]
        told: list[Any] = []
        for rank, (actor, machine) in enumerate(zip(self.actors, machines, strict=True)):
            environment = {
                "RANK": rank,
                "WORLD_SIZE": self.n,
                "LOCAL_RANK": machines[:rank].count(machine),
                "LOCAL_WORLD_SIZE": machines.count(machine),
                "GROUP_RANK": len(set(machines[: rank + 1])) - 1,
                "MASTER_ADDR": machines[0],
                "MASTER_PORT": self.ray.get(self.actors[0].free_port.remote()) if rank == 0 else told[0],
                "TORCHELASTIC_RUN_ID": self.run,
                "TORCHELASTIC_RESTART_COUNT": start,
            }
            told.append(environment["MASTER_PORT"])
            self.ray.get(actor.set.remote({name: str(value) for name, value in environment.items()}))

    def _wait_for(self, *references: Any) -> None:
        begun = self.ray.wait(list(references), num_returns=len(references), timeout=ray_session.STARTING)[0]
        if len(begun) < len(references):
            raise ray_session.nothing_started(self.ray, self.name, self.processor)

    def finish(self, function: Callable[..., Any], arguments: Sequence[Any]) -> bool:
        """Let the ranks do their work; return whether all came to its end, and none was lost.

        Raises
        ------
        Exception
            What the function raised in a rank.
        """
        running = [actor.run.remote(function, arguments, self.ear) for actor in self.actors]
        first, deadline = running[0], float("inf")
        try:
            while running and time.monotonic() < deadline:
                ended, running = self.ray.wait(running, timeout=LISTENING)
                self._listen()
                for reference in ended:
                    found = self.ray.get(reference)
                    self.result = found if reference == first else self.result
                    deadline = min(deadline, time.monotonic() + LINGER)
        except self.ray.exceptions.RayTaskError as error:
            self._listen()
            raise ray_session.cause(error) from None
        except self.ray.exceptions.RayError:
            running = [first]
        self._listen()
        if running:
            self.hear("note: a process that trains with others was lost\n")
        return not running

    def _listen(self) -> None:
        with suppress(self.ray.exceptions.RayError):  # it can be on a machine that is lost
            if words := self.ray.get(self.ear.heard.remote()):
                self.hear(words)


# ------------------------------------------------------------------ what runs on a worker


class _Rank:
    """One of the processes that train together; an actor of Ray."""

    def address(self) -> str:
        """Return that of its machine."""
        import ray

        return str(ray.util.get_node_ip_address())

    def free_port(self) -> int:
        """Return a port of its machine that is free, for the ranks to meet at."""
        import socket

        with socket.socket() as one:
            one.bind((self.address(), 0))
            return int(one.getsockname()[1])

    def set(self, environment: dict[str, str]) -> None:
        """Set variables of the environment."""
        os.environ |= environment

    def run(self, function: Callable[..., Any], arguments: Sequence[Any], ear: Any) -> Any:
        """Do the work; only the first rank is heard, and returns what came of it."""
        is_first = os.environ["RANK"] == "0"
        with redirect_stderr(_Mouth(ear) if is_first else io.StringIO()):
            result = function(*arguments)
        return result if is_first else None


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
        self.words = ""

    def hear(self, text: str) -> None:
        """Take a text."""
        self.words += text

    def heard(self) -> str:
        """Return what was said since the last time."""
        words, self.words = self.words, ""
        return words


# ------------------------------------------------------------------ the command


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
