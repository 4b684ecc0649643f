"""Error messages about a Ray cluster: the package, the address, and what its machines have and see."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.errors import IsthmusError, ParameterError, UnavailableError

__all__ = [
    "cluster_address",
    "cluster_needs",
    "no_cluster",
    "no_isthmus_on",
    "nothing_started",
    "other_ray",
    "other_versions_on",
    "ranks_given_up",
    "seen_differently",
]


def cluster_needs(package: str) -> UnavailableError:
    """Return the error for a cluster without the package that talks to it."""
    return UnavailableError(
        f'a cluster needs the package {package}, which is not installed; run: pip install "isthmus[cluster]".'
    )


def cluster_address(address: str) -> ParameterError:
    """Return the error for what is no address of a cluster."""
    return ParameterError(
        f"--cluster must be local, auto, ray://HOST:PORT or HOST:PORT, as in ray://head:10001; it is {address!r}."
    )


def no_cluster(address: str, why: str) -> UnavailableError:
    """Return the error for an address at which no cluster answers."""
    if address == "auto":
        return UnavailableError(
            f"no Ray cluster is found from this machine ({why}); start one with ray start --head, name its address "
            f"with --cluster HOST:PORT, or use --cluster local."
        )
    return UnavailableError(
        f"no Ray cluster answers at {address} ({why}); ray start --head, on the machine that is to be its head, prints "
        f"the address."
    )


def other_ray(address: str, said: str) -> UnavailableError:
    """Return the error for a cluster whose Ray or Python is another than this one's; ``said`` is what Ray says."""
    return UnavailableError(f"the cluster at {address} cannot be used from here: {' '.join(said.split())}")


def nothing_started(address: str, seconds: float, processors: int, free: int, machines: int) -> UnavailableError:
    """Return the error for a job of which nothing has begun."""
    return UnavailableError(
        f"nothing has started at {address} in {seconds:g} seconds: {machines:,} machine{'s' if machines != 1 else ''} "
        f"with {processors:,} processor{'s' if processors != 1 else ''}, {free:,} free. ray status, on a machine of "
        f"the cluster, shows what holds them."
    )


def no_isthmus_on(host: str) -> UnavailableError:
    """Return the error for a worker on which isthmus cannot be imported."""
    return UnavailableError(f"isthmus is not installed on {host}, a machine of the cluster; install it there.")


def other_versions_on(host: str, there: Sequence[str], here: Sequence[str]) -> UnavailableError:
    """Return the error for a worker with other versions; each is a name and a version, as in "Python 3.11"."""
    differ = [pair for pair in zip(there, here, strict=True) if len(set(pair)) > 1]
    theirs, ours = (" and ".join(names) for names in zip(*differ, strict=True))
    return UnavailableError(
        f"{host}, a machine of the cluster, has {theirs}, and this machine {ours}; install the same on both."
    )


def seen_differently(path: str, hosts: Sequence[str], fingerprints: Sequence[str]) -> UnavailableError:
    """Return the error for a path at which two workers see different things."""
    seen = " and ".join(f"{print_[:12]} on {host}" for host, print_ in zip(hosts, fingerprints, strict=True))
    return UnavailableError(
        f"{path!r} is not the same on all machines of the cluster: fingerprint {seen}; give a path on a disk that all "
        f"share, or a URL."
    )


def ranks_given_up(starts: int) -> IsthmusError:
    """Return the error for a run that lost ranks each time that it was started."""
    return IsthmusError(f"a process of the run was lost each of the {starts} times that it was started.")
