"""Pictures made smaller by a variational autoencoder, beside JPEG and WebP at the same size.

Corrects tutorials that call an autoencoder a compressor because its code has fewer numbers than a picture has pixels.
32 numbers in floating point are 128 bytes, and a JPEG of that size often looks better. A code compresses once its
numbers are rounded, no finer than the picture needs, and coded in as few bits as they are worth: here by
`isthmus.tasks.compress_records`, to a file from which the whole numbers come back exactly.

Type
    python examples/image_compression.py
    python examples/image_compression.py --data digits

and compare bits a pixel and PSNR on held-out pictures, of files with all that belongs to them. JPEG and WebP get all
pictures as one sheet: as files of their own, pictures so small are mostly headers. The model is better at few bits,
where pictures are still recognisable; it has a best quality that no bits improve, and above it JPEG and WebP are
better. Its own file, which whoever decompresses needs, is not counted, and is far larger than these pictures.
"""

from __future__ import annotations

import io
import math
import tempfile
from pathlib import Path

import numpy as np
from common import Pictures, arguments, code_size, gallery, pictures, print_table, white
from PIL import Image

from isthmus import VAE, data, metrics
from isthmus.data import Data
from isthmus.tasks import compress_records, decompress_records, rate_distortion

CODE = 64
SHOWN = 0.25  # decibels below its best, of the model's pictures that are shown: finer steps gain no more
EFFORT = 20
QUALITIES = 1, 5, 10, 20, 40, 60, 80, 95


def main() -> None:
    """Compress held-out pictures with a model, and with JPEG and WebP, and set what comes back beside each other."""
    options = arguments(__doc__, epochs=30)
    train, test = (in_shades_of_255(part) for part in pictures(options.data))
    model = VAE(latent_dim=code_size(CODE, train), max_epochs=options.epochs, random_state=0).fit(train)
    rows: dict[str, list[object]] = {}
    curve = rate_distortion(model, test)
    for one in curve:
        rows[f"model, steps of {2**one.octaves:.0f}"] = [one.compressed_bytes, one.bpp, one.psnr]
    wanted = curve[0].psnr - SHOWN
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pictures.isth"
        made = compress_records(model, test, path, psnr=wanted, effort=EFFORT)
        back = decompress_records(model, path)
    rows["model, refined"] = [made.compressed_bytes, made.bpp, made.psnr]
    found = {f"model\n{made.bpp:.2f} bits a pixel": back}
    for form in ("JPEG", "WebP"):
        sheets = {quality: as_sheet(test.array, form, quality) for quality in QUALITIES}
        for quality, (size, again) in sheets.items():
            rows[f"{form}, quality {quality}"] = [size, 8 * size / test.array.size, psnr(test.array, again)]
        size, again = min(sheets.values(), key=lambda one: abs(one[0] - made.compressed_bytes))
        found[f"{form}\n{8 * size / test.array.size:.2f} bits a pixel"] = again
    print_table(("bytes", "bits a pixel", "PSNR"), rows)
    gallery(test, found, options.output / "image_compression.png")


def in_shades_of_255(pictures: Data) -> Data:
    """Return pictures whose white is as near 255 as whole steps lead: JPEG knows no other."""
    shades = pictures.array * np.uint8(255 // white(pictures))
    return data.open(shades, labels=pictures.labels)


def as_sheet(pictures: Pictures, form: str, quality: int) -> tuple[int, Pictures]:
    """Return the bytes of all pictures as one in a format, and the pictures that come back."""
    n, height, width = pictures.shape
    columns = math.ceil(math.sqrt(n))
    padded = np.concatenate([pictures, np.zeros((-n % columns, height, width), pictures.dtype)])
    sheet = padded.reshape(-1, columns, height, width).swapaxes(1, 2).reshape(-1, columns * width)
    content = io.BytesIO()
    Image.fromarray(sheet).save(content, form, quality=quality)
    again = np.asarray(Image.open(content).convert("L"))
    return len(content.getvalue()), again.reshape(-1, height, columns, width).swapaxes(1, 2).reshape(padded.shape)[:n]


def psnr(pictures: Pictures, found: Pictures) -> float:
    """Return the peak signal-to-noise ratio over all pixels of all pictures, in decibels."""
    error = metrics.squared_error(pictures, found).sum() / pictures.size
    return 20 * math.log10(255) - 10 * math.log10(error)


if __name__ == "__main__":
    main()
