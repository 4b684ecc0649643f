"""Base class of likelihoods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from isthmus.networks.likelihoods.scale import Facts, SummaryLike

__all__ = ["Likelihood"]


class Likelihood(nn.Module, ABC):
    """Base of all likelihoods.

    Attributes
    ----------
    name : str
        What the parameter ``likelihood`` calls it.
    scaling : mapping of str to str
        For data of kind "array", "image", "table", "text": the scaling that brings them to this likelihood's support,
        a word of :meth:`isthmus.preprocessing.Preprocessor.rescale`. Kinds that are not there are refused.
    needs : str
        What records must be after scaling, for the sentence about a scaling that does not give that.
    continuous : bool
        Whether it is a density, whose value changes with the units of the data.
    codes : bool
        Whether records hold integer codes, which are not scaled.
    network : str or None
        The kind of networks that serves it best, where it is not a matter of the records alone.
    is_factorised : bool
        Whether the numbers of a record are independent given theta: then draws can be had all at once, and gradients
        through them.
    steps : float
        Share of the usual number of training steps to take, where each takes much longer than usual.
    """

    name: ClassVar[str]
    scaling: ClassVar[Mapping[str, str]]
    needs: ClassVar[str] = "numbers"
    continuous: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()
    network: ClassVar[str | None] = None
    is_factorised: ClassVar[bool] = True
    steps: ClassVar[float] = 1.0

    codes: bool = False

    # ------------------------------------------------------------------ for which data it is

    @classmethod
    def suits(cls, summary: SummaryLike, *, marginals: bool = False) -> str | None:
        """Return why this is the default for data of a kind in ``scaling``; None where it is not.

        Parameters
        ----------
        summary : Summary
            What the values look like.
        marginals : bool, default=False
            Whether each column of new records should be distributed as that of the data is.
        """
        return None

    def check_support(self, summary: SummaryLike, owner: str) -> None:
        """Refuse data of a kind in ``scaling`` with values outside the support; here there are none.

        Raises
        ------
        DataError
            The sentence is about ``owner``, and names the column or channel and the range found.
        """

    def default_scaling(self, kind: str, *, marginals: bool = False) -> str:
        """Return the default scaling of data of a kind; ``marginals`` as in :meth:`suits`."""
        return self.scaling[kind]

    def fits_scaling(self, scaling: str, summary: SummaryLike) -> bool:
        """Tell whether records are in the support after a scaling; they are after the default one."""
        return True

    def mismatch(self, summary: SummaryLike) -> str | None:
        """Return why the log-likelihood of such values is not one of theirs, and so not to be compared; else None."""
        return None

    # ------------------------------------------------------------------ what it computes

    @abstractmethod
    def prepare(self, facts: Facts) -> Self:
        """Return a copy that fits these data: its own parameters, of the right shapes, at a good start."""

    @abstractmethod
    def theta_shape(self, shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return the shape of the decoder's output for one record of shape ``shape``."""

    @abstractmethod
    def log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log p(x | theta) of each record.

        Parameters
        ----------
        theta : Tensor of any float dtype, shape (b, *theta_shape)
        x : Tensor, shape (b, *shape)
            Scaled records.

        Returns
        -------
        Tensor of float32 (float64 for float64 theta), shape (b,)
            Nats per example in scaled units, summed over dimensions.
        """

    @abstractmethod
    def mean(self, theta: Tensor) -> Tensor:
        """Return the expectation of x, shaped like x; for categories and masks the likeliest value."""

    @abstractmethod
    def sample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return x drawn from p(x | theta), shaped like x."""

    @abstractmethod
    def statistics(self, x: Tensor) -> Tensor:
        """Return the mean of the sufficient statistics of scaled records (n, *shape), of shape ``theta_shape``.

        That is the mean itself for numbers, and relative frequencies for categories.
        """

    @abstractmethod
    def initial_theta(self, mean: Tensor) -> Tensor:
        """Return the theta whose mean is ``mean`` (what :meth:`statistics` returns): a decoder's best first bias."""

    @abstractmethod
    def start_at(self, x: Tensor) -> None:
        """Start learned scales at the spread of scaled records (n, *shape) about their mean."""

    @abstractmethod
    def log_det(self, log_factor: Tensor, x: Tensor) -> Tensor | float:
        """Return log |d scaled / d data| of each record, to be added to ``log_prob``; 0 unless it is a density.

        Parameters
        ----------
        log_factor : Tensor, broadcastable to a record, or shaped like x
            Logarithm of what the data were multiplied with, for all records or for each of them.
        x : Tensor, shape (b, *shape)
            Scaled records.
        """

    def one_hot(self, x: Tensor) -> Tensor:
        """Return scaled records with categories as zeros and a one: numbers that change smoothly, (b, *theta_shape)."""
        return x

    def n_quantities(self, shape: Sequence[int | None]) -> int:
        """Return how many columns of a row, as :meth:`one_hot` writes it, are quantities; these come first."""
        return 0

    def denoised(self, theta: Tensor, x: Tensor, level: float) -> Tensor:
        """Return x without its noise, shaped like x: what theta says, whatever x is.

        Parameters
        ----------
        theta : tensor
            Of the noisy records.
        x : tensor
            The noisy records themselves, scaled.
        level : float
            The share of symbols that are others; of sequences only.
        """
        return self.mean(theta)

    def mean_with_sampled_categories(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return records, (b, *shape), with numbers at their means and categories drawn.

        For generators whose chance is all in their code: nothing is scattered round what they make.
        """
        return self.mean(theta)

    def rsample(self, theta: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return records as :meth:`one_hot` writes them, through which a gradient reaches theta.

        Numbers are means. Categories are drawn by the straight-through Gumbel softmax (Jang, Gu and Poole 2017).
        """
        return self.mean(theta)

    def to_dict(self) -> dict[str, Any]:
        """Return name and options as JSON values; :func:`likelihood_from` goes back."""
        return {"name": self.name, **{option: getattr(self, option) for option in self.options}}

    def __repr__(self) -> str:
        """Return the constructor call."""
        options = ", ".join(f"{option}={getattr(self, option)!r}" for option in self.options)
        return f"{type(self).__name__}({options})"
