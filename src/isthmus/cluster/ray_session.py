"""A Ray cluster, joined for as long as something runs on it: found in seconds or refused, quiet, and left again.

Addresses: ``local`` starts Ray on this machine, on its loopback interface only, and ends it afterwards; ``auto`` is the
cluster of which this machine is one; ``ray://HOST:PORT`` is Ray's client port, for machines outside; ``HOST:PORT`` is
the head's own port, for machines of the cluster.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from threading import Thread, current_thread, main_thread
from typing import Any

from isthmus import checks
from isthmus.errors import UnavailableError

__all__ = [
    "STARTING",
    "alive",
    "answers",
    "anywhere",
    "cause",
    "import_ray",
    "joined",
    "nothing_started",
    "on",
    "processors",
    "reach",
    "same_versions",
    "versions",
]

REACHING = 8.0  # seconds for the head's port to accept
ANSWERING = 15.0  # more for it to answer as Ray does, which would itself try for two minutes
STARTING = 60.0  # seconds for the first worker to begin

# Ray reads these when it is imported; a person's own settings stay.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to anyone
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # of parts that nobody waits for any more
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # processors without a GPU are no news
    # A machine that falls silent breaks no connection: what runs there would be waited for until the next of these.
    "RAY_grpc_client_keepalive_time_ms": "70000",  # Ray's own is five minutes; its servers take one a minute
    "RAY_grpc_client_keepalive_timeout_ms": "10000",
    "RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S": "2",  # three tries of 2, 7 and 12 seconds
}
TOKEN = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")).expanduser()  # what a cluster knows its own by
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # "0" is the one way to keep Ray from listening on all interfaces


def import_ray(*packages: str) -> Any:
    """Import Ray, with settings that keep it quiet; ``packages`` are others that are needed with it.

    Raises
    ------
    UnavailableError
        One of them is not installed.
    """
    for package in ("ray", *packages):
        if util.find_spec(package) is None:
            raise checks.cluster_needs(package)
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    if os.environ.get("RAY_AUTH_TOKEN") or TOKEN.exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # as ray start and ray.init do, and Ray's client does not
    import ray

    return ray


@contextmanager
def joined(address: str | None, workers: int | None = None) -> Iterator[tuple[Any, str]]:
    """Join a cluster until the block ends.

    Parameters
    ----------
    address : str, optional
        As above. By default the cluster that this process has joined already, else one that Ray finds, else
        ``local``. A cluster that was joined already is not left.
    workers : int, optional
        Processors that a ``local`` one takes; by default all.

    Yields
    ------
    ray : module
    address : str
        Of the cluster, for sentences.

    Raises
    ------
    ParameterError
        This is no address.
    UnavailableError
        Ray is not installed, no cluster answers within 30 seconds, or it is of another version.
    """
    client = ["grpc"] if (address or "").startswith("ray://") else []
    if address is not None:
        _check(address)
    if address == "local" or (address is None and "ray" not in sys.modules and not os.environ.get("RAY_ADDRESS")):
        os.environ.setdefault(LOOPBACK, "0")
    ray = import_ray(*client)
    if ray.is_initialized():
        yield ray, address or "the cluster that was joined"
        return
    name, found = address or "local", _found(ray, address)
    with _own_signals():
        _join(ray, name, found, workers)
    ray._private.worker._worker_logs_enabled = False  # a worker's death would be told on the standard output
    try:
        yield ray, name
    finally:
        ray.shutdown()


def _check(address: str) -> None:
    if address not in ("local", "auto") and not re.fullmatch(r"(ray://)?([^\s/:]+|\[[^\s/]+\]):\d{1,5}", address):
        raise checks.cluster_address(address)


def _found(ray: Any, address: str | None) -> str | None:
    """Return the address at which there is a cluster, known to answer; None where one is to be started."""
    if address in (None, "auto"):
        known: str | None = ray._private.services.get_ray_address_from_environment(address or "auto", None)
        if address == "auto" and known in (None, "local"):
            raise checks.no_cluster("auto", "RAY_ADDRESS is not set, and none was started here")
        address = known
    if address is None or address == "local":
        return None
    reach(address)
    if not address.startswith("ray://"):
        _answers(ray, address)
    return address


def reach(address: str) -> None:
    """Refuse an address whose port accepts no connection.

    Parameters
    ----------
    address : str
        ``HOST:PORT`` or ``ray://HOST:PORT``.

    Raises
    ------
    UnavailableError
        Within 8 seconds, but for a slow resolver of names.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACHING).close()
    except (OSError, OverflowError) as error:
        raise checks.no_cluster(address, getattr(error, "strerror", None) or str(error)) from None


def _answers(ray: Any, address: str) -> None:
    """Refuse a port behind which there is no Ray. Ray itself would ask for two minutes, and then end this process."""
    from ray._raylet import GcsClient

    resolved = ray._private.services.canonicalize_bootstrap_address(address)
    said = _within(ANSWERING, lambda: GcsClient(address=resolved))
    if said is not None:
        raise checks.no_cluster(address, said)


