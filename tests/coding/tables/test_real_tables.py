"""Public tables come back byte for byte, and their columns are what a person would call them."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import numpy as np
import pytest

from isthmus.coding.tables import Group, groups
from isthmus.coding.tables.columns import Categories, Numbers, Texts
from isthmus.coding.tables.decimals import Decimals
from isthmus.coding.tables.order import ranked

from .texts import restored

pytestmark = pytest.mark.skipif(
    not os.environ.get("ISTHMUS_DATA"), reason="ISTHMUS_DATA names no folder of public sets"
)

WINE = ["fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide"]
WINE += ["total sulfur dioxide", "density", "pH", "sulphates", "alcohol", "quality"]
COVER = ["elevation", "aspect", "slope", "water across", "water up", "roads", "shade 9", "shade 12", "shade 3", "fires"]
# Of each column its name, its kind, its planes, and how many different cells are no numbers of its kind.
COLUMNS = {
    "adult": {
        "age": "whole: value 74",
        "workclass": "categories: category 9",
        "fnlwgt": "whole: value 1472421",
        "education": "categories: category 16",
        "education-num": "whole: value 16",
        "marital-status": "categories: category 7",
        "occupation": "categories: category 15",
        "relationship": "categories: category 6",
        "race": "categories: category 5",
        "sex": "categories: category 2",
        "capital-gain": "whole: rank 119",
        "capital-loss": "whole: rank 92",
        "hours-per-week": "whole: value 99",
        "native-country": "categories: category 42",
        "income": "categories: category 2",
    },
    "red": dict(
        zip(
            WINE,
            [
                "1 places, shortest: value 114",
                "3 places, shortest: value 293",
                "2 places, shortest: value 101",
                "2 places, shortest: value 293",
                "3 places, shortest: value 600",
                "whole: value 75, 3 others",
                "whole: value 285, 1 others",
                "5 places, shortest: value 1363",
                "2 places, shortest: value 128",
                "2 places, shortest: value 167, 1 others",
                "1 places, shortest: value 78, 12 others",
                "whole: value 6",
            ],
            strict=True,
        )
    ),
    "white": dict(
        zip(
            WINE,
            [
                "1 places, shortest: value 108, 3 others",
                "3 places, shortest: value 205",
                "2 places, shortest: value 167",
                "2 places, shortest: value 1305",
                "3 places, shortest: value 338",
                "1 places, shortest: rank 132",
                "whole: value 448, 16 others",
                "5 places, shortest: value 5194, 6 others",
                "2 places, shortest: value 111",
                "2 places, shortest: value 87",
                "numerals: category 104",
                "whole: value 7",
            ],
            strict=True,
        )
    ),
    "cover": dict(
        zip(
            COVER,
            [f"whole: value {size}" for size in (1446, 361, 67, 1398, 775, 7118, 255, 255, 255, 7174)],
            strict=True,
        )
    ),
}
FILES = {
    "adult": "adult/adult-train.csv.gz",
    "red": "winequality/winequality-red.csv.gz",
    "white": "winequality/winequality-white.csv.gz",
    "cover": "cover-outliers/10_cover.npz",
}


def content(name: str) -> bytes:
    for folder in os.environ["ISTHMUS_DATA"].split(os.pathsep):
        for path in (Path(folder) / FILES[name], Path(folder) / "tabular" / FILES[name]):
            if path.suffix == ".gz" and path.exists():
                return gzip.decompress(path.read_bytes())
            if path.exists():
                rows = np.load(path)["X"].tolist()
                return b"".join(b",".join(b"%d" % cell for cell in row) + b"\n" for row in rows)
    pytest.skip(f"ISTHMUS_DATA has no {FILES[name]}")


def in_words(group: Group, column: int) -> str:
    """Return what a column is taken for."""
    kind, planes = group.layout.columns[column].kind, group.planes[column]
    named = " ".join(f"{plane.name} {plane.size}" for plane in planes)
    if isinstance(kind, Texts):
        return "text"
    if isinstance(kind, Categories):
        return f"{'numerals' if kind.ordered else 'categories'}: {named}"
    assert isinstance(kind, Numbers)
    assert isinstance(kind.notation, Decimals)
    places, rule = kind.notation.places, ("fixed", "shortest", "pointed")[kind.notation.rule]
    written = f"{places} places, {rule}" if places else "whole"
    others = len(kind.exceptions)
    return f"{written}: {named}" + (f", {others} others" if others else "")


@pytest.mark.parametrize("name", FILES)
def test_real_tables_come_back(name: str) -> None:
    data = content(name)
    assert restored(data) == (data, [])


@pytest.mark.parametrize("name", FILES)
def test_what_columns_of_real_tables_are(name: str) -> None:
    (group,) = groups(io.BytesIO(content(name)))
    assert isinstance(group, Group)
    found = [in_words(group, column) for column in range(len(group.planes))]
    assert dict(zip(COLUMNS[name], found, strict=True)) == COLUMNS[name]


def test_real_hillshade_follows_from_aspect_and_slope() -> None:
    (group,) = groups(io.BytesIO(content("cover")))
    assert isinstance(group, Group)
    hillshades = [ranking for ranking in ranked(group.planes) if ranking.plane in (6, 7, 8)]
    assert all(set(ranking.contexts[0].planes) >= {1, 2} or ranking.contexts[0].score > 2 for ranking in hillshades)


def test_real_education_is_told_by_its_number() -> None:
    (group,) = groups(io.BytesIO(content("adult")))
    assert isinstance(group, Group)
    found = ranked(group.planes)
    later = next(ranking for ranking in reversed(found) if ranking.plane in (3, 4))
    assert later.contexts[0].score > 2.9
    assert found[-1].plane == 2  # the weight of a person's record, which nothing tells
