"""Jobs by several processes: killed, interrupted, started from anywhere, and every result that of one process."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

import isthmus
from isthmus import cluster
from isthmus.errors import DataError, IsthmusError

from .conftest import Case, matrix

pytestmark = pytest.mark.cluster

SOURCE = Path(isthmus.__file__).parents[1]


def written(folder: Path) -> np.ndarray:
    return parquet.read_table(folder).to_pandas().to_numpy()


def codes(case: Case) -> np.ndarray:
    return isthmus.load(case.model).transform(matrix())


def changed(folder: Path, code: str) -> Path:
    """Return a folder of modules in which each Python that has it in its path does a part otherwise.

    ``code`` comes before a part is done; it knows ``part``, and ``first``, which is true the first time.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        textwrap.dedent(
            """
            import os, signal, sys, time
            from pathlib import Path
            from isthmus.cluster import work

            done = work.do

            def do(job, part):
                mark = Path(__file__).with_name(f"{part.number}.mark")
                first = not mark.exists()
                mark.touch()
                CODE
                return done(job, part)

            work.do = do
            """
        ).replace("CODE", code)
    )
    return folder


def command(case: Case, output: Path, *more: object, modules: Path | None = None) -> subprocess.Popen[str]:
    """Start ``isthmus encode`` in a process of its own."""
    paths = [*([str(modules)] if modules else []), str(SOURCE)]
    words = ["encode", case.data, "-m", case.model, "-o", f"{output}/", "--workers", "2", "--part-rows", "20", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "isthmus", *map(str, words)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def await_parts(folder: Path, number: int, seconds: float = 120) -> None:
    """Wait until so many parts are there."""
    end = time.monotonic() + seconds
    while len(list(folder.glob("part-*"))) < number:
        assert time.monotonic() < end, "no parts came"
        time.sleep(0.05)


def test_two_processes_make_what_one_makes(array_case: Case, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    settings: dict[str, Any] = {"workers": 2, "part_rows": 20}
    found = cluster.run(
        "encode", array_case.data, array_case.model, tmp_path / "codes", **settings, progress=lambda *n: told.append(n)
    )
    assert (found.parts, found.done_now) == (12, 12)
    assert np.array_equal(written(tmp_path / "codes"), codes(array_case))
    assert told[0] == (0, 240)
    assert told[-1] == (240, 240)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_the_part_of_a_worker_that_is_killed_is_done_by_another(
    array_case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill = "if first and part.number == 3: os.kill(os.getpid(), signal.SIGKILL)"
    monkeypatch.syspath_prepend(str(changed(tmp_path / "modules", kill)))
    found = cluster.run("encode", array_case.data, array_case.model, tmp_path / "codes", workers=2, part_rows=20)
    assert found.done_now == 12
    assert (tmp_path / "modules" / "3.mark").exists()
    assert np.array_equal(written(tmp_path / "codes"), codes(array_case))


def test_a_part_that_kills_every_worker_is_given_up_and_named(
    array_case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill = "if part.number == 3: os.kill(os.getpid(), signal.SIGKILL)"
    monkeypatch.syspath_prepend(str(changed(tmp_path / "modules", kill)))
    sentence = r"part 3 \(rows 60 to 79\): 3 workers that did it ended .*by signal 9 \(SIGKILL\)"
    with pytest.raises(IsthmusError, match=sentence):
        cluster.run("encode", array_case.data, array_case.model, tmp_path / "codes", workers=1, part_rows=20)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if not path.endswith("modules")])
    again = cluster.run("encode", array_case.data, array_case.model, tmp_path / "codes", workers=1)
    assert 0 < again.done_now < 12
    assert np.array_equal(written(tmp_path / "codes"), codes(array_case))


def test_what_a_worker_refuses_is_raised_here(array_case: Case, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no '.*gone\.npy'"):
        cluster.run("encode", tmp_path / "gone.npy", array_case.model, tmp_path / "codes", workers=1)


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(array_case: Case, tmp_path: Path) -> None:
    modules = changed(tmp_path / "modules", "time.sleep(0.5)")
    process = command(array_case, tmp_path / "codes", modules=modules)
    await_parts(tmp_path / "codes", 2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "of 12 parts are in" in said
    assert "the same command goes on with the others" in said
    assert not list((tmp_path / "codes").glob(".isthmus*"))
    process = command(array_case, tmp_path / "codes", "--json")
    out, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert json.loads(out)["done_now"] < 12
    assert np.array_equal(written(tmp_path / "codes"), codes(array_case))


def test_a_job_killed_at_any_moment_goes_on_to_the_same_result(array_case: Case, tmp_path: Path) -> None:
    modules, moments = changed(tmp_path / "modules", "time.sleep(0.2)"), random.Random(0)
    folder = tmp_path / "codes"
    for _ in range(3):
        process = command(array_case, folder, modules=modules)
        time.sleep(moments.uniform(0.5, 12))
        process.kill()
        process.communicate(timeout=60)
    out, said = command(array_case, folder, "--json").communicate(timeout=120)
    assert json.loads(out)["rows"] == 240, said
    assert np.array_equal(written(folder), codes(array_case))
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith("part-")) == ["_manifest.json"]


@pytest.mark.parametrize("method", ["none", "spawn", "forkserver"])
def test_a_job_starts_from_a_script_of_any_kind(array_case: Case, tmp_path: Path, method: str) -> None:
    call = f"cluster.run('encode', {array_case.data!r}, {array_case.model!r}, {str(tmp_path / 'codes')!r}, workers=1)"
    plain = f"from isthmus import cluster\nprint('begun', flush=True)\n{call}\n"  # nothing guards it, as in a notebook
    guarded = (
        f"import multiprocessing\nfrom isthmus import cluster\n\ndef job():\n    {call}\n\n"
        f"if __name__ == '__main__':\n    print('begun', flush=True)\n"
        f"    child = multiprocessing.get_context({method!r}).Process(target=job)\n"
        f"    child.start()\n    child.join()\n"
    )
    script = tmp_path / "script.py"
    script.write_text(plain if method == "none" else guarded)
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["begun"]
    assert np.array_equal(written(tmp_path / "codes"), codes(array_case))
