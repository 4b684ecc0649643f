"""Many files as one archive, each of which can be had alone: see docs/format.md.

The payloads stand one after another, and behind them a directory of them. Nothing that the directory says is believed
before all of it was checked against its own check, against the size of the file, and against the rules for names.
"""

from __future__ import annotations

import io
import itertools
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import IO, Any, BinaryIO, NamedTuple, Self, TypeVar

from isthmus import checks, files
from isthmus.coding import names
from isthmus.coding.choosing import Choice, Given
from isthmus.coding.coder import NORMAL, Coder, table_bits
from isthmus.coding.container import (
    ARCHIVE,
    FINGERPRINT,
    SMALL_LIMIT,
    SPEEDS,
    Fields,
    Source,
    as_bytes,
    believable,
    check_of,
    coded,
    decoded,
    needed_model,
    opened,
    varint,
)
from isthmus.coding.kinds import AnyCodec, Model, fitted_in
from isthmus.coding.members import PIECE, Coding, ContentIn, Opened, Window, checked, data_in
from isthmus.coding.prior import Prior, shipped
from isthmus.coding.recognising import AUTO, BYTES
from isthmus.coding.sources import check_names, gathered, pieces
from isthmus.errors import ArtifactError, IsthmusWarning

__all__ = ["BLOCK", "Archive", "Block", "Member", "Progress", "write_archive"]

BLOCK = 1 << 18  # bytes of data that are coded at once
GROUP = 64  # blocks after which the coder begins afresh
SHORT_CHECK, LONG_CHECK = 3, 4  # bytes; short for blocks of up to 65,535 bytes
FOOTER = 13  # bytes
OF_BYTES, EXACT, ALIKE = range(3)  # forms of members
DIRECTORY_LIMIT = 1 << 26  # bytes of a directory
MEMBERS_LIMIT = 1 << 20
BLOCKS_LIMIT = 1 << 22  # of all members: a tebibyte
TWICE = 100  # the directory stands twice where it is at most one part of so many

Task = TypeVar("Task")
Done = TypeVar("Done")
Progress = Callable[[int, int], None]  # is told the bytes read and written since it was told last


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a member, coded at once.

    Parameters
    ----------
    length : int
        Bytes of data.
    size : int
        Bytes of payload.
    stored : bool
        Whether the payload is the data.
    check : bytes
        Of the data.
    position : int
        Of the payload in the file.
    """

    length: int
    size: int
    stored: bool
    check: bytes
    position: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive.

    Parameters
    ----------
    name : str
        With ``/`` between folders.
    length : int
        Bytes of its data.
    blocks : tuple of Block
        Where they are.
    form : {0, 1, 2}, default=0
        Of bytes; or the one block is a compressed file of its own, which gives them again byte for byte (1), or gives
        what means the same (2).
    """

    name: str
    length: int
    blocks: tuple[Block, ...]
    form: int = OF_BYTES

    @property
    def is_file(self) -> bool:
        """Whether it is coded as what it is: a table, an array, a picture."""
        return self.form != OF_BYTES

    @property
    def size(self) -> int:
        """Bytes that it takes in the archive, without its entry in the directory."""
        return sum(block.size for block in self.blocks)


