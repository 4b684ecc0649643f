"""Text from files made safe for a terminal and a page: control characters shown, length bounded.

A name of a column, a file or a module can hold anything: sequences that colour, clear or retitle a terminal, characters
that turn the reading direction, line breaks that make one message look like two, halves of characters that no encoding
takes, or a hundred thousand letters.
"""

from __future__ import annotations

import re

__all__ = ["escaped", "sentence", "shortened", "shown"]

# Control characters, what is invisible or turns the direction, separators of lines; then halves of characters and tags.
_INVISIBLE = r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
_UNSAFE = re.compile(f"[{_INVISIBLE}\ud800-\udfff\ufffe\uffff\U000e0000-\U000e0fff]")
_UNSAFE_IN_LINES = re.compile(f"(?![\\n\\t])[{_INVISIBLE}\ud800-\udfff\ufffe\uffff\U000e0000-\U000e0fff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

NAME = 200  # characters of a text in quotation marks, or of one without a space
SENTENCE = 2000  # characters of a message
_LONG = re.compile(
    rf"(?<!\w)'([^'\n]{{{NAME + 1},}})'(?!\w)|(?<!\w)\"([^\"\n]{{{NAME + 1},}})\"(?!\w)|([^\s'\"]{{{NAME + 101},}})"
)


def escaped(text: str, *, lines: bool = False) -> str:
    r"""Return a text with every character that would act, or not be seen, in the notation of JSON.

    Parameters
    ----------
    text : str
        Any.
    lines : bool, default=False
        Whether line breaks and tabs stay as they are.

    Examples
    --------
    >>> escaped("a\x1b[2Jb")
    'a\\u001b[2Jb'
    """
    return (_UNSAFE_IN_LINES if lines else _UNSAFE).sub(_in_json, text)


def _in_json(found: re.Match[str]) -> str:
    character = found[0]
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return _SHORT.get(character) or "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def shortened(text: str, limit: int = NAME) -> str:
    """Return a text of about ``limit`` characters at most: of a longer one the middle is left out, and that is said.

    Examples
    --------
    >>> shortened("a" * 5000, 30)
    'aaaaaaaaaaaaaaaaaaaa...(4,970 more)...aaaaaaaaaa'
    """
    if len(text) <= limit:
        return text
    end = limit // 3
    return f"{text[: limit - end]}...({len(text) - limit:,} more)...{text[-end:]}"


def shown(text: str, *, lines: bool = False) -> str:
    """Return a text escaped, and what it quotes, or what has no space in it, shortened.

    Parameters
    ----------
    text, lines
        As :func:`escaped` takes them.
    """
    return _LONG.sub(_shorter, escaped(text, lines=lines))


def _shorter(found: re.Match[str]) -> str:
    mark = found[0][0] if found[3] is None else ""
    return f"{mark}{shortened(found[0].strip(mark) if mark else found[0])}{mark}"


def sentence(text: str, *, lines: bool = False) -> str:
    """Return a message as it is shown: escaped, on one line, and not longer than a person reads.

    Parameters
    ----------
    text, lines
        As :func:`escaped` takes them.
    """
    return shortened(shown(text, lines=lines), SENTENCE)
