"""Train the network by which `isthmus compress` knows English, source code and logs before it has seen any.

    python recipes/text_prior.py TEXTS --state STATE --minutes 62 -o prior_1.safetensors

``TEXTS`` is a folder of folders of ``.xz`` files, each of which holds members that end in a line with a form feed. The
run can be stopped at any time and goes on where it was: all that it needs lies in ``STATE``. One core is enough.

The network is a gated recurrent unit (Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for
Statistical Machine Translation", EMNLP 2014). Each step reads, beside the last byte, six rows of tables that are looked
up by the last two to six bytes and by words, as Mikolov et al., "Strategies for Training Large Scale Neural Network
Language Models" (ASRU 2011) put hashed n-grams beside a recurrent network. It predicts the eight bits of the next byte,
each by a product with the vector of a node in the tree of bits. `isthmus.coding.reference.Network` says how it is
computed in integers; training rounds the weights as they will be rounded.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import lzma
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from safetensors.torch import save_file as save_tensors
from torch import Tensor, nn
from torch.nn import functional as F

from isthmus import artifact
from isthmus.coding import _native
from isthmus.coding.learning import practised
from isthmus.coding.prior import CLASS, PREDICTOR, Prior, blank
from isthmus.coding.reference.network import GRAM_BITS, HIDDEN, WIDTH

STREAMS, STEPS = 64, 64  # texts side by side, and bytes of each in one step of the optimiser
FINE, FINE_LIMIT = 64, 127 / 64  # gram rows and matrices: 8 bits, in units of 1/64
COARSE, COARSE_LIMIT = 4096, 32767 / 4096  # what is added to gates: 16 bits
NODE, NODE_LIMIT = 512, 32767 / 512  # vectors of the nodes: 16 bits
RATE = 3e-3


class Network(nn.Module):
    """What is trained: floating-point twins of the integer tensors."""

    def __init__(self) -> None:
        super().__init__()
        inputs = len(GRAM_BITS) * WIDTH
        self.grams = nn.ParameterList(nn.Parameter(torch.randn(1 << bits, WIDTH) * 0.1) for bits in GRAM_BITS)
        self.last = nn.Parameter(torch.randn(256, 3 * HIDDEN) * 0.05)
        self.inputs = nn.Parameter(torch.randn(3 * HIDDEN, inputs) / math.sqrt(inputs))
        self.recurrent = nn.Parameter(torch.randn(3 * HIDDEN, HIDDEN) / math.sqrt(HIDDEN))
        self.bias = nn.Parameter(torch.zeros(HIDDEN))  # of the candidate's recurrent part
        self.nodes = nn.Parameter(torch.randn(256, HIDDEN + inputs) / math.sqrt(HIDDEN + inputs))
        self.node_bias = nn.Parameter(torch.zeros(256))

    def rounded(self) -> dict[str, Tensor]:
        """Return the weights as integers hold them, with gradients as if they were not rounded."""
        fine = {name: _rounded(getattr(self, name), FINE, FINE_LIMIT) for name in ("inputs", "recurrent")}
        coarse = {name: _rounded(getattr(self, name), COARSE, COARSE_LIMIT) for name in ("last", "bias")}
        return fine | coarse | {"nodes": _rounded(self.nodes, NODE, NODE_LIMIT), "node_bias": self.node_bias}

    def forward(self, last: Tensor, rows: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return log odds of every node (t, b, 256) and the last state (b, hidden).

        Of the last bytes (t, b), the rows that are looked up (t, b, 6), and the state before.
        """
        w = self.rounded()
        x = torch.cat([F.embedding(rows[..., k], table) for k, table in enumerate(self.grams)], -1)
        x = x + (torch.round(x * FINE) / FINE - x).detach()
        a = F.linear(x, w["inputs"]) + F.embedding(last, w["last"])
        recurrent = w["recurrent"].T.contiguous()
        states = []
        for a_t in a.unbind(0):
            b_t = h @ recurrent
            r, z = torch.sigmoid(a_t[:, : 2 * HIDDEN] + b_t[:, : 2 * HIDDEN]).chunk(2, 1)
            n = torch.tanh(torch.addcmul(a_t[:, 2 * HIDDEN :], r, b_t[:, 2 * HIDDEN :] + w["bias"]))
            h = torch.lerp(n, h, z)
            states.append(h)
        features = torch.cat([torch.stack(states), x], -1)
        return F.linear(features, w["nodes"], w["node_bias"]), h

    @torch.no_grad()
    def clip(self) -> None:
        """Keep weights where integers can hold them."""
        for table in (*self.grams, self.inputs, self.recurrent):
            table.clamp_(-FINE_LIMIT, FINE_LIMIT)
        for table in (self.last, self.bias):
            table.clamp_(-COARSE_LIMIT, COARSE_LIMIT)

    def integers(self) -> dict[str, np.ndarray]:
        """Return the tensors of a prior."""

        def whole(x: Tensor, unit: int, kind: type) -> np.ndarray:
            return np.ascontiguousarray(torch.round(x.detach() * unit).numpy().astype(kind))

        found = {f"grams.{k}": whole(table, FINE, np.int8) for k, table in enumerate(self.grams)}
        found |= {name: whole(getattr(self, name), FINE, np.int8) for name in ("inputs", "recurrent")}
        found |= {name: whole(getattr(self, name), COARSE, np.int16) for name in ("last", "bias")}
        return found | {"nodes": whole(self.nodes, NODE, np.int16), "node_bias": whole(self.node_bias, 256, np.int16)}