class Archive:
    """An archive of files, each of which can be had alone.

    Contents and names are kept, not times, owners, permissions, links or empty folders. There is no encryption.

    Parameters
    ----------
    file : path or binary file
        Where it is; a file must be one that can be searched. Members can be added and deleted where a path was given.
    model : Codec, PictureCodec, TableCodec, PhotographicCodec or path, optional
        The model that it was compressed with, where it was with one. Names and lengths can be had without it.

    Raises
    ------
    ArtifactError
        It is damaged, cut short, or no archive; or a name in it is not such as every system can have; or the file of
        the model is none.
    FormatNumberError
        A later version of isthmus wrote it.

    Examples
    --------
    >>> import isthmus
    >>> archive = isthmus.Archive.create("letters.isth", {"a.txt": b"alpha", "more/b.txt": b"beta"})
    >>> archive.names
    ['a.txt', 'more/b.txt']
    >>> archive.read("more/b.txt")
    b'beta'
    """

    def __init__(self, file: str | os.PathLike[str] | BinaryIO, *, model: Model = None) -> None:
        self._model = fitted_in("Archive", model)
        self._path = Path(file) if isinstance(file, str | os.PathLike) else None
        self._file: BinaryIO = open(file, "rb") if isinstance(file, str | os.PathLike) else file  # noqa: SIM115
        self.label = str(self._path or "the archive")
        try:
            self.fields, members = _opened(self._file, self.label)
        except BaseException:
            self.close()
            raise
        self._members = {member.name: member for member in members}

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        contents: Given | str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        speed: str = "normal",
        verify: bool = True,
        threads: int = 1,
        force: bool = False,
        model: Model = None,
        prior: bool = True,
        content: str = AUTO,
    ) -> Self:
        """Write an archive, whole or not at all, and return it.

        Parameters
        ----------
        path : path
            Where to.
        contents : mapping of str to bytes or path, or path, or iterable of paths
            Members by name; or files and folders, of which those of one folder are named relative to it.
        speed : {"normal", "fast"}, default="normal"
            Of the predictor.
        verify : bool, default=True
            Whether each block is decoded again and compared.
        threads : int, default=1
            Blocks that are coded at a time.
        force : bool, default=False
            Whether a file of that name may be replaced.
        model : Codec, PictureCodec, TableCodec or path, optional
            What was learned from data like these; whoever reads members needs it too.
        prior : bool, default=True
            Whether, without a model, the prior that isthmus carries may be used, where most bytes look like text.
        content : {"auto", "bytes"}, default="auto"
            What members are coded as: by the endings of their names, tables (.csv, .tsv, .tab), arrays (.npy) and
            pictures (.png) as such where that brings them back byte for byte; or all as bytes, as they are at speed
            "fast" and with a model of bytes.

        Raises
        ------
        OutputExistsError
            The file exists and ``force`` is off.
        DataError
            A name is not such as every system can have, or two are the same on some; or a member has other columns
            than the model of tables, or other pictures than the one of pictures.
        ParameterError
            There is a model, and the speed is not normal.

        Warns
        -----
        IsthmusWarning
            Links and special files of a folder were left out, or a file changed while it was read.
        """
        given = contents if isinstance(contents, Mapping) else _of_paths(contents, Path(path))
        needed = fitted_in("Archive", model)
        how: dict[str, Any] = {"speed": speed, "verify": verify, "threads": threads, "model": needed, "prior": prior}
        how["content"] = content
        with files.replacing(path, force=force) as file:
            write_archive(file, given, label=os.fspath(path), **how)
        return cls(path, model=model)

    @property
    def names(self) -> list[str]:
        """Names of the members, in the order in which they were added."""
        return list(self._members)

    @property
    def members(self) -> list[Member]:
        """The members, in the order in which they were added."""
        return list(self._members.values())

    @property
    def prior(self) -> Prior | None:
        """What bytes are coded with; ArtifactError where members need a model, and another one was given, or none."""
        if self.fields.files:
            needed_model(self.fields.files, self._model, self.label)
        return self._prior

    @property
    def _prior(self) -> Prior | None:
        return self.fields.found_prior(self._model, self.label)

    def read(self, name: str) -> bytes:
        """Return the content of a member.

        Raises
        ------
        ParameterError
            There is no such member.
        ArtifactError
            It is damaged, and others may be sound; or the archive needs another model.
        """
        return b"".join(self.blocks(name))

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a member in pieces of 256 KiB, the last one shorter.

        Raises
        ------
        ParameterError
            There is no such member.
        ArtifactError
            It is damaged, and what came before is sound; or the archive needs another model.
        """
        return (data for data, _ in self.metered(name))

    def metered(self, name: str) -> Iterator[tuple[bytes, int]]:
        """Yield what :meth:`blocks` does, with how many bytes of the archive each piece took."""
        checks.known_members(self.label, [name], self._members)
        member = self._members[name]
        return self._of_file(member) if member.is_file else self._of_bytes(member)

    def _of_file(self, member: Member) -> Iterator[tuple[bytes, int]]:
        """Yield the content of a member that is a compressed file of its own."""
        name, (block,) = f"{self.label}: {member.name}", member.blocks
        size, length = block.size, 0
        window = Window(self._file, block.position, block.size)
        for data in data_in(window, name, block.check, self._model):
            length += len(data)
            yield data, size
            size = 0
        if member.form == EXACT and length != member.length:
            raise checks.damaged(name, "it has not as many bytes as it should")

    def _of_bytes(self, member: Member) -> Iterator[tuple[bytes, int]]:
        """Yield the content of a member that is coded as bytes."""
        source, prior, blocks = Source(self._file, self.label), self._prior, member.blocks
        for start in range(0, len(blocks), GROUP):
            decoder = _Decoder(self.fields, prior, blocks[start : start + GROUP])
            for block in decoder.blocks:
                self._file.seek(block.position)
                data = decoder.data(block, source.take(block.size))
                if data is None:
                    raise source.damaged(f"member {member.name!r} does not fit its check")
                yield data, block.size

    def extract(
        self,
        folder: str | os.PathLike[str],
        names: Sequence[str] | None = None,
        *,
        force: bool = False,
        progress: Progress | None = None,
    ) -> list[Path]:
        """Write members as files into a folder; a new folder comes up whole or not at all.

        Nothing is written outside the folder, whatever the archive holds: a name that could lead out of it is refused
        when the archive is opened, and a link inside the folder when a member would pass through it.

        Parameters
        ----------
        folder : path
            Where to; it is made.
        names : sequence of str, optional
            Members; by default all.
        force : bool, default=False
            Whether files that are there may be replaced.
        progress : callable, optional
            Is told the bytes written and read, again and again.

        Returns
        -------
        list of Path
            The files.

        Raises
        ------
        OutputExistsError
            A file is there already and ``force`` is off; then nothing was written.
        ParameterError
            There is no such member, or a link is in the way.
        ArtifactError
            A member is damaged, or the archive needs another model.
        """
        folder = Path(folder)
        wanted = self.names if names is None else list(names)
        checks.known_members(self.label, wanted, self._members)
        if any(self._members[name].is_file for name in wanted):
            _ = self.prior  # before anything is made
        _ = self._prior
        _check_names(wanted, self.label)
        if folder.exists():
            for name in wanted:
                _check_free(folder, name, force=force)
            for name in wanted:
                target = folder.joinpath(*name.split("/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                _check_free(folder, name, force=force)  # something may have come up meanwhile
                with files.replacing(target, force=force) as file:
                    self._write(name, file, progress)
        else:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with files.temporary_folder(folder) as part:
                for name in wanted:
                    target = part.joinpath(*name.split("/"))
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with open(target, "xb") as file:
                        self._write(name, file, progress)
                part.replace(folder)
        return [folder.joinpath(*name.split("/")) for name in wanted]

    def _write(self, name: str, file: BinaryIO, progress: Progress | None) -> None:
        for data, size in self.metered(name):
            file.write(data)
            if progress:
                progress(len(data), size)

    def add(
        self,
        contents: Given | str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        verify: bool = True,
        threads: int = 1,
        force: bool = False,
        progress: Progress | None = None,
        content: str = AUTO,
    ) -> None:
        """Add members; the archive is written anew, whole or not at all, and those it had are not coded again.

        Parameters
        ----------
        contents, verify, threads, content
            As :meth:`create` takes them.
        force : bool, default=False
            Whether members of the same names may be replaced.
        progress : callable, optional
            Is told the bytes read and written, again and again.

        Raises
        ------
        OutputExistsError
            There is a member of that name already and ``force`` is off.
        ArtifactError
            The members that it has were coded with another model, or without one.
        """
        prior = self.prior
        if isinstance(self._model, Prior) and self._model is not prior:
            raise checks.archive_without_model(self.label)
        given = contents if isinstance(contents, Mapping) else _of_paths(contents, self._path)
        for name in given:
            if name in self._members and not force:
                raise checks.member_exists(self.label, name)
        kept = [member for member in self.members if member.name not in given]
        self._rewrite(kept, given, verify=verify, threads=threads, progress=progress, content=content)

    def delete(self, names: Sequence[str]) -> None:
        """Delete members; the archive is written anew, whole or not at all.

        Raises
        ------
        ParameterError
            There is no such member.
        """
        checks.known_members(self.label, names, self._members)
        gone = set(names)
        self._rewrite([member for member in self.members if member.name not in gone], {})

    def close(self) -> None:
        """Close the file, where the archive was opened by its path."""
        if self._path is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _rewrite(
        self,
        kept: Sequence[Member],
        given: Given,
        *,
        verify: bool = True,
        threads: int = 1,
        progress: Progress | None = None,
        content: str = AUTO,
    ) -> None:
        if self._path is None:
            raise io.UnsupportedOperation("members are added and deleted where an archive was opened by its path")
        check_names([*(member.name for member in kept), *given])
        prior = self.prior if given else None  # nobody needs a model to delete
        codec = self._model if isinstance(self._model, AnyCodec) else None
        coding = _coding(content, self.fields.speed, prior, codec)
        fields = self.fields
        if codec and fields.files in (None, b""):
            fields = replace(fields, files=codec.fitted().fingerprint[:FINGERPRINT])
        elif fields.files is None and coding.any_of(given):
            fields = replace(fields, files=b"")
        with files.replacing(self._path, force=True) as file:
            writer = _ArchiveWriter(file, fields, prior, self.label, progress)
            for member in kept:
                writer.copy(member, self._file)
            writer.add(given, coding, verify=verify, threads=threads)
            writer.end()
        self._file.close()
        self._file = open(self._path, "rb")  # noqa: SIM115
        self.fields, members = _opened(self._file, self.label)
        self._members = {member.name: member for member in members}


def _of_paths(
    contents: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], but: Path | None
) -> Mapping[str, Path]:
    """Return the files of paths by name in an archive; warn of what is left out."""
    paths = [contents] if isinstance(contents, str | os.PathLike) else list(contents)
    found = gathered(paths, but=but)
    if found.skipped:
        warnings.warn(IsthmusWarning(checks.skipped_in_folder(found.skipped)), stacklevel=3)
    return found.files


def _check_free(folder: Path, name: str, *, force: bool) -> None:
    """Refuse to write a member through a link, over a folder, or over a file that may not be replaced."""
    place = folder
    parts = name.split("/")
    for part in parts[:-1]:
        place = place / part
        if place.is_symlink():
            raise checks.link_in_the_way(place)
        if place.exists() and not place.is_dir():
            raise checks.member_in_the_way(place)
    place = place / parts[-1]
    if place.is_symlink():
        raise checks.link_in_the_way(place)
    if place.is_dir():
        raise checks.member_in_the_way(place)
    if place.exists() and not force:
        raise checks.still_there(place)


# ------------------------------------------------------------------ writing


def write_archive(
    file: BinaryIO,
    contents: Given,
    *,
    speed: str = "normal",
    verify: bool = True,
    threads: int = 1,
    label: str = "the archive",
    progress: Progress | None = None,
    model: Any = None,
    prior: bool = True,
    content: str = AUTO,
    content_in: ContentIn | None = None,
    needs: bytes | None = None,
) -> int:
    """Write an archive to a file that is only written to, never searched.

    Parameters
    ----------
    file : binary file
        Where to.
    contents : mapping of str to bytes or path
        Members by name.
    speed, verify, threads, progress
        As :meth:`Archive.create` and :meth:`Archive.add` take them.
    label : str, default="the archive"
        What sentences call it.
    model : Prior or AnyCodec, optional
        What members are coded with; of something else than bytes those that it is for.
    prior, content
        As :meth:`Archive.create` takes them.
    content_in : callable, optional
        Returns what a member is coded as with a model of something else than bytes, in place of its own method; it need
        not come back byte for byte.
    needs : bytes, optional
        Fingerprint of the model that ``content_in`` codes with, where isthmus does not carry it.

    Returns
    -------
    int
        Bytes that were written.

    Warns
    -----
    IsthmusWarning
        The model is not for some members.
    """
    checks.choice("compress", "speed", speed, tuple(SPEEDS))
    check_names(contents)
    number = SPEEDS[speed]
    checks.choice("compress", "content", content, (AUTO, BYTES))
    codec = model if isinstance(model, AnyCodec) else None
    if codec and number != NORMAL:
        raise checks.model_at_speed()
    known = Choice(number, None if codec else model, prior).for_members(contents)
    coding = _coding(content, number, known, codec, prior=prior, content_in=content_in)
    fields = Fields.predicted(number, table_bits(GROUP * BLOCK, number), known)
    if codec:
        needs = codec.fitted().fingerprint
    if needs:
        fields = replace(fields, files=needs[:FINGERPRINT])
    elif coding.any_of(contents):
        fields = replace(fields, files=b"")
    writer = _ArchiveWriter(file, fields, known, label, progress)
    writer.add(contents, coding, verify=verify, threads=threads)
    return writer.end()


def _coding(
    content: str,
    speed: int,
    known: Prior | None,
    codec: AnyCodec | None,
    *,
    prior: bool = True,
    content_in: ContentIn | None = None,
) -> Coding:
    """Return as what members are coded: as bytes where little time is to be spent, or with a model of bytes."""
    carried = shipped()
    is_model = known is not None and (carried is None or known.fingerprint != carried.fingerprint)
    content = BYTES if speed != NORMAL or is_model else content
    if content_in:
        return Coding(content, prior, content_in, exactly=False)
    return Coding(content, prior, codec.content_in if codec else None)


class _ArchiveWriter:
    """Writes the parts of an archive in their order."""

    def __init__(
        self, file: BinaryIO, fields: Fields, prior: Prior | None, label: str, progress: Progress | None
    ) -> None:
        self._file, self._fields, self._prior, self._label, self._progress = file, fields, prior, label, progress
        self._members: list[Member] = []
        self._size = 0
        self._put(fields.to_bytes(ARCHIVE))

    def copy(self, member: Member, file: BinaryIO) -> None:
        """Take over a member of another archive that is coded in the same way."""
        for block in member.blocks:
            self._put_all(Window(file, block.position, block.size))
        self._members.append(member)

    def add(self, contents: Given, coding: Coding, *, verify: bool, threads: int) -> None:
        """Code members, several groups of blocks at a time."""
        found: dict[str, list[Block]] = {name: [] for name in contents}
        forms: dict[str, int] = {}
        stopped = Event()  # else threads would work on at what nobody waits for
        verified = self._label if verify else None

        def work(task: tuple[str, list[bytes] | Opened]) -> tuple[str, list[tuple[Block, bytes]] | _File]:
            name, group = task
            if isinstance(group, Opened):
                return name, self._coded_file(group, verified, stopped)
            return name, _coded_group(self._fields, self._prior, group, self._progress, verified, stopped)

        try:
            for name, coded in _in_order(work, _groups_of(contents, coding), threads):
                if isinstance(coded, _File):
                    forms[name] = coded.form
                    found[name].append(coded.block)
                    with coded.file:
                        self._put_all(coded.file)
                    continue
                for block, payload in coded:
                    self._put(payload)
                    found[name].append(block)
        finally:
            stopped.set()
        for name, blocks in found.items():
            length = sum(block.length for block in blocks)
            self._members.append(Member(name, length, tuple(blocks), forms.get(name, OF_BYTES)))
        if coding.others:
            warnings.warn(IsthmusWarning(checks.members_without_model(coding.others)), stacklevel=4)

    def _coded_file(self, opened: Opened, verified: str | None, stopped: Event) -> _File | list[tuple[Block, bytes]]:
        """Return a member as a compressed file of its own; as bytes, where it is short and they are fewer."""

        def done(piece: object, written: int) -> None:
            if stopped.is_set():
                raise InterruptedError

        file = opened.coded(verify=verified is not None, label=verified or self._label, done=done)
        size, check = checked(file)
        if opened.data is not None:
            group = _coded_group(self._fields, self._prior, [opened.data], None, verified, stopped)
            if (fewer := sum(block.size for block, _ in group)) <= size:
                file.close()
                if self._progress:
                    self._progress(opened.size, fewer)
                return group
        if self._progress:
            self._progress(opened.size, size)
        file.seek(0)
        form = EXACT if opened.content.is_exact else ALIKE
        return _File(Block(opened.size, size, stored=False, check=check), file, form)

    def end(self) -> int:
        """Write the directory and the footer; return the bytes of the whole."""
        directory = _packed(self._members, files=self._fields.files is not None)
        blocks = sum(len(member.blocks) for member in self._members)
        if len(self._members) > MEMBERS_LIMIT or blocks > BLOCKS_LIMIT or len(directory) > DIRECTORY_LIMIT:
            raise checks.archive_too_large(self._label)
        payload = coded(_directory_coder(len(directory)), directory) or directory
        copies = 2 if TWICE * len(payload) <= self._size else 1
        self._put(payload * copies)
        sizes = len(payload).to_bytes(4, "little") + len(directory).to_bytes(4, "little")
        self._put(sizes + check_of(directory) + bytes([copies]))
        self._file.flush()
        return self._size

    def _put(self, content: bytes) -> None:
        self._file.write(content)
        self._size += len(content)

    def _put_all(self, file: IO[bytes] | Window) -> None:
        while piece := file.read(PIECE):
            self._put(piece)


class _File(NamedTuple):
    """A member that is a compressed file of its own, and its one block."""

    block: Block
    file: IO[bytes]
    form: int


def _groups_of(contents: Given, coding: Coding) -> Iterator[tuple[str, list[bytes] | Opened]]:
    """Yield the blocks of each member, as many at a time as one coder codes; or the member as what it is."""
    for name, content in contents.items():
        if opened := coding.opened(name, content):
            yield name, opened
            continue
        blocks = (
            pieces(content, BLOCK) if isinstance(content, str | os.PathLike) else _cut(as_bytes("archive", content))
        )
        while group := list(itertools.islice(blocks, GROUP)):
            yield name, group


def _cut(data: memoryview) -> Iterator[bytes]:
    return (bytes(data[start : start + BLOCK]) for start in range(0, len(data), BLOCK))


def _in_order(work: Callable[[Task], Done], tasks: Iterable[Task], threads: int) -> Iterator[Done]:
    """Yield what work makes of tasks, in their order; with more than one thread a few are worked on at a time."""
    if threads <= 1:
        yield from map(work, tasks)
        return
    pool = ThreadPoolExecutor(threads)
    pending: deque[Future[Done]] = deque()
    try:
        for task in tasks:
            pending.append(pool.submit(work, task))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _coded_group(
    fields: Fields,
    prior: Prior | None,
    group: Sequence[bytes],
    progress: Progress | None,
    verified: str | None,
    stopped: Event,
) -> list[tuple[Block, bytes]]:
    """Return blocks and payloads of data that one coder codes; decode them again where they are to be verified."""
    coder, found = fields.coder(sum(map(len, group)), prior=prior), []
    for data in group:
        if stopped.is_set():
            break
        payload = coded(coder, data)
        content = data if payload is None else payload
        found.append((Block(len(data), len(content), payload is None, check_of(data, _check_size(len(data)))), content))
        if progress:
            progress(len(data), len(content))
    if verified is None or stopped.is_set():
        return found
    del coder  # its tables, before those of the decoder
    decoder = _Decoder(fields, prior, [block for block, _ in found])
    for data, (block, content) in zip(group, found, strict=True):
        if stopped.is_set():
            break
        if decoder.data(block, content) != data:
            raise checks.unlike_its_source(verified)
    return found


def _check_size(length: int) -> int:
    return SHORT_CHECK if length <= SMALL_LIMIT else LONG_CHECK


def _packed(members: Sequence[Member], *, files: bool = False) -> bytes:
    """Return the directory of members, which says their forms where some may be files."""
    blocks = [block for member in members for block in member.blocks]
    return b"".join(
        (
            varint(len(members)),
            *(member.name.encode() + b"\0" for member in members),
            *(varint(member.length) for member in members),
            *(bytes([member.form]) for member in members if files),
            *(varint(2 * block.size + block.stored) for block in blocks),
            *(block.check for block in blocks),
        )
    )


def _directory_coder(length: int) -> Coder:
    """Return the coder of a directory: a long one is coded fast, for it is read whenever a member is."""
    speed = SPEEDS["normal" if length <= SMALL_LIMIT else "fast"]
    return Coder(table_bits(length, speed), speed=speed)


# ------------------------------------------------------------------ reading


class _Decoder:
    """Makes data of the blocks that one coder coded, in their order.

    Parameters
    ----------
    fields : Fields
        Of the archive.
    prior : Prior or None
        The one that they name.
    blocks : sequence of Block
        All of them.
    """

    def __init__(self, fields: Fields, prior: Prior | None, blocks: Sequence[Block]) -> None:
        self.blocks = blocks
        self._coder = fields.coder(sum(block.length for block in blocks), prior=prior)
        self._last = blocks[-1]

    def data(self, block: Block, payload: bytes) -> bytes | None:
        """Return the data of the next block, None where they are not what was written."""
        if block.stored:
            data: bytes | None = payload
        else:
            data = decoded(self._coder, payload, block.length) if self._coder else None
        if data is None or check_of(data, len(block.check)) != block.check:
            return None
        if block.stored and self._coder and block is not self._last:
            self._coder.learn(data)
        return data


def _opened(file: BinaryIO, label: str) -> tuple[Fields, list[Member]]:
    """Return the fields and the members of an archive."""
    source = Source(file, label)
    file.seek(0)
    if opened(source) != ARCHIVE:
        raise checks.no_archive(label)
    fields, start = Fields.read(source, ARCHIVE), source.position
    end = file.seek(0, io.SEEK_END) - FOOTER
    if end < start:
        raise checks.cut_short(label)
    file.seek(end)
    footer = source.take(FOOTER)
    size, length = int.from_bytes(footer[:4], "little"), int.from_bytes(footer[4:8], "little")
    copies = footer[12]
    is_believable = size == length or believable(size, length)
    if copies not in (1, 2) or not is_believable or not 0 < length <= DIRECTORY_LIMIT or copies * size > end - start:
        raise source.damaged("it does not end like an archive, or its end is missing")
    for copy in range(copies):
        file.seek(end - (copy + 1) * size)
        directory = _directory(source.take(size), length)
        if directory is not None and check_of(directory) == footer[8:12]:
            return fields, _members(directory, start, end - copies * size, label, files=fields.files is not None)
    raise source.damaged("its directory does not fit its check, or its end is missing")


def _directory(payload: bytes, length: int) -> bytes | None:
    return payload if len(payload) == length else decoded(_directory_coder(length), payload, length)


def _members(directory: bytes, start: int, end: int, label: str, *, files: bool) -> list[Member]:
    """Return the members that a directory lists, whose payloads fill the file from ``start`` to ``end``."""
    source = Source(io.BytesIO(directory), label)
    try:
        found = list(_listed(source, directory, start, files=files))
    except (ArtifactError, UnicodeDecodeError):
        raise source.damaged("its directory makes no sense") from None
    last = next((member.blocks[-1] for member in reversed(found) if member.blocks), None)
    if source.up_to(1) or (last.position + last.size if last else start) != end:
        raise source.damaged("its directory and its size do not go together")
    _check_names([member.name for member in found], label)
    return found


def _check_names(found: Sequence[str], label: str) -> None:
    """Refuse names that could lead out of a folder, or that some systems take for one."""
    for name in found:
        why = names.why_refused(name)
        if why:
            raise checks.unsafe_member(label, name, why)
    collision = names.why_they_collide(found)
    if collision:
        raise checks.unsafe_members(label, *collision)


def _listed(source: Source, directory: bytes, position: int, *, files: bool) -> Iterator[Member]:
    """Yield the members that a directory lists; nothing is allocated that its own length does not account for."""
    count = source.varint()
    if count > min(MEMBERS_LIMIT, len(directory)):
        raise source.damaged("too many members")
    *found, _ = directory[source.position :].split(b"\0", count)
    if len(found) != count:
        raise source.damaged("names are missing")
    source.take(sum(map(len, found)) + count)
    lengths = [source.varint() for _ in found]
    forms = source.take(len(found)) if files else bytes(len(found))
    if max(forms, default=0) > ALIKE:
        raise source.damaged("members of no form")
    are_files = [form != OF_BYTES for form in forms]
    counts = [1 if is_file else -(-length // BLOCK) for length, is_file in zip(lengths, are_files, strict=True)]
    if sum(counts) > min(BLOCKS_LIMIT, len(directory)):
        raise source.damaged("too many blocks")
    shape = [
        (length if is_file else min(BLOCK, length - number * BLOCK), is_file)
        for length, n, is_file in zip(lengths, counts, are_files, strict=True)
        for number in range(n)
    ]
    sizes = [source.varint() for _ in shape]
    blocks = deque[Block]()
    for (length, is_file), size in zip(shape, sizes, strict=True):
        check = source.take(LONG_CHECK if is_file else _check_size(length))
        block = Block(length, size // 2, bool(size % 2), check, position)
        if block.stored if is_file else not _has_its_size(block):
            raise source.damaged("a block is of no size that it can have")
        blocks.append(block)
        position += block.size
    for name, length, n, form in zip(found, lengths, counts, forms, strict=True):
        yield Member(name.decode(), length, tuple(blocks.popleft() for _ in range(n)), form)


def _has_its_size(block: Block) -> bool:
    """Tell whether a block of bytes can have the size that it has."""
    return block.size == block.length if block.stored else believable(block.size, block.length)
