"""The photographic codec with weights of one's own: pictures of one kind in fewer bytes than photographs of all kinds.

The networks are those of :mod:`isthmus.networks.photographic`, and they learn as those that come with the package did:
bits and squared errors together, at all qualities. What is kept of them are the decoder's weights in whole numbers,
whose fingerprint stands in every file that needs them, and the analysis that finds the latents.
"""

from __future__ import annotations

import copy
import functools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired, Self, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from isthmus import artifact, checks, documents, telling
from isthmus.base import seed_to_fit
from isthmus.coding.photographs import weights
from isthmus.coding.photographs.weights import CODEC, DECODER, FILE_LIMIT, Weights
from isthmus.description import parameter_to_json, parameters_from_json
from isthmus.errors import ArtifactError, TrainingError
from isthmus.models import tuning
from isthmus.models.photographs import Shown, shown_and_held_out
from isthmus.networks.photographic import UNIT, Analysis, Decoder
from isthmus.networks.photographic_integers import from_integers, to_integers, within_bounds
from isthmus.training.devices import device_named
from isthmus.training.photographic import Codec, HeldOut, Patches, Plan, bits_saved, train
from isthmus.training.restoring import middle

__all__ = ["ANALYSIS", "CLASS", "PhotographicCodec"]

ANALYSIS = Path(weights.__file__).parents[1] / "photographs_1_analysis.safetensors"  # that comes with the package
CLASS = "PhotographAnalysis"  # that its file says it holds
FRESH_RATE, TUNING_RATE, WARM = 0.008, 0.003, 100  # peaks of the learning rate, and steps in which it rises
LEAST = 64  # pixels a side of the smallest picture that can be scored
EVEN = 8.0  # levels that an even picture may change

Float16 = NDArray[np.float16]


