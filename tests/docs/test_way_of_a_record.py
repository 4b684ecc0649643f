"""The page that follows a record names the modules that it enters, all of them and no others."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from isthmus import Autoencoder

PAGE = Path(__file__).resolve().parents[2] / "docs" / "way-of-a-record.md"
X = np.random.default_rng(0).normal(size=(120, 6)).astype(np.float32)


def entered(call: Callable[[], object]) -> set[str]:
    """Return the modules of the package in which a function is called meanwhile."""
    modules = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_globals.get("__name__", "")
        if event == "call" and name.startswith("isthmus."):
            modules.add(name.removeprefix("isthmus."))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(before)
    return modules


def named(section: str) -> set[str]:
    """Return the modules in the last column of a section's table."""
    part = PAGE.read_text(encoding="utf-8").split(f"## {section}\n")[1].split("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("| ") and line[2].isdigit()]
    return {module for row in rows for module in re.findall(r"`([\w.]+)`", row.rsplit("|", 2)[1])}


@pytest.mark.parametrize("section", ["Fitting", "Using"])
def test_every_module_on_the_way_is_named(section: str) -> None:
    fitted = Autoencoder(max_epochs=1, random_state=0).fit(X)  # modules that are loaded late are loaded now
    fitted.transform(X)
    call = Autoencoder(max_epochs=1, random_state=0).fit if section == "Fitting" else fitted.transform
    assert entered(lambda: call(X)) == named(section)
