"""The result of a check, and the exception of one that cannot be made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Finding", "NotKnownError", "percent"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a fitted model.

    Parameters
    ----------
    kind : str
        What it is, in a word or two with hyphens: ``"posterior-collapse"``.
    severity : float
        From 0 to 1, for ranking: about 0.9 and above, the model is of no use; from 0.5, its results mislead or are far
        from what they could be; below, something is left to gain.
    sentence : str
        What was seen, and what it means.
    evidence : dict
        The figures behind it, by name.
    advice : str
        What to do.
    changes : dict, default={}
        Parameters to fit again with, where that is the advice.
    """

    kind: str
    severity: float
    sentence: str
    evidence: dict[str, Any]
    advice: str
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def grade(self) -> str:
        """The severity in a word: "severe", "moderate" or "slight"."""
        return "severe" if self.severity >= 0.9 else "moderate" if self.severity >= 0.5 else "slight"

    @property
    def code(self) -> str:
        """What to type in Python; empty where no parameter is to be changed."""
        pairs = ", ".join(f"{name}={value!r}" for name, value in self.changes.items())
        return f"model.set_params({pairs}).fit(X)" if pairs else ""

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as a dict, ``grade`` and ``code`` included."""
        return {
            "kind": self.kind,
            "grade": self.grade,
            "severity": self.severity,
            "sentence": self.sentence,
            "evidence": self.evidence,
            "advice": self.advice,
            "changes": self.changes,
            "code": self.code,
        }


class NotKnownError(Exception):
    """A figure that a check needs is not to be had; the message says what it would take."""


def percent(share: float) -> str:
    """Return a share as percent, with one decimal where it is small.

    Examples
    --------
    >>> percent(0.456), percent(0.0123), percent(0.00001)
    ('46 %', '1.2 %', 'less than 0.1 %')
    """
    if 0 < share < 0.001:
        return "less than 0.1 %"
    return f"{100 * share:.{1 if share < 0.1 else 0}f} %"
