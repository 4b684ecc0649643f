"""What info and verify say of a compressed file."""

from __future__ import annotations

from typing import Any

from isthmus.checks.coding import SHORT
from isthmus.cli.compress import read_model, written
from isthmus.cli.meter import metered
from isthmus.cli.terminal import Result, Terminal, columns, counted
from isthmus.coding import Archive, container
from isthmus.coding.codes import opened_codes
from isthmus.coding.container import ARCHIVE, SPEEDS, Source, opened
from isthmus.coding.describing import describe
from isthmus.data.image_header import Header

__all__ = ["info", "is_compressed", "verify"]

CODES = "codes"  # the content whose bytes stand for records
PHOTOGRAPH = "photograph"
SHOWN = 16  # units of codes that are named
BAR = 24  # characters of the longest bar
PARTS = {
    "head": "head and its check",
    "coded": "payload, coded",
    "stored": "payload, stored",
    "chunk heads": "heads and checks of chunks",
    "end": "end",
    "directory": "directory, with checks",
}


def is_compressed(path: str) -> bool:
    """Tell whether there is a file that begins like a compressed one."""
    try:
        with open(path, "rb") as file:
            return container.is_compressed(file.read(len(container.MAGIC)))
    except OSError:  # whoever reads model files says what is wrong
        return False


def info(path: str) -> Result:
    """Return what a compressed file is, how it was coded, and where its bytes went."""
    found = describe(path)
    data, size = found["bytes"], found["compressed_bytes"]
    share = f", {100 * size / data:.1f} % ({8 * size / data:.3f} bits a byte)" if data else ""
    lines = [
        f"{path}: compressed by isthmus, format {container.FORMAT_NUMBER}, {found['form']}",
        f"{counted(found['units'], 'record')} in {size:,} bytes ({8 * size / max(found['units'], 1):.1f} bits each)"
        if found.get("content") == CODES
        else f"{data:,} bytes in {size:,}{share}",
        *_about_coding(found),
        "",
        *_table_of_parts(found),
        *_table_of_members(found),
        *_table_of_columns(found),
    ]
    return Result({"path": path, "format": container.FORMAT_NUMBER, **found}, lines)


def _about_coding(found: dict[str, Any]) -> list[str]:
    what = "weights that isthmus carries" if found.get("content") == PHOTOGRAPH else "prior that isthmus carries"
    needed = _about_prior(found["model"], is_carried=found["carried"], what=what)
    if found["form"] == "small" and "content" not in found:
        return ["stored as it is: it does not become smaller"] if found["stored"] else needed
    lines = ([f"name: {found['name']}"] if found["name"] else []) + needed
    if found["form"] == "archive":
        as_files = f", {found['files']:,} of them coded as what they are" if found["files"] else ""
        lines += [f"members: {found['members']:,}{as_files}"]
    if found.get("content") == PHOTOGRAPH:
        lines += _about_photograph(found)
    elif "content" in found and found["content"] != CODES:
        lines.append(f"{found['content']} of {counted(found['units'], found['unit'])}")
    speed = next((name for name, number in SPEEDS.items() if number == found["speed"]), "-")
    chunks = f"{counted(found['chunks'], 'chunk')}, {found['stored']:,} stored as they are"
    return [*lines, chunks if "content" in found else f"speed {speed}, tables of 2^{found['table_bits']}; {chunks}"]


def _about_photograph(found: dict[str, Any]) -> list[str]:
    pixels = Header("", (0, 0), found["channels"], f"uint{found['bits']}").pixel.removesuffix(" uint8")
    bpp, percent = 8 * found["compressed_bytes"] / max(found["units"], 1), 100 * found["quality"] / 255
    changed = f", weights changed for it in {found['bytes_of_changes']:,} bytes" if found["bytes_of_changes"] else ""
    return [
        f"photograph with a loss, {found['width']:,}x{found['height']:,} {pixels}, quality {percent:.0f} of 100, "
        f"{bpp:.3f} bits a pixel, {counted(found['tiles'], 'tile')}{changed}"
    ]


