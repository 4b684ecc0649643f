"""Who is lost, who says so, and what is said: without any process but one that is frozen."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import asdict

import pytest
import torch.distributed as dist

from isthmus import launch, watch
from isthmus.errors import LostRankError
from isthmus.training.devices import device_named
from isthmus.watch import AT_WORK, GONE, IDLE, INTERRUPTED, STOPPED, Watch, Word

TIMEOUT = 60.0


class Store(dict):
    """A store of ranks, in memory."""

    host, port = "127.0.0.1", 29500

    def check(self, keys):
        return all(key in self for key in keys)

    def set(self, key, value):
        self[key] = value

    def multi_get(self, keys):
        return [self[key] for key in keys]

    def add(self, key, more):
        self[key] = self.get(key, 0) + more
        return self[key]


class Ranks:
    """Ranks whose words are made up, and a clock that is set by hand."""

    def __init__(self, monkeypatch, *, rank=0, size=3):
        self.now = 1000.0
        monkeypatch.setattr(watch.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(watch.time, "sleep", self.pass_by)
        self.store, self.size = Store(), size
        self.words = {each: Word(turn=1, state=AT_WORK, process=100 + each, machine="m") for each in range(size)}
        self.watch = Watch(self.store, rank, size, TIMEOUT)
        self.watch.word.turn, self.watch.word.state = 1, AT_WORK
        self.say()
        self.watch.arrive()

    def say(self, *silent):
        for rank, word in self.words.items():
            if rank not in (*silent, self.watch.rank):
                word.beat += 1
                self.store.set(watch._key(rank), json.dumps(asdict(word)))

    def pass_by(self, seconds, *silent):
        """Let time go by, in which all say that they are there but some."""
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now += min(1.0, end - self.now)
            self.say(*silent)
            self.watch.round(self.store)
            self.watch.judge()

    def judge(self):
        found = self.watch.judge()
        return None if found is None else found.sentence


@pytest.fixture
def ranks(monkeypatch):
    return Ranks(monkeypatch)


# ---------------------------------------------------------------------- who is lost


def test_ranks_that_are_heard_of_are_not_lost(ranks):
    ranks.pass_by(10 * TIMEOUT)
    assert ranks.judge() is None


def test_a_rank_is_lost_when_nothing_was_heard_of_it_for_the_timeout(ranks):
    ranks.pass_by(60, 2)
    assert ranks.judge() is None
    ranks.pass_by(1, 2)
    assert ranks.judge() == "rank 2 of 3 (process 102 on m) is lost: nothing was heard of it for 61 s."
    with pytest.raises(LostRankError, match="rank 2 of 3"):
        ranks.watch.check()


@pytest.mark.parametrize("whose", [0, 1])
def test_some_seconds_are_enough_once_an_exchange_has_broken(ranks, whose):
    (ranks.watch.word if whose == 0 else ranks.words[1]).doubts = True
    ranks.pass_by(5, 2)
    assert ranks.judge() is None
    ranks.pass_by(1, 2)
    assert ranks.judge() == "rank 2 of 3 (process 102 on m) is lost: nothing was heard of it for 6 s."


def test_a_rank_that_an_error_has_stopped_says_why(ranks):
    ranks.words[1].state, ranks.words[1].why = STOPPED, "row 7 is no number."
    ranks.pass_by(1)
    assert ranks.judge() == "rank 1 of 3 (process 101 on m) stopped: row 7 is no number."


def test_an_error_of_an_earlier_turn_is_over(ranks):
    ranks.watch.word.turn = 2
    ranks.words[1].state = STOPPED
    ranks.pass_by(1)
    assert ranks.judge() is None


def test_the_others_take_over_what_the_first_has_found(monkeypatch):
    ranks = Ranks(monkeypatch, rank=2)
    ranks.words[0].verdict = [1, "rank 1 of 3 is lost.", True]
    ranks.pass_by(1)
    assert ranks.judge() == "rank 1 of 3 is lost."
    assert ranks.watch.verdict.silent


def test_the_others_find_that_the_first_is_lost(monkeypatch):
    ranks = Ranks(monkeypatch, rank=2)
    ranks.pass_by(61, 0)
    assert ranks.judge() == "rank 0 of 3 (process 100 on m) is lost: nothing was heard of it for 61 s."


def test_a_store_that_does_not_answer_is_a_lost_first_rank(monkeypatch):
    ranks = Ranks(monkeypatch, rank=2)
    for _ in range(61):
        ranks.now += 1
        said = ranks.judge()
    assert said == "rank 0 of 3 is lost: the store of the ranks at 127.0.0.1:29500 did not answer for 60 s."


def test_a_rank_that_has_slept_itself_blames_nobody(ranks):
    ranks.now += 1000
    assert ranks.judge() is None
    ranks.pass_by(5)
    assert ranks.judge() is None


def test_a_rank_that_has_ended_is_missed_where_it_is_needed(ranks):
    ranks.words[1].state = GONE
    ranks.pass_by(1)
    ranks.pass_by(500, 1)
    assert ranks.judge() is None  # it was done
    ranks.watch.word.turn = 2
    assert ranks.judge() == "rank 1 of 3 (process 101 on m) ended before the others."


def test_a_rank_between_two_turns_is_listened_to_as_well(ranks):
    ranks.words[1].state = IDLE
    ranks.pass_by(1)
    ranks.pass_by(61, 1)
    assert "rank 1 of 3" in ranks.judge()


# ---------------------------------------------------------------------- interruptions, and who speaks


def test_interrupted_together_nobody_is_the_cause(ranks):
    begun = ranks.now
    for word in ranks.words.values():
        word.state = INTERRUPTED
    ranks.say()
    ranks.watch.round(ranks.store)
    ranks.watch.look_for(enough=ranks.watch.nobody_is_missing)
    assert ranks.watch.verdict is None
    assert ranks.now == begun  # nobody waits


def test_interrupted_because_one_is_missing(ranks, monkeypatch):
    ranks.words[1].state = INTERRUPTED
    monkeypatch.setattr(watch.time, "sleep", lambda seconds: ranks.pass_by(seconds, 2))
    ranks.watch.look_for(enough=ranks.watch.nobody_is_missing)
    assert "rank 2 of 3 (process 102 on m) is lost" in ranks.watch.verdict.sentence


def test_one_rank_speaks_where_the_first_is_lost_however_far_apart_they_find_out(monkeypatch):
    ranks = Ranks(monkeypatch, rank=1)
    other = Watch(ranks.store, 2, 3, TIMEOUT)
    other.word.turn = 1
    assert ranks.watch.asks_first()
    ranks.pass_by(20, 0)
    other.answered = ranks.now
    assert not other.asks_first()
    other.word.turn = 2  # another fit
    assert other.asks_first()


def test_without_a_store_one_rank_of_each_machine_speaks_where_the_first_is_lost(monkeypatch):
    ranks = Ranks(monkeypatch, rank=2)
    monkeypatch.setattr(ranks.store, "add", lambda key, more: pytest.fail("nobody answers"), raising=False)
    monkeypatch.setenv("WORLD_SIZE", "3")
    ranks.now += 2 * TIMEOUT
    for local, speaks in (("0", True), ("1", False)):
        monkeypatch.setenv("LOCAL_RANK", local)
        assert ranks.watch.asks_first() is speaks


def test_before_they_have_met_one_of_each_machine_speaks(monkeypatch):
    assert watch.speaks(ValueError())
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "2")
    for local, speaks in (("0", True), ("1", False)):
        monkeypatch.setenv("LOCAL_RANK", local)
        assert watch.speaks(ValueError()) is speaks


def test_a_rank_that_does_not_arrive_is_named(monkeypatch):
    monkeypatch.setattr(watch, "ARRIVAL", 0)
    with pytest.raises(LostRankError, match=r"rank 1 of 2 is lost: it did not arrive within 0 s\."):
        Watch(Store(), 0, 2, TIMEOUT).arrive()


# ---------------------------------------------------------------------- what is done about it


@pytest.mark.skipif(not launch.started(1), reason="a system that says when its processes were started")
@pytest.mark.parametrize(("changed", "ended"), [({}, True), ({"boot": "another"}, False), ({"started": "1"}, False)])
def test_a_frozen_process_is_ended_if_it_is_of_this_machine(changed, ended):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        try:
            process.send_signal(signal.SIGSTOP)
            lost = {"process": process.pid, "started": launch.started(process.pid)} | changed
            watch._end(Word(**lost), Word())
            if ended:
                assert process.wait(timeout=10) == -signal.SIGKILL
            else:
                assert process.poll() is None
        finally:
            process.kill()


def test_an_exchange_that_breaks_is_one_sentence(monkeypatch):
    def broken(**_):
        raise RuntimeError("Connection closed by peer\nat pair.cc")

    with pytest.raises(LostRankError, match=r"An exchange between ranks broke: Connection closed by peer$"):
        watch.exchange(broken)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_memory_that_runs_out_in_an_exchange_is_no_lost_rank(error):
    def full(**_):
        raise error

    with pytest.raises(type(error)):
        watch.exchange(full)


# ---------------------------------------------------------------------- devices


def test_each_process_has_the_gpu_of_its_local_rank(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert str(device_named("VAE", "auto")) == str(device_named("VAE", "cuda")) == "cuda:1"
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(watch.IsthmusError, match="process 2 of this machine has no GPU of its own"):
        device_named("VAE", "auto")
    assert str(device_named("VAE", "cpu")) == "cpu"
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")  # a launcher that shows each process its own
    assert str(device_named("VAE", "auto")) == "cuda:0"
    assert not dist.is_initialized()
