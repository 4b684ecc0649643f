"""A model's constructor parameters as JSON, and checks that a described network fits the stored weights.

Modules of the user's own are written down by importable name and hash of their source, never as code.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import os
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from torch import Tensor, nn

from isthmus import documents
from isthmus.errors import ArtifactError, IsthmusWarning, ParameterError

__all__ = [
    "RetiredParameters",
    "classes_from_json",
    "constructor_call",
    "no_more_than",
    "own_modules",
    "parameter_from_json",
    "parameter_to_json",
    "parameters_from_json",
    "same_network",
]


def parameter_to_json(name: str, value: Any) -> Any:
    """Return a constructor parameter as JSON: modules by importable name and hash of their source, never as code."""
    if hasattr(value, "to_dict"):  # a likelihood with its options
        return value.to_dict()
    if isinstance(value, tuple | list) and any(isinstance(item, nn.Module) for item in value):
        return {"modules": [_named_module(item) for item in value]}
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return None
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, dict):
        return {key: parameter_to_json(name, item) for key, item in value.items()}
    try:
        json.dumps(value)
    except TypeError as error:
        raise ParameterError(
            f"The parameter {name}={value!r} cannot be saved: it is neither JSON nor a module."
        ) from error
    return value


def parameter_from_json(value: Any) -> Any:
    """Return the constructor parameter that :func:`parameter_to_json` wrote."""
    return tuple(value) if isinstance(value, list) else value


class _Module(TypedDict):
    name: str
    source_sha256: str


class _Modules(TypedDict):
    modules: list[_Module]


# Of parameters that may be more in Python than a file holds.
_AS_JSON: dict[str, Any] = {
    "network": str | _Modules,
    "likelihood": str | dict[str, bool | int | float | str | None],
    "random_state": int | None,
    "verbose": bool | int,
}


# Parameters that a class no longer has, each with the values that mean what it does now; None where any value does.
RetiredParameters = Mapping[str, tuple[Any, ...] | None]


def parameters_from_json(cls: type, stored: dict[str, Any]) -> dict[str, Any]:
    """Return the constructor parameters of a class that a file holds, each as its annotation says.

    A class may say that earlier versions had a parameter under another name (``renamed_parameters``), or one that it no
    longer has (``retired_parameters``).

    Raises
    ------
    ArtifactError
        One is of another type, or no longer exists and has a value that this version cannot stand for.
    """
    stored = _as_named_now(cls, stored)
    hints = documents.hints(cls) | _AS_JSON
    typed = {name: documents.read(hints.get(name, Any), value, f"parameters.{name}") for name, value in stored.items()}
    return {name: parameter_from_json(value) for name, value in typed.items()}


def _as_named_now(cls: Any, stored: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a file under the names that they have today, without those that no longer exist."""
    retired: RetiredParameters = getattr(cls, "retired_parameters", {})
    for name in stored.keys() & retired.keys():
        allowed = retired[name]
        if allowed is not None and stored[name] not in allowed:
            raise ArtifactError(
                f"its parameter {name} is {stored[name]!r}, and {cls.__name__} no longer has that parameter: this "
                f"version reads {' or '.join(map(repr, allowed))} alone"
            )
    renamed: Mapping[str, str] = getattr(cls, "renamed_parameters", {})
    return {renamed.get(name, name): value for name, value in stored.items() if name not in retired}


def classes_from_json(document: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes of a file, sorted, and how many records had each."""
    names, counts = documents.read(
        tuple[list[int] | list[float] | list[bool] | list[str], list[int]], document, "classes"
    )
    if len(names) < 2 or len(names) != len(counts) or names != sorted(set(names)):
        raise ArtifactError("classes must be two at least, in order, each with a count")
    if min(counts) < 1 or max(counts) > 2**53:
        raise ArtifactError("classes must have one record each at least, and no more than there can be")
    return np.asarray(names), np.asarray(counts)


def _named_module(module: nn.Module) -> dict[str, str]:
    cls = type(module)
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):
        source = ""
    return {
        "name": f"{cls.__module__}.{cls.__qualname__}",
        "source_sha256": hashlib.sha256(source.encode()).hexdigest(),
    }


def constructor_call(model: Any, **instead: Any) -> str:
    """Return the Python call that makes the same model, not yet fitted: its parameters that are not at their default.

    Parameters
    ----------
    model : estimator
        Modules and other objects among its parameters are given by the name of their class.
    **instead
        Values that take the place of the model's.
    """
    values = (model.get_params(deep=False) if hasattr(model, "get_params") else {}) | instead
    parameters = inspect.signature(type(model).__init__).parameters
    changed = [
        f"{name}={_as_code(values[name])}"
        for name, parameter in parameters.items()
        if name in values and not _same(values[name], parameter.default)
    ]
    return f"isthmus.{type(model).__name__}({', '.join(changed)})"


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(np.all(value == default))


def _as_code(value: Any) -> str:
    if isinstance(value, tuple | list) and any(isinstance(item, nn.Module) for item in value):
        return f"({', '.join(_as_code(item) for item in value)})"
    plain = isinstance(value, str | int | float | bool | tuple | list | None) or hasattr(value, "to_dict")
    return repr(value) if plain else type(value).__name__


def own_modules(parameters: dict[str, Any]) -> list[dict[str, str]] | None:
    """Return names and hashes of the user's own modules that a file was fitted with, if it was."""
    network = parameters.get("network")
    return documents.read(_Modules, network, "parameters.network")["modules"] if isinstance(network, dict) else None


def same_network(path: str | os.PathLike[str], stored: list[dict[str, str]], network: Any) -> Any:
    """Check that the modules given for a file are those that it was saved with."""
    names = [module["name"] for module in stored]
    if network is None:
        raise ArtifactError(
            f"{os.fspath(path)} was fitted with a network of the user's own ({', '.join(names)}); "
            f"load it in Python, with network=(encoder, decoder) holding new instances of them."
        )
    given = [_named_module(module) for module in network]
    if [module["name"] for module in given] != names:
        raise ArtifactError(
            f"{os.fspath(path)} needs modules {', '.join(names)}; given were {[m['name'] for m in given]}."
        )
    for then, now in zip(stored, given, strict=True):
        if then != now:
            warnings.warn(
                f"The source of {now['name']} has changed since {Path(path).name} was saved: its SHA-256 was "
                f"{then['source_sha256']}, and is {now['source_sha256']}. The weights fit; check what it computes.",
                IsthmusWarning,
                stacklevel=3,
            )
    return network


@contextlib.contextmanager
def no_more_than(weights: Sequence[Tensor], record: int) -> Iterator[None]:
    """Refuse to build a much larger network than a file has weights for: a few words must not take all memory.

    Parameters
    ----------
    weights : sequence of Tensor
        What the file has.
    record : int
        Numbers in a record; networks have a weight for each.
    """
    numbers, tensors = 2 * sum(tensor.numel() for tensor in weights), 2 * len(weights)  # some are made twice
    thread = threading.get_ident()
    if record > numbers:
        raise ArtifactError("it describes larger records than it has weights for")

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal numbers, tensors
        if parameter is None or threading.get_ident() != thread:
            return
        numbers, tensors = numbers - parameter.numel(), tensors - 1
        if numbers < 0 or tensors < 0:
            raise ArtifactError("it describes a larger network than it has weights for")

    # Layers register their weights before they fill them, and memory is only taken as it is filled.
    handle = nn.modules.module.register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
