"""Autoencoders of short texts: reconstruction, codes, new lines and denoising, beside dense networks.

Sentences of 20 to 120 bytes from five collections of English (``ISTHMUS_DATA/text-free/english``): 1,000 of each to fit
on and 200 of each held out, drawn by the seed, no sentence in both. Every fit has default settings and one thread. The
dense networks are those that texts had before: a symbol at each place by itself, with a code of the same length, and as
many seconds as the networks for sequences took. Measured on held-out lines:

- characters that are wrong after ``reconstruct``: insertions, deletions and replacements for each character;
- how often logistic regression tells from a code which of the five collections a line is from, beside TF-IDF of words
  and of groups of 2 to 4 characters, each reduced to as many numbers by SVD;
- the share of words of drawn lines that occur in the lines of the fit;
- characters that are wrong after ``denoise``, where a tenth were replaced by characters drawn from those of the fit.
"""

from __future__ import annotations

import argparse
import lzma
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import harness
import numpy as np

SOURCES = (
    "books-one-line-paragraphs.txt",
    "documentation.md",
    "gutenberg-wrapped.txt",
    "shakespeare.txt",
    "us-government.txt",
)
SHORTEST, LONGEST = 20, 120  # bytes of a sentence
FITTED, HELD_OUT = 1000, 200  # lines of each source
DRAWN, SHOWN = 500, 3  # new lines, and how many of them are printed
REPLACED = 0.1  # of the characters
MINUTES = 3.0  # of a fit, at most
MODELS = ("Autoencoder", "VAE", "DenoisingAutoencoder")
DENSE = {"network": "dense", "likelihood": "categorical"}

# ---------------------------------------------------------------------- data


def sentences(name: str) -> list[str]:
    """Return the distinct sentences of a source, sorted: from a capital letter to a full stop, spaces made one."""
    path = Path(os.environ.get("ISTHMUS_DATA", ".")) / "text-free" / "english" / f"{name}.xz"
    if not path.exists():
        raise SystemExit(f"Set ISTHMUS_DATA to the folder that holds text-free/english/{path.name}.")
    found = set()
    for paragraph in re.split(r"\n\s*\n|\f", lzma.decompress(path.read_bytes()).decode()):
        for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z\"'])", " ".join(paragraph.split())):
            if SHORTEST <= len(sentence.encode()) <= LONGEST and re.match(r"[A-Z\"'].*[.!?]$", sentence):
                found.add(sentence)
    return sorted(found)


def drawn_lines(seed: int) -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    """Return lines to fit on with the number of their source, and held-out ones with theirs."""
    rng = np.random.default_rng(seed)
    fitted, held_out = [], []
    for name in SOURCES:
        some = rng.permutation(sentences(name))[: FITTED + HELD_OUT].tolist()
        fitted += some[:FITTED]
        held_out += some[FITTED:]
    numbers = np.arange(len(SOURCES))
    return fitted, numbers.repeat(FITTED), held_out, numbers.repeat(HELD_OUT)


def with_replaced(lines: list[str], letters: str, seed: int) -> list[str]:
    """Return lines of which a tenth of the characters were replaced by ones drawn from ``letters``."""
    rng = np.random.default_rng(seed)
    return [
        "".join(letters[rng.integers(len(letters))] if rng.random() < REPLACED else letter for letter in line)
        for line in lines
    ]


# ---------------------------------------------------------------------- figures


def error_rate(lines: list[str], found: list[str]) -> float:
    """Return edits for each character of some lines."""
    from isthmus.metrics import edit_distance

    return float(edit_distance(lines, found).sum()) / sum(map(len, lines))


def share_of_words(lines: list[str], known: set[str]) -> float:
    """Return the share of the words of some lines that are known ones."""
    words = [word for line in lines for word in re.findall(r"[^\W\d_]+", line.lower())]
    return sum(word in known for word in words) / max(1, len(words))


def words_of(lines: list[str]) -> set[str]:
    """Return the words of lines, in small letters."""
    return {word for line in lines for word in re.findall(r"[^\W\d_]+", line.lower())}


def accuracy(train: np.ndarray, labels: np.ndarray, test: np.ndarray, wanted: np.ndarray) -> float:
    """Return how often logistic regression on standardised numbers is right."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    made = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return float(made.fit(train, labels).score(test, wanted))


def tf_idf(analyzer: str, lines: list[str], held_out: list[str], dims: int) -> tuple[np.ndarray, np.ndarray]:
    """Return TF-IDF of words or groups of characters, reduced to so many numbers."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    groups = (1, 1) if analyzer == "word" else (2, 4)
    vectors = TfidfVectorizer(analyzer=analyzer, ngram_range=groups, sublinear_tf=True)
    made = make_pipeline(vectors, TruncatedSVD(dims, random_state=0))
    return made.fit_transform(lines), made.transform(held_out)


# ---------------------------------------------------------------------- one seed


