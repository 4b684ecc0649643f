"""The prior of the package: what it is for, that it stays what it is, and that it gives nobody away."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pytest

import isthmus
from isthmus.coding import prior as priors
from isthmus.coding.reference import Network
from isthmus.coding.reference.network import HIDDEN, WIDTH, grams
from isthmus.coding.reference.predictor import Predictor

ENGLISH = (
    b"When the train had left, she walked along the platform and looked for the porter, who was nowhere to be seen. "
    b"It was colder than she had expected, and there was nothing to do but wait until somebody came.\n"
)
CODE = (
    b'def mean(values):\n    """Return the mean."""\n    return sum(values) / len(values)\n\n\n'
    b'if __name__ == "__main__":\n    print(mean([1, 2, 3]))\n'
)
LOG = b"".join(
    b'{"level": "INFO", "time": %d, "path": "/v1/users/%d", "status": 200}\n' % (1764000000 + 7 * k, k * k)
    for k in range(20)
)

# The first digits of SHA-256 of names of accounts in the logs, before others were put in their place.
NAMES = {
    "304528b7f627f4d5",
    "7d43d7df16d48822",
    "fde5361d847b0e8f",
    "fe9ebb6dd872591c",
    "f35ac34a7c994128",
}
PROMPTS = (
    b"Accepted password for ",
    b"Mar 27 13:08:09 host1 sshd[1361]: Accepted publickey for ",
    b"sudo:   ",
    b"session opened for user root by ",
    b"/Users/",
    b"/home/",
    b"From: ",
    b"mailto:",
    b"Author: ",
    b'"clientip": "',
    b"Failed password for invalid user admin from ",
    b"83.",
    b"192.168.254.",
    b"Contact: ",
)


@pytest.fixture(scope="module")
def prior() -> priors.Prior:
    found = priors.shipped()
    assert found is not None
    return found


def test_form_2_means_these_numbers_for_ever(prior: priors.Prior) -> None:
    assert prior.fingerprint.hex() == "8e976966dfa9abba5fcb0ebd8e64fcdaebad7ec2885f4a3cf7ff1eba6e24cbc5"
    assert priors.SHIPPED.stat().st_size < 8 << 20


@pytest.mark.parametrize("text", [ENGLISH, ENGLISH[:60], CODE, LOG])
def test_short_texts_become_smaller_by_more_than_a_tenth(text: bytes) -> None:
    with_it, without = isthmus.compress(text), isthmus.compress(text, prior=False)
    assert len(with_it) < 0.9 * len(without)
    assert isthmus.decompress(with_it) == text


def test_what_is_no_text_is_coded_without(prior: priors.Prior) -> None:
    data = bytes(range(256)) * 3
    assert isthmus.compress(data) == isthmus.compress(data, prior=False)


def written(prior: priors.Prior, prompt: bytes, length: int) -> bytes:
    """Return what the network writes behind a prompt, where each byte is the one that it expects most."""
    seen, network, found = Predictor(8, 2), Network(prior.tensors), b""
    for place in range(len(prompt) + length):
        network.step(seen.c4 & 0xFF, grams(seen.c4, seen.folded, *seen.words[:2]))
        node = 1
        while node < 256:
            node = node << 1 | (network.odds(node) > 0)
        byte = prompt[place] if place < len(prompt) else node & 0xFF
        found += bytes([byte])
        seen._see(byte)
    return found[len(prompt) :]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_nobody_can_be_drawn_out(prior: priors.Prior, prompt: bytes) -> None:
    text = written(prior, prompt, 60)
    assert not NAMES & {hashlib.sha256(word).hexdigest()[:16] for word in re.findall(rb"\w+", prompt[-1:] + text)}
    for address in re.findall(rb"\b\d{1,3}(?:\.\d{1,3}){3}\b", prompt + text):
        assert address.startswith((b"10.", b"127.", b"0.", b"255.")) or address.startswith(prompt[-4:])
    assert all(host == b"example.org" for host in re.findall(rb"\w@([\w.-]+\w)", text))


# ---------------------------------------------------------------------- the network


def test_the_network_is_a_gated_recurrent_unit() -> None:
    rng = np.random.default_rng(0)
    inputs = 6 * WIDTH
    tensors = {f"grams.{k}": rng.integers(-60, 60, (40, WIDTH)).astype(np.int8) for k in range(6)}
    tensors |= {
        "last": rng.integers(-4000, 4000, (256, 3 * HIDDEN)).astype(np.int16),
        "bias": rng.integers(-4000, 4000, HIDDEN).astype(np.int16),
        "inputs": rng.integers(-20, 20, (3 * HIDDEN, inputs)).astype(np.int8),
        "recurrent": rng.integers(-20, 20, (3 * HIDDEN, HIDDEN)).astype(np.int8),
        "nodes": rng.integers(-200, 200, (256, HIDDEN + inputs)).astype(np.int16),
        "node_bias": rng.integers(-200, 200, 256).astype(np.int16),
    }
    network, h = Network(tensors), np.zeros(HIDDEN)
    w, r = tensors["inputs"] / 64, tensors["recurrent"] / 64
    for _ in range(12):
        last, rows = int(rng.integers(256)), rng.integers(0, 40, 6).tolist()
        network.step(last, rows)
        e = np.concatenate([tensors[f"grams.{k}"][row] for k, row in enumerate(rows)]) / 64
        a, b = w @ e + tensors["last"][last] / 4096, r @ h
        gate, update = 1 / (1 + np.exp(-(a + b)[: 2 * HIDDEN].reshape(2, HIDDEN)))
        candidate = np.tanh(a[2 * HIDDEN :] + gate * (b[2 * HIDDEN :] + tensors["bias"] / 4096))
        h = (1 - update) * candidate + update * h
        assert np.abs(network.h / 2**14 - h).max() < 0.02
        h = network.h / 2**14  # so that errors do not add up
        odds = tensors["nodes"] / 512 @ np.concatenate([h, e]) + tensors["node_bias"] / 256
        expected = np.clip(odds, -11, 11)
        assert np.abs([network.odds(node) / 256 - expected[node] for node in range(256)]).max() < 0.02
