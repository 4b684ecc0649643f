"""The network of a prior: a gated recurrent unit in integers, which says what the next byte is like.

Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation" (EMNLP
2014), with the reset gate behind the product, so that one product with the state serves all gates. With e what is
looked up, W, R and b the weights::

    r = s(W_r e + l_r(c) + R_r h)       l(c): what the last byte c adds
    z = s(W_z e + l_z(c) + R_z h)       s: the logistic function
    n = tanh(W_n e + l_n(c) + r (R_n h + b))
    h = (1 - z) n + z h

The log odds of a bit are the product of (h, e) with the vector of its node in the tree of the bits of a byte.

Integers stand for fractions: e, W and R for 64ths, l and b for 4,096ths, h for 16,384ths, vectors of nodes for
512ths. No sum reaches 2^31, so that 32-bit integers serve, in any order: R h stays below 256 * 127 * 2^14, and those
of the nodes are checked (`isthmus.coding.prior`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.coding.reference.numbers import LIMIT, clip, mix, squash

__all__ = ["GRAM_BITS", "HIDDEN", "WIDTH", "Network", "grams"]

GRAM_BITS = (15, 16, 16, 16, 16, 16)  # logarithms of the rows of the tables
WIDTH, HIDDEN = 16, 256
SQUASHED = np.array([squash(x) for x in range(-LIMIT, LIMIT + 1)])


def grams(c4: int, folded: int, word: int, word_before: int) -> list[int]:
    """Return the rows that the coming byte looks up: by the last bytes, and by words.

    Parameters
    ----------
    c4 : int
        The last four bytes.
    folded : int
        The last bytes in lower case, with one space for all white space: six of them are used.
    word, word_before : int
        Hashes of the word so far, and of the one before it.
    """
    found = (c4 & 0xFFFF, c4 & 0xFFFFFF, c4, folded & 0xFFFFFFFFFFFF, mix(word, c4 & 0xFF), mix(word, word_before))
    return [
        mix(context * 0xD6E8FEB86659FD93, (k + 1) << 40) >> (64 - bits)
        for k, (context, bits) in enumerate(zip(found, GRAM_BITS, strict=True))
    ]


class Network:
    """The network, with its state.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        Of a prior.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self.tables = [tensors[f"grams.{k}"] for k in range(len(GRAM_BITS))]
        self.last, self.nodes = tensors["last"], tensors["nodes"]
        self.inputs, self.recurrent, self.bias = (
            tensors[name].astype(np.int64) for name in ("inputs", "recurrent", "bias")
        )
        self.node_bias = tensors["node_bias"].tolist()
        self.h = np.zeros(HIDDEN, np.int64)
        self.features = np.zeros(self.nodes.shape[1], np.int64)  # h and e, in 16,384ths

    def step(self, last: int, rows: Sequence[int]) -> None:
        """Go on by the last byte, and look up the rows of the coming one."""
        e = np.concatenate([table[row] for table, row in zip(self.tables, rows, strict=True)]).astype(np.int64)
        given = self.inputs @ e + self.last[last]
        recurrent = self.recurrent @ self.h
        r, z = (_squashed((given << 8) + recurrent >> 12) >> 1)[: 2 * HIDDEN].reshape(2, HIDDEN)
        candidate = np.clip((recurrent[2 * HIDDEN :] >> 8) + self.bias, -32768, 32768)
        n = (_squashed((given[2 * HIDDEN :] + (r * candidate >> 15)) >> 3) - 32768) >> 1  # tanh(x) = 2 s(2x) - 1
        self.h = n + (z * (self.h - n) >> 15)
        self.features = np.concatenate([self.h, e << 8])

    def odds(self, node: int) -> int:
        """Return the log odds that a bit is one, in 256ths; the node is the bits before it after a leading one."""
        return clip((int(self.nodes[node].astype(np.int64) @ self.features) >> 15) + self.node_bias[node])


def _squashed(odds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the probabilities of many log odds."""
    return SQUASHED[np.clip(odds, -LIMIT, LIMIT) + LIMIT]
