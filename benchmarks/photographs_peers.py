"""What ``photographs.py`` compares with: picture formats, and CompressAI's hyperprior.

Runs in the Python of ``--peer-python``; a format or a package that it lacks is listed as missing.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import harness
import numpy as np

PACKAGES = ("pillow", "pillow-jxl-plugin", "compressai", "torch", "numpy")
SEED = 0
HYPERPRIOR = 3  # quality of CompressAI's models; those up to 5 are of one size


class Format(NamedTuple):
    """A format at several settings, by Pillow.

    Parameters
    ----------
    kind : str
        As Pillow calls it.
    setting : str
        The argument that changes.
    values : tuple of float
        Of it.
    others : dict
        Further arguments.
    """

    kind: str
    setting: str
    values: tuple[float, ...]
    others: dict[str, Any]


FORMATS = {
    "JPEG": Format(
        "JPEG", "quality", (10, 30, 50, 75, 90, 95), {"optimize": True, "progressive": True, "subsampling": "4:2:0"}
    ),
    "WebP": Format("WEBP", "quality", (5, 30, 60, 85, 95), {"method": 6}),
    "AVIF": Format("AVIF", "quality", (30, 45, 60, 72, 85), {"speed": 6, "subsampling": "4:4:4", "max_threads": 1}),
    "AVIF 4:2:0": Format(
        "AVIF", "quality", (20, 35, 50, 65, 80), {"speed": 6, "subsampling": "4:2:0", "max_threads": 1}
    ),
    "JPEG XL": Format("JXL", "quality", (10, 35, 60, 80, 90), {"effort": 7}),
}


def kodak(folder: Path) -> list[Path]:
    """Return the 24 files, in order; end with a sentence where there are none."""
    found = sorted((folder / "kodak").glob("*.png"))
    if not found:
        raise SystemExit("Set ISTHMUS_DATA to the folder that holds kodak/, the 24 pictures as PNG files.")
    return found


def pixels_of(path: Path) -> np.ndarray:
    """Return a picture in colour, (height, width, 3), uint8."""
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def measured(picture: np.ndarray, back: np.ndarray) -> dict[str, float]:
    """Return PSNR over all colours in dB, and MS-SSIM, of what came back."""
    from isthmus import metrics

    [psnr], [similarity] = metrics.psnr(picture[None], back[None]), metrics.ms_ssim(picture[None], back[None])
    return {"psnr": round(float(psnr), 4), "ms_ssim": round(float(similarity), 6)}


def coded_by(name: str, picture: np.ndarray) -> Iterator[dict[str, float]]:
    """Yield what a format makes of a picture at each of its settings: bytes, quality, and processor seconds."""
    from PIL import Image

    if name == "JPEG XL":
        import pillow_jxl  # noqa: F401 - tells Pillow of the format
    how, image = FORMATS[name], Image.fromarray(picture)
    for value in how.values:
        into = io.BytesIO()
        start = time.process_time()
        image.save(into, how.kind, **{how.setting: value}, **how.others)
        coded = time.process_time()
        back = np.asarray(Image.open(into).convert("RGB"))
        decoded = time.process_time()
        seconds = {"encode": round(coded - start, 4), "decode": round(decoded - coded, 4)}
        yield {"bytes": len(into.getvalue()), **measured(picture, back), **seconds}


def formats(folder: Path, names: list[str]) -> Iterator[dict[str, Any]]:
    """Yield for each picture and each format what it makes of it; each line ``picture``, ``tool``, ``points``."""
    missing = {}
    for path in kodak(folder):
        if path.stem not in names:
            continue
        picture, found = pixels_of(path), {}
        for name in FORMATS:
            try:
                found[name] = list(coded_by(name, picture)) if name not in missing else None
            except (ImportError, KeyError, OSError) as error:
                missing[name] = str(error)
        yield {"picture": path.stem, "tools": {name: points for name, points in found.items() if points}}
    yield {"missing": missing, "versions": harness.versions(*PACKAGES)}


def hyperprior(height: int, width: int, threads: int, rounds: int) -> dict[str, Any]:
    """Return the seconds in which CompressAI's hyperprior codes and decodes a picture.

    Its weights are random, which takes as long as learned ones in the networks; what it codes of noise is not what it
    would code of a photograph, so that the entropy coder has as many numbers but likelier ones.
    """
    import torch
    from compressai.zoo import bmshj2018_hyperprior

    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    model = bmshj2018_hyperprior(HYPERPRIOR, metric="mse", pretrained=False).eval()
    model.update()
    x = torch.rand(1, 3, height, width)
    with torch.inference_mode():
        coded = model.compress(x)
        calls: dict[str, Callable[[], object]] = {
            "encode": lambda: model.compress(x),
            "decode": lambda: model.decompress(coded["strings"], coded["shape"]),
        }
        found = {}
        for name, call in calls.items():
            with harness.clocked() as clock:
                seconds = harness.repeat(call, rounds, warm=1)
            found[name] = harness.spread(seconds, 4) | {"other_cores": clock.other_cores}
    return {**found, "quality": HYPERPRIOR, **harness.versions(*PACKAGES)}