def measure(seed: int, epochs: float | None) -> Iterator[tuple[str, Any]]:
    """Yield the name and the figures of each model of one seed, and of what it is set beside."""
    lines, labels, held_out, wanted = drawn_lines(seed)
    known, letters = words_of(lines), "".join(lines)
    noisy = with_replaced(held_out, letters, seed)
    yield "noisy", error_rate(held_out, noisy)
    yield "real lines", share_of_words(held_out, known)
    dims = 0
    for name in MODELS:
        model, clock = fitted(name, seed, lines, max_epochs=epochs)
        dims = int(np.prod(model.code_shape_))
        figures = judged(model, lines, labels, held_out, wanted, noisy, known)
        yield name, clock | {"latent_dim": dims} | figures
        if name != "DenoisingAutoencoder":  # which did not take texts
            limits = {"max_epochs": epochs, "max_seconds": clock["fit_seconds"]}
            model, clock = fitted(name, seed, lines, latent_dim=dims, **DENSE, **limits)
            yield f"{name}, dense", clock | judged(model, lines, labels, held_out, wanted, noisy, known)
    for analyzer in ("word", "char_wb"):
        train, test = tf_idf(analyzer, lines, held_out, dims)
        yield f"TF-IDF, {analyzer}", accuracy(train, labels, test, wanted)


def fitted(name: str, seed: int, lines: list[str], **options: Any) -> tuple[Any, dict[str, float | None]]:
    """Return a fitted model, and what its fit took."""
    import isthmus

    model = getattr(isthmus, name)(random_state=seed, **options)
    with harness.clocked() as clock:
        model.fit(lines)
    return model, clock.as_dict() | {"epochs": model.provenance_["epochs"]}


def judged(
    model: Any,
    lines: list[str],
    labels: np.ndarray,
    held_out: list[str],
    wanted: np.ndarray,
    noisy: list[str],
    known: set[str],
) -> dict[str, float]:
    """Return the figures of one model on held-out lines."""
    from isthmus.tasks import denoise

    new = model.sample(DRAWN, random_state=0)
    for line in new[:SHOWN]:
        print(f"  {type(model).__name__} draws {line!r}", flush=True)
    return {
        "reconstruction": error_rate(held_out, model.reconstruct(held_out)),
        "denoised": error_rate(held_out, denoise(model, noisy)),
        "accuracy": accuracy(model.transform(lines), labels, model.transform(held_out), wanted),
        "words": share_of_words(new, known),
        "distinct lines": len(set(new)) / len(new),
    }


def main() -> int:
    """Measure every seed; write and print what was found."""
    options = parse()
    settings = {"fitted": FITTED, "held_out": HELD_OUT, "max_epochs": options.max_epochs}
    report = harness.Report("text_autoencoder", settings, harness.isthmus_versions())
    before = harness.earlier(options.out, "text_autoencoder", settings)
    runs = {name: found for name, found in before.items() if name.startswith("seed")}
    for seed in options.seed:
        runs[f"seed {seed}"] = {}
        for name, figures in measure(seed, options.max_epochs):
            runs[f"seed {seed}"][name] = figures
            print(f"seed {seed}, {name}: {figures}", flush=True)
    report.measurements = dict(sorted(runs.items()))
    summarise(report, list(runs.values()))
    return report.publish(options.out)


def summarise(report: harness.Report, runs: list[dict[str, Any]]) -> None:
    """Print and keep the middle and the ends of every figure over the seeds, and set the claims beside them."""

    def values(model: str, figure: str) -> list[float]:
        return [float(run[model][figure]) for run in runs]

    models = [name for name in runs[0] if isinstance(runs[0][name], dict)]
    figures = ("reconstruction", "denoised", "accuracy", "words", "distinct lines", "cpu_seconds")
    report.measurements["summary"] = {
        **{name: {figure: harness.spread(values(name, figure), 4) for figure in figures} for name in models},
        **{name: harness.spread([run[name] for run in runs], 4) for name in runs[0] if name not in models},
    }
    middle = report.measurements["summary"]
    rows = [(name, *(f"{middle[name][figure]['median']:.3f}" for figure in figures)) for name in models]
    harness.print_table(("model", *figures), rows)
    for name in runs[0].keys() - set(models):
        print(f"{name}: {middle[name]['median']:.3f}")
    claims(report, middle)


def claims(report: harness.Report, middle: dict[str, Any]) -> None:
    """Set what was found beside what was to be reached."""

    def of(model: str, figure: str) -> float:
        return float(middle[model][figure]["median"])

    both = [
        ("Autoencoder", "reconstruction", "wrong characters, reconstructed"),
        ("VAE", "words", "known words, drawn"),
    ]
    for model, figure, what in both:
        now, before = of(model, figure), of(f"{model}, dense", figure)
        better = now < before if figure == "reconstruction" else now > before
        report.claim(f"{model}: {what}", now, f"better than dense networks ({before:.3f})", better)
    rival = max(middle[f"TF-IDF, {analyzer}"]["median"] for analyzer in ("word", "char_wb"))
    best = max(of(model, "accuracy") for model in MODELS)
    report.claim("sources told apart by codes", best, f"as often as by TF-IDF ({rival:.3f})", best >= rival)
    after, noisy = of("DenoisingAutoencoder", "denoised"), middle["noisy"]["median"]
    report.claim("wrong characters after denoising", after, f"below those before ({noisy:.3f})", after < noisy)
    slowest = max(of(model, "cpu_seconds") for model in MODELS) / 60
    report.claim("processor minutes of a fit", slowest, f"at most {MINUTES}", slowest <= MINUTES)


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2], help="added to those in the file")
    made.add_argument("--max-epochs", type=float, help="of a fit; by default those that models take")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())
