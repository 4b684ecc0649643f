"""Photographs compressed each to a target that a person states, by the codec that isthmus carries or one's own."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from isthmus import checks
from isthmus.cli import outputs, picture_files
from isthmus.cli.pipes import STANDARD, standard_output
from isthmus.cli.terminal import Result, Terminal, counted, signals_at_the_end
from isthmus.coding.archive import write_archive
from isthmus.coding.sources import Gathered, gathered
from isthmus.files import replacing

if TYPE_CHECKING:
    from isthmus.coding.contents import Content
    from isthmus.coding.photographs.weights import Weights
    from isthmus.data.photographs import Photo
    from isthmus.tasks.compression.to_target import CompressedPhotograph, Targeting

__all__ = ["Asked", "compress", "seeking"]

SUFFIX = ".isth"
SECONDS = 5.0  # between two lines about work that takes minutes
LOSSY = ("JPEG", "WEBP", "AVIF")  # formats in which something is lost, as a rule


@dataclass(frozen=True)
class Asked:
    """What a person wants of photographs.

    Parameters
    ----------
    targets : mapping of str to float or int
        Those that were given, of psnr, bpp, size and quality.
    effort : int
    lossy : bool
        Whether targets are kept to even where a picture takes fewer bytes without a loss.
    threads : int
    model : str, optional
        The file of a codec that was fitted to such pictures.
    """

    targets: Mapping[str, Any]
    effort: int = 0
    lossy: bool = False
    threads: int = 2
    model: str | None = None

    @property
    def flags(self) -> list[str]:
        """Of the targets."""
        return [f"--{name}" for name in self.targets]

    @cached_property
    def codec(self) -> Any:
        """The codec; None for the one that isthmus carries."""
        from isthmus.tasks.compression.to_target import codec_of

        return codec_of(self.model)

    @property
    def weights(self) -> Weights | None:
        """Of its decoder, which decompress needs; None of those that isthmus carries."""
        return None if self.codec is None else self.codec.fitted()


def compress(
    terminal: Terminal,
    paths: Sequence[str],
    asked: Asked,
    *,
    output: str | None = None,
    stdout: bool = False,
    dry_run: bool = False,
    force: bool = False,
) -> Result:
    """Compress pictures, each to one file beside it; folders, or several pictures that have one output, to archives."""
    from isthmus.tasks.compression.to_target import effort_of, target_of

    target_of(asked.targets)
    effort_of(asked.effort)
    if STANDARD in paths:
        raise checks.target_without_picture("what comes through a pipe", asked.flags)
    is_archive = output is not None and len(paths) > 1
    for path in () if is_archive else paths:
        if not os.path.isdir(path) and picture_files.kind_of(path) != picture_files.FILES:
            raise checks.target_without_picture(path, asked.flags)
    with standard_output(terminal, "compress", output, stdout) as to_stdout:
        if to_stdout is not None:
            for path in paths[:1]:
                to_stdout.write(_photograph(terminal, path, asked, path).data)
            return Result({})
        targets = [str(output)] if output is not None else _beside(paths)
        into = [None if dry_run else outputs.check_file_output(target, force) for target in targets]
        done: list[dict[str, Any]] = []
        for group, target in zip([paths] if is_archive else [[path] for path in paths], into, strict=True):
            started = time.perf_counter()
            named = target or Path(targets[len(done)])
            if is_archive or os.path.isdir(group[0]):
                one = _archive(terminal, group, asked, named, written=target is not None, force=force)
            else:
                one = _file(terminal, group[0], asked, named, written=target is not None, force=force)
            source = group[0] if len(group) == 1 else list(group)
            done.append({"source": source, "output": str(named), **one, "seconds": time.perf_counter() - started})
    return Result({"files": done}, [_line(one) for one in done])


def _beside(paths: Sequence[str]) -> list[str]:
    """Return where each goes: photo.png becomes photo.isth, but where another becomes that, too."""
    found = []
    for path in paths:
        plain = os.path.normpath(path)
        plain = os.path.abspath(plain) if os.path.basename(plain) in (".", "..") else plain
        found.append(plain + SUFFIX if os.path.isdir(path) else str(Path(plain).with_suffix(SUFFIX)))
    return [target if found.count(target) == 1 else path + SUFFIX for path, target in zip(paths, found, strict=True)]


def _line(one: Mapping[str, Any]) -> str:
    what = counted(one["records"], "picture") if "members" in one else f"{one['width']:,}x{one['height']:,}"
    bits = f"{one['bpp']:.3f} bits a pixel"
    return (
        f"{one['output']}: {what} in {one['compressed_bytes']:,} bytes, {bits}, {_quality(one)}, {one['seconds']:.1f} s"
    )


def _quality(one: Mapping[str, Any]) -> str:
    if one["psnr"] is None:
        return "nothing is lost"
    return f"PSNR {one['psnr']:.2f} dB" + (f" (quality {one['quality']:.0f})" if one.get("quality") is not None else "")


# ------------------------------------------------------------------ one picture


def _file(terminal: Terminal, path: str, asked: Asked, target: Path, *, written: bool, force: bool) -> dict[str, Any]:
    """Compress one picture into a file."""
    if not written:
        return _facts(_photograph(terminal, path, asked, str(target)))
    with _interruptible(asked, str(target)) as goes_on:
        made = _photograph(terminal, path, asked, str(target), goes_on)
        with replacing(target, force=force) as into:
            into.write(made.data)
    return _facts(made)


def _photograph(
    terminal: Terminal, path: str, asked: Asked, label: str, goes_on: Callable[[], bool] = lambda: True
) -> CompressedPhotograph:
    """Return a picture as a compressed file; what a person should know of it is told."""
    from isthmus.tasks.compression.to_target import target_of

    found, photo = seeking(terminal, path, asked, goes_on)
    made = found.within(*target_of(asked.targets), effort=asked.effort, lossy=asked.lossy)
    terminal.say(*(f"note: {note}" for note in (*_about(path, photo), *made.notes)))
    return made


def seeking(
    terminal: Terminal, path: str, asked: Asked, goes_on: Callable[[], bool] = lambda: True
) -> tuple[Targeting, Photo]:
    """Return what seeks the setting for a picture file, and what was read of it."""
    from isthmus.data.photographs import read_photo
    from isthmus.tasks.compression.to_target import Targeting

    photo, told = read_photo(path), _Told(terminal, os.path.basename(path), goes_on)
    how: dict[str, Any] = {"threads": asked.threads, "progress": told, "model": asked.codec}
    return Targeting(photo, path, path=path, **how), photo


def _about(path: str, photo: Photo) -> Iterator[str]:
    """Yield what a person should know of a file that is no PNG file."""
    if photo.format in LOSSY:
        yield checks.photograph_of_lossy_format(path, photo.format)
    elif photo.format != "PNG":
        yield checks.photograph_as_png(path)


def _facts(made: CompressedPhotograph) -> dict[str, Any]:
    return {
        "records": 1,
        "compressed_bytes": len(made.data),
        "bpp": made.bpp,
        "psnr": made.psnr if math.isfinite(made.psnr) else None,
        "quality": made.quality,
        "height": made.height,
        "width": made.width,
    }


class _Told:
    """Tells now and then how far an encoder is that takes minutes.

    Parameters
    ----------
    terminal : Terminal
    name : str
        Of the picture.
    goes_on : callable
        Returns whether a person still wants more.
    """

    def __init__(self, terminal: Terminal, name: str, goes_on: Callable[[], bool]) -> None:
        self._terminal, self._name, self._goes_on = terminal, name, goes_on
        self._last = time.monotonic()

    def __call__(self, share: float, size: float, psnr: float) -> bool:
        """Tell the share that is done, and bytes and PSNR that are reached; return whether to go on."""
        if (now := time.monotonic()) - self._last >= SECONDS:
            self._last = now
            self._terminal.say(f"{self._name}: {100 * share:.0f} % done, {size:,.0f} bytes at {psnr:.2f} dB so far")
        return self._goes_on()


@contextmanager
def _interruptible(asked: Asked, label: str) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C end work that takes minutes with the best so far; quick work it ends at once, and nothing is left."""
    if not asked.effort:
        yield lambda: True
        return
    with signals_at_the_end(checks.interrupted_while_learning(label)) as received:
        yield lambda: not received


