"""The top level: models and task objects by their registries' names, modules, and a clear word for anything else."""

from __future__ import annotations

import importlib.metadata

import pytest

import isthmus
from isthmus import loading, models, report, tasks


def test_every_model_is_found_at_the_top_level() -> None:
    for name, model in models.REGISTRY.items():
        assert getattr(isthmus, name) is model


def test_functions_are_found_at_the_top_level() -> None:
    assert isthmus.load is loading.load
    assert isthmus.evaluate is report.evaluate


def test_every_task_object_is_found_at_the_top_level() -> None:
    for name, task in tasks.REGISTRY.items():
        assert getattr(isthmus, name) is task


def test_modules_are_found_without_importing_them_by_hand() -> None:
    assert isthmus.data.__name__ == "isthmus.data"
    assert isthmus.errors.IsthmusError.__module__ == "isthmus.errors"


def test_dir_lists_models_modules_and_the_version() -> None:
    assert {"Autoencoder", "evaluate", "load", "data", "__version__"} <= set(dir(isthmus))
    for name in dir(isthmus):
        assert hasattr(isthmus, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'isthmus' has no attribute 'Autoencodr'$"):
        _ = isthmus.Autoencodr


def test_the_version_is_that_of_the_installed_package() -> None:
    assert isthmus.__version__ == importlib.metadata.version("isthmus")
