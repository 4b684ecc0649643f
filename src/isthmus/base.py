"""Base class of all models: fit, transform, inverse_transform, reconstruct, sample, score, save and load.

A model file says what its paper says: networks (:meth:`Model.build`), named loss terms (:meth:`Model.losses`) and,
where there is more than one, players (:meth:`Model.players`). Everything that no paper changes is here, once: reading
data, preprocessing, held-out records, the engine, batches at inference, saving.
"""

from __future__ import annotations

import copy
import inspect
import math
import os
import secrets
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NotRequired, Self, TypedDict

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from isthmus import artifact, checks, documents, likelihood_choice, preprocessing, telling, training, watch
from isthmus import data as isthmus_data
from isthmus.data import Data, Schema
from isthmus.density import RECORDS, CodeDensity
from isthmus.description import (
    RetiredParameters,
    classes_from_json,
    constructor_call,
    no_more_than,
    own_modules,
    parameter_to_json,
    parameters_from_json,
    same_network,
)
from isthmus.encoded import Encoded, as_tensor, joined
from isthmus.errors import ArtifactError
from isthmus.fitting import Fit, evenly_spaced, fingerprint, held_out_rows
from isthmus.search import Choice, Number, SearchSpace, Whole
from isthmus.training import distributed
from isthmus.training.callbacks import Callback, FitState, as_callbacks
from isthmus.training.devices import device_named, device_to_load_on

__all__ = ["Model", "RetiredParameters", "seed_of", "seed_to_fit"]

ROWS = 2048  # rows of a block at inference: so many of a few KiB stay in the processor's cache
MIN_ROWS = 32  # smaller blocks are filled up: products of few rows sum in another order, and a row's result must
# not depend on how many others are with it
NOISE = 0.1  # share of characters of a noisy text that are others
SIDE = 64  # of a blank picture, where sides differ
PIXELS = 2**22  # numbers in a block at inference, where records are large


