"""Whether the ranks that train together are still there, and one sentence where one of them is not.

Each rank says a few times a second in the group's store that it is there, from a thread of its own, so that a rank that
computes, reads or writes for long is no lost one. The first rank listens to all of them, the others listen to the first
and take over what it finds: a thousand ranks cost the store a few thousand small requests a second, not a million.

A rank is lost when nothing was heard of it for the group's timeout. Where an exchange between ranks breaks, which tells
that some rank is gone and not which, a few seconds of silence are enough. A lost rank that is a process of this machine
is ended, so that it does not wake up in the middle of what goes on without it, and so that nobody waits for it.
"""

from __future__ import annotations

import atexit
import json
import os
import platform
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, astuple, dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event, Lock, Thread, current_thread, main_thread
from typing import Any

from isthmus import launch
from isthmus.errors import IsthmusError, LostRankError

__all__ = ["TIMEOUT", "exchange", "is_lost", "join", "leave", "meet", "speaks", "wait_for_first", "watched"]

TIMEOUT = 60.0  # seconds without a sign of a rank until it is lost
ARRIVAL = 5  # timeouts for all ranks to arrive: they have started at different times, from different disks
ROUNDS = 20  # of signs in a timeout, and one a second at least
SHORT = 5  # rounds without a sign until a rank is lost, once an exchange has broken; two seconds at least
LINGER = 3.0  # seconds for the first rank to take note of another's error, before that one is gone
BY_SIGNAL = "interrupted."  # why a rank has stopped that was told to end, as the others were
GLANCE = 1e-4  # seconds between two looks at a collective on GPUs
BOOT = Path("/proc/sys/kernel/random/boot_id")  # what tells one start of a machine from another

# States of a rank: in a block of :func:`watched`, between two, ended by another, by an error of its own, at its end.
AT_WORK, IDLE, INTERRUPTED, STOPPED, GONE = "at work", "idle", "interrupted", "stopped", "gone"


@dataclass
class Word:
    """What a rank says of itself."""

    beat: int = 0  # rises while it is there
    turn: int = 0  # which of the blocks of :func:`watched` it is in
    state: str = IDLE
    why: str = ""  # the sentence that has stopped it
    doubts: bool = False  # whether an exchange broke, so that some rank must be gone
    verdict: list[Any] = field(default_factory=list)  # the first rank's: a rank, the sentence, whether it was silent
    process: int = field(default_factory=os.getpid)
    started: str = field(default_factory=lambda: launch.started(os.getpid()))
    machine: str = field(default_factory=platform.node)
    boot: str = field(default_factory=lambda: BOOT.read_text().strip() if BOOT.exists() else "")


@dataclass(frozen=True)
class Verdict:
    """Who is to blame that a turn cannot come to its end."""

    rank: int
    sentence: str
    silent: bool = False  # whether it may be there, and frozen
    told: bool = False  # whether it has said itself what has stopped it


