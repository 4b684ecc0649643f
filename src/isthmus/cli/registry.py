"""Models by their command-line names, and their parameters as flags and texts."""

from __future__ import annotations

import dataclasses
import importlib
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isthmus.cli import docstrings
from isthmus.cli.commands import Flag
from isthmus.errors import ParameterError

if TYPE_CHECKING:
    from isthmus.base import Model

__all__ = [
    "OWN_FITS",
    "flags_of_model",
    "model_class",
    "model_names",
    "own_fit",
    "pairs",
    "parse",
    "refuse_old_names",
]

# Shown to people under another name, or set by the command line itself.
RENAMED = {"random_state": "--seed"}
NOT_FLAGS = ("verbose",)
# Those that fit learns with flags of their own: the module of isthmus.cli, and its function.
OWN_FITS = {"codec": ("fit_codec", "fit_codec"), "restorer": ("fit_restorer", "fit_restorer")}
WORDS = {"none": None, "true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def own_fit(name: str) -> Callable[..., Any] | None:
    """Return the verb that fits a model with flags of its own, where it has some."""
    if name not in OWN_FITS:
        return None
    module, function = OWN_FITS[name]
    found: Callable[..., Any] = getattr(importlib.import_module(f"isthmus.cli.{module}"), function)
    return found


def model_names() -> dict[str, type[Model]]:
    """Return the models: class names in lower case with hyphens."""
    from isthmus.models import REGISTRY

    return {
        re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower(): cls
        for name, cls in REGISTRY.items()
    }


def model_class(name: str) -> type[Model]:
    """Return the class of a model.

    Raises
    ------
    ParameterError
        There is none of that name; the nearest is named.
    """
    from isthmus.checks.parameters import choice

    names = model_names()
    by_class = {cls.__name__: cls for cls in names.values()}
    if name not in by_class:
        choice("isthmus", "the model", name, tuple(names))
    return by_class.get(name) or names[name]


def flags_of_model(cls: type[Model]) -> list[Flag]:
    """Return one flag for each field of a model's constructor; their texts are left for :func:`parse`."""
    said = docstrings.of_class(cls)
    return [
        Flag(
            field.name,
            _help(said.parameters.get(field.name, ""), field.default),
            str | None,
            metavar="|".join(said.choices(field.name)) or _metavar(_hints(cls)[field.name], field.name),
            flag=RENAMED.get(field.name),
        )
        for field in _fields(cls)
        if field.name not in NOT_FLAGS
    ]


def refuse_old_names(cls: type[Model], given: Iterable[str]) -> None:
    """Refuse flags and settings that are now called otherwise, with their new names.

    Raises
    ------
    ParameterError
        One is a parameter of earlier versions.
    """
    from isthmus.checks.parameters import known_names

    old = [name for word in given if (name := word.replace("-", "_")) in cls.renamed_parameters]
    known_names(cls.__name__, old, (), cls.renamed_parameters)


def pairs(given: Sequence[str], example: str = "latent_dim=16") -> dict[str, str]:
    """Return what was given as ``--set KEY=VALUE``, texts by field name.

    Raises
    ------
    ParameterError
        One has no equals sign.
    """
    found = {}
    for pair in given:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ParameterError(f"--set must be KEY=VALUE, as in --set {example}; it is {pair!r}.")
        found[key.strip().replace("-", "_")] = text
    return found


def parse(cls: type[Model], texts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's parameters from the texts that a person typed.

    Parameters
    ----------
    cls : type
        The model.
    texts : mapping of str to str
        By field name.

    Raises
    ------
    ParameterError
        A name is unknown, or a text does not stand for a value of the field's type.
    """
    from isthmus.checks.parameters import known_names

    names = [field.name for field in _fields(cls)]
    known_names(cls.__name__, texts, names, cls.renamed_parameters)
    return {name: _value(cls.__name__, name, str(text), _hints(cls)[name]) for name, text in texts.items()}


def _help(text: str, default: Any) -> str:
    """Return a description with the default, where there is one that says something."""
    if default is None or default is dataclasses.MISSING or default == ():
        return docstrings.plain(text)
    shown = {True: "yes", False: "no"}.get(default, default) if isinstance(default, bool) else default
    return f"{docstrings.plain(text)}  [default: {shown}]"


def _fields(cls: type[Model]) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(cls) if field.init]


def _hints(cls: type[Model]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _value(owner: str, name: str, text: str, hint: Any) -> Any:
    """Return the value of one text as the type hint of its field says."""
    options = _options(hint)
    word = text.strip().lower()
    if word == "none" and (types.NoneType in options or Any in options):
        return None
    for kind in options:
        try:
            return _as_type(text.strip(), kind)
        except ValueError:
            continue
    allowed = " or ".join(_described(kind) for kind in options if kind is not types.NoneType)
    raise ParameterError(f"{owner}: {name} must be {allowed}; it is {text!r}.")


def _options(hint: Any) -> tuple[Any, ...]:
    """Return the types that a hint allows."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _as_type(text: str, kind: Any) -> Any:
    """Return a text as a value of a type; raise ValueError if it is none."""
    if kind is Any:
        return _as_any(text)
    if kind is bool:
        if WORDS.get(text.lower()) not in (True, False):
            raise ValueError(text)
        return WORDS[text.lower()]
    if typing.get_origin(kind) is tuple:
        item = typing.get_args(kind)[0]
        return tuple(_as_type(part.strip(), item) for part in text.strip("()[] ").split(",") if part.strip())
    if kind is types.NoneType:
        raise ValueError(text)
    return kind(text)


def _as_any(text: str) -> Any:
    """Return a number where the text is one, else the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _described(kind: Any) -> str:
    if typing.get_origin(kind) is tuple:
        return (
            "numbers with commas between, as in 128,64"
            if typing.get_args(kind)[0] in (int, float)
            else "words with commas between"
        )
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "a text")


def _metavar(hint: Any, name: str) -> str:
    kinds = [kind for kind in _options(hint) if kind is not types.NoneType]
    if typing.get_origin(kinds[0]) is tuple:
        return {int: "N,N,...", float: "X,X,..."}.get(typing.get_args(kinds[0])[0], "NAME,...")
    return {int: "N", float: "X", bool: "YES|NO"}.get(kinds[0], "N" if name == "random_state" else "NAME")