@dataclass(kw_only=True, eq=False, repr=False)
class Model(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):
    """Base of all models: a scikit-learn estimator that learns a code.

    A model is a keyword-only dataclass: its fields are its whole configuration, stored untouched. Those below belong to
    every model; a subclass adds its own.

    Parameters
    ----------
    latent_dim : int, optional
        Numbers in a code; by default 32, or half of the numbers in a record where that is less, and 128 of texts, or as
        many as the longest has bytes.
    hidden : tuple of int, optional
        Widths between the record and the code, mirrored in the decoder, as in ``(128, 64)``; ``()`` for none. For
        convolutional networks and those for texts channels per stage. By default chosen from the data's size.
    network : {"auto", "dense", "convolutional", "residual", "sequence"} or (encoder, decoder), default="auto"
        By the kind of data, or any two ``torch.nn.Module``.
    likelihood : str or Likelihood, default="auto"
        "bernoulli", "gaussian" (scale learned), "gaussian-fixed" (squared error), "laplace", "huber",
        "discretised-logistic", "categorical", "autoregressive" (texts) or "table"; "auto" picks from the data and says
        why.
    scaling : {"auto", "none", "unit", "symmetric", "standard", "common", "quantile"}, default="auto"
        What the network sees: as the likelihood needs it, as it is, [0, 1], [-1, 1], mean 0 and deviation 1, mean 0 and
        one scale for all columns, or quantiles of a standard normal. Undone on the way out.
    activation : str, default="relu"
        Between layers: a name of ``isthmus.networks.ACTIVATIONS``.
    norm : {None, "batch", "layer"}, default=None
        Normalisation after each hidden layer.
    dropout : float, default=0
        Share of hidden units left out at random in training.
    augment : tuple of {"shift", "flip", "rotate", "elastic", "binarise"}, default=()
        Harmless changes of pictures in training; with "binarise" records are drawn anew as zeros and ones each time.
    max_epochs : float, optional
        Passes over the records, the last one in part if it is a fraction; by default about 4,000 steps, 400 of texts.
    max_seconds : float, optional
        Wall time to train for.
    patience : int, optional
        Epochs without a better held-out loss after which to stop; by default half of the epochs, 10 at least.
    batch_size : int, optional
        Records a step at most, spread evenly over the steps of an epoch; by default a power of two from 32 to 512,
        growing with their number. At least 2 where records are compared (``norm="batch"``, some objectives).
    learning_rate : float, optional
        Peak of the cycle; by default the optimiser's own, which grows with the root of the batch size.
    optimizer : {"muon", "adamw", "adam", "sgd", "gradient-descent"}, default="muon"
        "muon" moves matrices by orthogonal steps and the rest with AdamW; "gradient-descent" takes all records a step.
    weight_decay : float, default=0
        L2 penalty on weight matrices.
    device : str, default="auto"
        "cpu", "cuda", "mps"; "auto" takes a GPU where there is one.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of matrix products. "auto" takes bfloat16 in training where the device has it in hardware, and float32 in use;
        "bfloat16" is taken in use too, faster and with about three digits.
    random_state : int, RandomState or None, default=None
        Seed of everything random; global generators are never touched.
    verbose : int, default=0
        Whether to show progress.

    Attributes
    ----------
    module_ : torch.nn.Module
        The networks and the likelihood, with the weights of the best epoch.
    schema_ : Schema
        Kind, shape and types of the records it was fitted on.
    preprocessor_ : Preprocessor
        From records to what the network sees, and back.
    likelihood_reason_ : str
        Which likelihood, and why.
    code_shape_ : tuple of int
        Shape of one code before it is flattened; ``None`` for sides that follow the record's size.
    history_ : list of dict
        One record an epoch: ``epoch, seconds, learning_rate, train_loss, validation_loss`` and every named term,
        in nats per example.
    notes_ : list of str
        What was converted, set aside or repaired on the way; and what of the records of the last call was unlike those
        of the fit.
    provenance_ : dict
        Seed, versions, device, threads, data fingerprint, wall seconds; the call, or the command, that makes it again.
    scores_ : dict
        What was measured of the model and belongs into its file, by name, as JSON values; empty after a fit.
    n_records_ : int
        Records trained on, without those held out.
    n_features_in_ : int
        Columns of arrays and tables.
    classes_, class_counts_ : ndarray
        Of models that learn from labels: the labels, sorted, and how many records had each.
    """

    learns_classes: ClassVar[bool] = False  # whether ``y`` is needed, and goes to ``losses`` as class numbers
    takes_unlabelled: ClassVar[bool] = False  # whether labels may be missing; their class number is then -1
    stops_early: ClassVar[bool] = True  # whether a lower held-out loss means a better model
    min_records: ClassVar[int] = 2  # that it can be fitted on
    alternative_for_few: ClassVar[str] = ""  # what serves fewer
    min_batch_size: ClassVar[int] = 32  # smallest default batch size
    compares_records: ClassVar[bool] = False  # whether the objective compares the records of a batch, and so needs two
    default_steps: ClassVar[int] = training.DEFAULT_STEPS  # of a run without max_epochs and max_seconds
    has_prior: ClassVar[bool] = False  # whether codes of new records come from the model itself
    draws_marginals: ClassVar[bool] = False  # whether columns of new records should be distributed as those fitted on
    needs_factorised: ClassVar[bool] = False  # whether numbers of a record must be independent given the code
    bounds_likelihood: ClassVar[bool] = False  # whether scores bound log p(x), and so can be set beside those of others
    # Parameters of earlier versions, which files may still hold: those with a new name, and those that no longer exist.
    renamed_parameters: ClassVar[Mapping[str, str]] = {}
    retired_parameters: ClassVar[RetiredParameters] = {}
    # What is worth trying of the parameters; a subclass adds its own, and leaves out what it cannot have.
    search_space: ClassVar[SearchSpace] = {
        "latent_dim": Whole(2, 128, log=True),
        "hidden": Choice((None, (128,), (256, 128), (512, 256, 128)), kinds=("array", "table", "text")),
        "activation": Choice(("relu", "gelu", "silu")),
        "norm": Choice((None, "batch", "layer")),
        "dropout": Number(0.0, 0.3),
        "learning_rate": Choice((None, 0.002, 0.005, 0.01, 0.03)),
        "batch_size": Choice((None, 64, 256)),
        "weight_decay": Choice((0.0, 1e-4, 1e-3, 1e-2)),
    }

    latent_dim: int | None = None
    hidden: tuple[int, ...] | None = None
    network: Any = "auto"
    likelihood: Any = "auto"
    scaling: str = "auto"
    activation: str = "relu"
    norm: str | None = None
    dropout: float = 0.0
    augment: tuple[str, ...] = ()
    max_epochs: float | None = None
    max_seconds: float | None = None
    patience: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    optimizer: str = "muon"
    weight_decay: float = 0.0
    device: str = "auto"
    precision: str = "auto"
    random_state: Any = None
    verbose: int = 0

    module_: Any = field(init=False)  # a torch.nn.Module; Any, because models call methods of their own on it
    schema_: Schema = field(init=False)
    preprocessor_: preprocessing.Preprocessor = field(init=False)
    likelihood_reason_: str = field(init=False)
    code_shape_: tuple[int | None, ...] = field(init=False)
    history_: list[dict[str, Any]] = field(init=False)
    notes_: list[str] = field(init=False)
    provenance_: dict[str, Any] = field(init=False)
    scores_: dict[str, Any] = field(init=False)
    n_records_: int = field(init=False)
    classes_: np.ndarray = field(init=False)
    class_counts_: np.ndarray = field(init=False)
    # Codes of records it was trained on, (n, latent_dim), and a density of them, for models without a prior.
    _some_codes: np.ndarray | None = field(init=False, default=None)
    _density: CodeDensity | None = field(init=False, default=None)
    _told: list[str] | None = field(init=False, default=None)  # those of notes_ that the last call told

    def __new__(cls, *args: Any, **parameters: Any) -> Self:
        """Refuse unknown parameters with the nearest known name, before Python does without it."""
        names = list(inspect.signature(cls.__init__).parameters)[1:]
        checks.known_names(cls.__name__, parameters, names, cls.renamed_parameters)
        return super().__new__(cls)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make every public method that takes records report how they differ from those of the fit."""
        super().__init_subclass__(**kwargs)
        telling.methods_tell(cls)

    # ------------------------------------------------------------------ what a model file says

    @abstractmethod
    def build(self, rng: torch.Generator) -> Any:
        """Return the networks for ``self.preprocessor_``, which is fitted and scaled, initialised from ``rng``.

        The module has ``scale(records)``, ``inputs(records, rng)``, ``encode(x)``, ``decode(z, size)``,
        ``nll(theta, x)``, ``mean(theta)`` and ``unscale(x)``: see :class:`isthmus.networks.Core`.
        """

    @abstractmethod
    def losses(self, step: training.Step) -> dict[str, Tensor]:
        """Return the named terms of the objective on a batch, in nats per example; their sum is minimised.

        Parameters
        ----------
        step : Step
            The records, as the networks see them, and the generator of all chance; for models that learn from labels
            class numbers, -1 for none; and the share of the budget that is spent.
        """

    def chosen_likelihood(self, scaling: str) -> likelihood_choice.ChosenLikelihood:
        """Return the likelihood for the records of ``self.preprocessor_``, the scaling it takes, and the reason.

        Parameters
        ----------
        scaling : str
            The one asked for, "auto" for the likelihood's own; of a preprocessor that is scaled the one in force.
        """
        return likelihood_choice.choose(
            self.preprocessor_.summary_,
            self.likelihood,
            scaling,
            type(self).__name__,
            marginals=self.draws_marginals and isinstance(self.network, str),
            factorised=self.needs_factorised or not isinstance(self.network, str),
        )

    def players(self) -> list[training.Player]:
        """Return the players to train; by default one with all modules."""
        return [training.Player("model", (self.module_,), self.losses)]

    def prepare(self, batches: training.Batches, seed: int) -> None:
        """Prepare on the training records before the first step; by default nothing.

        Parameters
        ----------
        batches : Batches
            The records; what is put into ``batches.labels`` goes to :meth:`losses` as ``step.labels``.
        seed : int
            Of everything random.
        """

    def judge(self, batches: training.Batches, held_out: training.Batches | None) -> None:
        """Check the fitted model for harmful results; by default nothing.

        Parameters
        ----------
        batches, held_out : Batches
            Records that it was trained on, and others, where some were held out.
        """

    def check_parameters(self) -> None:
        """Refuse parameters that are invalid for any data; subclasses add their own."""
        owner = type(self).__name__
        checks.integer(owner, "latent_dim", self.latent_dim, low=1, optional=True)
        checks.number(owner, "max_epochs", self.max_epochs, low=0, above=True, optional=True)
        checks.number(owner, "max_seconds", self.max_seconds, low=0, above=True, optional=True)
        checks.integer(owner, "patience", self.patience, low=1, optional=True)
        checks.integer(owner, "batch_size", self.batch_size, low=1, optional=True)
        checks.number(owner, "learning_rate", self.learning_rate, low=0, above=True, optional=True)
        checks.number(owner, "weight_decay", self.weight_decay, low=0)
        checks.choice(owner, "optimizer", self.optimizer, tuple(training.OPTIMIZERS))
        checks.choice(owner, "precision", self.precision, ("auto", "float32", "bfloat16"))
        checks.choice(owner, "scaling", self.scaling, ("auto", *preprocessing.SCALINGS))
        checks.widths(owner, "hidden", self.hidden)
        checks.number(owner, "dropout", self.dropout, low=0, high=1, below=True)
        if self.norm == "batch" or self.compares_records:
            what = "norm='batch'" if self.norm == "batch" else "its objective"
            checks.several_in_a_batch(owner, self.batch_size, what)

    # ------------------------------------------------------------------ fit

    @telling.learns
    @watch.watched()
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        validation: Any = None,
        callbacks: Iterable[Callback | Callable[[FitState], str | None]] = (),
        resume: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Learn preprocessing and weights.

        Parameters
        ----------
        X : array, data frame, path, or Data
            Records: whatever :func:`isthmus.data.open` takes. Arrays ``(n, d)``; images ``(n, height, width)`` or
            ``(n, height, width, channels)``.
        y : array of shape (n,), optional
            Labels; kept out of the training of models that do not learn from them.
        validation : records, float or None
            Held-out records, or the share of ``X`` to hold out; 0 for none. By default a tenth, of 20 records or more.
            Early stopping looks at them, and the weights of their best epoch are kept.
        callbacks : iterable of Callback or function
            Called after each epoch; one that returns "stop" ends training.
        resume : path, optional
            A checkpoint to go on from; the result is that of a run that was never stopped, bit for bit on a processor.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            A parameter is not allowed.
        DataError
            The data cannot be used; the sentence names the row and the column.
        TrainingError
            Losses stayed non-finite after every remedy. The best weights are in the model all the same, and
            ``provenance_["best_epoch"]`` says of which epoch; 0 where no epoch was any good.
        LostRankError
            Under ``torchrun``: another of the processes is lost, or was stopped by an error of its own.
        """
        self.check_parameters()
        seed = seed_to_fit(self.random_state, self.device)  # before records are read, which may take long
        command = f"{constructor_call(self, random_state=seed, verbose=0)}.fit(X)"
        run = Fit(self, X, y, seed=seed, validation=validation, command=command)
        run.prepare()
        run.train(
            callbacks=[*as_callbacks(callbacks), *([training.ShowProgress()] if self.verbose else [])], resume=resume
        )
        return self

    def learn_schema(self, schema: Schema) -> None:
        """Set ``schema_``, with which later records are compared."""
        self.schema_ = schema
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                delattr(self, name)
        if schema.kind in ("array", "table"):
            self.n_features_in_ = int(schema.shape[0] or 0)
        names = schema.names or tuple(column.name for column in schema.columns)
        if names:
            self.feature_names_in_ = np.asarray(names, dtype=object)

    def new_module(self, seed: int) -> Any:
        """Build the networks; torch's global generator is left unchanged."""
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            module = self.build(torch.Generator().manual_seed(seed))
        self._learn_code_shape(module)
        return module

    def _learn_code_shape(self, module: Any) -> None:
        """Find the shape of one code by encoding one empty record."""
        shape = self.preprocessor_.shape_
        module.eval()
        with torch.inference_mode():
            code = module.encode(module.scale(self._blank()))
        sides = tuple(code.shape[1:])
        self.code_shape_ = (sides[0], *(None for _ in sides[1:])) if None in shape and len(sides) > 1 else sides

    def keep_codes(self, batches: training.Batches | None) -> None:
        """Keep the codes of evenly spaced records, where a density of codes may be asked for later; of None none."""
        self._density = self._some_codes = None
        if batches is None or self.has_prior or None in self.preprocessor_.shape_:
            return
        blocks = torch.split(batches.read_rows(evenly_spaced(batches.rows, RECORDS)), self._rows())
        codes = [self._evaluate(block, lambda x: self.encode(self.module_.scale(x))) for block in blocks]
        self._some_codes = torch.cat(codes).flatten(1).float().cpu().numpy()

    def copied(self) -> Self:
        """Return a copy whose networks are trained apart; preprocessing, which training does not change, is shared."""
        made = copy.copy(self)
        made.module_ = copy.deepcopy(self.module_)
        return made

    # ------------------------------------------------------------------ use

    @telling.tells
    def transform(self, X: Any) -> Any:
        """Return the codes of records.

        Parameters
        ----------
        X : as in :meth:`fit`

        Returns
        -------
        ndarray of float32, shape (n, latent_dim)
            Spatial codes are flattened from ``code_shape_``. Records of different sizes give a list of arrays of
            shape (channels, height, width).
        """
        self._is_fitted()
        return joined([self._flat(codes) for codes in self._run(X, self.encode)])

    def inverse_transform(self, Z: Any, *, sizes: Sequence[tuple[int, int]] | None = None) -> Any:
        """Return the records that codes stand for, in the units, types and container of the data fitted on.

        Parameters
        ----------
        Z : array of shape (n, latent_dim), or list of arrays
            Codes, as :meth:`transform` returns them.
        sizes : sequence of (height, width), optional
            Of the records, where they differ; by default the full extent of each code.
        """
        self._is_fitted()
        return self.decoded(Z, sizes=sizes).container()

    @telling.tells
    def reconstruct(self, X: Any) -> Any:
        """Return decoded codes of records, in the container, types and units of ``X``.

        Columns of a table that no code holds, ids and constants, are those of ``X``.
        """
        return self._given_back(X, self._there_and_back)

    @telling.tells
    def denoise(self, X: Any) -> Any:
        """Return records without their noise, in the container, types and units of ``X``: their reconstructions.

        Texts are the exception where characters are predicted one after another: what comes back is the likeliest text
        of which the given one is a copy with some characters replaced (`networks.likelihoods.Autoregressive.denoised`).
        """
        return self._given_back(X, self._there_and_cleaned)

    def _given_back(self, X: Any, function: Callable[[Tensor], Tensor]) -> Any:
        """Return what a function makes of scaled records, in the container, types and units of ``X``."""
        self._is_fitted()
        telling.gives_back()
        # What no code holds of a table is copied from the records, which are opened here to be at hand for that.
        X = self.opened(X) if isinstance(self.preprocessor_, preprocessing.TablePreprocessor) else X
        source = X if isinstance(X, Data) else None
        back = _on_host(self._run(X, function), apart=None in self.preprocessor_.shape_)
        return Encoded(back, self.preprocessor_, source).container()

    def sample(
        self,
        n: int = 1,
        *,
        y: Any = None,
        temperature: float = 1.0,
        noise: bool | None = None,
        size: tuple[int, int] | None = None,
        random_state: Any = None,
    ) -> Any:
        """Return new records, drawn from the prior of the code, or from a density fitted to the codes of the data.

        Models without a prior fit a mixture of Gaussians to the codes of records they were trained on: see
        :class:`isthmus.density.CodeDensity`.

        Parameters
        ----------
        n : int, default=1
            How many.
        y : label or array of n labels, optional
            Of which class, for models that learn from labels; by default as classes occur in the data fitted on.
        temperature : float, default=1
            Factor on the code's deviations: below 1 for more typical records, above for stranger ones.
        noise : bool, optional
            Whether to draw from p(x | z) instead of showing its mean. By default pictures are means, which is what
            looks right, and everything else is drawn, which is what has the right spread.
        size : (height, width), optional
            Of the pictures, for models of pictures of several sizes.
        random_state : int, RandomState or None, default=None
            Seed.

        Returns
        -------
        records
            In the container, types and units of the data fitted on.
        """
        return self.sampled(
            n, y=y, temperature=temperature, noise=noise, size=size, random_state=random_state
        ).container()

    def draw(self, Z: Any, *, noise: bool | None = None, random_state: Any = None) -> Any:
        """Return records drawn from p(x | z) for given codes.

        Parameters
        ----------
        Z : array of shape (n, latent_dim)
            Codes, all of one size.
        noise : bool, optional
            As in :meth:`sample`; without noise these are the records of :meth:`inverse_transform`.
        random_state : int, RandomState or None, default=None
            Seed.

        Returns
        -------
        records
            In the container, types and units of the data fitted on.
        """
        self._is_fitted()
        shape = self._code_shape_for(None)
        codes = torch.from_numpy(checks.codes(type(self).__name__, Z, math.prod(shape))).reshape(-1, *shape)
        return self._draw(codes, torch.Generator().manual_seed(seed_of(random_state)), noise, None).container()

    def _draw(self, codes: Tensor, rng: torch.Generator, noise: bool | None, size: tuple[int, int] | None) -> Encoded:
        """Return records for codes, means where ``noise`` is off."""
        noise = self.schema_.kind != "image" if noise is None else noise
        device = next(self.module_.parameters()).device
        draws = torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=rng)))

        def record(z: Tensor) -> Tensor:
            theta = self.decode(z, size)
            x = self.module_.drawn(theta, draws) if noise else self.module_.mean(theta)
            return self.module_.unscale(x)

        blocks = [self._evaluate(block, record) for block in torch.split(codes, self._rows())]
        return self._of_tensors(blocks)

    def sample_codes(
        self, shape: tuple[int, ...], rng: torch.Generator, temperature: float = 1.0, labels: Tensor | None = None
    ) -> Tensor:
        """Return codes of new records, (n, *code_shape); of some classes, where the model knows classes."""
        return self._density_of_codes().sample(shape[0], rng, temperature).reshape(shape)

    def _class_numbers(self, y: Any, n: int) -> Tensor | None:
        """Return the class numbers of labels, one for each of ``n`` records to draw."""
        if not self.learns_classes:
            if y is not None:
                checks.learned_no_classes(type(self).__name__)
            return None
        if y is None:
            return None
        wanted = np.broadcast_to(np.asarray(y), (n,)) if np.ndim(y) == 0 else np.asarray(y)
        checks.known_classes(type(self).__name__, wanted, self.classes_, n)
        return torch.from_numpy(np.searchsorted(self.classes_, wanted))

    def _code_shape_for(self, size: tuple[int, int] | None) -> tuple[int, ...]:
        """Return the shape of one code, of pictures of a size where sizes differ."""
        if None not in self.code_shape_:
            return tuple(side or 1 for side in self.code_shape_)
        checks.size_of_pictures(type(self).__name__, size)
        blank = torch.zeros((1, self.preprocessor_.shape_[0] or 1, *(size or ())))
        return tuple(self._evaluate(blank, lambda x: self.encode(self.module_.scale(x))).shape[1:])

    def _density_of_codes(self) -> CodeDensity:
        """Return the density of the codes; it is fitted when it is first asked for."""
        if self._density is None:
            codes = checks.has_codes(type(self).__name__, self._some_codes, varies=None in self.code_shape_)
            self._density = CodeDensity.fit(codes, self.provenance_["seed"])
        return self._density

    @telling.tells
    def score_samples(self, X: Any) -> np.ndarray:
        """Return log p(x | z) at each record's own code, in nats per example and in the units of ``X``.

        Models with a posterior over codes return a bound on log p(x) instead, and say so.

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        return self._figures(X, self.log_likelihood).astype(np.float64)

    @telling.tells
    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of :meth:`score_samples`: nats per example, higher is better."""
        return float(self.score_samples(X).mean())

    def fingerprint(self, X: Any) -> str:
        """Return a digest that tells whether records are those of another call: schema, number, a sample of them.

        Parameters
        ----------
        X : as in :meth:`fit`

        Returns
        -------
        str
            Hexadecimal; of the data of the fit it is ``provenance_["fingerprint"]``.
        """
        self._is_fitted()
        return fingerprint(self.opened(X), self.preprocessor_)

    def held_out_rows(self) -> np.ndarray:
        """Return which of the records given to :meth:`fit` it held out for early stopping, in order.

        Returns
        -------
        ndarray of int64
            Row numbers; none where nothing was held out, or other records were.
        """
        self._is_fitted()
        p = self.provenance_
        drawn = p.get("held_out_drawn", p["train_records"] + p["held_out_records"] == p["records"])
        return held_out_rows(p["records"], p["held_out_records"] if drawn else 0, p["seed"])

    # ------------------------------------------------------------------ encoded records: what tasks work on

    @telling.tells
    def encoded(self, X: Any) -> Encoded:
        """Return records as the preprocessor encodes them, all at once.

        Parameters
        ----------
        X : as in :meth:`fit`
        """
        self._is_fitted()
        data = self.opened(X)
        return Encoded(joined([block.values for block in self.encoded_blocks(data)]), self.preprocessor_, data)

    def encoded_blocks(self, X: Any) -> Iterator[Encoded]:
        """Yield records as the preprocessor encodes them, so many as go through the network at once."""
        self._is_fitted()
        pre = self.preprocessor_
        if self._is_plain(X):
            for start in range(0, len(X), self._rows()):
                block = X[start : start + self._rows()]
                x = np.ascontiguousarray(telling.encode(pre, X, start, block))
                # A sum lets NaN and infinities through; it is the cheapest look at every value, on torch's own threads.
                if x.dtype.kind == "f" and not torch.from_numpy(x).sum().isfinite() and not checks.all_finite(block):
                    self.opened(X)  # which names the row and the column
                yield Encoded(x, pre)
            return
        data = self.opened(X)
        for start, block in data.chunks(self._rows()):
            rows = np.arange(start, start + len(block))
            yield Encoded(telling.encode(pre, data, start, block), pre, data.subset(rows))

    def codes_of(self, records: Encoded) -> Any:
        """Return the codes of encoded records, as :meth:`transform` does."""
        return joined([self._flat(codes) for codes in self._apply(records.blocks(self._rows()), self.encode)])

    def decoded(self, Z: Any, *, sizes: Sequence[tuple[int, ...]] | None = None) -> Encoded:
        """Return the records that codes stand for; parameters are those of :meth:`inverse_transform`."""
        self._is_fitted()
        if None not in self.code_shape_:
            shape = tuple(side or 1 for side in self.code_shape_)
            codes = torch.from_numpy(checks.codes(type(self).__name__, Z, math.prod(shape))).reshape(-1, *shape)
            blocks: Sequence[Tensor] = torch.split(codes, self._rows())
            sizes = [()] * len(blocks)
        else:
            blocks = [torch.from_numpy(np.asarray(code, np.float32))[None] for code in Z]
            sizes = sizes or [()] * len(blocks)
        return self._of_tensors(self._back(blocks, sizes))

    def reconstructed(self, records: Encoded) -> Encoded:
        """Return decoded codes of encoded records, in encoded units, not yet rounded as the source is."""
        return records.replaced(
            _on_host(self._apply(records.blocks(self._rows()), self._there_and_back), apart=records.varies)
        )

    def crossed(self, records: Encoded) -> tuple[Any, Encoded]:
        """Return the codes and the reconstructions of encoded records, from one pass of the encoder."""
        codes = self._apply(records.blocks(self._rows()), self.encode)
        back = self._back(codes, [block.shape[2:] for block in records.blocks(self._rows())])
        checks.finite_results(type(self).__name__, back)
        return joined([self._flat(z) for z in codes]), records.replaced(_on_host(back, apart=records.varies))

    def log_probs(self, records: Encoded) -> np.ndarray:
        """Return what :meth:`score_samples` does of encoded records: float64, (n,)."""
        results = self._apply(records.blocks(self._rows()), self.log_likelihood)
        return torch.cat(results).cpu().numpy().astype(np.float64)

    def sampled(
        self,
        n: int = 1,
        *,
        y: Any = None,
        temperature: float = 1.0,
        noise: bool | None = None,
        size: tuple[int, int] | None = None,
        random_state: Any = None,
    ) -> Encoded:
        """Return new records, encoded; parameters are those of :meth:`sample`."""
        self._is_fitted()
        owner = type(self).__name__
        checks.integer(owner, "n", n, low=1)
        checks.number(owner, "temperature", temperature, low=0)
        labels = self._class_numbers(y, int(n))
        shape = self._code_shape_for(size)
        rng = torch.Generator().manual_seed(seed_of(random_state))
        with torch.inference_mode():
            codes = self.sample_codes((int(n), *shape), rng, float(temperature), labels)
        return self._draw(codes, rng, noise, size)

    def _apply(self, blocks: Iterable[np.ndarray], function: Callable[[Tensor], Tensor]) -> list[Tensor]:
        """Return ``function`` of encoded records, scaled, block by block."""
        results = [self._evaluate(as_tensor(block), lambda x: function(self.module_.scale(x))) for block in blocks]
        checks.finite_results(type(self).__name__, results)
        return results

    def _back(self, codes: Sequence[Tensor], sizes: Sequence[tuple[int, ...]]) -> list[Tensor]:
        """Return the records that codes stand for, in encoded units, block by block, each of records of one size."""
        return [
            self._evaluate(z, lambda z, size=size: self._to_data_units(self.decode(z, size)))  # type: ignore[misc]
            for z, size in zip(codes, sizes, strict=True)
        ]

    def _run(self, X: Any, function: Callable[[Tensor], Tensor]) -> list[Tensor]:
        """Return ``function`` of scaled records, block by block, in the order of the records."""
        return self._apply((x for records in self.encoded_blocks(X) for x in records.blocks(self._rows())), function)

    def _figures(self, X: Any, function: Callable[[Tensor], Tensor]) -> np.ndarray:
        """Return ``function`` of scaled records as one array, a row a record."""
        return np.concatenate([block.cpu().numpy() for block in self._run(X, function)])

    def _evaluate(self, block: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Apply ``function`` to a block in inference mode; few rows are filled up and cut off again."""
        n = len(block)
        if n < MIN_ROWS and None not in self.preprocessor_.shape_:
            block = torch.cat([block, block[:1].expand(MIN_ROWS - n, *block.shape[1:])])
        device = next(self.module_.parameters()).device
        with torch.inference_mode(), training.products(device.type, self.precision):
            found = function(block.to(device))[:n]
        return found.float() if found.dtype == torch.bfloat16 else found

    def _rows(self) -> int:
        """Return how many records go through the network at once."""
        numbers = int(np.prod([side or 256 for side in self.preprocessor_.shape_]))
        return max(1, min(ROWS, PIXELS // max(1, numbers)))

    def _flat(self, codes: Tensor) -> Any:
        """Return codes as rows, on the host; maps of records whose sizes differ as they are, in a list."""
        array = codes.cpu().numpy()
        return list(array) if None in self.code_shape_ else array.reshape(len(array), -1)

    def _of_tensors(self, blocks: list[Tensor]) -> Encoded:
        """Return records that a network gave in encoded units."""
        checks.finite_results(type(self).__name__, blocks)
        return Encoded(_on_host(blocks, apart=None in self.preprocessor_.shape_), self.preprocessor_)

    # ------------------------------------------------------------------ the tensors behind it

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes of scaled records: (b, ...) -> (b, *code_shape)."""
        return self.module_.encode(x)

    def decode(self, z: Tensor, size: tuple[int, ...] | None = None) -> Tensor:
        """Return the likelihood's parameters theta for codes."""
        return self.module_.decode(z, size or None)

    def log_likelihood(self, x: Tensor) -> Tensor:
        """Return log p(x | z) of scaled records at their own code: (b, ...) -> (b,)."""
        return -self.module_.nll(self.decode(self.encode(x), tuple(x.shape[2:])), x)

    def _there_and_back(self, x: Tensor) -> Tensor:
        return self._to_data_units(self.decode(self.encode(x), tuple(x.shape[2:])))

    def _there_and_cleaned(self, x: Tensor) -> Tensor:
        return self.module_.unscale(self.cleaned(x))

    def cleaned(self, x: Tensor) -> Tensor:
        """Return scaled records without their noise: (b, ...) -> (b, ...)."""
        theta = self.decode(self.encode(x), tuple(x.shape[2:]))
        cleaned: Tensor = self.module_.likelihood.denoised(theta, x, self.noise_)
        return cleaned

    @property
    def noise_(self) -> float:
        """The share of characters of a text that :meth:`denoise` expects to be others."""
        return NOISE

    def _to_data_units(self, theta: Tensor) -> Tensor:
        return self.module_.unscale(self.module_.mean(theta))

    def _is_fitted(self) -> None:
        """Refuse to be used before :meth:`fit`; scikit-learn's own check is slow, and only asked for its sentence."""
        if "module_" not in self.__dict__:
            check_is_fitted(self, "module_")

    def _is_plain(self, X: Any) -> bool:
        """Tell whether ``X`` is an array of the type and shape fitted on, and in memory: then there is a short way."""
        schema = self.schema_
        if type(X) is not np.ndarray or schema.kind not in ("array", "image"):
            return False
        return X.dtype == schema.dtype and X.shape[1:] == schema.shape and len(X) > 0 and X.flags.writeable

    def opened(self, X: Any, labels: Any = None) -> Data:
        """Open records for use with this model, and refuse those of another shape."""
        varies = self.schema_.kind == "image" and None in self.schema_.shape and not isinstance(X, Data)
        data = isthmus_data.open(X, labels=labels, sizes="group" if varies else None, schema=self.schema_)
        return telling.belongs(isthmus_data.conform(data, self.schema_, type(self).__name__), X)

    # ------------------------------------------------------------------ scikit-learn

    @property
    def _n_features_out(self) -> int:
        return int(np.prod([side or 1 for side in self.code_shape_]))

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: codes are float32 whatever the input."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.required = self.learns_classes
        return tags

    # ------------------------------------------------------------------ files

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the fitted model as one safetensors file.

        Parameters
        ----------
        path : path
            Usually ends in ``.safetensors``.
        force : bool, default=False
            Whether an existing file may be replaced.

        Raises
        ------
        OutputExistsError
            The file exists and ``force`` is off.
        """
        artifact.write(path, type(self).__name__, *self.state(), force=force)

    def state(self) -> documents.State:
        """Return the JSON document and the arrays that a file of this model holds."""
        self._is_fitted()
        state, _ = self.preprocessor_.state()
        document = {
            "parameters": {name: parameter_to_json(name, value) for name, value in self.get_params(deep=False).items()},
            "schema": self.schema_.to_dict(),
            "preprocessing": {"class": type(self.preprocessor_).__name__, "state": state},
            "history": self.history_,
            "notes": telling.of_fit(self),
            "provenance": self.provenance_,
            "scores": self.scores_,
            "classes": [self.classes_.tolist(), self.class_counts_.tolist()] if self.learns_classes else [],
        }
        tensors = self.tensors()
        if self._some_codes is not None or self._density is not None:
            tensors |= documents.prefixed("density", self._density_of_codes().state()[1])
        return document, tensors

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the arrays that what it computes hangs on, weights and preprocessing, by their names in its file."""
        self._is_fitted()
        arrays = documents.prefixed("preprocessing", self.preprocessor_.state()[1])
        return training.to_arrays(self.module_.state_dict(), "module.") | arrays

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, network: Any = None, device: str | None = None) -> Self:
        """Return the model of a file that :meth:`save` wrote.

        Parameters
        ----------
        path : path
            The file.
        network : (encoder, decoder), optional
            New instances of the modules of a model that was fitted with a network of the user's own: a file holds
            their weights, never their code.
        device : str, optional
            Where to; by default the device named when it was fitted, where this machine has it, else the processor.

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
        """Return the model that :meth:`state` described; ``path``, for sentences, is where the state was found."""
        with artifact.understanding(path):
            its = documents.read(_Document, document)
            weights = documents.under("module", arrays)
            documents.check_finite(weights)
            own = own_modules(its["parameters"])
        network = None if own is None else same_network(path, own, network)
        with artifact.understanding(path, together_with="" if network is None else "the modules given"):
            tensors = training.to_tensors(weights)
            model = cls._described(its, arrays, network, list(tensors.values()))
        try:
            model.module_.load_state_dict(tensors)
        except RuntimeError as error:
            described = "its own description" if network is None else "the modules given"
            raise ArtifactError(
                f"The weights in {os.fspath(path)} do not fit {described}: {artifact.brief(error)}"
            ) from error
        with artifact.understanding(path, together_with="" if network is None else "the modules given"):
            model._prove()
        model.module_.to(device_to_load_on(cls.__name__, device, model.device)).eval()
        return model

    @classmethod
    def _described(
        cls, document: _Document, arrays: dict[str, np.ndarray], network: Any, weights: list[Tensor]
    ) -> Self:
        """Return the model of a file's document, without its weights, on the processor."""
        parameters = parameters_from_json(cls, document["parameters"])
        model = cls(**(parameters if network is None else parameters | {"network": network}))
        model.check_parameters()
        documents.read(_Provenance, document["provenance"], "provenance")
        model.learn_schema(Schema.from_dict(document["schema"]))
        if cls.learns_classes:
            model.classes_, model.class_counts_ = classes_from_json(document.get("classes", []))
        its, density = document["preprocessing"], documents.under("density", arrays)
        model.preprocessor_ = preprocessing.from_state(
            its["class"], its["state"], documents.under("preprocessing", arrays)
        )
        model.likelihood_reason_ = model.chosen_likelihood(model.preprocessor_.scaling_).reason
        record = math.prod(side or 1 for side in model.preprocessor_.shape_)
        with no_more_than(weights, record if network is None else 0):
            model.module_ = model.new_module(0)
        model._density = CodeDensity.from_state({}, density, model._n_features_out) if density else None
        model.history_, model.notes_ = document["history"], document["notes"]
        model.provenance_, model.scores_ = document["provenance"], document["scores"]
        return model

    def blank(self) -> Any:
        """Return a record that is zero as the network sees it, in the units of the data, for trial runs.

        Data frames are pyarrow tables, whatever library the data came in.
        """
        return self._plain(self._of_tensors([self._blank()]))

    def _blank(self) -> Tensor:
        return torch.zeros((1, *(SIDE if side is None else side for side in self.preprocessor_.shape_)))

    @property
    def can_be_tried(self) -> bool:
        """Whether a blank record is small enough to be tried when a file is read, whatever size the file claims."""
        return math.prod(side or SIDE for side in self.preprocessor_.shape_) <= preprocessing.MAX_TRIED_NUMBERS

    def _prove(self) -> None:
        """Encode and decode a blank record, so that an inconsistent file fails when it is loaded and not later."""
        if not self.can_be_tried:
            return
        with torch.inference_mode():
            x = self.module_.scale(self._blank())
            code = self.encode(x)
            checks.finite_results(type(self).__name__, [code])
            record = self._to_data_units(self.decode(code, tuple(x.shape[2:])))
            if self.has_prior or self._density is not None:
                drawn = self.sample_codes(tuple(code.shape), torch.Generator().manual_seed(0))
                checks.finite_results(type(self).__name__, [drawn])
        self._plain(self._of_tensors([record]))

    def _plain(self, records: Encoded) -> Any:
        """Return encoded records in their units; data frames are Arrow's where their own library is not loaded."""
        schema = self.schema_
        if schema.container not in sys.modules:  # the library of a data frame may not be here, or be slow to load
            schema = replace(schema, container={"table": "arrow", "text": "list"}.get(schema.kind, "numpy"))
        return isthmus_data.restore(records.block(), schema)