class Watch:
    """What one rank knows of the others."""

    def __init__(self, store: Any, rank: int, size: int, timeout: float) -> None:
        self.store, self.rank, self.size, self.timeout = store, rank, size, timeout
        self.period = min(1.0, timeout / ROUNDS)
        self.short = max(2.0, SHORT * self.period)
        self.word = Word()
        self.words: dict[int, Word] = {}
        self.heard: dict[int, float] = {}
        self.answered = self.looked = time.monotonic()
        self.verdict: Verdict | None = None
        self.waits = False  # whether the trainer waits in an exchange, where it looks for the verdict itself
        self.lock = Lock()
        self.over = Event()

    # ------------------------------------------------------------------ signs

    def arrive(self) -> None:
        """Wait until all ranks have said a first word."""
        self.tell()
        deadline = time.monotonic() + ARRIVAL * self.timeout
        missing = list(range(self.size))
        try:
            while missing := [rank for rank in missing if not self.store.check([_key(rank)])]:
                if time.monotonic() > deadline:
                    raise LostRankError(
                        f"rank {missing[0]} of {self.size} is lost: it did not arrive within "
                        f"{ARRIVAL * self.timeout:.0f} s."
                    )
                time.sleep(min(0.1, self.period))
        except KeyboardInterrupt:
            raise LostRankError(f"rank {missing[0]} of {self.size} had not arrived when the run was ended.") from None
        self.round(self.store)

    def tell(self, **changes: Any) -> None:
        """Say something new, at once."""
        for name, value in changes.items():
            setattr(self.word, name, value)
        with suppress(Exception):  # a store that is gone shows in the next round
            self.store.set(_key(self.rank), json.dumps(asdict(self.word)))

    def round(self, store: Any) -> None:
        """Say that this rank is there, and hear what the others say."""
        self.word.beat += 1
        store.set(_key(self.rank), json.dumps(asdict(self.word)))
        listened = range(self.size) if self.rank == 0 else range(1)
        told = store.multi_get([_key(rank) for rank in listened])
        now = time.monotonic()
        for rank, text in zip(listened, told, strict=True):
            word = Word(**json.loads(text))
            if self.words.get(rank) != word:
                self.words[rank], self.heard[rank] = word, now
        self.answered = now

    def run(self) -> None:
        """Make rounds until this rank leaves."""
        import torch.distributed as dist

        # A connection of its own: a request that does not come back must not hold up those of the trainer.
        limit = timedelta(seconds=max(1.0, self.timeout))
        own = None
        while not self.over.wait(self.period):
            with suppress(Exception):  # what is wrong with the store shows in how long it does not answer
                if own is None:
                    own = dist.TCPStore(  # type: ignore[attr-defined]
                        self.store.host, self.store.port, is_master=False, timeout=limit
                    )
                self.round(own)
            if self.word.state in (AT_WORK, INTERRUPTED) and (verdict := self.judge()) is not None:
                with suppress(Exception):
                    self._carry_out(verdict, own or self.store)

    # ------------------------------------------------------------------ the verdict

    def judge(self) -> Verdict | None:
        """Return who is to blame, if anyone is; once found, it stays for this turn."""
        now = time.monotonic()
        if now - self.looked > self.timeout / 2:  # this rank has slept itself
            self.answered = now
            self.heard = dict.fromkeys(self.heard, now)
        self.looked = now
        if self.verdict is None:
            others = {rank: word for rank, word in self.words.items() if rank != self.rank}
            self.verdict = self._told(others) or self._missing(others, now)
            if self.verdict is not None and self.rank == 0:
                self.word.verdict = list(astuple(self.verdict))
        return self.verdict

    def _told(self, others: dict[int, Word]) -> Verdict | None:
        """Return a rank that says that an error of its own has stopped it, or the first rank's verdict."""
        for rank, word in others.items():
            if word.turn >= self.word.turn and word.verdict:
                return Verdict(*word.verdict)
            if word.turn >= self.word.turn and word.state == STOPPED:
                return Verdict(rank, f"{self.name(rank)} stopped: {word.why}", told=True)
        return None

    def _missing(self, others: dict[int, Word], now: float) -> Verdict | None:
        """Return a rank of which nothing was heard for too long, or that has ended too early."""
        if now - self.answered > self.timeout:
            where = f"the store of the ranks at {self.store.host}:{self.store.port}"
            return Verdict(0, f"rank 0 of {self.size} is lost: {where} did not answer for {self.timeout:.0f} s.")
        doubts = self.word.doubts or any(word.doubts for word in others.values())
        for rank, word in others.items():
            silence = self.answered - self.heard[rank]
            if word.state in (AT_WORK, IDLE) and silence > (self.short if doubts else self.timeout):
                return Verdict(rank, f"{self.name(rank)} is lost: nothing was heard of it for {silence:.0f} s.", True)
            if word.state == GONE and (doubts or word.turn < self.word.turn):
                return Verdict(rank, f"{self.name(rank)} ended before the others.")
        return None

    def name(self, rank: int) -> str:
        """Return a rank as a person finds it."""
        word = self.words[rank]
        return f"rank {rank} of {self.size} (process {word.process} on {word.machine})"

    def _carry_out(self, verdict: Verdict, store: Any) -> None:
        """Let the others know, end a frozen rank of this machine, and call the trainer away from what it does."""
        if self.rank == 0:
            self.tell()
        if verdict.silent:
            _end(Word(**json.loads(store.get(_key(verdict.rank)))), self.word)
        with self.lock:
            if _block.is_open and _block.of_main and not self.waits and not _block.is_called:
                _block.is_called = True
                signal.pthread_kill(main_thread().ident, signal.SIGINT)  # type: ignore[arg-type]

    # ------------------------------------------------------------------ the trainer's side

    def check(self) -> None:
        """Raise where a rank is lost."""
        if self.judge() is not None:
            raise self.lost()

    def lost(self, otherwise: str = "") -> LostRankError:
        """Return the error of the verdict; of what is said otherwise, where there is none."""
        if self.verdict is None:
            return LostRankError(otherwise)
        return LostRankError(self.verdict.sentence)

    def look_for(self, *, enough: Callable[[], bool] = lambda: False) -> None:
        """Wait for a verdict as long as one may take, or until it is clear that there will be none."""
        _block.is_called = True  # to look into it
        self.tell(doubts=True)
        deadline = time.monotonic() + self.short + 3 * self.period
        while self.judge() is None and time.monotonic() < deadline and not enough():
            time.sleep(min(0.1, self.period))

    def nobody_is_missing(self) -> bool:
        """Tell whether all ranks were interrupted, so that none of them is the cause; the first one finds it out."""
        if self.rank == 0:
            return all(word.state != AT_WORK for rank, word in self.words.items() if rank)
        return self.words[0].state != AT_WORK and not self.words[0].doubts

    def asks_first(self) -> bool:
        """Tell whether no other rank has asked in this turn: the one that speaks where the first rank is lost."""
        if time.monotonic() - self.answered <= self.timeout:
            with suppress(Exception):  # a store that has just gone
                return bool(self.store.add(f"{_attempt()}/speaks/{self.word.turn}", 1) == 1)
        return launch.local_rank() == 0  # without a store each machine knows of itself alone

    def meet(self) -> None:
        """Wait until all ranks have come this far."""
        met = f"{_attempt()}/met"
        self.store.add(met, 1)
        while self.store.add(met, 0) < self.size:
            self.check()
            time.sleep(min(0.1, self.period))