def _rounded(x: Tensor, unit: int, limit: float) -> Tensor:
    return x + (torch.round(x.clamp(-limit, limit) * unit) / unit - x).detach()


PATHS = torch.tensor([[1 << k | c >> (8 - k) for k in range(8)] for c in range(256)])  # nodes on the way to a byte
BITS = torch.tensor([[float(c >> (7 - k) & 1) for k in range(8)] for c in range(256)])


def bits_a_byte(odds: Tensor, target: Tensor) -> Tensor:
    """Return the mean code length of bytes (t, b) under log odds of nodes (t, b, 256)."""
    target = target.flatten()
    chosen = odds.flatten(0, 1).gather(1, PATHS[target])
    return F.binary_cross_entropy_with_logits(chosen, BITS[target], reduction="sum") / len(target) / math.log(2)


# ---------------------------------------------------------------------- texts

GENERAL = set(
    b"root admin ubuntu test guest user support ftp ftpuser default git pi operator child systemd cron".split()
)
INVENTED = b"maria chen ivan fatima lucas amina yuki omar nina pavel".split()


def scrubbed(text: bytes, is_log: bool) -> bytes:
    """Return a text with made-up addresses in place of those in it; of logs, with made-up names of accounts, too."""
    text = re.sub(rb"[\w.+-]+@[\w-]+(\.[\w-]+)+", b"someone@example.org", text)
    text = re.sub(rb"\b\d{1,3}(\.\d{1,3}){3}\b", _address, text)
    text = re.sub(rb"\b[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}\b", _hexadecimal, text)
    text = re.sub(rb"\b[0-9a-f]{1,4}(:[0-9a-f]{0,4}){4,7}\b", _hexadecimal, text)
    text = re.sub(rb"SHA256:[\w+/]{20,}", _hexadecimal, text)
    if not is_log:
        return text
    found = re.findall(
        rb"/(?:home|Users)/(\w+)|sudo: +(\w+) :|for (?:invalid user )?(\w+) from|by (\w+)\(|[Uu]ser[= ](\w+)", text
    )
    for name in {name for names in found for name in names if len(name) > 2} - GENERAL:
        text = re.sub(rb"\b%s\b" % re.escape(name), INVENTED[name[0] % len(INVENTED)], text)
    hosts = set(re.findall(rb"(?m)^[A-Z][a-z]{2} [ \d]\d [\d:]{8} ([\w.-]+) ", text))
    for host in hosts:
        text = text.replace(host, b"host%d" % (host[0] % 10))
    return text


