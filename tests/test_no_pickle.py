"""Nothing in the package can run what a file holds: no pickle in any coat, no torch.load, no eval."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "isthmus"

MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "pickletools"}
CALLS = {"eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec", "torch.load", "torch.hub.load"}
CALLS |= {"torch.jit.load", "torch.package.PackageImporter", "pandas.read_pickle", "pd.read_pickle"}
NAMES = {("torch", "load"), ("torch.hub", "load"), ("torch.jit", "load"), ("torch.serialization", "load")}


def _imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.partition(".")[0] in MODULES]
    if isinstance(node, ast.ImportFrom) and not node.level:
        module = node.module or ""
        if module.partition(".")[0] in MODULES:
            return [module]
        return [f"{module}.{alias.name}" for alias in node.names if (module, alias.name) in NAMES]
    return []


def _calls(node: ast.AST) -> list[str]:
    if not isinstance(node, ast.Call):
        return []
    name = ast.unparse(node.func)
    found = [name] if name in CALLS else []
    for keyword in node.keywords:
        given = not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
        if keyword.arg == "allow_pickle" and given:
            found.append(f"{name} with allow_pickle")
    return found


def ways_to_run_data(package: Path) -> list[str]:
    """Return a line for each import or call that could run what it reads."""
    found = []
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            found += [f"{path.relative_to(package)}:{node.lineno}: {what}" for what in _imports(node) + _calls(node)]
    return found


def test_the_package_never_runs_data() -> None:
    assert ways_to_run_data(PACKAGE) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import pickle",
        "import joblib.numpy_pickle",
        "from pickle import loads",
        "from torch import load",
        "import torch\ntorch.load('model.pt')",
        "import torch\ntorch.load('model.pt', weights_only=True)",
        "eval('1')",
        "def later():\n    exec('x = 1')",
        "import numpy as np\nnp.load('x.npy', allow_pickle=True)",
        "import numpy as np\nallowed = True\nnp.load('x.npy', allow_pickle=allowed)",
    ],
)
def test_a_way_to_run_data_is_found(tmp_path: Path, statement: str) -> None:
    (tmp_path / "reading.py").write_text(statement)
    assert len(ways_to_run_data(tmp_path)) == 1


def test_harmless_neighbours_are_allowed(tmp_path: Path) -> None:
    source = "import numpy as np\nfrom isthmus.models import load\nmodule.eval()\nre.compile('x')\n"
    (tmp_path / "reading.py").write_text(source + "np.load('x.npy', allow_pickle=False)\n")
    assert ways_to_run_data(tmp_path) == []
