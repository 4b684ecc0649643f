"""Base class of task objects: their model, their file, and scikit-learn's contract.

A task asks its model for methods (``transform``, ``score_samples`` and so on), never for a class: any model of isthmus,
one with networks of the user's own, and for most tasks any scikit-learn transformer will do.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypedDict

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from isthmus import artifact, checks, documents, telling
from isthmus import data as isthmus_data
from isthmus.capabilities import Encodes
from isthmus.data import Data, Schema
from isthmus.description import parameter_to_json, parameters_from_json
from isthmus.tasks.coder import Coder, is_own, records_for

__all__ = ["TaskEstimator", "selected"]


@dataclass(kw_only=True, eq=False, repr=False)
class TaskEstimator(BaseEstimator, ABC):
    """Base class of task objects: scikit-learn estimators on a model's codes.

    Parameters
    ----------
    model : model, optional
        What gives the codes. One that has been fitted is used as it is; of any other a copy is fitted on the records.
        By default the one that serves the task best. ``sklearn.base.clone`` makes unfitted copies, of models too: wrap
        a fitted one in ``sklearn.frozen.FrozenEstimator`` to keep it through a grid search.
    random_state : int, RandomState or None, default=None
        Seed of everything random, and of a model that has none of its own.

    Attributes
    ----------
    model_ : model
        The fitted model.
    n_features_in_ : int
        Columns of arrays and tables.
    """

    needs: ClassVar[tuple[type, ...]] = (Encodes,)  # the capabilities that a model must have
    fits_anew: ClassVar[bool] = False  # whether a fitted model only stands for its settings

    model: Any = None
    random_state: Any = None

    model_: Any = field(init=False)
    n_features_in_: int = field(init=False)
    _told: list[str] | None = field(init=False, default=None)  # those of notes_ that the last call told

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let every method that is put to use on records tell what of them is unlike those of the model's fit."""
        super().__init_subclass__(**kwargs)
        telling.methods_tell(cls)
        if "fit" in vars(cls):
            cls.fit = telling.learns_a_use(cls.fit)

    def __new__(cls, *args: Any, **parameters: Any) -> Self:
        """Refuse unknown parameters with the nearest known name, before Python does without it."""
        checks.known_names(cls.__name__, parameters, cls._get_param_names())
        return super().__new__(cls)

    # ------------------------------------------------------------------ what a task says

    @abstractmethod
    def default_model(self, data: Data) -> Any:
        """Return the unfitted model that serves these records best; its import belongs inside the function."""

    @abstractmethod
    def task_state(self) -> documents.State:
        """Return the fitted state without the model, as JSON and arrays, for :meth:`load_task_state`."""

    @abstractmethod
    def load_task_state(self, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Set what :meth:`task_state` returned."""

    # ------------------------------------------------------------------ the model

    def _learn_model(
        self, data: Data, needs: tuple[type, ...] | None = None, fit: Callable[[Any], Any] | None = None
    ) -> bool:
        """Set ``model_``: a fitted model as it is, of any other a fitted copy; tell whether it was fitted here.

        Parameters
        ----------
        data : Data
        needs : tuple of type, optional
            The capabilities that it must have; by default those of the task.
        fit : callable, optional
            Returns the fitted model for the copy; by default it is fitted on all of ``data``.
        """
        model = self.default_model(data) if self.model is None else self.model
        checks.can(type(self).__name__, model, *(self.needs if needs is None else needs))
        is_new = not _is_fitted(model)
        if is_new:
            model = _with_seed(clone(model), self.seed_)
            records = records_for(model, data, type(self).__name__)
            model = model.fit(records, data.labels) if fit is None else fit(model)
        self._use(model)
        return is_new

    def _use(self, model: Any) -> None:
        """Set ``model_`` and what scikit-learn asks of the records that it was fitted on."""
        self.model_ = model
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(model, name):
                setattr(self, name, getattr(model, name))

    def _open(self, X: Any, labels: Any = None) -> Data:
        """Return records as the model takes them, the columns of a table found by name; others are refused."""
        model = getattr(self, "model_", None)
        data = isthmus_data.open(X, labels=labels, schema=getattr(model, "schema_", None))
        if model is not None and is_own(model):
            data = _by_name(data, model.schema_)
            data = isthmus_data.conform(data, model.schema_, type(self).__name__)
        return telling.belongs(data, X)

    def _coder(self) -> Coder:
        """Return what the methods of a task that has some are given."""
        return Coder(self.model_, self.seed_, type(self).__name__, getattr(self, "verbose", 0))

    def _codes(self, data: Data) -> np.ndarray:
        """Return the codes of records: float32, (n, d)."""
        return Coder(self.model_, owner=type(self).__name__).codes(data)

    # ------------------------------------------------------------------ files

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the fitted object, with its model, as one safetensors file that ``isthmus.load`` reads.

        Parameters
        ----------
        path : path
        force : bool, default=False
            Whether an existing file may be replaced.

        Raises
        ------
        OutputExistsError
            The file exists and ``force`` is off.
        ParameterError
            The model is none of isthmus's.
        """
        artifact.write(path, type(self).__name__, *self.state(), force=force)

    def state(self) -> documents.State:
        """Return the JSON document and the arrays that a file of this object holds, those of its model among them."""
        check_is_fitted(self, "model_")
        checks.model_of_isthmus(type(self).__name__, self.model_, own=is_own(self.model_))
        model, model_arrays = self.model_.state()
        task, task_arrays = self.task_state()
        parameters = {name: value for name, value in self.get_params(deep=False).items() if name != "model"}
        document = {
            "parameters": {name: parameter_to_json(name, value) for name, value in parameters.items()},
            "model": {"class": type(self.model_).__name__, "document": model},
            "task": task,
        }
        return document, documents.prefixed("model", model_arrays) | documents.prefixed("task", task_arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, network: Any = None, device: str | None = None) -> Self:
        """Return the fitted object of a file that :meth:`save` wrote.

        Parameters
        ----------
        path : path
        network : (encoder, decoder), optional
            New instances of the modules of a model that was fitted with a network of the user's own.
        device : str, optional
            Where the model goes to.

        Raises
        ------
        ArtifactError
            The file is damaged or holds another class.
        FormatNumberError
            The file is of a later format.
        """
        document, arrays = artifact.read(path, cls.__name__)
        return cls.from_state(document, arrays, network=network, device=device, path=path)

    @classmethod
    def from_state(
        cls,
        document: dict[str, Any],
        arrays: dict[str, np.ndarray],
        *,
        network: Any = None,
        device: str | None = None,
        path: str | os.PathLike[str] = "the state",
    ) -> Self:
        """Return the object that :meth:`state` described; ``path``, for sentences, is where the state was found."""
        from isthmus.models import REGISTRY

        with artifact.understanding(path):
            its = documents.read(_Document, document)
            model_class, its_arrays = REGISTRY[its["model"]["class"]], documents.under("model", arrays)
        model = model_class.from_state(its["model"]["document"], its_arrays, network=network, device=device, path=path)
        with artifact.understanding(path):
            task_arrays = documents.under("task", arrays)
            documents.check_finite(task_arrays)
            made = cls(model=model, **parameters_from_json(cls, its["parameters"]))
            made._use(model)
            made.load_task_state(its["task"], task_arrays)
            made._prove()
        return made

    def _prove(self) -> None:
        """Judge one blank record: what a file says fits together, or this fails now and not in use."""
        if not self.model_.can_be_tried:
            return
        for name in ("predict_proba", "score_samples"):
            if hasattr(self, name):
                checks.finite_results(type(self).__name__, [getattr(self, name)(self._blank())])

    def _blank(self) -> Any:
        """Return one record like those of the fit."""
        return self.model_.blank()


_ItsModel = TypedDict("_ItsModel", {"class": str, "document": dict[str, Any]})


class _Document(TypedDict):
    parameters: dict[str, Any]
    model: _ItsModel
    task: dict[str, Any]


def _by_name(data: Data, schema: Schema) -> Data:
    """Return the columns of a fitted table in the order of the fit, found by name; data that lack one as they are."""
    names, given = ([column.name for column in its.columns] for its in (schema, data.schema))
    return selected(data, names) if names and set(names) <= set(given) else data


def selected(data: Data, names: list[str]) -> Data:
    """Return some of the columns of a table, and tell which others are not looked at."""
    given = [column.name for column in data.schema.columns]
    wanted = set(names)
    if others := [name for name in given if name not in wanted]:
        telling.left_out(others)
    return data if given == names else data.select(names)


def _with_seed(model: Any, seed: int) -> Any:
    """Return an unfitted model whose parts without a seed of their own have this one."""
    parameters = model.get_params()
    unset = [name for name, value in parameters.items() if name.split("__")[-1] == "random_state" and value is None]
    return model.set_params(**dict.fromkeys(unset, seed))


def _is_fitted(model: Any) -> bool:
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True
