"""Peak memory of denoising a picture of 20,000 x 20,000 pixels from a tiled TIFF file into another.

The picture is made: gradients, edges and a fine texture, with Gaussian noise of 25 levels. A process of its own
restores it with `restore_file` and the shipped restorer, once for each number of channels. The number is ``VmHWM`` of
that process, the most that ever lay in memory at once. Then some windows are restored by themselves, from nothing but
what lies around them, and must come out the same: no seams, and no pixel that depends on how large its picture is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import harness
import numpy as np

GIGABYTE = 10**9
AT_MOST = 2.0  # GB resident
TILE = 512
SIGMA = 25
CHECKED = 192  # pixels a side of the windows that are restored alone
WINDOWS = 6

RESTORING = """
import sys
from pathlib import Path
import harness
from isthmus.models.restorer import Restorer
from isthmus.tasks.pictures import restore_file
restorer = Restorer.shipped()
before = harness.peak_resident_bytes()
with harness.clocked() as clock:
    done = restore_file(restorer, Path(sys.argv[1]), Path(sys.argv[2]))
harness.emit(peak_bytes=harness.peak_resident_bytes(), before_bytes=before, shape=done.shape, dtype=done.dtype,
             by_windows=done.by_windows, megapixels_per_second=done.megapixels / clock.seconds, **clock.as_dict())
"""


def scene(top: int, left: int, height: int, width: int, channels: int) -> np.ndarray:
    """Return a part of the clean picture: float32, (height, width, channels), 0 to 255."""
    y = np.arange(top, top + height, dtype=np.float32)[:, None, None]
    x = np.arange(left, left + width, dtype=np.float32)[None, :, None]
    band = np.arange(channels, dtype=np.float32)
    gradient = 60 * np.sin(y / 900 + band) * np.cos(x / 700 - band)
    discs = 40 * np.sign((y % 331 - 165) ** 2 + (x % 293 - 146) ** 2 - 9000)
    texture = 15 * np.sin(x / 3 + y / 11) * np.sin(y / 4)
    return 128 + gradient + discs + texture


def noisy(side: int, channels: int, seed: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield the tiles of the noisy picture, row by row; each has noise of its own seed."""
    for top in range(0, side, TILE):
        for left in range(0, side, TILE):
            part = scene(top, left, min(TILE, side - top), min(TILE, side - left), channels)
            noise = np.random.default_rng((seed, top, left)).standard_normal(part.shape, np.float32)
            found = np.rint(part + SIGMA * noise).clip(0, 255).astype(np.uint8)
            yield top, left, found[..., 0] if channels == 1 else found


def main() -> int:
    """Make the pictures, restore each in a process of its own, check windows, write and print the figures."""
    options = parse()
    report = harness.Report(
        "restoration_memory",
        {"side": options.side, "channels": options.channels, "sigma": SIGMA, "seed": options.seed},
        harness.isthmus_versions() | harness.versions("tifffile"),
    )
    for channels in options.channels:
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            found = measure(Path(name), options.side, channels, options.seed)
        colours = {1: "grey", 3: "RGB"}[channels]
        report.measurements[colours] = found
        peak = found["peak_bytes"] / GIGABYTE if "peak_bytes" in found else None
        met = None if peak is None else peak < AT_MOST and found["by_windows"]
        report.claim(f"peak resident GB, {options.side:,} x {options.side:,} {colours}", peak, f"under {AT_MOST}", met)
        report.claim(
            f"levels between a window and the same restored alone, {colours}",
            found.get("furthest"),
            "at most 1",
            found["furthest"] <= 1 if "furthest" in found else None,
        )
    return report.publish(options.out)


def measure(folder: Path, side: int, channels: int, seed: int) -> dict[str, Any]:
    """Return what restoring one made picture takes, and how its result compares."""
    from isthmus.data.tiled_writing import Block, Layout, write
    from isthmus.data.windows import Picture

    source, output = folder / "noisy.tif", folder / "restored.tif"
    shape = (side, side) if channels == 1 else (side, side, channels)
    write(source, Layout(shape, np.dtype("uint8"), False), (Block(*part) for part in noisy(side, channels, seed)))
    here = {"PYTHONPATH": f"{harness.SOURCE}:{harness.HERE}"}
    found = harness.child(sys.executable, ["-c", RESTORING, str(source), str(output)], environment=here)
    if "failed" in found:
        return found
    picture = Picture(output)
    found["same_shape_and_type"] = picture.shape == shape and picture.header.dtype == "uint8"
    return found | compare(Picture(source), picture, channels, seed)


def compare(source: Any, output: Any, channels: int, seed: int) -> dict[str, float]:
    """Restore windows by themselves, and return how far they are from the result, and both from the clean picture."""
    from isthmus.models.restorer import Restorer
    from isthmus.tasks.pixels import Pixels
    from isthmus.tasks.tiling import Whole

    restorer, rng = Restorer.shipped(), np.random.default_rng(seed)
    pixels, around = Pixels.of(np.dtype("uint8"), channels, 0, 255, alpha=False), 96
    side, furthest, before, after = source.shape[0], 0, [], []
    # The corners, and places that no tile begins at; all keep the network's grid of 8 pixels.
    places = [(0, 0), (side - CHECKED, side - CHECKED), *(rng.integers(0, side - CHECKED, (WINDOWS - 2, 2)) // 8 * 8)]
    with source.opened() as noisy_at, output.opened() as restored_at:
        for top, left in places:
            first, start = max(0, top - around) // 8 * 8, max(0, left - around) // 8 * 8
            last, stop = min(side, top + CHECKED + around), min(side, left + CHECKED + around)
            whole = pixels.to_unit(noisy_at(first, start, last - first, stop - start))
            alone = np.zeros((last - first, stop - start, *source.shape[2:]), np.uint8)
            for tile, values in restorer.tiles_of(Whole(whole), pixels):
                alone[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] = values
            alone = alone[top - first : top - first + CHECKED, left - start : left - start + CHECKED].astype(int)
            found = restored_at(top, left, CHECKED, CHECKED).astype(int)
            furthest = max(furthest, int(abs(found - alone).max()))
            clean = scene(top, left, CHECKED, CHECKED, channels).reshape(found.shape)
            before.append(np.square(noisy_at(top, left, CHECKED, CHECKED) - clean).mean())
            after.append(np.square(found - clean).mean())
    noise, rest = (round(float(10 * np.log10(255**2 / np.mean(errors))), 2) for errors in (before, after))
    return {"furthest": furthest, "psnr_noisy": noise, "psnr_restored": rest}


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--side", type=int, default=20_000)
    made.add_argument("--channels", type=int, nargs="+", choices=(1, 3), default=[1, 3])
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--folder", type=Path, help="where the pictures go (default: the system's temporary folder)")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())
