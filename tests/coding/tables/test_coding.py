"""Tables as a content of a stream: they come back byte for byte, and nothing that was altered does."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from isthmus.coding import contents
from isthmus.coding.container import Fields, Source, opened
from isthmus.coding.describing import describe
from isthmus.coding.stream import Reader
from isthmus.coding.tables import DescribedText, TextTable, coding, text
from isthmus.coding.tables.plan import Plan, scheme_of
from isthmus.coding.tables.planes import Form, Plane
from isthmus.errors import ArtifactError, FormatNumberError

from .texts import Written, tables


def compressed(data: bytes, **settings: bool) -> bytes:
    """Return a text table as a stream."""
    into = io.BytesIO()
    written = contents.write(into, TextTable(io.BytesIO(data)), **settings)
    assert written == len(into.getvalue())
    return into.getvalue()


def decompressed(content: bytes) -> bytes:
    return Reader(io.BytesIO(content)).readall()


def made(rows: int, seed: int = 0) -> bytes:
    """Return a table whose columns depend on each other and on the rows before."""
    rng = np.random.default_rng(seed)
    level = np.cumsum(rng.integers(-2, 3, rows)) + 1000
    group = rng.integers(0, 5, rows)
    lines = [
        f"{level[i]},{'abcde'[group[i]]},{group[i] * 7},{level[i] * 3 + rng.integers(0, 2)},{rng.normal():.2f}"
        for i in range(rows)
    ]
    return ("level,group,code,triple,noise\n" + "\n".join(lines) + "\n").encode()


@settings(max_examples=60, deadline=None)
@given(tables())
def test_any_table_comes_back(table: Written) -> None:
    data = table.to_bytes()
    assert decompressed(compressed(data, verify=False)) == data


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"a", b"a,b\n", b"1\n2\n3\n", b"a,b\n1,2\n3\n", b"x" * 3000, bytes(range(256))]
)
def test_what_is_hardly_a_table_comes_back(data: bytes) -> None:
    assert decompressed(compressed(data)) == data


def test_columns_that_follow_from_others_take_nothing(tmp_path: object) -> None:
    data = made(3000)
    content = compressed(data)
    assert decompressed(content) == data
    path = tmp_path / "t.isth"  # type: ignore[operator]
    path.write_bytes(content)
    columns = describe(path)["columns"]
    assert columns["code"] + columns["group"] < 3000 * np.log2(5) / 8 + 150
    assert columns["triple"] < 3000 / 8 + 250  # one bit a row is noise
    assert columns["level"] < 3000 * np.log2(5) / 8 + 150


def test_where_the_bytes_went_adds_up(tmp_path: object) -> None:
    path = tmp_path / "t.isth"  # type: ignore[operator]
    path.write_bytes(compressed(made(500)))
    found = describe(path)
    assert sum(found["parts"].values()) == found["compressed_bytes"] == path.stat().st_size
    assert sum(found["columns"].values()) == found["parts"]["coded"]
    assert (found["content"], found["units"], found["bytes"]) == ("table", 500, len(made(500)))


def test_threads_and_verifying_change_no_byte() -> None:
    data = made(800)
    into = io.BytesIO()
    contents.write(into, TextTable(io.BytesIO(data)), threads=1, verify=False)
    assert into.getvalue() == compressed(data)


def test_a_table_of_several_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made(900)
    real = text.rows_of_groups
    monkeypatch.setattr(text, "rows_of_groups", lambda file: real(file, rows=200))
    content = compressed(data)
    assert decompressed(content) == data
    assert content.count(b"level") <= 1  # names stand in the first group alone


def test_numbers_with_cells_between_that_are_none_come_back() -> None:
    rng = np.random.default_rng(0)
    rows = [f"{rng.random()!r},{rng.integers(10**9)}" if i % 9 else "missing,n/a" for i in range(400)]
    data = ("a,b\n" + "\n".join(rows) + "\n").encode()
    assert decompressed(compressed(data, verify=False)) == data


@pytest.mark.parametrize("size", [2, 3, 64, 65, 1 << 22, (1 << 22) + 1, 1 << 44, (1 << 63) - 1])
def test_planes_of_any_size(size: int) -> None:
    rng = np.random.default_rng(0)
    values = (rng.random(300) * (size - 1)).astype(np.int64) % size
    values[:2] = 0, size - 1
    unknown = rng.integers(0, 2, 300)
    columns = [
        [Form(size=size, ordered=True, name="value").filled(values)],
        [
            Form(size=2, ordered=False, name="unknown").filled(unknown),
            Form(size=size, ordered=True, name="value", where=0).filled(np.where(unknown, 0, values)),
        ],
    ]
    packed = coding.coded_planes(columns)
    found = coding.decoded_planes(Source.of(packed, "it"), columns, 300)
    for column, planes in zip(columns, found, strict=True):
        for plane, values_found in zip(column, planes, strict=True):
            assert np.array_equal(values_found, plane.values)


def test_a_plan_of_too_many_planes_is_refused() -> None:
    plan = Plan(tuple(((plane, 0),) for plane in range(40)))
    assert Plan.read(Source.of(plan.to_bytes(), "it"), 40) == plan
    wide = Plan(tuple(((plane, 0), (plane + 40, 0)) for plane in range(40)))
    with pytest.raises(ArtifactError, match="too many"):
        Plan.read(Source.of(wide.to_bytes(), "it"), 80)


def test_a_plane_without_information_has_no_payload() -> None:
    columns: list[list[Plane]] = [[Form(size=1, ordered=False, name="same").filled(np.zeros(50, np.int32))]]
    assert len(coding.coded_planes(columns)) < 10


def test_any_plan_gives_a_sound_scheme() -> None:
    rng = random.Random(0)
    for _ in range(300):
        forms = [Form(size=rng.choice((2, 70, 1 << 22)), ordered=rng.random() < 0.5, name="it") for _ in range(65)]
        told = [
            tuple((rng.randrange(64), rng.randrange(3)) for _ in range(rng.randint(1, 7)))
            for _ in range(rng.randint(0, 40))
        ]
        plan = Plan(tuple(told), rng.choice((0, 1, 8, 22)))
        read = Plan.read(Source.of(plan.to_bytes(), "it"), 64)
        assert read == plan
        scheme = scheme_of(plan, forms[64], dict(enumerate(forms[:64])), rng.choice((1, 1 << 20)))
        assert scheme.why_refused(len(plan.planes)) is None


# ---------------------------------------------------------------------- damage


def test_no_altered_byte_gives_another_table() -> None:
    data = made(60)
    content, rng = compressed(data), random.Random(1)
    for at in rng.sample(range(3, len(content)), 150):
        altered = bytearray(content)
        altered[at] ^= 1 << rng.randrange(8)
        with pytest.raises((ArtifactError, FormatNumberError)):
            decompressed(bytes(altered))


@pytest.mark.parametrize("cut", [1, 5, 20, 200])
def test_a_table_that_is_cut_short(cut: int) -> None:
    with pytest.raises(ArtifactError):
        decompressed(compressed(made(60))[:-cut])


def payload_of(content: bytes) -> bytes:
    """Return the payload of the only piece."""
    source = Source.of(content, "it")
    Fields.read(source, opened(source))
    head = coding_head(source)
    return source.take(head)


def coding_head(source: Source) -> int:
    from isthmus.coding.chunks import Head

    return Head.read(source, 0, of_bytes=False).size


@pytest.mark.parametrize(
    "forge",
    [
        lambda p, rng: rng.randbytes(len(p)),
        lambda p, rng: p[: rng.randrange(len(p))] + rng.randbytes(40),
        lambda p, rng: p[:1] + bytes([p[1] ^ 1]) + p[2:],
        lambda p, rng: p + b"\0",
    ],
)
def test_a_forged_payload_raises_and_nothing_else(forge: Callable[[bytes, random.Random], bytes]) -> None:
    payload, rng = payload_of(compressed(made(60), verify=False)), random.Random(2)
    table = DescribedText()
    refused = 0
    for _ in range(40):
        try:
            found = table.data(60, forge(payload, rng))
        except (ArtifactError, ValueError):
            refused += 1
        else:
            assert isinstance(found, bytes)
    assert refused > 20