@dataclass(kw_only=True, eq=False, repr=False)
class PhotographicCodec(BaseEstimator):
    """A codec of pictures with a loss, tuned to pictures of one's own.

    :func:`isthmus.compress_photograph` and ``isthmus compress -m`` make files with it that only it decodes: keep its
    file. It is for pictures unlike photographs, of which those that isthmus carries weights for are a poor guess.

    Parameters
    ----------
    start : {"shipped", None}, default="shipped"
        What :meth:`fit` begins with: the weights of the package, or none.
    max_steps : int, default=1000
        Steps of training.
    max_seconds : float, optional
        Wall time to train for.
    batch_size : int, default=4
        Patches a step.
    patch : int, default=256
        Pixels a side of a patch: a multiple of 64.
    learning_rate : float, optional
        At the start, from which it falls to nothing; by default 0.003 with the weights of the package, else 0.008.
    device : str, default="auto"
        To learn on: "cpu", "cuda", "mps"; "auto" takes a GPU where there is one. Pictures are coded by the processor.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of convolutions in training. "auto" takes bfloat16 where the device has it in hardware.
    random_state : int, RandomState or None, default=None
        Seed of everything random; global generators are never touched.
    verbose : int, default=0
        Whether to show progress.

    Attributes
    ----------
    weights_ : Weights
        Of the decoder, in whole numbers.
    analysis_ : dict of str to ndarray of float16
        Tensors of the network that finds the latents.
    fingerprint_ : str
        Names the decoder in the files that need it.
    history_ : list of dict
        What was measured in training: ``step, seconds``, of held-out pictures bits a pixel and PSNR in dB at four
        qualities, ``bpp_0.1`` and ``psnr_0.1`` to ``0.85``, and their mean ``cost``.
    notes_ : list of str
        What a person should know of the fit.
    provenance_ : dict
        What it was trained on, where and how long.

    Examples
    --------
    >>> import isthmus, numpy as np
    >>> codec = isthmus.PhotographicCodec.shipped()
    >>> made = isthmus.compress_photograph(np.zeros((64, 64), np.uint8), quality=50, lossy=True, model=codec)
    >>> isthmus.decompress(made.data, model=codec).shape
    (64, 64)
    """

    start: str | None = "shipped"
    max_steps: int = 1000
    max_seconds: float | None = None
    batch_size: int = 4
    patch: int = 256
    learning_rate: float | None = None
    device: str = "auto"
    precision: str = "auto"
    random_state: Any = None
    verbose: int = 0

    weights_: Weights = field(init=False)
    analysis_: dict[str, Float16] = field(init=False)
    history_: list[dict[str, Any]] = field(init=False)
    notes_: list[str] = field(init=False)
    provenance_: dict[str, Any] = field(init=False)
    _told: list[str] | None = field(init=False, default=None)  # those of notes_ that the last call told

    def __new__(cls, *args: Any, **parameters: Any) -> Self:
        """Refuse unknown parameters with the nearest known name, before Python does without it."""
        checks.known_names(cls.__name__, parameters, cls._get_param_names())
        return super().__new__(cls)

    @classmethod
    def shipped(cls) -> Self:
        """Return the codec that comes with the package; DataError where it came without its weights."""
        cls._shipped().networks()  # made once for all
        return copy.copy(cls._shipped())

    @classmethod
    @functools.cache
    def _shipped(cls) -> Self:
        carried = weights.shipped()
        if carried is None or not ANALYSIS.exists():
            raise checks.weights_missing()
        document, analysis = artifact.read(ANALYSIS, CLASS)
        made = cls()._use(carried, analysis)
        made.history_, made.notes_, made.provenance_ = [], [], document["provenance"]
        return made

    # ------------------------------------------------------------------ fit

    def check_parameters(self) -> None:
        """Refuse parameters that are invalid for any data."""
        tuning.check(self)
        owner = type(self).__name__
        checks.integer(owner, "patch", self.patch, low=64)
        checks.patch_side(owner, self.patch, checks.CODEC_SIDES)

    @telling.learns
    def fit(
        self, X: Any, y: Any = None, *, validation: Any = None, checkpoint: str | os.PathLike[str] | None = None
    ) -> Self:
        """Learn to code pictures of one kind.

        Held-out pictures are scored before and after. Where they cost more afterwards, the weights of the start are
        kept, and ``notes_`` says so.

        Parameters
        ----------
        X : pictures
            As :class:`isthmus.Restorer` takes them: a folder, files, arrays of grey pictures or in colour. Those of
            JPEG files are reduced to a half, where they are large enough.
        y : None
            Not looked at.
        validation : pictures, float or None
            Held-out pictures, or the share of ``X`` to hold out; 0 for none. By default a tenth, one of two at least.
        checkpoint : path, optional
            A file to keep the state of the run in. Where it is there already, the run goes on from it, and ends with
            the weights of one that was never stopped.

        Returns
        -------
        self

        Raises
        ------
        DataError
            The pictures are smaller than a patch.
        ParameterError
            A parameter is not allowed, or the checkpoint is of another run.
        TrainingError
            The loss is no number any more, or the weights grew too large for whole numbers.

        Examples
        --------
        >>> import numpy as np
        >>> from scipy import ndimage
        >>> from isthmus import PhotographicCodec
        >>> noise = np.random.default_rng(0).random((4, 64, 64))
        >>> pictures = ndimage.gaussian_filter(noise, (0, 2, 2)).astype("float32")
        >>> codec = PhotographicCodec(patch=64, batch_size=1, max_steps=1, random_state=0)
        >>> [record["step"] for record in codec.fit(pictures).history_]
        [0, 1]
        """
        self.check_parameters()
        device = device_named(type(self).__name__, self.device)
        seed = seed_to_fit(self.random_state, self.device)
        own = _Own.of(X, validation, self.patch, seed)
        codec = _beginning(self.start, seed)
        first = _rounded(codec)
        plan = Plan(
            steps=self.max_steps,
            data=own.shown.digest,
            begun_with=first[0].fingerprint.hex(),
            batch_size=self.batch_size,
            patch=self.patch,
            rate=self.learning_rate or (FRESH_RATE if self.start is None else TUNING_RATE),
            warm=min(WARM, self.max_steps // 10),
            precision=tuning.precision_of(self, device.type),
            seed=seed,
        )
        course = tuning.course_of(
            *(self, plan, checkpoint, own.held_out),
            scored=lambda record: f"a cost of {record['cost']:.4f}",
            learned=lambda loss: f"a cost of {loss:.4f}",
        )
        progress = train(codec, Patches([*map(_coloured, own.shown.learned)], plan), device=device, **course)
        self.history_, self._told = progress.history, None
        self.provenance_ = tuning.provenance_of(self, plan, progress, own, device) | {"source": tuning.source_of(X)}
        self.notes_ = telling.sentences()
        if own.held_out and self.start is None:
            self.provenance_["shipped"] = own.held_out.scores(_beginning("shipped", seed))
        found = _rounded(codec.cpu())
        if self.history_ and not self.history_[-1]["cost"] <= (before := self.history_[0]["cost"]):
            found = first
            self.notes_.append(checks.coding_did_harm(before, self.history_[-1]["cost"], own.held_out_records))
        return self._use(*found)

    @property
    def bits_saved_(self) -> float | None:
        """The share of the bits of held-out pictures saved at one PSNR, over the weights of the package; or None.

        It is of those of the fit, also where ``notes_`` says that they were given up.
        """
        before = self.provenance_.get("shipped", self.history_[0] if self.history_ else None)
        return bits_saved(before, self.history_[-1]) if before else None

    # ------------------------------------------------------------------ use

    @property
    def fingerprint_(self) -> str:
        """What names the decoder in the files that need it."""
        return self.fitted().fingerprint.hex()

    def fitted(self) -> Weights:
        """Return what a decoder takes of it; NotFittedError before :meth:`fit`."""
        check_is_fitted(self, "weights_")
        return self.weights_

    def networks(self) -> tuple[Analysis, Decoder]:
        """Return the analysis and the decoder, on the processor, for use alone; NotFittedError before :meth:`fit`."""
        self.fitted()
        return self._networks

    @functools.cached_property
    def _networks(self) -> tuple[Analysis, Decoder]:
        with torch.random.fork_rng([]):  # what modules begin with is random
            found = Analysis(), from_integers(self.weights_.tensors)
        own = {name: torch.from_numpy(tensor.astype(np.float32)) for name, tensor in self.analysis_.items()}
        found[0].load_state_dict(own)
        for network in found:
            network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return found

    @torch.no_grad()
    def still_computes(self) -> bool:
        """Return whether an even picture comes back nearly even."""
        analysis, decoder = self.networks()
        found = analysis(torch.zeros(1, 3, 2 * LEAST, 2 * LEAST), decoder, torch.tensor([0.5])).picture
        return bool(found.abs().max() * UNIT < EVEN)

    def _use(self, decoder: Weights, analysis: dict[str, NDArray[Any]]) -> Self:
        """Take weights as the fitted ones."""
        self.weights_, self.analysis_ = decoder, analysis
        self.__dict__.pop("_networks", None)  # those of an earlier fit
        return self

    # ------------------------------------------------------------------ files

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the fitted codec as one safetensors file that ``isthmus.load`` reads.

        Parameters
        ----------
        path : path
        force : bool, default=False
            Whether an existing file may be replaced.

        Raises
        ------
        OutputExistsError
            The file exists and ``force`` is off.
        """
        artifact.write(path, CODEC, *self.state(), force=force)

    def state(self) -> documents.State:
        """Return the JSON document and the arrays that a file of this codec holds."""
        tensors = self.fitted().tensors
        document = {
            "decoder": DECODER,
            "parameters": {name: parameter_to_json(name, value) for name, value in self.get_params(deep=False).items()},
            "history": self.history_,
            "notes": telling.of_fit(self),
            "provenance": self.provenance_,
        }
        return document, documents.prefixed("decoder", tensors) | documents.prefixed("analysis", self.analysis_)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, network: Any = None, device: str | None = None) -> Self:
        """Return the codec of a file that :meth:`save` wrote.

        Parameters
        ----------
        path : path
        network : None
            A codec has no modules of the user's own.
        device : str, optional
            Not looked at: pictures are coded by the processor.

        Raises
        ------
        ArtifactError
            The file is damaged or holds another class.
        FormatNumberError
            The file is of a later format.
        """
        artifact.describe(path)
        if os.path.getsize(path) > FILE_LIMIT:
            raise checks.codec_too_large(path, FILE_LIMIT)
        document, arrays = artifact.read(path, CODEC)
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
        """Return the codec that :meth:`state` described; ``path``, for sentences, is where the state was found."""
        checks.not_together("isthmus.load", "network", network, "the class", cls.__name__, plain=None)
        with artifact.understanding(path):
            its = documents.read(_Document, document)
        if its["decoder"] > DECODER:
            raise checks.later_codec(path, its["decoder"])
        with artifact.understanding(path):
            decoder, analysis = (documents.under(part, arrays) for part in ("decoder", "analysis"))
            if len(decoder) + len(analysis) < len(arrays) or _kinds(analysis) != _kinds_of_analysis():
                raise ArtifactError("its tensors are none that a codec of photographs has")
            documents.check_finite(analysis)
            made = cls(**parameters_from_json(cls, its.get("parameters", {})))
            made.check_parameters()
            made._use(Weights(decoder), analysis)
        made.history_, made.notes_ = its.get("history", []), its.get("notes", [])
        made.provenance_ = its["provenance"]
        return made


def _beginning(start: str | None, seed: int) -> Codec:
    """Return the networks that a fit begins with."""
    codec = Codec(seed)
    if start is not None:
        for own, theirs in zip((codec.analysis, codec.decoder), PhotographicCodec.shipped().networks(), strict=True):
            own.load_state_dict(theirs.state_dict())
    return codec


@dataclass(frozen=True)
class _Own:
    """Pictures to learn from, and those that judge it."""

    shown: Shown

    @classmethod
    def of(cls, X: Any, validation: Any, patch: int, seed: int) -> Self:
        how: dict[str, Any] = {"margin": 0, "least": LEAST, "sides": checks.CODEC_SIDES}
        return cls(shown_and_held_out("PhotographicCodec.fit", X, validation, patch, seed, **how))

    @property
    def records(self) -> int:
        return len(self.shown.learned)

    @property
    def held_out_records(self) -> int:
        return len(self.shown.held_out)

    @functools.cached_property
    def held_out(self) -> HeldOut | None:
        pictures = [middle(picture) for picture in _coloured(self.shown.held_out)]
        return HeldOut(pictures) if pictures else None


def _coloured(pictures: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Return pictures with three colours, which share their memory where they are grey."""
    return [np.broadcast_to(picture, (*picture.shape[:2], 3)) for picture in pictures]


def _rounded(codec: Codec) -> tuple[Weights, dict[str, Float16]]:
    """Return what is kept of networks: the decoder in whole numbers, the analysis in 16 bits."""
    try:
        decoder = Weights(to_integers(within_bounds(codec.decoder)))
    except (ValueError, ArtifactError) as error:
        raise TrainingError(f"PhotographicCodec: {error}; lower the learning rate.") from error
    analysis = codec.analysis.state_dict().items()
    return decoder, {name: value.detach().numpy().astype(np.float16) for name, value in analysis}


Kinds = dict[str, tuple[str, tuple[int, ...]]]


def _kinds(tensors: dict[str, NDArray[Any]]) -> Kinds:
    return {name: (tensor.dtype.name, tensor.shape) for name, tensor in tensors.items()}


@functools.cache
def _kinds_of_analysis() -> Kinds:
    """Return types and shapes of the tensors of an analysis, as a file holds them."""
    with torch.device("meta"):
        return {name: ("float16", tuple(value.shape)) for name, value in Analysis().state_dict().items()}


class _Document(TypedDict):
    decoder: int
    provenance: dict[str, Any]
    parameters: NotRequired[dict[str, Any]]
    history: NotRequired[list[dict[str, Any]]]
    notes: NotRequired[list[str]]
