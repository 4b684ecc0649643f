"""The restorer: noise, JPEG blocks, holes, small and blurred pictures, by one network that comes with the package.

It learned from clean photographs that were damaged in every way of :mod:`isthmus.networks.degradations`. It is told
what is missing, how much a picture is to be enlarged and whether blur is to go; how strong the noise is it sees for
itself (Zhang et al., "Beyond a Gaussian Denoiser", TIP 2017, section III-D).
"""

from __future__ import annotations

import copy
import functools
import importlib.util
import math
import os
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, Self, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from isthmus import artifact, checks, documents, telling, training
from isthmus.base import seed_to_fit
from isthmus.description import no_more_than, parameter_to_json, parameters_from_json
from isthmus.errors import ArtifactError
from isthmus.models import tuning
from isthmus.models.noisy import own_noisy
from isthmus.models.photographs import own_photographs
from isthmus.models.pictures import Pictures
from isthmus.networks.restoring import MULTIPLE, PLANES, RestoringNetwork, fill, planes
from isthmus.training.devices import device_named, device_to_load_on
from isthmus.training.restoring import Plan, new_network, train

if TYPE_CHECKING:
    from isthmus.tasks.pixels import Pixels
    from isthmus.tasks.tiling import Source, Tile

__all__ = ["SHIPPED", "Restorer"]

SHIPPED = Path(__file__).with_name("restorer_1.safetensors")
SCALES = (1, 2, 3, 4)
LEVELS = 3  # of the network
FRESH_RATE, TUNING_RATE, WARM = 0.01, 0.001, 200  # peaks of the learning rate, and steps in which it rises
EVEN = 0.1  # that an even picture may change, where white is 1
TOGETHER = 2**16  # pixels of small pictures that go through the network together

Bools = NDArray[np.bool_]


