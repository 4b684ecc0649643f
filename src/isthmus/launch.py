"""What ``torchrun`` tells a process by its environment, before torch is loaded: one of how many, and which."""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["is_first", "local_rank", "rank", "restarts", "run", "size", "started"]


def size() -> int:
    """Return how many processes ``torchrun`` started, on all machines together; 1 without it."""
    return _number("WORLD_SIZE", 1)


def rank() -> int:
    """Return which of them this process is, from 0."""
    return _number("RANK", 0) if size() > 1 else 0


def local_rank() -> int:
    """Return which of the processes of this machine this one is, from 0."""
    return _number("LOCAL_RANK", 0) if size() > 1 else 0


def is_first() -> bool:
    """Tell whether this process is the one that speaks and writes files."""
    return rank() == 0


def restarts() -> int:
    """Return how often ``torchrun`` has started its processes again."""
    return _number("TORCHELASTIC_RESTART_COUNT", 0) if size() > 1 else 0


def run() -> str | None:
    """Return the name of the run that ``torchrun`` makes, the same after each of its restarts; None without it.

    A number given with ``--rdzv-id`` may be used again. So the process that starts the ranks of this machine is in it,
    and when it was started.
    """
    if size() == 1:
        return None
    return f"{os.environ.get('TORCHELASTIC_RUN_ID', 'none')} {platform.node()} {os.getppid()} {started(os.getppid())}"


def started(process: int) -> str:
    """Return when a process of this machine was started, in ticks since the machine was; "" where that is not known."""
    try:
        told = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return told.rpartition(")")[2].split()[19]


def _number(name: str, otherwise: int) -> int:
    told = os.environ.get(name, "")
    return int(told) if told.isdigit() else otherwise
