"""Jobs and training on a Ray cluster: the sentences without one, and the same results with one on this machine.

The tests of the second half need Ray (``make cluster-test``); their cluster listens on the loopback interface only.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

import isthmus
from isthmus import checks
from isthmus.cli import main
from isthmus.cluster import ray_session, ray_training, work
from isthmus.cluster.plan import TRIES, Done, Job, Part
from isthmus.cluster.ray_engine import Engine
from isthmus.errors import DataError, IsthmusError, ParameterError, UnavailableError

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed")
SOURCES = str(Path(isthmus.__file__).resolve().parents[1])

# ------------------------------------------------------------------ without Ray


def test_ray_that_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(ray_session.util, "find_spec", lambda name: None)
    code = main(["encode", "x.npy", "-m", "m.safetensors", "-o", f"{tmp_path}/codes/", "--cluster", "local"])
    assert code == 5
    said = capsys.readouterr().err
    assert "needs the package ray, which is not installed" in said
    assert 'pip install "isthmus[cluster]"' in said


def test_the_client_of_ray_needs_a_package_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_session.util, "find_spec", lambda name: None if name == "grpc" else True)
    with pytest.raises(UnavailableError, match=r"the package grpc.*isthmus\[cluster\]"):
        Engine(None, "ray://127.0.0.1:10001").__enter__()


@pytest.mark.parametrize("address", ["head", "http://head:8265", "ray://head", "head:port", "ray://head:1/x", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ParameterError, match="must be local, auto, ray://HOST:PORT or HOST:PORT"):
        Engine(None, address).__enter__()


@pytest.mark.parametrize("address", ["127.0.0.1:6379", "ray://head:10001", "[::1]:6379", "head.example:1"])
def test_addresses(address: str) -> None:
    assert ray_session._check(address) is None  # and does not raise


@pytest.mark.parametrize("kind", ["", "ray://"])
def test_no_cluster_at_an_address_is_said_at_once_and_named(kind: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening
        address = f"{kind}127.0.0.1:{taken.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(UnavailableError, match=f"no Ray cluster answers at {address}") as error:
            ray_session.reach(address)
    assert error.value.exit_code == 5
    assert time.monotonic() - begun < 30


def test_a_host_without_an_address_is_named() -> None:
    with pytest.raises(UnavailableError, match=r"no Ray cluster answers at nowhere\.invalid:6379 \(.+\); ray start"):
        ray_session.reach("nowhere.invalid:6379")


def test_a_call_that_does_not_come_back_is_not_waited_for() -> None:
    begun = time.monotonic()
    assert "does not answer as Ray does" in str(ray_session._within(0.1, lambda: time.sleep(3)))
    assert time.monotonic() - begun < 2
    assert ray_session._within(5, lambda: None) is None
    assert "list index out of range" in str(ray_session._within(5, lambda: [][0]))


def test_other_versions_name_both_sides_and_only_what_differs() -> None:
    here = ("isthmus 1.0", "Python 3.12", "torch 2.13.0")
    error = checks.other_versions_on("b (10.0.0.2)", ("isthmus 1.0", "Python 3.11", "torch 2.12.0"), here)
    assert str(error).startswith(
        "b (10.0.0.2), a machine of the cluster, has Python 3.11 and torch 2.12.0, and this machine Python 3.12 and "
        "torch 2.13.0;"
    )
    assert error.exit_code == 5


def test_versions_are_those_of_this_process() -> None:
    said = ray_session.versions()
    assert said[0] == f"isthmus {isthmus.__version__}"
    assert said[1] == f"Python {sys.version_info.major}.{sys.version_info.minor}"


def test_the_command_of_a_rank_is_that_of_the_cluster_without_its_flags() -> None:
    command = "isthmus fit 'my data.npy' --cluster auto --workers=4 -o m.safetensors --workers 5"
    assert ray_training.without(command, "--cluster", "--workers") == ["fit", "my data.npy", "-o", "m.safetensors"]


def test_what_a_machine_sees_is_told_without_opening_it(array_case: Any, tmp_path: Path) -> None:
    job = Job("encode", array_case.data, array_case.model, str(tmp_path / "out"))
    plan = work.look(job)
    assert work.seen(job) == (plan.model, plan.data)
    with pytest.raises(DataError, match=r"data: there is no .*nothing\.npy"):
        work.seen(replace(job, data=f"{tmp_path}/nothing.npy"))
    with pytest.raises(DataError, match=r"--model: there is no .*nothing\.safetensors"):
        work.seen(replace(job, model=f"{tmp_path}/nothing.safetensors"))


def test_workers_of_fit_need_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "digits", "--workers", "2"]) == 2
    assert "--workers goes with --cluster" in capsys.readouterr().err


# ------------------------------------------------------------------ with a cluster on this machine


@pytest.fixture(scope="module")
def head() -> Iterator[tuple[str, str]]:
    """Start a cluster of two processors, and give its address and that of its client port."""
    port, client = _free_ports(2)
    environment = os.environ | {
        ray_session.LOOPBACK: "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # workers would wait for whatever else this machine does
        "PYTHONPATH": SOURCES,
        "OMP_NUM_THREADS": "1",
    }
    order = ["-m", "ray.scripts.scripts", "start", "--head", "--block", f"--port={port}", "--num-cpus=2"]
    order += [f"--ray-client-server-port={client}", "--include-dashboard=false", "--disable-usage-stats"]
    process = subprocess.Popen(
        [sys.executable, *order], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for one in (port, client):
            _wait_for_port(one)
        yield f"127.0.0.1:{port}", f"ray://127.0.0.1:{client}"
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def cluster(head: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(ray_session.LOOPBACK, "0")
    return head[0]


def _free_ports(n: int) -> list[int]:
    """Return ports that are free, below those that Ray's processes take at random."""
    found: list[int] = []
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == n:
            break
    return found


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.5)
    raise TimeoutError(f"nothing listens at port {port}")


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": SOURCES, ray_session.LOOPBACK: "0"}
    order = [sys.executable, "-m", "isthmus", *arguments]
    return subprocess.run(order, env=environment, capture_output=True, text=True, timeout=550, check=False)


