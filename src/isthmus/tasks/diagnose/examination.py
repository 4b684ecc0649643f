"""Figures of a fitted model for checks: each is computed when first asked for, and once.

A model is asked for methods and attributes, never for its class. What it does not have, or what records would be needed
for, raises :class:`NotKnownError`; the check that asked is then told among those that were not made.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus import metrics
from isthmus.capabilities import learns_classes
from isthmus.data import Data
from isthmus.encoded import Encoded
from isthmus.metrics.neighbours import nearest
from isthmus.tasks.diagnose.finding import NotKnownError
from isthmus.tasks.diagnose.tables import Column, table_column

__all__ = ["IGNORED", "MIN_RECORDS", "Examination", "Float64", "Neighbours", "as_many"]

RECORDS = 2000  # records looked at on either side: shares and means are then known to about 1 %
NUMBERS = 20_000_000  # numbers held in one matrix (160 MB), which means fewer records where these are large
MIN_RECORDS = 20  # records below which a mean over them says little
DRAWN = 400  # records drawn from the model
SEARCHED, SEARCHED_NUMBERS = 200_000, 50_000_000  # records of the fit among which copies are looked for: seconds
OF_A_CLASS = 64  # records drawn of each class
CLASSES = 10  # classes drawn from
# Kinds that real records are sorted into, and how many of one there are at least on average.
KINDS, FEWEST_KINDS, OF_A_KIND = 20, 4, 10
# Spread of the decoder's answers, of that of records, below which the code is ignored.
IGNORED = 0.01

Bools = NDArray[np.bool_]
Float64 = NDArray[np.float64]


class Neighbours(NamedTuple):
    """Where the nearest records of the fit lie.

    Parameters
    ----------
    distances : ndarray of float64, shape (n,)
        Of each new record from the nearest record of the fit, on the scale that the network sees.
    indices : ndarray of int64, shape (n,)
        Which one that is, in ``Examination.train``.
    held_out_distances : ndarray of float64, shape (m,)
        Of records to judge by, from the nearest record of the fit; of n at most.
    searched : int
        Records of the fit that were looked at: all, unless there are very many.
    """

    distances: Float64
    indices: NDArray[np.int64]
    held_out_distances: Float64
    searched: int


class Examination:
    """One model, and the records that it is judged by.

    Parameters
    ----------
    model : fitted model
    data : Data, optional
        Records to judge it by, best ones that it has not seen.
    train : Data, optional
        Records that it was fitted on. Where ``data`` are those of the fit, both are found from them: the rows that
        early stopping looked at are judged.
    random_state : int
        Seed of everything drawn.

    Attributes
    ----------
    has_unseen : bool
        Whether the records to judge by are others than those fitted on, and both are here.
    """

    def __init__(self, model: Any, data: Data | None, train: Data | None, random_state: int) -> None:
        self.model, self.data, self.train, self.random_state = model, data, train, random_state
        self.has_unseen = data is not None and train is not None
        if data is not None and train is None:
            self._divide(data)

    def _divide(self, data: Data) -> None:
        """Tell seen from unseen records, where these are the records of the fit."""
        fingerprint = self.provenance.get("fingerprint")
        if fingerprint is None or self.model.fingerprint(data) != fingerprint:
            return
        held_out = self.model.held_out_rows()
        self.train = data.subset(np.setdiff1d(np.arange(len(data)), held_out))
        self.has_unseen = len(held_out) > 0
        self.data = data.subset(held_out) if self.has_unseen else data

    # ------------------------------------------------------------------ what the file says

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The constructor's parameters."""
        return dict(self.model.get_params(deep=False))

    def asked(self, name: str) -> Any:
        """Return a parameter that is not at its default; None otherwise, or without it."""
        usual = inspect.signature(type(self.model).__init__).parameters.get(name)
        value = self.parameters.get(name)
        return None if usual is None or value == usual.default else value

    def default(self, name: str) -> Any:
        """Return the default of a parameter."""
        return inspect.signature(type(self.model).__init__).parameters[name].default

    @property
    def provenance(self) -> dict[str, Any]:
        """How it was fitted."""
        return dict(getattr(self.model, "provenance_", {}))

    def told(self, name: str) -> Any:
        """Return a part of the provenance, which files of earlier versions may lack."""
        if name not in self.provenance:
            raise NotKnownError(f"the model's file does not say {name.replace('_', ' ')}")
        return self.provenance[name]

    @property
    def notes(self) -> list[str]:
        """What was converted, set aside or repaired at fit."""
        return list(getattr(self.model, "notes_", []))

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """One record an epoch."""
        found = list(getattr(self.model, "history_", []))
        if not found:
            raise NotKnownError("the model has no history")
        return found

    def curve(self, name: str) -> Float64:
        """Return a column of the history; NaN where it is missing."""
        return np.array([float(record.get(name, np.nan)) for record in self.history])

    @cached_property
    def is_held_out(self) -> bool:
        """Whether the history has losses of held-out records."""
        return "validation_loss" in self.history[-1]

    @cached_property
    def is_game(self) -> bool:
        """Whether the players trained against each other: what one wins another loses, and no loss says how well."""
        history = getattr(self.model, "history_", [])
        return bool(history) and {"train_critic_loss", "train_generator_loss"} <= history[-1].keys()

    @cached_property
    def losses(self) -> tuple[Float64, Float64]:
        """Training and held-out loss of each epoch, of the terms that both have; the latter is NaN without records."""
        if self.is_game:
            raise NotKnownError("players that train against each other have no loss that falls")
        if not self.is_held_out:
            return self.curve("train_loss"), np.full(len(self.history), np.nan)
        train = np.zeros(len(self.history))
        for key in self.history[-1]:
            if key.startswith("validation_") and key != "validation_loss":
                train = train + self.curve(self._in_training(key.removeprefix("validation_")))
        return train, self.curve("validation_loss")

    def _in_training(self, term: str) -> str:
        """Return what a term is called in training, where each player of several gives its own name first."""
        names = [key for key in self.history[-1] if key.startswith("train_") and key.endswith(f"_{term}")]
        return min(names, key=len, default=f"train_{term}")

    @cached_property
    def best(self) -> int:
        """Index of the epoch whose weights were kept."""
        held_out = self.losses[1]
        return int(np.nanargmin(held_out)) if np.isfinite(held_out).any() else len(self.history) - 1

    # ------------------------------------------------------------------ the scale of things

    @property
    def kind(self) -> str:
        """The kind of records."""
        return str(self.model.schema_.kind)

    def check_rows(self) -> None:
        """Refuse records that are no rows of numbers."""
        if self.kind == "text":
            raise NotKnownError("texts are no quantities")
        if None in self.model.preprocessor_.shape_:
            raise NotKnownError("pictures of several sizes cannot be set side by side")

    @property
    def is_number(self) -> Bools:
        """Which places of a row hold numbers of the record, and not masks and indicators of categories."""
        self.check_rows()
        fields = self.model.preprocessor_.fields_
        if not fields:
            return np.ones(int(np.prod(self.model.preprocessor_.shape_)), bool)
        return np.repeat([field.kind == "number" for field in fields], [field.size for field in fields])

    @property
    def summary(self) -> Any:
        """Ranges, means and deviations of the columns or channels fitted on, in the data's units."""
        if self.kind == "text":
            raise NotKnownError("texts are no quantities")
        if not len(self.model.preprocessor_.summary_.names):
            raise NotKnownError("the data have no columns of numbers")
        return self.model.preprocessor_.summary_

    @cached_property
    def deviations(self) -> Float64:
        """Standard deviation of each column of numbers, or channel, as the network sees it."""
        fields = self.model.preprocessor_.fields_
        wide = np.asarray(self.model.preprocessor_.scaled_summary().std, np.float64).ravel()
        numbers = [field.index for field in fields if field.kind == "number"] if fields else range(len(wide))
        if not len(numbers):
            raise NotKnownError("the data have no columns of numbers")
        return wide[list(numbers)]

    @property
    def likelihood(self) -> Any:
        """What the decoder's output means."""
        found = getattr(getattr(self.model, "module_", None), "likelihood", None)
        if found is None:
            raise NotKnownError("the model has no likelihood")
        return found

    # ------------------------------------------------------------------ records

    @cached_property
    def records(self) -> Data:
        """Some of the records to judge by."""
        if self.data is None:
            raise NotKnownError("it needs records: pass DATA")
        return self._some(self.data)

    @cached_property
    def seen(self) -> Data:
        """Some of the records that the model was fitted on."""
        if self.train is None:
            raise NotKnownError("it needs the records of the fit: pass them as DATA")
        return self._some(self.train)

    def _some(self, data: Data) -> Data:
        numbers = int(np.prod([side or 256 for side in data.schema.shape]))
        limit = max(MIN_RECORDS, min(RECORDS, NUMBERS // max(1, numbers)))
        if len(data) <= limit:
            return data
        chosen = np.random.default_rng(self.random_state).choice(len(data), limit, replace=False)
        return data.subset(np.sort(chosen))

    def rows(self, data: Data) -> Float64:
        """Return records as rows, as the network sees them, categories as indicators."""
        self.check_rows()
        return np.asarray(self.model.encoded(data).one_hot)

    @cached_property
    def encoded(self) -> Encoded:
        """The records to judge by, encoded."""
        records: Encoded = self.model.encoded(self.records)
        return records

    @cached_property
    def x(self) -> Float64:
        """The records to judge by, (n, numbers), as the network sees them."""
        self.check_rows()
        return self.encoded.one_hot

    @cached_property
    def seen_x(self) -> Float64:
        """Records of the fit, (m, numbers)."""
        return self.rows(self.seen)

    @cached_property
    def reconstruction(self) -> Float64:
        """The records to judge by after crossing the code, (n, numbers)."""
        self.check_rows()
        return self.reconstructed(self.encoded)

    def reconstructed(self, records: Encoded) -> Float64:
        """Return records after crossing the code, as rows."""
        self.able("reconstruct")
        return np.asarray(self.model.reconstructed(records).snapped().one_hot)

    def sampled(self, n: int, **options: Any) -> Encoded:
        """Return new records, as the model draws them."""
        self.check_rows()
        self.able("sample")
        records: Encoded = self.model.sampled(n, random_state=self.random_state, **options).snapped()
        return records

    def able(self, method: str) -> Callable[..., Any]:
        """Return a method of the model's."""
        found = getattr(self.model, method, None)
        if not callable(found):
            raise NotKnownError(f"the model has no {method}()")
        return found

    # ------------------------------------------------------------------ how much comes back

    @cached_property
    def share_lost(self) -> float:
        """Squared error of the reconstructions, as a share of what the mean record costs."""
        spread = np.square(self.x - self._middle).sum()
        if spread == 0:
            raise NotKnownError("the records are all alike")
        return float(np.square(self.reconstruction - self.x).sum() / spread)

    @cached_property
    def _middle(self) -> Float64:
        return (self.seen_x if self.has_unseen else self.x).mean(axis=0)

    @property
    def max_components(self) -> int:
        """As many components as PCA can have of the records that it is fitted on."""
        fitted_on = len(self.seen_x) if self.has_unseen else len(self.x) // 2
        return min(self.x.shape[1], fitted_on)

    def linear(self, components: int) -> Float64:
        """Return PCA's squared error for each record, (n,): fitted on other records than those it gives back."""
        x = self.x
        if self.has_unseen:
            found = metrics.pca_baseline(self.seen_x, x, components).reconstruction
            return np.asarray(np.square(found - x).sum(axis=1))
        if len(x) < 2 * MIN_RECORDS:
            raise NotKnownError("it needs more records")
        errors = np.empty(len(x))
        halves = np.array_split(np.random.default_rng(self.random_state).permutation(len(x)), 2)
        for one, other in (halves, halves[::-1]):
            found = metrics.pca_baseline(x[one], x[other], components).reconstruction
            errors[other] = np.square(found - x[other]).sum(axis=1)
        return errors

    def linear_share_lost(self, components: int) -> float:
        """Return PCA's squared error, as a share of what the mean record costs."""
        return float(self.linear(components).sum() / np.square(self.x - self._middle).sum())

    @cached_property
    def answers(self) -> Float64:
        """Decoded records of different codes, without noise, (n, numbers)."""
        y = self.model.classes_[0] if learns_classes(self.model) else None
        return self.sampled(DRAWN, y=y, noise=False).one_hot

    @cached_property
    def answer_spread(self) -> float:
        """How much the decoder's answers differ, as a share of how much records do: 0 if it ignores the code."""
        if self.data is not None and not learns_classes(self.model):
            records = float(self.x.var(axis=0).sum())
            answers = float(self.reconstruction.var(axis=0).sum())
        else:
            is_number = self.is_number
            if not is_number.any():
                raise NotKnownError("it needs records: pass DATA")
            channels = len(self.deviations)
            records = float(np.square(self.deviations).sum() * is_number.sum() / channels)
            answers = float(self.answers[:, is_number].var(axis=0).sum())
        return answers / records if records > 0 else 1.0

    # ------------------------------------------------------------------ codes

    @cached_property
    def codes(self) -> Float64:
        """Codes of records, (n, units): of those to judge by, otherwise from the density kept in the file."""
        if None in self.model.code_shape_:
            raise NotKnownError("pictures of several sizes have codes of several sizes")
        if self.data is not None:
            self.able("transform")
            return np.asarray(self.model.codes_of(self.encoded), np.float64)
        if getattr(self.model, "has_prior", True):
            raise NotKnownError("it needs records: pass DATA")
        return self.prior_codes

    @cached_property
    def prior_codes(self) -> Float64:
        """Codes as the model draws them for new records, (n, units)."""
        import torch

        shape = tuple(int(side or 1) for side in self.model.code_shape_)
        rng = torch.Generator().manual_seed(self.random_state)
        with torch.inference_mode():
            codes = self.able("sample_codes")((RECORDS, *shape), rng)
        return np.asarray(codes.flatten(1).cpu().numpy(), np.float64)

    @cached_property
    def posterior(self) -> tuple[Float64, Float64]:
        """Mean and log-variance of each record's code, (n, units) each."""
        if None in self.model.code_shape_:
            raise NotKnownError("pictures of several sizes have codes of several sizes")
        mean, log_variance = self.able("code_posterior")(self.records)
        return np.asarray(mean, np.float64), np.asarray(log_variance, np.float64)

    @cached_property
    def code_indices(self) -> NDArray[np.int64]:
        """The codebook indices of records, (n, tokens, n_quantizers)."""
        if None in self.model.code_shape_:
            raise NotKnownError("pictures of several sizes have codes of several sizes")
        return np.asarray(self.able("code_indices")(self.records))

    @cached_property
    def numbers_used(self) -> int:
        """Numbers in a code that are not zero, in the middle: as many as a sparse code says of a record."""
        return max(1, round(float(np.count_nonzero(self.codes, axis=1).mean())))

    @cached_property
    def code_size(self) -> int:
        """Numbers in a code."""
        if None in self.model.code_shape_:
            raise NotKnownError("pictures of several sizes have codes of several sizes")
        return int(np.prod(self.model.code_shape_))

    # ------------------------------------------------------------------ new records

    @cached_property
    def new_records(self) -> Encoded:
        """New records, as the model draws them."""
        return self.sampled(DRAWN)

    @cached_property
    def samples(self) -> Float64:
        """New records, (n, numbers)."""
        return self.new_records.one_hot

    def columns(self, records: Data | Encoded) -> list[Column]:
        """Return the columns of a table or of rows, as numbers or as categories."""
        if self.kind not in ("table", "array"):
            raise NotKnownError("only tables and rows have columns")
        block = records.block() if isinstance(records, Encoded) else records.chunk(0, len(records))
        if self.kind == "array":
            return [
                Column(name, "number", np.asarray(values, np.float64))
                for name, values in zip(self.summary.names, block.T, strict=True)
            ]
        names = [column.name for column, place in self.model.preprocessor_.places() if place.start < place.stop]
        return [table_column(name, block.column(name)) for name in names]

    @cached_property
    def kinds(self) -> tuple[Float64, Float64]:
        """Which share of real records, and of new ones, is of each kind: clusters of real ones, (kinds,) each."""
        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning

        real = self.seen_x if self.has_unseen else self.x
        kinds = min(KINDS, len(real) // OF_A_KIND)
        if kinds < FEWEST_KINDS:
            raise NotKnownError("it needs forty records")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different records than kinds: some stay empty
            found = KMeans(kinds, n_init=1, random_state=self.random_state).fit(real)
        one, other = (np.bincount(labels, minlength=kinds) for labels in (found.labels_, found.predict(self.samples)))
        return one / len(real), other / len(self.samples)

    @cached_property
    def neighbours(self) -> Neighbours:
        """The nearest record of the fit of each new record, and of as many of those to judge by."""
        if self.train is None:
            raise NotKnownError("it needs the records of the fit: pass them as DATA")
        limit = max(MIN_RECORDS, min(SEARCHED, SEARCHED_NUMBERS // self.samples.shape[1]))
        rows = np.arange(len(self.train))
        if len(rows) > limit:
            rows = np.sort(np.random.default_rng(self.random_state).choice(rows, limit, replace=False))
        new = len(self.samples)
        queries = np.concatenate([self.samples, self.x[:: -(-len(self.x) // new)]])
        distances, indices = np.full(len(queries), np.inf), np.zeros(len(queries), np.int64)
        start = 0
        for records in self.model.encoded_blocks(self.train.subset(rows)):
            found, which = nearest(queries, records.one_hot)
            closer = found < distances
            distances[closer], indices[closer] = found[closer], rows[start + which[closer]]
            start += len(records)
        return Neighbours(distances[:new], indices[:new], distances[new:], len(rows))

    def samples_of_classes(self) -> list[Float64]:
        """Return new records of each class, drawn with the same chance: they differ by their class alone."""
        if not learns_classes(self.model):
            raise NotKnownError("the model learns no classes")
        classes = self.model.classes_[:CLASSES]
        return [self.sampled(OF_A_CLASS, y=label, noise=False).one_hot for label in classes]


def as_many(one: Float64, other: Float64, seed: int) -> tuple[Float64, Float64]:
    """Return as many rows of one as of the other."""
    rng = np.random.default_rng(seed)
    n = min(len(one), len(other))
    first, second = (rows[np.sort(rng.choice(len(rows), n, replace=False))] for rows in (one, other))
    return first, second