def _key(rank: int) -> str:
    return f"{_attempt()}/rank/{rank}"


def _attempt() -> str:
    """Return what keys begin with: torchrun keeps its store when it starts the ranks again."""
    return f"isthmus/{launch.restarts()}"


def _end(lost: Word, own: Word) -> None:
    """Kill a frozen process, if it is one of this machine, and still the same."""
    if own.boot and lost.boot == own.boot and lost.started and launch.started(lost.process) == lost.started:
        os.kill(lost.process, signal.SIGKILL)


# ---------------------------------------------------------------------- joining and leaving


@dataclass
class _Block:
    """The block of :func:`watched` that the trainer is in."""

    is_open: bool = False
    turn: int = 0  # which one it is
    of_main: bool = False  # whether it is in the main thread, which alone can be called away
    is_called: bool = False  # whether it was called away, or need not be
    is_over: bool = False  # whether it was interrupted, and it is known why
    handlers: dict[int, Any] = field(default_factory=dict)  # of signals, before the block


_block = _Block()
_watch: Watch | None = None


def join(store: Any, rank: int, size: int, timeout: float = TIMEOUT) -> None:
    """Wait for all ranks, and watch over them from now on.

    Parameters
    ----------
    store : torch.distributed.TCPStore
        That all of them see.
    rank, size : int
        Which one this is, of how many.
    timeout : float, default=60
        Seconds without a sign of a rank until it is lost.

    Raises
    ------
    LostRankError
        A rank did not arrive.
    """
    global _watch
    watch = Watch(store, rank, size, timeout)
    if _block.is_open:
        watch.word.turn, watch.word.state = _block.turn, AT_WORK
    watch.arrive()
    _watch = watch
    Thread(target=watch.run, name="isthmus-watch", daemon=True).start()
    atexit.register(leave)


def leave() -> None:
    """Say that this rank ends, and watch no more."""
    if _watch is not None and not _watch.over.is_set():
        _watch.over.set()
        _watch.tell(**({"state": GONE} if _watch.word.state in (AT_WORK, IDLE) else {}))


def meet() -> None:
    """Wait until all ranks have come this far: what they have exchanged has then arrived.

    Raises
    ------
    LostRankError
        One of them will not.
    """
    if _watch is not None:
        _watch.meet()


def wait_for_first() -> None:
    """Wait until the first rank's block of :func:`watched` has ended.

    For ranks that have nothing left to do while the first one scores and saves: should it be lost, ``torchrun`` can
    start it again with them.

    Raises
    ------
    LostRankError
        The first rank is lost.
    """
    watch = _watch
    while watch is not None and watch.rank and watch.words[0].state == AT_WORK:
        watch.check()
        time.sleep(watch.period)