_Preprocessing = TypedDict("_Preprocessing", {"class": str, "state": dict[str, Any]})


class _Provenance(TypedDict):
    seed: int
    records: int
    train_records: int
    held_out_records: int
    held_out_drawn: NotRequired[bool]


class _Document(TypedDict):
    """Document of a model's file; parameters, schema and preprocessing are read by their own classes."""

    parameters: dict[str, Any]
    schema: dict[str, Any]
    preprocessing: _Preprocessing
    history: list[dict[str, int | float | None]]
    notes: list[str]
    provenance: dict[str, Any]
    scores: dict[str, Any]
    classes: NotRequired[list[Any]]


def seed_of(random_state: Any) -> int:
    """Return the seed that an estimator's ``random_state`` stands for; no global generator is touched."""
    if random_state is None:
        return secrets.randbits(31)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    checks.integer("random_state", "the seed", random_state, low=0, high=2**63 - 1)
    return int(random_state)


def seed_to_fit(random_state: Any, device: str = "auto") -> int:
    """Return the seed of a fit: that of the first of the processes that train together."""
    distributed.start(device_named("fit", device))
    return distributed.first_seed(seed_of(random_state))


def _on_host(blocks: list[Tensor], *, apart: bool) -> preprocessing.EncodedBlock:
    """Return records that a network gave as one array, or one array each."""
    arrays = [block.cpu().numpy() for block in blocks]
    return [record for array in arrays for record in array] if apart else joined(arrays)