def _codes(folder: Path) -> np.ndarray:
    """Return the codes of all parts, in the order of their names."""
    table = parquet.read_table([str(path) for path in sorted(folder.glob("part-*.parquet"))])
    return np.stack([column.to_numpy() for column in table.columns], 1)


@pytest.mark.cluster
@needs_ray
@pytest.mark.parametrize("way", [0, 1], ids=["head", "client"])
def test_a_job_on_a_cluster_writes_what_one_process_writes(
    way: int, head: tuple[str, str], array_case: Any, tmp_path: Path
) -> None:
    output, alone = tmp_path / "codes", tmp_path / "alone"
    common = ("encode", array_case.data, "-m", array_case.model, "--part-rows", "50")
    done = _command(*common, "-o", f"{output}/", "--cluster", head[way], "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1  # Ray says nothing of its own
    assert done.stdout.startswith("{")
    assert "WARNING" not in done.stderr
    assert _command(*common, "-o", f"{alone}/", "--workers", "0").returncode == 0
    assert len(list(output.glob("part-*.parquet"))) == 5
    expected = isthmus.load(array_case.model).transform(np.load(array_case.data))
    assert np.array_equal(_codes(output), expected)
    for path in sorted(alone.glob("part-*.parquet")):
        assert (output / path.name).read_bytes() == path.read_bytes()


@pytest.mark.cluster
@needs_ray
def test_a_path_that_no_worker_sees_is_named(head: tuple[str, str], array_case: Any, tmp_path: Path) -> None:
    missing = f"{tmp_path}/nothing.npy"
    done = _command("encode", missing, "-m", array_case.model, "-o", f"{tmp_path}/codes/", "--cluster", head[0])
    assert done.returncode == 3, done.stderr
    assert missing in done.stderr
    assert socket.gethostname() in done.stderr


JOB = Job("encode", "x", "m", "out")
PARTS = [Part(number, number, number + 1) for number in range(5)]


def _doing(monkeypatch: pytest.MonkeyPatch, do: Any) -> None:
    monkeypatch.setattr("isthmus.cluster.ray_engine._do", do)


@pytest.mark.cluster
@needs_ray
def test_parts_of_a_worker_that_dies_are_done_again(
    cluster: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    died = tmp_path / "died"

    def do(job: Job, part: Part) -> Done:
        import os

        if part.number == 1 and not died.exists():
            died.touch()
            os._exit(9)
        return Done(part.number)

    _doing(monkeypatch, do)
    with Engine(2, cluster) as engine:
        assert sorted(done.number for done in engine.run(JOB, PARTS)) == [0, 1, 2, 3, 4]
    assert died.exists()


@pytest.mark.cluster
@needs_ray
def test_a_part_over_which_every_worker_dies_is_given_up(
    cluster: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def do(job: Job, part: Part) -> Done:
        import os

        (tmp_path / str(time.time_ns())).touch()
        os._exit(9)

    _doing(monkeypatch, do)
    with Engine(1, cluster) as engine, pytest.raises(IsthmusError, match=r"part 0 .*3 workers that did it ended"):
        list(engine.run(JOB, PARTS[:1]))
    assert len(list(tmp_path.iterdir())) == TRIES


@pytest.mark.cluster
@needs_ray
def test_at_most_so_many_parts_are_on_their_way_as_were_asked_for(
    cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _doing(monkeypatch, lambda job, part: Done(part.number))
    with Engine(1, cluster) as engine:
        taken = iter(PARTS)
        for n, _ in enumerate(engine.run(JOB, taken)):  # type: ignore[arg-type]
            assert next(taken, PARTS[-1]).number <= n + 1
            break


@pytest.mark.cluster
@needs_ray
def test_a_cluster_in_which_nothing_starts_is_not_waited_for(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_session, "STARTING", 3.0)
    with ray_session.joined(cluster) as (ray, _):

        @ray.remote(num_cpus=2)
        class Hog:
            def there(self) -> bool:
                return True

        hog = Hog.remote()
        assert ray.get(hog.there.remote())
        with Engine(None, cluster) as engine, pytest.raises(UnavailableError) as error:
            engine.look(JOB)
    assert "nothing has started" in str(error.value)
    assert "1 machine with 2 processors, 0 free" in str(error.value)


@pytest.mark.cluster
@needs_ray
def test_a_worker_with_another_version_is_refused(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = isthmus.__version__
    monkeypatch.setattr("isthmus.version.__version__", "99.0")
    with Engine(None, cluster) as engine, pytest.raises(UnavailableError) as error:
        engine.look(JOB)
    assert f"has isthmus {real}, and this machine isthmus 99.0" in str(error.value)


@pytest.mark.cluster
@needs_ray
def test_a_port_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_session, "ANSWERING", 2.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UnavailableError, match=f"{address} .*does not answer as Ray does"):
            Engine(None, address).__enter__()


LEARN = """
import sys
import numpy as np
import isthmus
from isthmus.training import distributed

def learn(path):
    X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    model = isthmus.Autoencoder(latent_dim=2, hidden=(8,), max_epochs=2, random_state=0, device="cpu").fit(X)
    if distributed.is_first():
        model.save(path)

if __name__ == "__main__":
    learn(sys.argv[1])
"""


@pytest.mark.cluster
@needs_ray
def test_the_weights_are_those_of_torchrun(cluster: str, tmp_path: Path) -> None:
    script = tmp_path / "learn.py"
    script.write_text(LEARN)
    order = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"]
    order += ["--nproc-per-node=2", str(script), f"{tmp_path}/torchrun.safetensors"]
    subprocess.run(order, env=os.environ | {"PYTHONPATH": SOURCES, "OMP_NUM_THREADS": "1"}, check=True, timeout=500)
    names: dict[str, Any] = {"__name__": "sent by value"}
    exec(LEARN, names)
    ray_training.train(names["learn"], f"{tmp_path}/ray.safetensors", workers=2, address=cluster)
    ours, theirs = (isthmus.load(tmp_path / f"{name}.safetensors").module_.state_dict() for name in ("ray", "torchrun"))
    assert list(ours) == list(theirs)
    assert all((ours[name] == theirs[name]).all() for name in ours)


@pytest.mark.cluster
@needs_ray
def test_ranks_are_started_again_where_one_is_lost(cluster: str, tmp_path: Path) -> None:
    heard: list[str] = []

    def work() -> tuple[str, str]:
        import os
        import sys

        if os.environ["RANK"] == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
            os._exit(9)
        print("at work", file=sys.stderr)
        return os.environ["WORLD_SIZE"], os.environ["TORCHELASTIC_RESTART_COUNT"]

    assert ray_training.train(work, workers=2, address=cluster, hear=heard.append) == ("2", "1")
    assert "a process that trains with others was lost" in "".join(heard)
    assert "at work" in "".join(heard)


@pytest.mark.cluster
@needs_ray
def test_an_error_of_a_rank_is_raised_here(cluster: str) -> None:
    def work() -> None:
        raise DataError("row 3 is not finite.")

    with pytest.raises(DataError, match="row 3 is not finite"):
        ray_training.train(work, workers=1, address=cluster)