def _address(found: re.Match[bytes]) -> bytes:
    digest = hashlib.sha256(found[0]).digest()
    return found[0] if found[0].startswith((b"0.", b"127.", b"255.")) else b"10.%d.%d.%d" % tuple(digest[:3])


def _hexadecimal(found: re.Match[bytes]) -> bytes:
    digits = itertools.cycle(hashlib.sha256(found[0]).hexdigest().encode())
    return bytes(next(digits) if chr(c) in "0123456789abcdefABCDEF" else c for c in found[0])


def texts_of(folder: Path) -> tuple[list[bytes], list[bytes]]:
    """Return the texts to train on, and one of about fifty that are held out."""
    trained, held_out = [], []
    for path in sorted(folder.glob("*/*.xz")):
        for number, text in enumerate(lzma.decompress(path.read_bytes()).split(b"\f\n")[:-1]):
            name = f"{path.parent.name}/{path.name}/{number}"
            is_held_out = hashlib.sha256(name.encode()).digest()[0] < 5
            (held_out if is_held_out else trained).append(scrubbed(text, path.parent.name.startswith("logs")))
    return trained, held_out


PART = 50_000  # bytes of long texts that are read in one go: the streams shall not all read the same one
SHORTEST, DOUBLINGS = STEPS, 10  # of pieces: 64 bytes to 64 KiB, each length as frequent as its double