# ------------------------------------------------------------------ folders


def _archive(
    terminal: Terminal, paths: Sequence[str], asked: Asked, target: Path, *, written: bool, force: bool
) -> dict[str, Any]:
    """Compress files and folders as an archive, whose pictures keep the target each; others lose nothing."""
    if "size" in asked.targets:
        raise checks.size_of_several()
    members = gathered(paths, but=target)
    if members.skipped:
        terminal.say(f"note: {checks.skipped_in_folder(members.skipped)}")
    if not members.files:
        raise checks.nothing_to_compress(", ".join(paths))
    pictures = {name: path for name, path in members.files.items() if picture_files.kind_of(str(path)) == "files"}
    if not pictures:
        raise checks.no_photographs_in(", ".join(paths))
    found = _Members(terminal, asked, _named(members, pictures))
    if written:
        with replacing(target, force=force) as into:
            size = found.write(into)
    else:
        with open(os.devnull, "wb") as into:
            size = found.write(into)
    return {**found.facts(size), "members": len(members.files)}


def _named(members: Gathered, pictures: Mapping[str, Path]) -> dict[str, Path]:
    """Return files by the names of members: pictures end in .png, as they come back."""
    found: dict[str, Path] = {}
    for name, path in members.files.items():
        as_png = str(Path(name).with_suffix(".png").as_posix()) if name in pictures else name
        is_free = as_png not in found and (as_png == name or as_png not in members.files)
        found[as_png if is_free else f"{name}.png"] = path
    return found