@dataclass(kw_only=True, eq=False, repr=False)
class Restorer(BaseEstimator):
    """Restores pictures: removes noise, JPEG blocks and blur, fills holes, and enlarges.

    One blind network for all of it, and for pictures of any size, in grey and in colour, of 8 or 16 bits or floats.
    :meth:`shipped` returns the one that comes with the package; :meth:`fit` tunes it to pictures of one's own.

    Pictures ``X`` are an array ``(n, height, width)`` of grey ones or ``(n, height, width, channels)``; a list of
    arrays ``(height, width[, channels])`` of any sizes; the path of a file or a folder; ``Data``; or one picture alone:
    an array ``(height, width)``, or an image of Pillow. An array of three dimensions is always a stack of grey
    pictures, as in :func:`isthmus.data.open`: one picture in colour is ``X[None]``. What comes back is of the same
    container, type and shape; a single file comes back as an array of one picture.

    Of two or four channels the last is transparency, which comes back as it is. Three channels are colours; of five or
    more each is restored by itself. White is 1 or 255 of floats, and of whole numbers of more than 8 bits the least of
    255, 511, 1023, ... that none exceeds; NaN and infinities count as missing, and are filled.

    Parameters
    ----------
    start : {"shipped", None}, default="shipped"
        What :meth:`fit` begins with: the weights of the package, or none.
    self_supervised : bool, default=False
        Whether :meth:`fit` learns to denoise from noisy pictures, of which there are no clean ones.
    max_steps : int, default=1000
        Steps of training.
    max_seconds : float, optional
        Wall time to train for.
    batch_size : int, default=10
        Patches a step.
    patch : int, default=104
        Pixels a side of a patch: 8 more than a multiple of 24.
    learning_rate : float, optional
        At the start, from which it falls to nothing; by default 0.001 with the weights of the package, else 0.01.
    channels : tuple of int, optional
        Of the three levels of a network that starts anew, by default ``(64, 128, 192)``.
    device : str, default="auto"
        "cpu", "cuda", "mps"; "auto" takes a GPU where there is one.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Of convolutions. "auto" takes bfloat16 in training where the device has it in hardware, and float32 in use.
    random_state : int, RandomState or None, default=None
        Seed of everything random; global generators are never touched.
    verbose : int, default=0
        Whether to show progress.

    Attributes
    ----------
    module_ : torch.nn.Module
        The network.
    history_ : list of dict
        What was measured in training: ``step, seconds`` and PSNR in dB by kind of damage, of held-out pictures. With
        ``self_supervised`` their PSNR as it is ``estimated``, and that of hidden pixels against their noisy values,
        ``blind_spot``.
    notes_ : list of str
        What a person should know of the fit, and of the last call.
    provenance_ : dict
        What it was trained on, where and how long.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import Restorer
    >>> noisy = np.random.default_rng(0).normal(0.5, 0.1, (40, 56)).clip(0, 1)
    >>> restored = Restorer.shipped().denoise(noisy)
    >>> restored.shape, bool(restored.std() < 0.5 * noisy.std())
    ((40, 56), True)
    """

    start: str | None = "shipped"
    self_supervised: bool = False
    max_steps: int = 1000
    max_seconds: float | None = None
    batch_size: int = 10
    patch: int = 104
    learning_rate: float | None = None
    channels: tuple[int, ...] | None = None
    device: str = "auto"
    precision: str = "auto"
    random_state: Any = None
    verbose: int = 0

    module_: RestoringNetwork = field(init=False)
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
        """Return the restorer that comes with the package, an object of one's own on weights that are read once."""
        return copy.copy(cls._shipped())

    @classmethod
    @functools.cache
    def _shipped(cls) -> Self:
        return cls.load(SHIPPED)

    # ------------------------------------------------------------------ fit

    def check_parameters(self) -> None:
        """Refuse parameters that are invalid for any data."""
        tuning.check(self)
        owner = type(self).__name__
        if self.start is not None:
            checks.not_together(owner, "channels", self.channels, "start", self.start, plain=None)
        checks.widths(owner, "channels", self.channels)
        if self.channels is not None and len(self.channels) != LEVELS:
            checks.same_number(owner, "the length of channels", len(self.channels), "the number of levels", LEVELS)
        checks.integer(owner, "patch", self.patch, low=8)
        checks.patch_side(owner, self.patch)

    @telling.learns
    def fit(
        self, X: Any, y: Any = None, *, validation: Any = None, checkpoint: str | os.PathLike[str] | None = None
    ) -> Self:
        """Learn to restore clean pictures that are damaged anew for every step, or noisy ones as they are.

        With ``self_supervised`` the pictures are noisy, and nothing cleaner is known of them: micrographs, scans,
        pictures of 16 bits or of many bands, each of which is learned from by itself. How strong the noise is, and how
        it grows with light, is estimated from them, as the same for all of one white. New noise like it is put onto
        each patch, so that the network reads one noisy version and predicts another, whose noise has nothing in common
        with the first (Pang et al., "Recorrupted-to-Recorrupted", CVPR 2021). That is for noise that is independent
        from pixel to pixel. Whether it is, what the result is worth as far as that can be known without clean pictures,
        and whether it is any better than what came in, ``notes_`` says and ``provenance_["check"]`` keeps.

        Held-out pictures are scored before and after. Where they are restored worse afterwards, the weights of the
        start are kept, and ``notes_`` says so.

        Parameters
        ----------
        X : pictures
            Clean ones. Those of JPEG files are reduced to a half, where they are large enough. With
            ``self_supervised`` noisy ones, that are learned from as they are.
        y : None
            Not looked at.
        validation : pictures, float or None
            Held-out pictures, or the share of ``X`` to hold out; 0 for none. By default a tenth, one of two at least.
            With ``self_supervised`` they are noisy, too.
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
            The loss is no number any more.

        Examples
        --------
        >>> import numpy as np
        >>> from scipy import ndimage
        >>> from isthmus import Restorer
        >>> noise = np.random.default_rng(0).random((4, 64, 64))
        >>> pictures = ndimage.gaussian_filter(noise, (0, 2, 2)).astype("float32")
        >>> restorer = Restorer(start=None, channels=(8, 8, 8), patch=32, batch_size=2, max_steps=2, random_state=0)
        >>> [record["step"] for record in restorer.fit(pictures).history_]
        [0, 2]
        """
        self.check_parameters()
        device = device_named(type(self).__name__, self.device)
        seed = seed_to_fit(self.random_state, self.device)
        own = (own_noisy if self.self_supervised else own_photographs)(X, validation, self.patch, seed)
        network = self._beginning(seed)
        first = {name: weights.clone() for name, weights in network.state_dict().items()}
        plan = Plan(
            steps=self.max_steps,
            data=own.digest,
            begun_with=artifact.digest(training.to_arrays(first)),
            batch_size=self.batch_size,
            patch=self.patch,
            rate=self.learning_rate or (FRESH_RATE if self.start is None else TUNING_RATE),
            warm=min(WARM, self.max_steps // 10),
            precision=tuning.precision_of(self, device.type),
            seed=seed,
        )
        course = tuning.course_of(
            *(self, plan, checkpoint, own.held_out),
            scored=lambda record: f"{_mean(record):.2f} dB",
            learned=lambda loss: f"{-20 * math.log10(loss):.2f} dB",
        )
        progress = train(network, own.batches(plan), device=device, **course)
        self.history_, self._told = progress.history, None
        self.provenance_ = tuning.provenance_of(self, plan, progress, own, device)
        self.provenance_ |= {"self_supervised": self.self_supervised, "source": tuning.source_of(X)}
        self.notes_ = telling.sentences()
        if progress.history and (harm := _harm(progress.history, own.held_out_records)):
            network.load_state_dict(first)
            self.notes_.append(harm)
        self._use(network, device)
        kept, said = own.look(self.module_)
        self.provenance_ |= kept
        self.notes_ += said
        return self

    def _beginning(self, seed: int) -> RestoringNetwork:
        """Return the network that a fit begins with."""
        if self.start is None:
            return new_network(seed, **({} if self.channels is None else {"channels": self.channels}))
        shipped = type(self)._shipped().module_
        network = RestoringNetwork(**shipped.shape())
        network.load_state_dict(shipped.state_dict())
        return network

    # ------------------------------------------------------------------ use

    @telling.tells
    def denoise(self, X: Any) -> Any:
        """Return pictures without their noise and their JPEG blocks.

        Parameters
        ----------
        X : pictures

        Returns
        -------
        pictures
            As many, of the same container, shape and type.

        Raises
        ------
        DataError, DataTypeError, ShapeError
            They are no pictures, cannot be read, or nothing of one is known.
        """
        return self._restored("denoise", X)

    @telling.tells
    def deblur(self, X: Any) -> Any:
        """Return pictures without the blur of a lens or of a moving hand, and without noise.

        Parameters
        ----------
        X : pictures

        Returns
        -------
        pictures
            As many, of the same container, shape and type.
        """
        return self._restored("deblur", X, deblur=True)

    @telling.tells
    def enhance(self, X: Any, *, scale: int = 2) -> Any:
        """Return pictures enlarged, with the detail that is likely there.

        Parameters
        ----------
        X : pictures
        scale : {1, 2, 3, 4}, default=2
            Pixels for one, to each side.

        Returns
        -------
        pictures
            Of ``scale`` times the height and width, in the same container and type.

        Raises
        ------
        ParameterError
            It cannot enlarge so much.
        """
        checks.integer("enhance", "scale", scale, low=SCALES[0], high=SCALES[-1])
        return self._restored("enhance", X, scale=int(scale))

    @telling.tells
    def inpaint(self, X: Any, mask: Any = None) -> Any:
        """Fill marked pixels; all others come back exactly as they were.

        Parameters
        ----------
        X : pictures
            What stands in marked pixels is not looked at.
        mask : array, path or list, optional
            What to fill: not zero where a pixel is missing. Of the shape of one picture (the same pixels of each), or
            of all; channels may be left out. By default what is missing of pictures of floats.

        Returns
        -------
        pictures
            As many, of the same container, shape and type.

        Raises
        ------
        ShapeError
            The mask fits neither one picture nor all of them.
        DataError
            All of a picture is missing.
        ParameterError
            There is no mask, and nothing is missing.
        """
        from isthmus.tasks.masks import Marks

        self._is_fitted()
        pictures = Pictures.of("inpaint", X)
        pictures.tell_of_missing()
        if mask is None and all(missing is None for missing in pictures.missing):
            raise checks.mask_of_picture_wanted(pictures.data.source)
        marks = None if mask is None else Marks(mask, pictures.data)

        def holes_of(number: int) -> Bools:
            missing = pictures.missing[number]
            found = np.zeros(pictures.picture(number).shape, np.bool_) if missing is None else missing
            if marks is None:
                return found
            marked = marks.of(number, pictures.data.chunk(number, number + 1))[0]
            return found | (marked & _colours(marked.shape))

        holes = {number: holes_of(number) for number in range(len(pictures.missing))}
        if not any(marked.any() for marked in holes.values()):
            raise checks.mask_marks_nothing(pictures.data.source)
        filled = self._filled("inpaint", pictures, holes)
        return pictures.back([filled[number] for number in range(len(filled))])

    def _restored(self, task: str, X: Any, *, scale: int = 1, deblur: bool = False) -> Any:
        """Return restored pictures, in the container they came in."""
        self._is_fitted()
        pictures = Pictures.of(task, X)
        pictures.tell_of_missing()
        holes = {number: missing for number, missing in enumerate(pictures.missing) if missing is not None}
        filled = self._filled(task, pictures, holes)

        def whole(number: int) -> NDArray[Any]:
            return filled[number] if number in filled else pictures.picture(number)

        order = pictures.by_size()
        given = (_Given(whole(number)) for number in order)
        made = dict(zip(order, self._pictures(given, pictures.limits, scale=scale, deblur=deblur), strict=True))
        return pictures.back([made[number] for number in range(len(made))])

    def _filled(self, task: str, pictures: Pictures, holes: Mapping[int, Bools]) -> dict[int, NDArray[Any]]:
        """Return pictures by number whose holes, (h, w[, c]), are filled; what is known of them stays, bit for bit."""

        def given(number: int) -> _Given:
            marked = holes[number]
            known: Bools = ~marked if marked.ndim == 2 else ~np.any(marked, axis=2)
            if not known.any():
                raise checks.nothing_known(task, pictures.names[number])
            return _Given(pictures.picture(number), known)

        order = pictures.by_size(holes)
        made = self._pictures(map(given, order), pictures.limits)
        return {
            number: np.where(holes[number], found, pictures.picture(number))
            for number, found in zip(order, made, strict=True)
        }

    def picture(
        self,
        picture: NDArray[Any],
        *,
        known: Bools | None = None,
        limits: tuple[float, float] | None = None,
        scale: int = 1,
        deblur: bool = False,
    ) -> NDArray[Any]:
        """Return one restored picture.

        Parameters
        ----------
        picture : ndarray, shape (height, width[, channels])
            Finite numbers.
        known : ndarray of bool, shape (height, width), optional
            Where it is known.
        limits : (float, float), optional
            Lowest and highest number of the pictures among which it is; by default its own.
        scale : {1, 2, 3, 4}, default=1
            How much to enlarge it.
        deblur : bool, default=False
            Whether to remove blur.

        Returns
        -------
        ndarray, shape (scale height, scale width[, channels])
        """
        return next(self._pictures([_Given(picture, known)], limits, scale=scale, deblur=deblur))

    def _pictures(
        self,
        given: Iterable[_Given],
        limits: tuple[float, float] | None,
        *,
        scale: int = 1,
        deblur: bool = False,
    ) -> Iterator[NDArray[Any]]:
        """Yield restored pictures in their order; small ones of one size go through the network together."""
        from isthmus.tasks.tiling import tiles

        waiting: deque[tuple[NDArray[Any], int]] = deque()  # results, and how many of their tiles are to come

        def parts() -> Iterator[_Part]:
            for one in given:
                source, pixels, known = one.opened(limits)
                height, width = (side * scale for side in source.shape[:2])
                result = np.empty((height, width, *one.picture.shape[2:]), one.picture.dtype)
                waiting.append((result, sum(1 for _ in tiles(height, width, self.module_.reach))))
                yield from self._parts(source, pixels, known, scale)

        left = 0
        for part in self._through_network(parts(), scale, deblur):
            result, count = waiting[0]
            found = result[part.tile.top :, part.tile.left :][: part.tile.height, : part.tile.width]
            found[...] = part.result().reshape(found.shape)
            left = (left or count) - 1
            if not left:
                yield waiting.popleft()[0]

    def tiles_of(
        self, source: Source, pixels: Pixels, *, known: Tensor | None = None, scale: int = 1, deblur: bool = False
    ) -> Iterator[tuple[Tile, NDArray[Any]]]:
        """Yield a restored picture tile by tile, in its own numbers.

        Parameters
        ----------
        source : Source
            The picture, 0 for black and 1 for white.
        pixels : Pixels
            What its numbers mean.
        known : tensor, shape (1, height, width), optional
            1 where a pixel is known, 0 where it is missing. Then the picture must be in memory, and known pixels come
            back as they are.
        scale : {1, 2, 3, 4}, default=1
            How much to enlarge it.
        deblur : bool, default=False
            Whether to remove blur.
        """
        for part in self._through_network(self._parts(source, pixels, known, scale), scale, deblur):
            yield part.tile, part.result()

    def _parts(self, source: Source, pixels: Pixels, known: Tensor | None, scale: int) -> Iterator[_Part]:
        """Yield what is read of a picture, tile by tile."""
        from isthmus.tasks.tiling import Enlarged, Whole, tiles

        given = source if scale == 1 else Enlarged(source, scale)
        for tile in tiles(*given.shape[:2], self.module_.reach):
            read = tile.read(given)
            yield _Part(tile, pixels, read, None if known is None else tile.read(Whole(known)), read.clone())

    def _through_network(self, parts: Iterable[_Part], scale: int, deblur: bool) -> Iterator[_Part]:
        """Yield parts of pictures, restored, in their order; neighbours of one shape go through the network together.

        How many do is bounded by their pixels, so that many small pictures take no more memory than a large one.
        """
        for some in _together(parts):
            height, width, periodic = some[0].tile.shape
            groups = [(part, list(group)) for part in some for group in part.pixels.groups]
            count = max(1, TOGETHER // (height * width))
            for first in range(0, len(groups), count):
                batch = groups[first : first + count]
                read = [part.planes(group, scale=scale, deblur=deblur) for part, group in batch]
                for (part, group), restored in zip(batch, self._through(torch.cat(read), periodic), strict=True):
                    part.found[group] = restored if len(group) == 3 else restored.mean(0, keepdim=True)
            yield from some

    @torch.no_grad()
    def _through(self, x: Tensor, periodic: bool) -> Tensor:
        """Return what the network makes of planes on the host: (b, 6, h, w) -> (b, 3, h, w)."""
        device = next(self.module_.parameters()).device
        with training.products(device.type, self.precision):
            found = self.module_(x.to(device, memory_format=torch.channels_last), periodic)
        return found.float().cpu()

    def still_computes(self) -> bool:
        """Return whether an even picture comes back nearly even."""
        even = np.full((8, 8), 0.5, np.float32)
        return bool(np.abs(self.picture(even, limits=(0, 1)) - even).max() < EVEN)

    def _is_fitted(self) -> None:
        if "module_" not in self.__dict__:
            check_is_fitted(self, "module_")

    # ------------------------------------------------------------------ files

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the fitted restorer as one safetensors file that ``isthmus.load`` reads.

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
        artifact.write(path, type(self).__name__, *self.state(), force=force)

    def export_onnx(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the network as an ONNX file, for other programs.

        Its input ``planes`` is float32 of shape (pictures, 6, height, width), sides multiples of 8: red, green and blue
        from 0 to 1 (all alike of a grey picture), with a guess where they are missing; 1 where a pixel is known; half
        the binary logarithm of how much the picture was enlarged beforehand; and 1 where blur is to be removed. Its
        output ``restored`` has the three colours. Of tiles of a larger picture the outer 72 pixels are to be cut off.

        Parameters
        ----------
        path : path
            Usually ends in ``.onnx``.
        force : bool, default=False
            Whether an existing file may be replaced.

        Raises
        ------
        UnavailableError
            The packages onnx and onnxscript are not at hand.
        OutputExistsError
            The file exists and ``force`` is off.
        """
        self._is_fitted()
        for package in ("onnx", "onnxscript"):
            if importlib.util.find_spec(package) is None:
                raise checks.no_onnx(package)
        content = _as_onnx(self.module_)
        with artifact.replacing(path, force=force) as file:
            file.write(content)

    def state(self) -> documents.State:
        """Return the JSON document and the arrays that a file of this restorer holds."""
        self._is_fitted()
        document = {
            "parameters": {name: parameter_to_json(name, value) for name, value in self.get_params(deep=False).items()},
            "network": self.module_.shape(),
            "history": self.history_,
            "notes": telling.of_fit(self),
            "provenance": self.provenance_,
        }
        return document, training.to_arrays(self.module_.state_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, network: Any = None, device: str | None = None) -> Self:
        """Return the restorer of a file that :meth:`save` wrote.

        Parameters
        ----------
        path : path
        network : None
            A restorer has no modules of the user's own.
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
        """Return the restorer that :meth:`state` described; ``path``, for sentences, is where the state was found."""
        checks.not_together("isthmus.load", "network", network, "the class", cls.__name__, plain=None)
        with artifact.understanding(path):
            its = documents.read(_Document, document)
            documents.check_finite(arrays)
            weights = {name: torch.from_numpy(array).float() for name, array in arrays.items()}
            with no_more_than(list(weights.values()), 0):
                module = RestoringNetwork(**its["network"])
            made = cls(**parameters_from_json(cls, its.get("parameters", {})))
            made.check_parameters()
        try:
            module.load_state_dict(weights)
        except RuntimeError as error:
            raise ArtifactError(
                f"The weights in {os.fspath(path)} do not fit its own description: {artifact.brief(error)}"
            ) from error
        made.history_, made.notes_ = its.get("history", []), its.get("notes", [])
        made.provenance_ = its["provenance"]
        return made._use(module, device_to_load_on(cls.__name__, device, made.device))

    def _use(self, module: RestoringNetwork, device: torch.device) -> Self:
        """Take a network as the fitted one, ready to be used on a device."""
        module = module.eval().requires_grad_(False)
        self.module_ = module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self


def _colours(shape: tuple[int, ...]) -> Bools:
    """Return which channels of a picture are not transparency, which masks do not mark: (c,) or (1,)."""
    channels = (*shape, 1)[2]
    return np.arange(channels) < (channels - 1 if channels in (2, 4) else channels)


# ------------------------------------------------------------------ on the way through the network


@dataclass(frozen=True)
class _Given:
    """A picture in memory, (h, w[, c]), and where it is known, (h, w)."""

    picture: NDArray[Any]
    known: Bools | None = None

    def opened(self, limits: tuple[float, float] | None) -> tuple[Source, Pixels, Tensor | None]:
        """Return the picture on the scale of a restorer, with a guess at what is missing; and where it is known."""
        from isthmus.tasks.pixels import Pixels
        from isthmus.tasks.tiling import Whole

        low, high = (float(self.picture.min()), float(self.picture.max())) if limits is None else limits
        pixels = Pixels.of(self.picture.dtype, (*self.picture.shape, 1)[2], low, high)
        values = pixels.to_unit(self.picture)
        if self.known is None:
            return Whole(values), pixels, None
        known = torch.from_numpy(self.known.astype(np.float32))[None]
        return Whole(fill(values[None], known[None])[0]), pixels, known


@dataclass(frozen=True)
class _Part:
    """A tile of a picture: what was read of it, where that is known, and what the network makes of it."""

    tile: Tile
    pixels: Pixels
    read: Tensor
    known: Tensor | None
    found: Tensor

    def planes(self, group: list[int], *, scale: int, deblur: bool) -> Tensor:
        """Return what the network reads of channels that are restored together: (1, 6, h, w)."""
        known = None if self.known is None else self.known[None]
        return planes(self.read[group].expand(3, -1, -1)[None], known, scale=scale, deblur=deblur)

    def result(self) -> NDArray[Any]:
        """Return the restored core in the picture's own numbers; what is known of a picture with holes stays."""
        found = self.found if self.known is None else torch.where(self.known > 0, self.read, self.found)
        return self.pixels.from_unit(self.tile.core(found))


def _together(parts: Iterable[_Part]) -> Iterator[list[_Part]]:
    """Yield neighbours of one shape in lists, each of as many pixels as go through the network together, or of one."""
    some: list[_Part] = []
    pixels = 0
    for part in parts:
        size = part.tile.read_height * part.tile.read_width * len(part.pixels.groups)
        if some and (part.tile.shape != some[0].tile.shape or pixels + size > TOGETHER):
            yield some
            some, pixels = [], 0
        some.append(part)
        pixels += size
    if some:
        yield some


def _as_onnx(network: RestoringNetwork) -> bytes:
    """Return a network as the content of an ONNX file, for any number of pictures of any size."""
    network = copy.deepcopy(network).to(torch.device("cpu"))
    pictures, rows, columns = (torch.export.Dim(name, min=1) for name in ("pictures", "rows", "columns"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about operators of other packages that torch looks for
        program = torch.onnx.export(
            network,
            (torch.zeros(2, PLANES, 2 * MULTIPLE, 3 * MULTIPLE),),
            input_names=["planes"],
            output_names=["restored"],
            dynamic_shapes=({0: pictures, 2: MULTIPLE * rows, 3: MULTIPLE * columns},),
            dynamo=True,
            verbose=False,
        )
    if program is None:  # says torch's signature
        raise RuntimeError("torch.onnx.export returned no program")
    content: bytes = program.model_proto.SerializeToString()
    return content


# ------------------------------------------------------------------ of a fit


def _mean(record: dict[str, Any]) -> float:
    """Return the mean PSNR over all kinds of damage, in dB; undamaged pictures are no such kind."""
    return float(np.mean([value for name, value in record.items() if name not in ("step", "seconds", "clean")]))


def _harm(history: list[dict[str, Any]], pictures: int) -> str:
    """Return what is said where held-out pictures are restored worse than by the weights of the start."""
    before, after = _mean(history[0]), _mean(history[-1])
    return checks.fine_tuning_did_harm(before, after, pictures) if after < before else ""


class _Network(TypedDict):
    channels: tuple[int, int, int]
    encoder: tuple[int, int, int]
    decoder: tuple[int, int]


class _Document(TypedDict):
    network: _Network
    provenance: dict[str, Any]
    parameters: NotRequired[dict[str, Any]]
    history: NotRequired[list[dict[str, Any]]]
    notes: NotRequired[list[str]]