def pieces(texts: list[bytes], rng: np.random.Generator) -> Iterator[bytes]:
    """Yield texts in pieces without end; each begins where a line or a sentence does, as a file of its own would."""
    parts = [text[at : at + PART] for text in texts for at in range(0, len(text), PART)]
    while True:
        for number in rng.permutation(len(parts)):
            text, at = parts[number], 0
            while at + SHORTEST <= len(text):
                length = int(SHORTEST * 2 ** rng.uniform(0, DOUBLINGS)) // STEPS * STEPS
                piece = text[at : at + length]
                yield piece[: len(piece) // STEPS * STEPS]
                at += len(piece)
                found = re.compile(rb"\n+|[.!?]['\")]? +").search(text, at, at + 400)
                at = found.end() if found else at


class Streams:
    """Pieces side by side, `STEPS` bytes of each at a time."""

    def __init__(self, texts: list[bytes], count: int, seed: int) -> None:
        self.source = pieces(texts, np.random.default_rng(seed))
        self.now = [(b"", np.empty((0, 6), np.int64), 0)] * count

    def next(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return last bytes (t, b), rows (t, b, 6), bytes to predict (t, b), and which streams begin a piece (b, 1)."""
        last, rows, target, begins = [], [], [], []
        for place, (piece, found, at) in enumerate(self.now):
            if at == len(piece):
                piece, at = next(self.source), 0
                found = np.frombuffer(_native.grams(piece), np.uint32).reshape(-1, 6).astype(np.int64)
            data = np.frombuffer(piece, np.uint8)
            target.append(data[at : at + STEPS].astype(np.int64))
            last.append(np.concatenate([data[at - 1 : at] if at else [0], target[-1][:-1]]).astype(np.int64))
            rows.append(found[at : at + STEPS])
            begins.append([at == 0])
            self.now[place] = piece, found, at + STEPS
        stacked = (torch.from_numpy(np.stack(x, 1)) for x in (last, rows, target))
        return *stacked, torch.tensor(begins)


# ---------------------------------------------------------------------- training


def train(folder: Path, state: Path, minutes: float) -> tuple[Network, list[bytes]]:
    """Train for so many minutes of a processor, all runs together; the rate falls to nothing meanwhile.

    Returns the network and the texts.
    """
    torch.manual_seed(0)
    state.mkdir(parents=True, exist_ok=True)
    trained, held_out = texts_of(folder)
    network = Network()
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE, betas=(0.9, 0.99))
    spent, step, mean = _resumed(state, network, optimiser)
    streams = Streams(trained, STREAMS, seed=step)  # after a stop, other pieces than before it
    h = torch.zeros(STREAMS, HIDDEN)
    begun = saved = time.process_time()
    while (now := spent + time.process_time() - begun) < 60 * minutes:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 200) * (1 - now / 60 / minutes)
        last, rows, target, begins = streams.next()
        odds, h = network(last, rows, h.masked_fill(begins, 0))
        h = h.detach()
        loss = bits_a_byte(odds, target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        network.clip()
        step += 1
        mean = loss.item() if step == 1 else 0.99 * mean + 0.01 * loss.item()
        if step % 200 == 0:
            seen = step * STREAMS * STEPS / 1e6
            print(f"step {step}, {seen:.1f} MB, {mean:.3f} bits a byte, {now / 60:.1f} min", flush=True)
        if time.process_time() - saved > 120:
            saved = time.process_time()
            _save(state, network, optimiser, now, step, mean)
    _save(state, network, optimiser, now, step, mean)
    print(f"held out: {measured(network, held_out):.4f} bits a byte by the network alone", flush=True)
    return network, trained


@torch.no_grad()
def measured(network: Network, texts: list[bytes]) -> float:
    """Return the bits that a byte of some texts takes."""
    streams, h, found = Streams([text[:30_000] for text in texts], 64, seed=0), torch.zeros(64, HIDDEN), []
    for _ in range(100):
        last, rows, target, begins = streams.next()
        odds, h = network(last, rows, h.masked_fill(begins, 0))
        found.append(bits_a_byte(odds, target).item())
    return sum(found) / len(found)


def _save(state: Path, network: Network, optimiser: torch.optim.Adam, spent: float, step: int, mean: float) -> None:
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    for number, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"moments.{number}.{name}": value for name, value in moments.items()}
    save_tensors(tensors, state / "training.part", {"progress": json.dumps([spent, step, mean])})
    (state / "training.part").replace(state / "training.safetensors")


def _resumed(state: Path, network: Network, optimiser: torch.optim.Adam) -> tuple[float, int, float]:
    """Return the seconds spent, the step and the mean loss of an earlier run; take over its weights."""
    path = state / "training.safetensors"
    if not path.exists():
        return 0.0, 0, 0.0
    tensors = load_file(path)
    network.load_state_dict({name: tensors[f"network.{name}"] for name in network.state_dict()})
    kept, moments = optimiser.state_dict(), ("step", "exp_avg", "exp_avg_sq")
    for number in range(len(list(network.parameters()))):
        kept["state"][number] = {name: tensors[f"moments.{number}.{name}"] for name in moments}
    optimiser.load_state_dict(kept)
    size = int.from_bytes(path.read_bytes()[:8], "little")
    return tuple(json.loads(json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]["progress"]))


PRACTICE = 3_000_000  # bytes


def finished(network: Network, texts: list[bytes]) -> Prior:
    """Return the prior: the network, and the weights that the predictor gives it and its own contexts at first."""
    rng, chosen, size = np.random.default_rng(1), [], 0
    lengths = np.array([len(text) for text in texts])
    while size < PRACTICE:
        text = texts[rng.choice(len(texts), p=lengths / lengths.sum())]
        length = int(SHORTEST * 2 ** rng.uniform(0, DOUBLINGS - 1))
        at = text.find(b"\n", rng.integers(max(1, len(text) - length))) + 1
        chosen.append(text[at : at + length])
        size += len(chosen[-1])
    return practised(chosen, Prior({**blank().tensors, **network.integers()}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("texts", type=Path)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=62)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    network, texts = train(arguments.texts, arguments.state, arguments.minutes)
    about = {"bytes": sum(map(len, texts)), "texts": len(texts), "began": None}
    tensors = dict(finished(network, texts).tensors)
    artifact.write(arguments.output, CLASS, {"predictor": PREDICTOR, "provenance": about}, tensors, force=True)