class _Members:
    """The members of an archive, of which pictures keep a target.

    Parameters
    ----------
    terminal : Terminal
    asked : Asked
    files : mapping of str to Path
        By the names of members.
    """

    def __init__(self, terminal: Terminal, asked: Asked, files: Mapping[str, Path]) -> None:
        self._terminal, self._asked, self._files = terminal, asked, files
        self._pixels = self._pictures = 0
        self._errors, self._formats = 0.0, set[str]()

    def write(self, into: BinaryIO) -> int:
        """Write the archive, and return how many bytes that are."""
        weights = self._asked.weights
        needs = None if weights is None else weights.fingerprint
        size = write_archive(into, self._files, verify=False, content_in=self._content_in, needs=needs)
        if others := self._formats - {"PNG"}:
            self._terminal.say(f"note: {checks.photographs_as_png(sorted(others))}")
        return size

    def _content_in(self, name: str, file: BinaryIO) -> Content | None:
        """Return a picture as what stands in the archive; None of other files."""
        from isthmus.tasks.compression.to_target import target_of

        path = str(self._files[name])
        if picture_files.kind_of(path) != picture_files.FILES:
            return None
        found, photo = seeking(self._terminal, path, self._asked, lambda: True)
        target = target_of(self._asked.targets)
        made = found.made(*target, effort=self._asked.effort, lossy=self._asked.lossy)
        self._terminal.say(*(f"note: {note}" for note in found.notes))
        self._pictures += 1
        self._pixels += found.pixels
        self._errors += 0.0 if math.isinf(made.psnr) else found.pixels * 10 ** (-made.psnr / 10)
        self._formats.add(photo.format or "")
        return made.content

    def facts(self, size: int) -> dict[str, Any]:
        """Return what was found, of an archive of so many bytes."""
        psnr = 10 * math.log10(self._pixels / self._errors) if self._errors else None
        return {"records": self._pictures, "compressed_bytes": size, "bpp": 8 * size / self._pixels, "psnr": psnr}
