"""Random generators of metrics, on streams that no generator of the caller with the same seed shares."""

from __future__ import annotations

import numpy as np

__all__ = ["own_generator", "own_seed"]


def own_generator(random_state: int, purpose: str) -> np.random.Generator:
    """Return a generator whose stream is independent of ``default_rng(random_state)``.

    Data are often drawn with the seed 0, which is the metrics' default too. If noise were the very numbers that the
    data are made of, every figure would be wrong.

    Parameters
    ----------
    random_state : int
        The seed.
    purpose : str
        What for; another purpose is another stream.

    Returns
    -------
    numpy.random.Generator
        A new one.
    """
    return np.random.default_rng([random_state, *purpose.encode()])


def own_seed(random_state: int, purpose: str) -> int:
    """Return a seed for a generator of another library, as :func:`own_generator` does for NumPy's.

    Parameters
    ----------
    random_state : int
        The seed.
    purpose : str
        What for; another purpose is another seed.

    Returns
    -------
    int
        From 0 to 2^63 - 1.
    """
    return int(own_generator(random_state, purpose).integers(2**63))
