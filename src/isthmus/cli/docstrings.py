"""Parser of numpydoc docstrings, from which all help texts come."""

from __future__ import annotations

import inspect
import itertools
import re
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Docstring", "of_class", "of_function", "plain"]

UNDERLINE = re.compile(r"-{3,}\s*$")


@dataclass(frozen=True)
class Docstring:
    """The parts of a docstring.

    Parameters
    ----------
    summary : str
        Its first paragraph, on one line.
    description : str
        The paragraphs between the summary and the first section.
    parameters : dict of str to str
        Description of each parameter, on one line.
    types : dict of str to str
        What stands behind its colon.
    examples : str
        The section of that name, as it stands.
    """

    summary: str = ""
    description: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    examples: str = ""

    def choices(self, name: str) -> tuple[str, ...]:
        """Return the words that a parameter may be, where its type is given as ``{"one", "other"}``."""
        found = re.match(r"\{([^}]*)\}", self.types.get(name, ""))
        words = found.group(1).split(",") if found else []
        return tuple(word.strip().strip("\"'") for word in words if word.strip() != "None")


def of_function(function: Any) -> Docstring:
    """Return what the docstring of a function or a class says."""
    sections = _sections(inspect.getdoc(function) or "")
    head, _, description = sections.get("", "").partition("\n\n")
    parameters, types = _parameters(sections.get("Parameters", ""))
    return Docstring(
        summary=_on_one_line(head),
        description=description.strip(),
        parameters=parameters,
        types=types,
        examples=sections.get("Examples", "").strip("\n"),
    )


def of_class(cls: type) -> Docstring:
    """Return what the docstring of a class says, with the parameters that its bases describe."""
    own = of_function(cls)
    parameters: dict[str, str] = {}
    types: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__doc__ and base.__module__.startswith("isthmus"):
            said = of_function(base)
            parameters, types = parameters | said.parameters, types | said.types
    return Docstring(own.summary, own.description, parameters, types, own.examples)


def plain(text: str) -> str:
    """Return a text without the marks of reStructuredText."""
    text = re.sub(r":\w+:`~?([^`<]*\.)?([^`<]+)`", r"\2", text)
    return text.replace("``", "")


def _sections(text: str) -> dict[str, str]:
    """Return the text before the first section under "", and each section under its title."""
    lines = text.splitlines()
    starts = [i for i in range(len(lines) - 1) if lines[i].strip() and UNDERLINE.fullmatch(lines[i + 1])]
    bounds = [*starts, len(lines)]
    found = {"": "\n".join(lines[: bounds[0]]).strip()}
    for start, stop in itertools.pairwise(bounds):
        found[lines[start].strip()] = "\n".join(lines[start + 2 : stop]).rstrip()
    return found


def _parameters(section: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the descriptions and the types in a section of parameters; several names may share one."""
    found: dict[str, str] = {}
    types: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if line and not line[0].isspace():
            before, _, kind = line.partition(" : ")
            names = [name.strip().lstrip("*") for name in before.split(",")]
            found |= dict.fromkeys(names, "")
            types |= dict.fromkeys(names, kind.strip())
        else:
            found |= {name: f"{found[name]} {line.strip()}".strip() for name in names}
    return found, types


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
