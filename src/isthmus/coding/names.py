"""Names of files in an archive: such as every system can have, each apart from all others everywhere."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

__all__ = ["why_refused", "why_they_collide"]

LONGEST, LONGEST_PART = 4095, 255  # bytes of UTF-8
UNUSABLE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\\\ud800-\udfff]')
DEVICE = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9\u00b9\u00b2\u00b3]) *(\..*)?", re.IGNORECASE)


def why_refused(name: str) -> str | None:
    """Return what is wrong with a name, as the predicate of a sentence; None where every system can have it."""
    if not name:
        return "is empty"
    unusable = UNUSABLE.search(name)
    if unusable:
        return f"holds the character {unusable[0]!r}"
    if len(name.encode()) > LONGEST:
        return f"is longer than {LONGEST:,} bytes"
    if name.startswith("/"):
        return "is absolute"
    return next(filter(None, map(_why_part_refused, name.split("/"))), None)


def _why_part_refused(part: str) -> str | None:
    if part in ("", ".", ".."):
        return f"has the part {part!r}"
    if part[-1] in ". ":
        return "has a part that ends in a dot or a space"
    if len(part.encode()) > LONGEST_PART:
        return f"has a part that is longer than {LONGEST_PART} bytes"
    if DEVICE.fullmatch(part):
        return f"has the part {part!r}, which is a device on Windows"
    return None


def why_they_collide(names: Iterable[str]) -> tuple[str, str, str] | None:
    """Return the first two names of which some systems make one, and how; None where all stay apart."""
    seen: dict[str, str] = {}
    for name in names:
        folded = _folded(name)
        if folded in seen:
            return seen[folded], name, "are one name where case or the form of accents does not count"
        seen[folded] = name
    for name in seen.values():
        for folder in _folders(_folded(name)):
            if folder in seen:
                return seen[folder], name, "cannot both be: one is a file, and a folder for the other"
    return None


def _folded(name: str) -> str:
    """Return what is left of a name where case and the form of accents do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _folders(name: str) -> Iterable[str]:
    parts = name.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))
