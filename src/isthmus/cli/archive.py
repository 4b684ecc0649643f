"""The verb about archives of compressed files: archive."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from isthmus import checks, files
from isthmus.cli import outputs
from isthmus.cli.compress import THREADS, extracted, without_suffix
from isthmus.cli.meter import metered
from isthmus.cli.pipes import standard_output
from isthmus.cli.terminal import Result, Terminal, columns, counted
from isthmus.coding import Archive
from isthmus.coding.recognising import AUTO, BYTES
from isthmus.coding.sources import gathered
from isthmus.errors import ParameterError

__all__ = ["archive"]

ACTIONS = ("list", "get", "extract", "add", "delete")
WITH_MEMBERS = ("get", "add", "delete")


def archive(
    terminal: Terminal,
    action: str,
    archive: str,
    members: list[str] | None = None,
    *,
    output: str | None = None,
    model: str | None = None,
    content: str = "auto",
    no_verify: bool = False,
    threads: int | None = None,
    force: bool = False,
) -> Result:
    """List an archive that compress wrote, take members out of it, add some, or delete some.

    list shows the members; get writes the content of some to the standard output, or to the file that -o names; extract
    writes all, or some, as files into a folder, by default one that is called as the archive, without .isth; add takes
    further files and folders in, and delete some members out, without coding the others again.

    Nothing is ever written outside the folder: an archive with names such as ../x is refused, and so is a link that
    lies in the folder where a member would go.

    Parameters
    ----------
    action : {"list", "get", "extract", "add", "delete"}
        What to do.
    archive : str
        The archive.
    members : list of str
        Names of members, as list shows them; of add, files and folders.
    output : str
        Of get, a file; of extract, a folder.
    model : str
        Of get, extract and add: what the archive was compressed with, where that was a model.
    content : {"auto", "bytes"}
        Of add: what members are coded as, as compress takes it.
    no_verify : bool
        Of add: do not decode again what was coded.
    threads : int
        Processor threads to use; by default 2.
    force : bool
        Overwrite files that are there; of add, replace members of the same name.

    Examples
    --------
    isthmus archive list logs.isth
    isthmus archive get logs.isth mon.log
    isthmus archive extract logs.isth -o out/
    isthmus archive add logs.isth tue.log
    """
    checks.choice("archive", "the first argument", action, ACTIONS)
    if action in WITH_MEMBERS and not members:
        raise ParameterError(f"archive {action}: name at least one {'file' if action == 'add' else 'member'}.")
    if action == "list":
        return _listed(archive, members)
    if action == "get":
        return _got(terminal, archive, members or [], output, model, force)
    if action == "extract":
        folder = output or without_suffix(archive)
        record = extracted(terminal, Archive(archive, model=model), members or None, folder, force=force)
        del record["lost"]
        line = f"{record['output']}: {counted(record['members'], 'file')}, {record['bytes']:,} bytes"
        return Result(record, [line])
    files.hold(archive)
    if action == "add":
        checks.choice("archive add", "--content", content, (AUTO, BYTES))
        settings = {"verify": not no_verify, "threads": threads or THREADS, "force": force, "content": content}
        return _added(terminal, archive, members or [], model, settings)
    with Archive(archive) as opened:
        opened.delete(members or [])
        return _changed(archive, opened)


def _listed(path: str, names: list[str] | None) -> Result:
    with Archive(path) as opened:
        checks.known_members(path, names or [], set(opened.names))
        found = [member for member in opened.members if not names or member.name in names]
    rows = [(member.name, f"{member.length:,}", f"{member.size:,}") for member in found]
    document = [{"name": one.name, "bytes": one.length, "compressed_bytes": one.size} for one in found]
    return Result({"archive": path, "members": document}, columns(("member", "bytes", "compressed"), rows))


def _got(terminal: Terminal, path: str, names: list[str], output: str | None, model: str | None, force: bool) -> Result:
    with (
        Archive(path, model=model) as opened,
        standard_output(terminal, "archive get", output, output is None) as to_stdout,
    ):
        checks.known_members(path, names, set(opened.names))
        pieces = (piece for name in names for piece in opened.blocks(name))
        if to_stdout is not None:
            to_stdout.writelines(pieces)
            return Result({})
        target = outputs.check_file_output(str(output), force)
        with files.replacing(target, force=force) as file:
            file.writelines(pieces)
            size = file.tell()
    return Result({"output": str(target), "bytes": size}, [f"{target}: {size:,} bytes"])


def _added(terminal: Terminal, path: str, paths: list[str], model: str | None, settings: Mapping[str, Any]) -> Result:
    found = gathered(paths)
    if found.skipped:
        terminal.say(f"note: {checks.skipped_in_folder(found.skipped)}")
    total = sum(one.stat().st_size for one in found.files.values())
    with Archive(path, model=model) as opened, metered(terminal, total) as meter:
        opened.add(found.files, progress=meter, **settings)
        return _changed(path, opened)


def _changed(path: str, opened: Archive) -> Result:
    size, members = os.path.getsize(path), opened.members
    document: dict[str, Any] = {"archive": path, "members": len(members), "compressed_bytes": size}
    return Result(document, [f"{path}: {counted(len(members), 'member')}, {size:,} bytes"])
