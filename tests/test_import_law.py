"""Who may import whom inside the package; read from the sources, so that a deferred import counts too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "isthmus"

_BELOW_MODELS = {
    "capabilities",
    "errors",
    "checks",
    "artifact",
    "base",
    "data",
    "density",
    "encoded",
    "likelihood_choice",
    "metrics",
    "networks",
    "plain",
    "preprocessing",
    "ranks",
    "search",
    "telling",
    "training",
}
# A room is a module or a folder directly in the package. It may import itself and these.
LAW: dict[str, set[str]] = {
    "bar": set(),
    "plain": set(),
    "version": set(),
    "idx": set(),
    "launch": set(),
    "watch": {"errors", "launch"},
    "ranks": {"watch"},
    "capabilities": set(),
    "errors": {"plain"},
    "checks": {"capabilities", "errors", "plain"},
    "files": {"errors"},
    "documents": {"errors"},
    "artifact": {"errors", "checks", "files", "version"},
    "coding": {"artifact", "errors", "checks", "documents", "files", "idx", "plain"},
    "peers": {"coding"},
    "density": {"errors", "checks", "documents"},
    "search": {"errors", "documents"},
    "data": {"errors", "checks", "documents", "files", "idx", "plain"},
    "metrics": {"errors", "checks", "documents"},
    "networks": {"errors", "checks", "ranks"},
    "preprocessing": {"errors", "checks", "data", "documents"},
    "training": {
        *("errors", "bar", "checks", "data", "documents", "metrics", "artifact", "networks", "plain", "preprocessing"),
        *("ranks", "telling", "launch", "watch"),
    },
    "description": {"errors", "checks", "documents"},
    "gradients": {"errors", "data"},
    "nearest": set(),
    "graph": {"nearest"},
    "layout": set(),
    "telling": {"errors", "data", "preprocessing"},
    "encoded": {"data", "preprocessing"},
    "likelihood_choice": {"checks", "networks", "preprocessing"},
    "fitting": {"checks", "data", "errors", "preprocessing", "telling", "training", "version"},
    "base": {
        *("errors", "checks", "artifact", "data", "density", "description", "documents", "encoded", "fitting"),
        *("preprocessing", "search", "telling", "training", "metrics", "likelihood_choice", "version", "watch"),
    },
    "models": _BELOW_MODELS - {"metrics"}
    | {"coding", "description", "documents", "fitting", "graph", "layout", "version"},
    "tasks": _BELOW_MODELS | {"coding", "documents", "description", "files", "fitting", "gradients", "graph", "layout"},
    "loading": {"artifact", "coding", "errors", "models", "tasks"},
    "report": _BELOW_MODELS - {"networks", "training"} | {"tasks", "description", "version"},
    "cli": _BELOW_MODELS
    | {"bar", "coding", "files", "models", "peers", "tasks", "report", "version", "__init__"}
    | {"launch", "watch"},
    "cluster": {"base", "checks", "cli", "data", "errors", "files", "tasks", "telling", "version"},
    "__main__": {"cli"},
    "__init__": {"coding", "loading", "models", "report", "tasks", "version"},
}
# Upward on purpose, and only inside a function or for type checkers, so that nothing is loaded with the module.
DEFERRED = {
    ("tasks", "models"): "a task object without a model brings the one that serves it best, and its file holds one",
    ("cli", "cluster"): "a verb whose output is a folder hands it to a job, whose workers run the verb on each part",
    ("models", "tasks"): "a restorer reads masks and works in tiles, as tasks do",
}


def _room(path: Path, package: Path) -> str:
    parts = path.relative_to(package).with_suffix("").parts
    return parts[0]


def _rooms(package: Path) -> set[str]:
    return {_room(path, package) for path in package.rglob("*.py")}


def _deferred_nodes(tree: ast.Module) -> set[ast.AST]:
    """Return every node that does not run when the module is imported."""
    held: set[ast.AST] = set()
    for node in ast.walk(tree):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        is_for_types = isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        if is_function or is_for_types:
            held.update(ast.walk(node))
    return held


def _targets(node: ast.AST, path: Path, package: Path) -> Iterator[str]:
    """Yield the modules of the package that one import statement names, as dotted paths below it."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top, _, below = alias.name.partition(".")
            if top == "isthmus":
                yield below
    elif isinstance(node, ast.ImportFrom):
        module = node.module or ""
        if node.level:
            folder = path.relative_to(package).parent.parts
            start = folder[: len(folder) - (node.level - 1)]
            module = ".".join(("isthmus", *start, *filter(None, [module])))
        top, _, below = module.partition(".")
        if top == "isthmus":
            yield from [below] if below else [alias.name for alias in node.names]