def _table_of_parts(found: dict[str, Any]) -> list[str]:
    """Return where the bytes of the file went."""
    data, size = found["bytes"], found["compressed_bytes"]
    rows = [
        (PARTS[name], f"{count:,}", f"{100 * count / size:.1f} %", _rate(count, data))
        for name, count in found["parts"].items()
        if count
    ]
    return columns(("part of the file", "bytes", "share", "bits a byte"), rows)


def _table_of_members(found: dict[str, Any]) -> list[str]:
    """Return the members of an archive that take most."""
    members, size = found.get("largest"), found["compressed_bytes"]
    if not members:
        return []
    rows = [
        (
            one["name"],
            f"{one['bytes']:,}",
            f"{one['compressed_bytes']:,}",
            f"{100 * one['compressed_bytes'] / size:.1f} %",
            _rate(one["compressed_bytes"], one["bytes"]),
        )
        for one in members
    ]
    first = "members that take most" if len(members) < found["members"] else "member"
    return ["", *columns((first, "bytes", "compressed", "share", "bits a byte"), rows)]


def _table_of_columns(found: dict[str, Any]) -> list[str]:
    """Return what each column of a table takes, with a bar: a picture of what in the table is information."""
    costs, rows, size = found.get("columns"), found.get("units"), found["compressed_bytes"]
    if not costs or not rows:
        return []
    what = "part of the picture" if found["content"] == PHOTOGRAPH else "column of table"
    if found["content"] == CODES:
        what, costs = "unit of the codes", _dearest(costs)
    most = max(costs.values())
    lines = [
        (
            name,
            f"{cost:,}",
            f"{100 * cost / size:.1f} %",
            f"{8 * cost / rows:.3f}",
            ("\u2588" * round(BAR * cost / most)).ljust(BAR),
        )
        for name, cost in costs.items()
    ]
    return ["", *columns((what, "bytes", "share", f"bits a {found['unit']}", ""), lines)]


def _dearest(costs: dict[str, int]) -> dict[str, int]:
    """Return the units that take most, the first of all, and the others together."""
    ranked = sorted(costs.items(), key=lambda one: -one[1])
    rest = sum(cost for _, cost in ranked[SHOWN:])
    return dict(ranked[:SHOWN]) | ({f"{len(ranked) - SHOWN:,} others": rest} if rest else {})


def _rate(compressed: int, data: int) -> str:
    """Return bits of a file for each byte of data."""
    return f"{8 * compressed / data:.3f}" if data else "-"


def _about_prior(fingerprint: str | None, *, is_carried: bool, what: str) -> list[str]:
    """Return the line about what a decoder has to begin with."""
    if fingerprint is None:
        return []
    if is_carried:
        return [f"begins with the {what}"]
    return [f"needs the model {fingerprint[:SHORT]}, the file of which -m names"]


def verify(terminal: Terminal, path: str, model: str | None) -> Result:
    """Decode a compressed file, which raises where anything is not as it was written."""
    with open(path, "rb") as file:
        coded = opened_codes(Source(file, path))
        if coded is not None:
            count = sum(map(len, coded.batches()))
            return _verified(path, f"codes of {counted(count, 'record')} decoded, every check fits")
        prior = read_model(model)
        source = Source(file, path)
        form = opened(source)
        if form != ARCHIVE:
            size = written(terminal, source, form, None, prior)["bytes"]
            checked = f"{size:,} bytes decoded, every check fits"
    if form == ARCHIVE:
        with (
            Archive(path, model=prior) as archive,
            metered(terminal, sum(one.length for one in archive.members)) as meter,
        ):
            for member in archive.members:
                for data, size in archive.metered(member.name):
                    meter(len(data), size)
        checked = f"{counted(len(archive.members), 'member')}, {meter.data:,} bytes decoded, every check fits"
    return _verified(path, checked)


def _verified(path: str, checked: str) -> Result:
    return Result({"path": path, "passed": True, "decodes": checked}, [f"decodes   {checked}", f"{path}: ok"])
