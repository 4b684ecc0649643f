"""Models of tables: what they code comes back whatever is in it, and takes less; what is none of theirs is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus.coding import contents
from isthmus.coding.container import Source
from isthmus.coding.tables import TextTable
from isthmus.coding.tables.modelled import UNKNOWN_CELLS, ModelledTable
from isthmus.errors import ArtifactError, DataError, IsthmusWarning, ParameterError

HEAD = b"day,city,temperature,note,hour\n"
CITIES = (b"Ulm", b"Bern", b"Graz", b"Linz")


def export(day: int, rows: int = 20, *, head: bytes = HEAD, newline: bytes = b"\n") -> bytes:
    """Return a table of one day."""
    rng = np.random.default_rng(day)
    lines = [head.rstrip(b"\n")]
    for _ in range(rows):
        city = CITIES[rng.integers(4)]
        warm = b"warm" if rng.integers(5) else b"NA"
        temperature = rng.normal(10 + 5 * len(city), 1)
        lines.append(b"2024-01-%02d,%s,%.1f,%s,%02d:30" % (day, city, temperature, warm, rng.integers(24)))
    return newline.join([*lines, b""])


@pytest.fixture(scope="module")
def codec() -> isthmus.TableCodec:
    return isthmus.TableCodec().fit([export(day) for day in range(1, 21)])


def alone(data: bytes) -> int:
    into = io.BytesIO()
    return contents.write(into, TextTable(io.BytesIO(data)), verify=False)


def costs(codec: isthmus.TableCodec, data: bytes) -> dict[str, int]:
    """Return where the bytes of the one piece of a table went."""
    content = ModelledTable.of(io.BytesIO(data), codec, "it")
    piece = next(content.work())()
    found = contents.reader_of(b"\x01" + content.description(), "it", codec).costs(piece.payload)
    assert sum(found.values()) == len(piece.payload)
    return found


@pytest.mark.parametrize("rows", [1, 5, 20, 200])
def test_a_table_comes_back_and_takes_less_than_alone(codec: isthmus.TableCodec, rows: int) -> None:
    data = export(25, rows)
    compressed = codec.compress(data)
    assert codec.decompress(compressed) == data
    assert isthmus.decompress(compressed, model=codec) == data
    assert len(compressed) < alone(data) - 40


def test_the_entropy_of_what_is_random_is_nearly_reached(codec: isthmus.TableCodec) -> None:
    """A city has 2 bits, an hour 4.6, a note .7, a temperature with its city at best log2(sqrt(2 pi e) 10) = 5.4."""
    data, rows = export(26, 200), 200
    found = costs(codec, data)
    bits = {name: 8 * size / rows for name, size in found.items()}
    assert bits["city"] < 2.3
    assert bits["hour"] < 5.2
    assert bits["note"] < 1
    assert bits["temperature"] < 6.4
    assert bits["day"] < 0.3
    assert found[UNKNOWN_CELLS] <= 1


CELLS = [
    b"2024-01-30,Ulm,31.5,warm,12:30\n",
    b"2031-12-31,Ulm,31.5,warm,12:30\n",  # far beyond all days
    b"2024-02-31,Ulm,31.5,warm,12:30\n",  # no day at all
    b"2024-01-30,Zug,31.5,warm,12:30\n",
    b"2024-01-30,,31.5,warm,12:30\n",
    b"2024-01-30,Ulm,31.50,warm,12:30\n",
    b"2024-01-30,Ulm,-273.2,warm,12:30\n",
    b"2024-01-30,Ulm,1e9,warm,12:30\n",
    b"2024-01-30,Ulm,n/a,warm,12:30\n",
    b'2024-01-30,"Ulm",31.5,"warm, and dry",12:30\n',
    b'2024-01-30,"Ul""m\n",31.5,warm,12:30\n',
    b"2024-01-30,Ulm,31.5,\x1b\x00\xff,12:31\n",
]


@pytest.mark.parametrize("rows", CELLS)
@pytest.mark.parametrize("times", [1, 100])
def test_cells_that_no_table_of_the_fit_had_come_back(codec: isthmus.TableCodec, rows: bytes, times: int) -> None:
    for data in (HEAD + times * rows, export(25) + times * rows, HEAD + times * rows + b"\n\n"):
        assert codec.decompress(codec.compress(data)) == data


def test_a_column_that_is_like_that_of_no_table_is_described_anew(codec: isthmus.TableCodec) -> None:
    lines = [b"2024-01-30,%s,31.5,warm,12:30\n" % bytes(f"city {k % 7}", "ascii") for k in range(100)]
    data = HEAD + b"".join(lines)
    compressed = codec.compress(data)
    assert codec.decompress(compressed) == data
    assert 0 < costs(codec, data)["city"] < 120
    assert costs(codec, data)[UNKNOWN_CELLS] <= 1
    every = HEAD + b"".join(b"x%d,y%d,z%d,%d-,:%d\n" % (k, k % 9, k % 8, k % 7, k % 6) for k in range(100))
    assert codec.decompress(codec.compress(every)) == every


def test_other_newlines_and_ends_come_back(codec: isthmus.TableCodec) -> None:
    for data in (export(25, newline=b"\r\n"), export(25).rstrip(b"\n"), export(25) + b"\n\n", export(25)[:-3]):
        assert codec.decompress(codec.compress(data)) == data
    assert len(codec.compress(export(25, newline=b"\r\n"))) < len(codec.compress(export(25))) + 5


def test_rows_of_another_length_are_bytes_between_the_others(codec: isthmus.TableCodec) -> None:
    data = export(25, 50) + b"a,b\n" + export(26, 50).removeprefix(HEAD)
    assert codec.decompress(codec.compress(data)) == data


def test_rows_that_are_longer_than_their_head_are_coded_without_the_model(codec: isthmus.TableCodec) -> None:
    rows = b"".join(b"2024-01-%02d,Ulm,31.5,warm,12:30,%d\n" % (k, k) for k in range(1, 30))
    with pytest.raises(DataError, match="has other columns than the model: 'column 1'"):
        codec.compress(HEAD + rows)
    data = export(25) + rows
    assert codec.decompress(codec.compress(data)) == data


def test_some_rows_are_had_alone(codec: isthmus.TableCodec, tmp_path: Path) -> None:
    data = export(25, 50)
    lines = data.splitlines(keepends=True)
    found = isthmus.read_rows(io.BytesIO(codec.compress(data)), 10, 13, model=codec)
    assert found == b"".join([lines[0], *lines[11:14]])


def test_a_table_of_other_columns_is_refused_by_name(codec: isthmus.TableCodec) -> None:
    other = b"a,b,c\n" + b"".join(b"%d,%d,%d\n" % (k, k, k) for k in range(9))
    with pytest.raises(DataError, match="'a', 'b', 'c', where that has 'day', 'city'"):
        codec.compress(other)
    with pytest.raises(DataError, match="'Day', 'city'"):
        codec.compress(export(25, head=HEAD.replace(b"day", b"Day")))
    with pytest.raises(DataError, match=r"the data is no table as those of the model: .*; leave the model out"):
        codec.compress(b"words\nand words\n")
    with pytest.raises(DataError, match="'a', 'b', 'c', where that has 'day'"):
        isthmus.TableCodec().fit([export(1), other])


def test_what_cannot_be_learned_from_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "note.csv").write_bytes(b"")
    with pytest.raises(DataError, match=r"note.csv cannot be learned from as a table: .*; leave it out"):
        isthmus.TableCodec().fit(tmp_path)
    (tmp_path / "note.csv").unlink()
    with pytest.raises(DataError, match="there are no tables to learn from"):
        isthmus.TableCodec().fit(tmp_path)
    with pytest.raises(ParameterError, match="TableCodec: it must be fitted"):
        isthmus.TableCodec().compress(export(1))


def test_only_as_much_as_there_is_room_for_is_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.coding.tables.gathering.MOST_CELLS", 150)
    with pytest.warns(IsthmusWarning, match="learned from the first 20 rows"):
        codec = isthmus.TableCodec().fit([export(1), export(2)])
    assert codec.decompress(codec.compress(export(3))) == export(3)


def test_a_model_is_read_as_it_was_saved(codec: isthmus.TableCodec, tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    codec.save(path)
    again = isthmus.TableCodec.load(path)
    assert again.fingerprint == codec.fingerprint
    assert again.columns == codec.columns == ["day", "city", "temperature", "note", "hour"]
    assert again.provenance_ == codec.provenance_ == {"tables": 20, "rows": 400, "columns": 5}
    assert again.still_computes()
    assert again.compress(export(25)) == codec.compress(export(25))
    assert isthmus.compress(export(25), model=path) == codec.compress(export(25))
    assert path.stat().st_size < 17 << 20


def test_a_file_needs_its_model(codec: isthmus.TableCodec) -> None:
    compressed = codec.compress(export(25))
    other = isthmus.TableCodec().fit([export(day) for day in (1, 2)])
    with pytest.raises(ArtifactError, match=f"needs the model {codec.fingerprint_[:8]}, which was not given"):
        isthmus.decompress(compressed)
    with pytest.raises(ArtifactError, match=f"{codec.fingerprint_[:8]}.*{other.fingerprint_[:8]}"):
        isthmus.decompress(compressed, model=other)


def test_a_damaged_file_is_refused_and_never_wrong(codec: isthmus.TableCodec) -> None:
    data = export(25) + 40 * b"2024-01-30,Bonn,31.5,n/a,12:30\n"
    compressed = codec.compress(data)
    for place in range(3, len(compressed)):
        for change in (1, 128):
            altered = bytearray(compressed)
            altered[place] ^= change
            with pytest.raises(ArtifactError):
                codec.decompress(bytes(altered))
        with pytest.raises(ArtifactError):
            codec.decompress(compressed[:place])


def test_an_altered_payload_is_refused_or_gives_bytes_of_the_size_that_it_says(codec: isthmus.TableCodec) -> None:
    content = ModelledTable.of(io.BytesIO(export(25) + 40 * b"2024-01-30,Bonn,31.5,n/a,12:30\n"), codec, "it")
    piece = next(content.work())()
    reader = contents.reader_of(b"\x01" + content.description(), "it", codec)
    for place in range(len(piece.payload)):
        altered = bytearray(piece.payload)
        altered[place] ^= 1 << place % 8
        found = contents.decoded(reader, piece.units, bytes(altered))
        assert found is None or len(found) == len(piece.data)
    assert contents.decoded(reader, piece.units, piece.payload) == piece.data
    for units in (0, piece.units + 1, 1 << 24):
        assert contents.decoded(reader, units, piece.payload) is None


def test_an_altered_model_is_refused(codec: isthmus.TableCodec) -> None:
    layout = codec.tensors["layout"]
    for place in range(0, len(layout), 3):
        altered = layout.copy()
        altered[place] ^= 0x41
        fresh = isthmus.TableCodec()
        try:
            fresh._read({**codec.tensors, "layout": altered}, "it")
        except (ArtifactError, ValueError):
            continue
        assert fresh.fingerprint != codec.fingerprint
    with pytest.raises(ArtifactError, match="something else than a model of tables"):
        isthmus.TableCodec()._read({**codec.tensors, "more": layout}, "it")
    with pytest.raises(ArtifactError, match="more follows"):
        isthmus.TableCodec()._read({**codec.tensors, "layout": np.append(layout, layout[:1])}, "it")
    with pytest.raises(ArtifactError):
        isthmus.TableCodec()._read({"layout": layout[:5]}, "it")


def test_a_table_of_spaces_and_one_without_names_have_models() -> None:
    def table(seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        return b"".join(b"%5d  %s %8.3f\n" % (k, CITIES[rng.integers(4)], rng.normal()) for k in range(30))

    codec = isthmus.TableCodec().fit([table(seed) for seed in range(9)])
    assert codec.columns == ["column 1", "column 2", "column 3"]
    for data in (table(10), table(11) + b"    1      Ulm 1.0\n"):
        assert codec.decompress(codec.compress(data)) == data
    assert len(codec.compress(table(10))) < alone(table(10))


def test_the_norm_decodes_what_the_compiled_coder_made(monkeypatch: pytest.MonkeyPatch) -> None:
    small = isthmus.TableCodec().fit([export(day, 4) for day in (1, 2)])
    compressed = small.compress(export(3, 3))
    monkeypatch.setattr("isthmus.coding.values._native", lambda: None)
    again = isthmus.TableCodec()
    again._read(small.tensors, "it")
    assert again.decompress(compressed) == export(3, 3)


def test_source_is_left_behind_what_a_model_reads(codec: isthmus.TableCodec) -> None:
    columns = [[np.zeros(3, np.int64) for _ in forms] for forms in codec.layout.forms]
    payload = codec.planes.encode(columns, 3)
    source = Source.of(payload + b"more", "it")
    assert all(not plane.any() for column in codec.planes.decode(source, [True] * 5, 3) for plane in column)
    assert source.up_to(9) == b"more"
