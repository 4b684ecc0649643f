"""Text made smaller without loss, and the same text back.

Corrects tutorials that list text compression among the uses of autoencoders and show none. A code of floating-point
numbers from which a text comes back "approximately" is of no use to anybody: what compresses a text is a model that
predicts it, and an arithmetic coder, which spends -log2 p bits on a character that the model gave the probability p.
The model of isthmus learns while it codes, so that a compressed file holds no weights, and it counts in whole numbers,
so that the file decodes to the same text on any machine.

Type
    python examples/text_compression.py
    python examples/text_compression.py --data YOUR-TEXT

and compare bits a byte: of single characters by their frequencies (Shannon's entropy: what Huffman's code comes close
to), of gzip, bzip2 and xz, and of isthmus. The picture shows how each tool learns: bits a byte of the first 1 kB, 2 kB,
4 kB, ... of the text. Without --data the text is the help on the Python language that every Python carries.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import lzma
import math
from collections import Counter
from pathlib import Path

from common import print_table, save
from matplotlib.figure import Figure

import isthmus

LENGTH = 100_000  # bytes of the help on Python
TOOLS = {
    "gzip -9": lambda text: gzip.compress(text, 9),
    "bzip2": bz2.compress,
    "xz -9e": lambda text: lzma.compress(text, preset=9 | lzma.PRESET_EXTREME),
    "isthmus, fast": lambda text: isthmus.compress(text, speed="fast"),
    "isthmus": isthmus.compress,
}


def main() -> None:
    """Compress a text with every tool, look whether isthmus gives it back, and draw how each learns."""
    options = parse()
    text = options.data.read_bytes() if options.data else help_on_python()
    compressed = {name: tool(text) for name, tool in TOOLS.items()}
    assert isthmus.decompress(compressed["isthmus"]) == text
    sizes = {"single characters": entropy(text) * len(text) / 8}
    sizes |= {name: len(content) for name, content in compressed.items()}
    print(f"{len(text):,} bytes of text\n")
    rows = {
        name: [f"{size:,.0f}", 8 * size / len(text), f"{100 * size / len(text):.1f} %"] for name, size in sizes.items()
    }
    print_table(("bytes", "bits a byte", "of the text"), rows)
    print("The text came back from isthmus's file, byte for byte.\n")
    draw(text, options.output / "text_compression.png")


def help_on_python() -> bytes:
    """Return the beginning of the help on the Python language."""
    from pydoc_data.topics import topics

    return "\n\n".join(topics.values()).encode()[:LENGTH]


def entropy(text: bytes) -> float:
    """Return the bits a byte that single characters need, given how frequent each is."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


def draw(text: bytes, path: Path) -> None:
    """Draw the bits a byte of ever longer beginnings of a text."""
    lengths = [1000 * 2**k for k in range(20) if 1000 * 2**k < len(text)] + [len(text)]
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in ("gzip -9", "bzip2", "xz -9e", "isthmus"):
        bits = [8 * len(TOOLS[name](text[:length])) / length for length in lengths]
        axes.plot(lengths, bits, marker="o", label=name, linewidth=3 if name == "isthmus" else 1.5)
    axes.set(xscale="log", ylim=(0, None), xlabel="bytes of the text, from its beginning", ylabel="bits a byte")
    axes.legend()
    axes.grid(alpha=0.3)
    save(figure, path)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a file of text (default: the help on the Python language)")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output", help="folder of the picture")
    return parser.parse_args()


if __name__ == "__main__":
    main()
