"""Make the pictures of the documentation: each use of isthmus before and after, from the commands that the pages show.

Run it from anywhere; it needs no network and no file, and takes about ten minutes on one core::

    make pictures
    python docs/pictures                     # the same
    python docs/pictures denoise impute      # some of them
    python docs/pictures --keep work         # data, models and results stay in the folder work

Every use has its input (inputs.py), the commands that a reader types, and a drawing of what they read and wrote
(drawings.py). Each picture is written twice into docs/assets/pictures, for the light and for the dark theme, on a
transparent ground. Digits are the 1,797 of scikit-learn, of 8 x 8 pixels; the wines and irises are scikit-learn's, the
people are made up. Records are chosen by row or by chance, never by how well they came out.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from isthmus import cli
from isthmus.report import plots
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

import drawings
import inputs
from canvas import DARK, LIGHT, Theme

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "pictures"
DOTS = 200  # per inch: twice what a usual screen shows

FIT_VAE = "isthmus fit digits --model vae --latent-dim 8 --max-epochs 40 --seed 0 -o vae.safetensors -q"


class Use(NamedTuple):
    """One use of isthmus.

    Parameters
    ----------
    page : str
        The page of the documentation that shows the commands.
    verb : str
        The command of these that the home page shows.
    prepare : callable
        Writes the files that the commands read into the working folder.
    draw : callable
        Returns the picture in a theme, from the files of the working folder.
    commands : tuple of str
        What a reader types.
    """

    page: str
    verb: str
    prepare: Callable[[], None]
    draw: Callable[[Theme], Figure]
    commands: tuple[str, ...]


USES = {
    "encode": Use(
        "getting-started.md",
        "encode",
        inputs.digits,
        drawings.codes,
        (
            "isthmus fit train.npy --latent-dim 8 --max-epochs 40 --seed 0 -o digits.safetensors -q",
            "isthmus encode test.npy -m digits.safetensors -o codes.csv",
            "isthmus decode codes.csv -m digits.safetensors -o back.npy",
        ),
    ),
    "map": Use(
        "mapping.md",
        "map",
        inputs.nothing,
        drawings.mapped,
        (
            "isthmus map digits -o digits-map.html --save digits-map.safetensors",
            "isthmus encode digits -m digits-map.safetensors -o points.csv",
        ),
    ),
    "cluster": Use(
        "clustering.md",
        "cluster",
        inputs.nothing,
        drawings.clusters,
        ("isthmus cluster digits --clusters 10 -o groups.csv",),
    ),
    "classify": Use(
        "classifying.md",
        "classify fit",
        inputs.few_labels,
        drawings.classes,
        (
            "isthmus fit digits --latent-dim 16 --max-epochs 10 --seed 0 -o digits.safetensors -q",
            "isthmus classify fit digits -m digits.safetensors --labels few.csv --test 0 --save classes.safetensors",
            "isthmus classify predict digits -m classes.safetensors -o classes.csv",
        ),
    ),
    "detect": Use(
        "detecting.md",
        "detect",
        inputs.people,
        drawings.outliers,
        ("isthmus detect people.csv -o scores.csv",),
    ),
    "impute": Use(
        "imputing.md",
        "impute",
        inputs.irises,
        drawings.imputed,
        ("isthmus impute flowers.csv -o complete.csv --intervals intervals.csv",),
    ),
    "denoise": Use(
        "models/denoising.md",
        "denoise",
        inputs.noisy_digits,
        drawings.denoised,
        (
            "isthmus fit train.npy --model denoising-autoencoder --set corruption=salt-and-pepper"
            " --max-epochs 60 --seed 0 -o denoiser.safetensors -q",
            "isthmus denoise noisy.npy -m denoiser.safetensors -o clean.npy",
        ),
    ),
    "inpaint": Use(
        "models/denoising.md",
        "inpaint",
        inputs.torn_digits,
        drawings.inpainted,
        (
            "isthmus fit train.npy --model denoising-autoencoder --set corruption=holes --max-epochs 60"
            " --seed 0 -o filler.safetensors -q",
            "isthmus inpaint torn.npy --mask mask.npy -m filler.safetensors -o filled.npy",
        ),
    ),
    "restore": Use(
        "restoring.md",
        "denoise",
        inputs.photographs,
        drawings.restored,
        (
            "isthmus denoise noisy.png",
            "isthmus inpaint photo.png --mask mask.png",
            "isthmus enhance small.png --scale 4",
        ),
    ),
    "sample": Use(
        "sampling.md",
        "sample",
        inputs.nothing,
        drawings.sampled,
        (
            FIT_VAE,
            "isthmus sample -m vae.safetensors --n 60 -o new.npy",
        ),
    ),
    "interpolate": Use(
        "sampling.md",
        "interpolate",
        inputs.nothing,
        drawings.interpolated,
        (
            FIT_VAE,
            "isthmus interpolate digits -m vae.safetensors --rows 0,1 -o between.npy",
        ),
    ),
    "traverse": Use(
        "sampling.md",
        "traverse",
        inputs.nothing,
        drawings.traversed,
        (
            FIT_VAE,
            "isthmus traverse digits -m vae.safetensors --units 4 -o units.npy",
        ),
    ),
    "explain": Use(
        "explaining.md",
        "explain",
        inputs.wines,
        drawings.explained,
        (
            "isthmus fit wine.csv --labels cultivar --model vae --latent-dim 2 --max-epochs 100 --seed 0 -o"
            " wine.safetensors -q",
            "isthmus encode wine.csv --labels cultivar -m wine.safetensors -o wine-codes.csv",
            "isthmus explain wine.csv --labels cultivar -m wine.safetensors --rows all --json > wine.json",
        ),
    ),
    "tune": Use(
        "tuning.md",
        "tune",
        inputs.nothing,
        drawings.tuned,
        ("isthmus tune digits --models vae --trials 20 --set max_epochs=3 --json > tuned.json",),
    ),
    "compress": Use(
        "compression.md",
        "compress",
        inputs.python_help,
        drawings.compressed,
        ("isthmus compress help.txt --compare --json > sizes.json",),
    ),
    "rates": Use(
        "compression.md",
        "compress",
        inputs.scans,
        drawings.rates,
        (
            "isthmus fit scans/ --latent-dim 16 --max-epochs 60 --seed 0 -o scans.safetensors",
            "isthmus compress scans/ -m scans.safetensors --compare --report scans.html",
        ),
    ),
    "doctor": Use(
        "doctor.md",
        "doctor",
        inputs.nothing,
        drawings.diagnosed,
        (
            "isthmus fit digits --model vae --beta 1000 --latent-dim 8 --max-epochs 12 --seed 0 -o vae.safetensors -q",
            "isthmus doctor vae.safetensors digits",
            "isthmus fit digits --model vae --latent-dim 8 --max-epochs 12 --seed 0 --output vae-2.safetensors -q",
            "isthmus reconstruct digits -m vae.safetensors -o before.npy",
            "isthmus reconstruct digits -m vae-2.safetensors -o after.npy",
        ),
    ),
}

WITHOUT_COMMANDS = {"parts": drawings.parts, "photographs": drawings.photographs}
OVERVIEW = ("map", "cluster", "classify", "detect", "impute", "explain", "sample", "denoise")
GAP = 60  # pixels between the pictures of the overview

PHOTOGRAPHS = {"restore"}  # written with a loss: noise has no short form
QUALITY = 50
FINDS = {"doctor"}  # a verb that ends with exit code 1 where it found something


def type_in(command: str) -> None:
    """Run a command of isthmus as a shell would, with its output in a file where it says so."""
    command, _, target = command.partition(" > ")
    words = shlex.split(command)
    print(f"$ {command}", flush=True)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = cli.main(words[1:])
    if code != (1 if words[1] in FINDS else 0):
        raise SystemExit(f"{command}: exit code {code}")
    if target:
        Path(target).write_text(printed.getvalue(), encoding="utf-8")


def draw(name: str, drawing: Callable[[Theme], Figure]) -> None:
    """Draw and write a picture for both themes."""
    for theme in (LIGHT, DARK):
        png = io.BytesIO()
        with rc_context(plots.STYLE):
            drawing(theme).savefig(png, format="png", dpi=DOTS, transparent=True)
        with Image.open(png) as picture:
            write(picture, name, theme)


def draw_overview() -> None:
    """Write one picture of those that OVERVIEW names, two in a row."""
    for theme in (LIGHT, DARK):
        parts = [Image.open(FOLDER / f"{name}-{theme.name}.webp").convert("RGBA") for name in OVERVIEW]
        rows = [parts[at : at + 2] for at in range(0, len(parts), 2)]
        heights = [max(part.height for part in row) for row in rows]
        tops = np.cumsum([0, *heights[:-1]]) + GAP * np.arange(len(rows))
        whole = Image.new("RGBA", (2 * parts[0].width + GAP, int(tops[-1]) + heights[-1]))
        for row, top in zip(rows, tops, strict=True):
            for column, part in enumerate(row):
                whole.paste(part, (column * (part.width + GAP), int(top)))
        few = np.array(whole.quantize(256, method=Image.Quantize.FASTOCTREE).convert("RGBA"))  # half the size
        few[np.array(whole)[..., 3] == 0] = 0
        write(Image.fromarray(few), "overview", theme)


def write(picture: Image.Image, name: str, theme: Theme) -> None:
    """Write a picture as WebP and print its size."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}-{theme.name}.webp"
    picture.save(path, lossless=name not in PHOTOGRAPHS, quality=QUALITY if name in PHOTOGRAPHS else 100, method=6)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", flush=True)


def make(name: str, folder: Path) -> None:
    """Make the picture of a use in a working folder; where it exists, the commands have run and are not run again."""
    use = USES[name]
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder):
        if new:
            use.prepare()
            for command in use.commands:
                type_in(command)
        draw(name, use.draw)


def main() -> None:
    """Make all pictures, or those that are named."""
    parser = argparse.ArgumentParser(prog="docs/pictures", description="Make the pictures of the documentation.")
    every = [*USES, *WITHOUT_COMMANDS, "overview"]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(every)}; by default all")
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="keep data, models and results in this folder")
    given = parser.parse_args()
    if unknown := set(given.names) - set(every):
        parser.error(f"no picture is called {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as temporary:
        for name in given.names or every:
            if name in USES:
                make(name, (given.keep or Path(temporary)).resolve() / name)
            elif name in WITHOUT_COMMANDS:
                draw(name, WITHOUT_COMMANDS[name])
            else:
                draw_overview()


if __name__ == "__main__":
    main()
