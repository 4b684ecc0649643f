"""What the processes of ``photographs.py`` measure of isthmus's photographic codec."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import harness
import numpy as np
from photographs_peers import kodak, measured, pixels_of

HIGHEST = 255  # quality as a file has it; a user's is from 0 to 100
SMALL = (40, 57)  # pixels of the crops that the norm decodes
TILED = (1100, 1500)  # of a picture of several tiles


def coded(picture: Any, quality: int, effort: int = 0) -> Any:
    """Return a compressed photograph at a quality from 0 to 255, by one thread of the coder."""
    from isthmus.tasks.compression.to_target import compress_photograph

    wanted = 100 * quality / HIGHEST
    return compress_photograph(picture, quality=wanted, effort=effort, lossy=True, threads=1)


def decoded(data: bytes) -> np.ndarray:
    """Return the pixels of a compressed photograph."""
    from isthmus import decompress

    return np.asarray(decompress(data))


def mirrored(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a picture of another size, of a picture beside its mirror images."""
    down, across = -(-height // picture.shape[0]), -(-width // picture.shape[1])
    row = np.concatenate([picture[:, :: (-1) ** column] for column in range(across)], axis=1)
    return np.concatenate([row[:: (-1) ** number] for number in range(down)], axis=0)[:height, :width].copy()


def paths(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Yield the files of some pictures."""
    return (path for path in kodak(folder) if path.stem in names)


# ---------------------------------------------------------------------- rates


def quick(folder: Path, names: Sequence[str], qualities: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield for each picture what the quick encoder makes of its file: bytes, quality, and processor seconds."""
    import torch

    torch.set_num_threads(1)
    coded(next(paths(folder, names)), 0)  # loads what is loaded once
    for path in paths(folder, names):
        picture, points = pixels_of(path), []
        for quality in qualities:
            start = time.process_time()
            made = coded(path, quality)
            between = time.process_time()
            back = decoded(made.data)
            spent = {"encode": between - start, "decode": time.process_time() - between}
            spent = {name: round(seconds, 4) for name, seconds in spent.items()}
            points.append({"bytes": len(made.data), **measured(picture, back), **spent})
        yield {"picture": path.stem, "tools": {"isthmus": points}}


def patient(
    folder: Path, name: str, effort: int, qualities: Sequence[int], targets: Sequence[float], threads: int
) -> Iterator[dict[str, Any]]:
    """Yield what learning a picture gives at qualities, and at decibels that are reached: bytes, dB, wall seconds."""
    import torch

    from isthmus.tasks.compression.to_target import compress_photograph

    torch.set_num_threads(threads)
    [path] = paths(folder, [name])
    picture = pixels_of(path)
    coded(path, 0)

    def to_target(value: float) -> Callable[[], Any]:
        return lambda: compress_photograph(path, psnr=value, effort=effort, lossy=True, threads=threads)

    def at_quality(value: int) -> Callable[[], Any]:
        return lambda: coded(path, value, effort)

    calls = [("quality", value, at_quality(value)) for value in qualities]
    calls += [("psnr", value, to_target(value)) for value in targets]
    for kind, value, call in calls:
        torch.manual_seed(0)
        with harness.clocked() as clock:
            made = call()
        seconds = {"seconds": round(clock.seconds, 2), "other_cores": clock.other_cores}
        point = {"bytes": len(made.data), **measured(picture, decoded(made.data)), **seconds}
        yield {"kind": kind, "at": value, "point": point}


def sizes(folder: Path, names: Sequence[str], qualities: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield for each picture estimated and real bytes at each quality.

    The estimate is of the networks in floats, without planes of latents that are all zero, which are not coded.
    """
    import torch

    torch.set_num_threads(1)
    for path in paths(folder, names):
        picture = pixels_of(path)
        both = [[round(estimated(picture, quality)), len(coded(path, quality).data)] for quality in qualities]
        yield {"picture": path.stem, "bytes": both}


def estimated(picture: np.ndarray, quality: int) -> float:
    """Return the bytes of the latents of a picture, as the networks give them."""
    import torch

    from isthmus.networks.photographic import bits_of, sides_of
    from isthmus.tasks.compression.photographs import Encoder, networks

    decoder, at, bits = networks()[1], torch.tensor([quality / HIGHEST]), 0.0
    encoder = Encoder(picture)
    with torch.no_grad():
        for x, latents in zip(encoder.units(), encoder.coded(quality).tiles, strict=True):
            sides = sides_of(*x.shape[2:])
            s = torch.zeros(1, decoder.levels[-1].look.in_channels, *sides[-1])
            for number in reversed(range(len(latents))):
                level, (height, width) = decoder.levels[number], sides[number]
                y = torch.from_numpy(latents[number]).float().permute(2, 0, 1)[None]
                t = level.seen(s, at)
                each = bits_of(y, *level.prior(t, y, at)).sum((0, 2, 3))
                bits += float(each[(y != 0).any(3).any(2)[0]].sum())
                s = level(s, t, y, at)[:, :, :height, :width]
    return bits / 8


# ---------------------------------------------------------------------- speed


def speed(way: str, source: Path, quality: int, threads: int, rounds: int) -> dict[str, Any]:
    """Return wall seconds of compressing an array, or of decompressing a file, and the peak memory of the process."""
    if way == "encode":
        import torch

        torch.set_num_threads(threads)
        from isthmus.tasks.compression.to_target import compress_photograph

        picture, wanted = np.load(source), 100 * quality / HIGHEST

        def call() -> object:
            return compress_photograph(picture, quality=wanted, lossy=True, threads=threads)
    else:
        from isthmus.coding.pictures.photograph import PhotographPixels

        PhotographPixels.at_once = threads
        data = source.read_bytes()

        def call() -> object:
            return decoded(data)

    with harness.clocked() as clock:
        seconds = harness.repeat(call, rounds, warm=1 if rounds > 1 else 0)
    return harness.spread(seconds, 4) | {
        "other_cores": clock.other_cores,
        "peak_bytes": harness.peak_resident_bytes(),
    }


# ---------------------------------------------------------------------- digests


def write_files(folder: Path, work: Path, qualities: Sequence[int]) -> None:
    """Write the files that every decoder gets: crops that the norm decodes, too, whole pictures, and several tiles."""
    picture = pixels_of(kodak(folder)[0])
    height, width = SMALL
    for quality in qualities:
        for number, top in enumerate((0, 200)):
            crop = np.ascontiguousarray(picture[top : top + height, top : top + width])
            (work / f"small-{quality}-{number}").write_bytes(coded(crop, quality).data)
        (work / f"whole-{quality}").write_bytes(coded(picture, quality).data)
        (work / f"tiles-{quality}").write_bytes(coded(mirrored(picture, *TILED), quality).data)
    crop = np.ascontiguousarray(picture[100 : 100 + height, 300 : 300 + width])
    (work / "small-learned").write_bytes(coded(crop, qualities[-1], effort=1).data)


def digests(work: Path, instructions: int, threads: int) -> dict[str, Any]:
    """Return digests of the pixels of all files and of the small ones; of these alone by the norm.

    Parameters
    ----------
    work : Path
        Holds the files.
    instructions : int
        0 for plain C, 1 for AVX2, 2 for AVX-512, -1 for the norm.
    threads : int
    """
    from isthmus.coding.photographs import decoder
    from isthmus.coding.pictures.photograph import PhotographPixels

    PhotographPixels.at_once = threads
    if instructions < 0:
        vars(decoder)["_back"] = decoder.Plain
    else:
        from isthmus.coding import _photographs

        if not decoder.is_compiled():
            raise SystemExit("The compiled decoder of photographs is missing.")
        if _photographs.choose(instructions) != instructions:
            return {"missing": "the processor has no such instructions"}
    found = {"all": hashlib.sha256(), "small": hashlib.sha256()}
    start = time.perf_counter()
    for path in sorted(work.iterdir()):
        is_small = path.name.startswith("small")
        if instructions < 0 and not is_small:
            continue
        pixels = decoded(path.read_bytes())
        for kind in ("all", "small") if is_small else ("all",):
            found[kind].update(repr(pixels.shape).encode() + pixels.tobytes())
    names = ("small",) if instructions < 0 else ("all", "small")
    seconds = round(time.perf_counter() - start, 2)
    return {name: found[name].hexdigest() for name in names} | {"seconds": seconds}
