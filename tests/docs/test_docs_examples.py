"""Every example on a page of the documentation runs, in the page's order, in an empty folder.

A fence with the info string ``python`` or ``sh`` is an example. Python blocks of a page share one namespace, and the
tests that they define are called at the page's end; shell blocks run where the page's files are. ``console``, ``text``
and the like show and do not run. Commands of isthmus that need nothing of a shell run in this process, which spares
them the start of another.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from isthmus import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>python|sh)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
NEEDS_A_SHELL = re.compile(r"[|><&;$*?\\`]")


class Example(NamedTuple):
    """One fenced block.

    Parameters
    ----------
    language : {"python", "sh"}
        How it runs.
    line : int
        Line of its first statement on the page, from 1.
    code : str
        Its text, without the fence's indentation.
    """

    language: str
    line: int
    code: str


def examples_of(page: str) -> list[Example]:
    """Return the examples of a page in their order."""
    found = []
    for match in FENCE.finditer(page):
        indent = match["indent"]
        code = "".join(line.removeprefix(indent) for line in match["code"].splitlines(keepends=True))
        found.append(Example(match["language"], page.count("\n", 0, match.start("code")) + 1, code))
    return found


def run_page(name: str, examples: list[Example], folder: Path) -> None:
    """Run examples one after the other; an error points at the line of the page."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for example in examples:
        if example.language == "python":
            exec(compile("\n" * (example.line - 1) + example.code, name, "exec", dont_inherit=True), namespace)
        else:
            run_shell(f"{name}:{example.line}", example.code, folder)
    for test in [value for key, value in namespace.items() if key.startswith("test_") and callable(value)]:
        test()


def run_shell(where: str, code: str, folder: Path) -> None:
    """Run a shell example with the commands of this Python's environment first on the path."""
    joined = code.replace("\\\n", " ")
    words = [shlex.split(line, comments=True) for line in joined.splitlines()]
    if not NEEDS_A_SHELL.search(joined) and all(not line or line[0] == "isthmus" for line in words):
        for line in filter(None, words):
            assert cli.main(line[1:]) == 0, f"{where}: {shlex.join(line)} failed"
        return
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    bash = shutil.which("bash") or "sh"
    run = subprocess.run(
        [bash, "-euc", code],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.returncode == 0, f"{where}: exit code {run.returncode}\n{code}\n{run.stderr}"


WITH_EXAMPLES = [page for page in PAGES if examples_of(page.read_text(encoding="utf-8"))]


@pytest.mark.long
@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = examples_of(page.read_text(encoding="utf-8"))
    assert examples
    monkeypatch.chdir(tmp_path)
    run_page(str(page.relative_to(ROOT)), examples, tmp_path)


PAGE = """
# Title

```python
x = 1
```

- in a list

  ```python
  y = x + 1
  ```

```console
$ rm -rf everything
```
"""


def test_examples_are_found_with_their_lines() -> None:
    assert examples_of(PAGE) == [Example("python", 5, "x = 1\n"), Example("python", 11, "y = x + 1\n")]


def test_blocks_of_a_page_share_names_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = [
        Example("python", 1, "from pathlib import Path; word = 'isthmus'"),
        Example("python", 5, "Path('word').write_text(word)"),
        Example("sh", 9, 'test "$(cat word)" = isthmus'),
    ]
    run_page("page.md", blocks, tmp_path)
    assert (tmp_path / "word").read_text() == "isthmus"


def test_a_failing_python_example_is_found_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as failure:
        run_page("page.md", [Example("python", 40, "a = 1\na / 0\n")], tmp_path)
    entry = failure.traceback[-1]
    assert (str(entry.path).endswith("page.md"), entry.lineno + 1) == (True, 41)


def test_a_failing_shell_example_is_found_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:7: exit code 3"):
        run_page("page.md", [Example("sh", 7, "exit 3")], tmp_path)