def _within(seconds: float, call: Callable[[], object]) -> str | None:
    """Return why a call did not succeed in so many seconds; None where it did."""
    said: list[str | None] = ["what listens there does not answer as Ray does"]

    def run() -> None:
        try:
            call()
            said[0] = None
        except Exception as error:  # noqa: BLE001 - whatever Ray has for it
            said[0] = f"what listens there does not answer as Ray does: {str(error).partition('. ')[0].rstrip('.')}"

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return said[0]


def _join(ray: Any, name: str, found: str | None, workers: int | None) -> None:
    own = {"num_cpus": workers, "include_dashboard": False} if found is None else {}
    try:
        ray.init(address=found or "local", log_to_driver=False, logging_level="ERROR", **own)
    except (ConnectionError, TimeoutError) as error:
        raise checks.no_cluster(name, str(error).rstrip(".")) from None
    except ray.exceptions.AuthenticationError:
        raise checks.no_cluster(name, f"it wants another token than the one in {TOKEN}, or there is none") from None
    except RuntimeError as error:
        if "ersion" not in str(error):
            raise
        raise checks.other_ray(name, str(error)) from None


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what this program does at a signal: Ray puts its own way in the place."""
    kept = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if current_thread() is main_thread():
            signal.signal(signal.SIGTERM, kept)


# ------------------------------------------------------------------ what the cluster has


def alive(ray: Any, processor: str = "CPU") -> list[tuple[str, str]]:
    """Return identity and name of each machine on which something could run."""
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get(processor, 0) >= 1]
    return [(node["NodeID"], f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})") for node in nodes]


def processors(ray: Any, processor: str = "CPU") -> int:
    """Return how many processors the cluster has at the moment."""
    return int(ray.cluster_resources().get(processor, 0))


def nothing_started(ray: Any, name: str, processor: str) -> UnavailableError:
    """Return the error for a cluster in which nothing has begun for a minute."""
    free = int(ray.available_resources().get(processor, 0))
    machines = len(alive(ray, processor))
    return checks.nothing_started(name, STARTING, processors(ray, processor), free, machines)


def anywhere(ray: Any, function: Any, processor: str = "CPU") -> Any:
    """Return a function as a task for any machine with a free processor, which is tried once."""
    gpus = {"num_gpus": 1} if processor == "GPU" else {}
    return ray.remote(function).options(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD", **gpus)


def on(ray: Any, node: str, function: Any) -> Any:
    """Return a function as a task for one machine, which runs beside whatever is busy there, and is tried once."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=here)


def answers(ray: Any, asked: Sequence[tuple[str, Any]], timeout: float | None = None) -> Iterator[tuple[str, Any]]:
    """Yield the machines that answer, and what; those that are lost meanwhile are left out.

    Parameters
    ----------
    ray : module
    asked : sequence of (str, reference)
        Each machine, and what it was asked.
    timeout : float, optional
        Seconds to wait for all of them together.

    Raises
    ------
    Exception
        What a machine raised.
    """
    ray.wait([one for _, one in asked], num_returns=len(asked), timeout=timeout)
    for host, reference in asked:
        try:
            yield host, ray.get(reference, timeout=None if timeout is None else 0)
        except ray.exceptions.RayTaskError as error:
            raise cause(error) from None
        except ray.exceptions.RayError:
            continue


def cause(error: Any) -> BaseException:
    """Return what a worker raised: Ray wraps it, with its lines."""
    found: BaseException = getattr(error, "cause", None) or error
    return found


def _asking_for_versions() -> Callable[[], tuple[str, ...]]:
    """Return :func:`versions`. Made here it is sent to workers as code, and not as a name that they may not have."""

    def versions() -> tuple[str, ...]:
        """Return names and versions that must be the same on all machines, for parts to come out the same."""
        import sys
        from importlib import metadata

        try:
            from isthmus.version import __version__

            torch = metadata.version("torch").partition("+")[0]
        except ImportError:
            return ()
        return (f"isthmus {__version__}", "Python {}.{}".format(*sys.version_info[:2]), f"torch {torch}")

    return versions


versions = _asking_for_versions()


def same_versions(ray: Any, name: str, processor: str = "CPU") -> None:
    """Refuse a cluster in which nothing can begin, or a machine of which has other versions than this one.

    Raises
    ------
    UnavailableError
        Nothing has started within 60 seconds, as where other jobs hold all processors; or a machine has no isthmus, or
        another, or another Python.
    """
    place = anywhere(ray, versions, processor).remote()
    if not ray.wait([place], timeout=STARTING)[0]:
        ray.cancel(place)
        raise nothing_started(ray, name, processor)
    asked = [(host, on(ray, node, versions).remote()) for node, host in alive(ray, processor)]
    for host, there in answers(ray, asked, STARTING):
        if not there:
            raise checks.no_isthmus_on(host)
        if tuple(there) != versions():
            raise checks.other_versions_on(host, there, versions())