def upward_imports(package: Path) -> list[str]:
    """Return a line for each import that the law does not allow."""
    found = []
    rooms = _rooms(package)
    for path in sorted(package.rglob("*.py")):
        here = _room(path, package)
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        deferred = _deferred_nodes(tree)
        for node in ast.walk(tree):
            for target in _targets(node, path, package):
                room = target.partition(".")[0] or "__init__"  # `import isthmus` opens every door
                if room == here or room in LAW[here] or (room not in rooms and target):
                    continue
                if (here, room) in DEFERRED and node in deferred:
                    continue
                found.append(f"{path.relative_to(package)}:{node.lineno}: {here} imports {room}")
    return found


def circle(package: Path) -> list[str]:
    """Return modules of which each imports the next, the first one again at the end; none where there is no circle."""
    modules = {_dotted(path, package): path for path in sorted(package.rglob("*.py"))}
    graph = {name: _imported(path, package, set(modules)) - {name} for name, path in modules.items()}
    try:
        TopologicalSorter({name: sorted(imported) for name, imported in graph.items()}).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def _dotted(path: Path, package: Path) -> str:
    """Return the name of a module below the package, as in ``data.records``; of a folder's ``__init__``, the folder."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _imported(path: Path, package: Path, modules: set[str]) -> set[str]:
    """Return the modules that a file imports anywhere in it: at the top, in a function, or for type checkers only."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        for target in _targets(node, path, package):
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            below = {f"{target}.{name}" for name in names} & modules
            imported |= below or {target if target in modules else "__init__"} & modules
    return imported


def test_no_modules_import_each_other() -> None:
    assert circle(PACKAGE) == []


@pytest.mark.parametrize(
    "statement",
    [
        "from isthmus.tasks.rules import Rule",
        "from isthmus.tasks import rules",
        "import isthmus.tasks.rules",
        "from .rules import Rule",
        "from . import rules",
        "def later():\n    from isthmus.tasks.rules import Rule",
        "if TYPE_CHECKING:\n    from isthmus.tasks.rules import Rule",
    ],
)
def test_a_circle_is_found_however_a_module_is_imported(tmp_path: Path, statement: str) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "__init__.py").write_text("from isthmus.tasks.clusterer import Clusterer\n")
    (tmp_path / "tasks" / "rules.py").write_text("from isthmus.tasks.evidence import Evidence\n")
    (tmp_path / "tasks" / "evidence.py").write_text("from isthmus.tasks.clusterer import Clusterer\n")
    (tmp_path / "tasks" / "clusterer.py").write_text(statement)
    found = circle(tmp_path)
    assert found[0] == found[-1]
    assert set(found) == {"tasks.clusterer", "tasks.rules", "tasks.evidence"}
    (tmp_path / "tasks" / "clusterer.py").write_text("")
    assert circle(tmp_path) == []


def test_every_room_has_its_law() -> None:
    assert _rooms(PACKAGE) <= set(LAW)


@pytest.mark.long
def test_no_import_goes_upward() -> None:
    assert upward_imports(PACKAGE) == []


def test_no_room_can_come_back_to_itself() -> None:
    order = []
    law = {room: set(may) for room, may in LAW.items()}
    while law:
        ready = {room for room, may in law.items() if not may & set(law)}
        assert ready, f"these import each other: {sorted(law)}"
        order += sorted(ready)
        law = {room: may for room, may in law.items() if room not in ready}
    assert order.index("plain") < order.index("errors") < order.index("checks")


@pytest.mark.parametrize(
    "statement",
    [
        "from isthmus.models import Autoencoder",
        "from isthmus.models.autoencoder import Autoencoder",
        "import isthmus.models.autoencoder",
        "import isthmus",
        "from isthmus import models",
        "from isthmus import errors, models",
        "from .. import models",
        "from ..models import Autoencoder",
        "def later():\n    from isthmus.models import Autoencoder",
    ],
)
def test_an_upward_import_is_found(tmp_path: Path, statement: str) -> None:
    for room in ("training", "models"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("")
    (tmp_path / "errors.py").write_text("")
    (tmp_path / "training" / "engine.py").write_text(statement)
    assert len(upward_imports(tmp_path)) == 1


def test_a_deferred_exception_is_none_at_import_time(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text("")
    (tmp_path / "tasks.py").write_text("def default_model():\n    from isthmus.models import Autoencoder\n")
    assert upward_imports(tmp_path) == []
    (tmp_path / "tasks.py").write_text("from isthmus.models import Autoencoder\n")
    assert upward_imports(tmp_path) == ["tasks.py:1: tasks imports models"]


def test_downward_imports_are_allowed(tmp_path: Path) -> None:
    for room in ("training", "data"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("")
    source = "from isthmus import __version__\nfrom isthmus.data import open\nfrom . import schedules\nimport numpy\n"
    (tmp_path / "training" / "engine.py").write_text(source)
    assert upward_imports(tmp_path) == []