@contextmanager
def watched() -> Iterator[None]:
    """Turn whatever ends this block because of another rank into one error that names that rank.

    An error of this rank's own is made known to the others. Under ``torchrun``, which ends the others where one process
    has ended, the signal to end is one more reason to look who is missing.

    Raises
    ------
    LostRankError
        Another rank is lost, or was stopped by an error of its own.
    """
    if launch.size() == 1:
        yield
        return
    if _block.is_open:
        try:
            yield
        except KeyboardInterrupt:  # told here, so that what is between can add to it
            if (error := _cause()) is not None:
                raise error from None
            raise
        return
    try:
        _open_block()
        yield
        _tell(IDLE)
    except LostRankError:
        _tell(INTERRUPTED)
        raise
    except KeyboardInterrupt:
        if (error := _cause()) is not None:
            raise error from None
        raise
    except BaseException as error:
        _stop(error)
        raise
    finally:
        with _watch.lock if _watch is not None else nullcontext():
            _block.is_open = False
        for number, handler in _block.handlers.items():
            signal.signal(number, handler)


def _open_block() -> None:
    _block.is_open, _block.turn, _block.handlers = True, _block.turn + 1, {}
    _block.of_main, _block.is_called, _block.is_over = current_thread() is main_thread(), False, False
    if _block.of_main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        _block.handlers[signal.SIGTERM] = signal.signal(signal.SIGTERM, signal.default_int_handler)
    if _watch is not None:
        if _watch.verdict is not None and not _watch.verdict.silent:
            _watch.verdict, _watch.word.verdict = None, []
        _tell(AT_WORK, turn=_block.turn, why="", doubts=False)


def _tell(state: str, **changes: Any) -> None:
    if _watch is not None:
        _watch.tell(state=state, **changes)


def _cause() -> LostRankError | None:
    """Return what another rank has to do with an interruption, if anything."""
    if _watch is None or _block.is_over:
        return None
    _block.is_over = True
    if _block.of_main:  # torchrun passes on a Ctrl-C that this process has had already
        for number in (signal.SIGINT, signal.SIGTERM):
            _block.handlers.setdefault(number, signal.signal(number, signal.SIG_IGN))
    _tell(INTERRUPTED)
    _watch.look_for(enough=_watch.nobody_is_missing)
    if _watch.verdict is None or _watch.verdict.sentence.endswith(BY_SIGNAL):
        _tell(STOPPED, why=BY_SIGNAL, doubts=False)
        return None
    return _watch.lost()


def _stop(error: BaseException) -> None:
    """Let the others know of an error of this rank's own, before it is gone."""
    if _watch is None:
        return
    _block.is_called = True
    why = str(error) if isinstance(error, IsthmusError) else f"{type(error).__name__}: {error}"
    _tell(STOPPED, why=why)
    deadline = time.monotonic() + LINGER
    while _watch.rank and time.monotonic() < deadline:
        first = _watch.words[0]
        if first.turn >= _watch.word.turn and (first.verdict or first.state != AT_WORK):
            break
        time.sleep(min(0.1, _watch.period))


# ---------------------------------------------------------------------- exchanges


def exchange(collective: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    """Run a collective of ``torch.distributed`` to its end.

    Raises
    ------
    LostRankError
        It will not come to its end, because a rank is lost.
    """
    try:
        work = collective(*arguments, async_op=True, **options)
        if _watch is not None:
            _wait(work, _watch)
        work.wait()
    except RuntimeError as error:
        if type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error):
            raise
        said = f"An exchange between ranks broke: {str(error).partition(chr(10))[0]}"
        if _watch is None:
            raise LostRankError(said) from error
        _watch.look_for()
        raise _watch.lost(said) from error


def _wait(work: Any, watch: Watch) -> None:
    """Wait for a collective, and wake up now and then to look for a verdict; Python sees to signals then, too."""
    import torch.distributed as dist

    watch.waits = True
    try:
        while not work.is_completed():
            if dist.get_backend() == "nccl":  # which would end the whole group where a wait has a limit
                time.sleep(GLANCE)
            else:
                with suppress(RuntimeError):  # the time is up; a failure is raised by the last wait
                    work.wait(timedelta(seconds=watch.period))
            watch.check()
    finally:
        watch.waits = False


def is_lost() -> bool:
    """Tell whether a rank is gone that has not said why: it may be there, and what is between the two open."""
    return _watch is not None and _watch.verdict is not None and not _watch.verdict.told


def speaks(error: BaseException) -> bool:
    """Tell whether this process, one of all ranks, is the one to print an error."""
    if launch.size() == 1:
        return True
    if _watch is None:  # they have not met yet: once on each machine
        return launch.local_rank() == 0
    verdict = _watch.verdict
    if isinstance(error, LostRankError) and verdict is not None and verdict.rank == 0 and not verdict.told:
        return _watch.asks_first()
    return launch.is_first()
