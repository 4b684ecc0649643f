"""A job's parts, put together, are what one process makes of all records; and nothing is done twice or half."""

from __future__ import annotations

import errno
import json
import os
import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import isthmus
from isthmus import Autoencoder, Classifier, Detector, cluster, tasks
from isthmus.cli import main, scoring
from isthmus.cluster.plan import Part, cut, part_name
from isthmus.errors import DataError, IsthmusError, OutputExistsError, OutputInUseError, ParameterError
from isthmus.files import claim

from .conftest import GROUP, ROWS, SMALL, Case, events, matrix, write_events


def run(case: Case, output: Path, verb: str = "encode", **settings: Any) -> cluster.Outcome:
    """Run a job in this process."""
    return cluster.run(verb, case.data, case.model, output, **{"workers": 0, "part_rows": 100, **settings})


def written(folder: Path) -> pd.DataFrame:
    """Return what any reader of Parquet folders finds there."""
    return parquet.read_table(folder).to_pandas()


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*"))}


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "_manifest.json").read_text())


# ------------------------------------------------------------------ how records are cut


def test_records_without_groups_are_cut_anywhere() -> None:
    parts = cut([("", [250])], 8.0, rows=100)
    assert [(part.start, part.stop) for part in parts] == [(0, 100), (100, 200), (200, 250)]
    assert [part.number for part in parts] == [0, 1, 2]


def test_groups_are_not_divided_and_a_part_names_its_files_only() -> None:
    parts = cut([("a", [3, 3]), ("b", []), ("c", [3, 0, 3])], 8.0, rows=5)
    assert parts == (Part(0, 0, 6, ("a",), 0), Part(1, 6, 12, ("c",), 6))
    across = cut([("a", [3, 3]), ("c", [4])], 8.0, rows=7)
    assert across == (Part(0, 0, 10, ("a", "c"), 0),)


def test_a_part_takes_64_mib_or_a_million_records_by_default() -> None:
    assert len(cut([("", [10**7])], 80.0)[0]) == 64 * 2**20 // 80
    assert len(cut([("", [10**7])], 1.0)[0]) == 2**20
    assert len(cut([("", [3])], 2.0**40)) == 3


def test_names_of_many_parts_sort_as_numbers() -> None:
    parts = cut([("", [100_001])], 8.0, rows=1)
    names = [part_name(part.number, ".parquet", part.digits) for part in parts]
    assert names[0] == "part-000000.parquet"
    assert names == sorted(names)


# ------------------------------------------------------------------ the parts are the whole


def test_codes_of_parts_are_those_of_one_process_bit_for_bit(array_case: Case, tmp_path: Path) -> None:
    found = run(array_case, tmp_path / "codes")
    assert (found.rows, found.parts, found.done_now) == (ROWS, 3, 3)
    assert main(["encode", array_case.data, "-m", array_case.model, "-o", str(tmp_path / "codes.npy")]) == 0
    assert np.array_equal(written(tmp_path / "codes").to_numpy(), np.load(tmp_path / "codes.npy"))


def test_keys_pass_through_in_order(table_case: Case, tmp_path: Path) -> None:
    run(table_case, tmp_path / "codes", opening={"labels": "fraud"})
    found = written(tmp_path / "codes")
    assert found.columns.tolist() == ["fraud", "id", "z0", "z1"]
    assert found["id"].tolist() == events()["id"].to_pylist()
    assert found["fraud"].tolist() == events()["fraud"].to_pylist()
    codes = isthmus.load(table_case.model).transform(events().drop_columns("fraud"))
    assert np.array_equal(found[["z0", "z1"]].to_numpy(), codes)


def test_keys_are_chosen(table_case: Case, tmp_path: Path) -> None:
    run(table_case, tmp_path / "some", keys="fraud,time")
    assert written(tmp_path / "some").columns.tolist() == ["fraud", "time", "z0", "z1"]
    run(table_case, tmp_path / "none", keys="none")
    assert written(tmp_path / "none").columns.tolist() == ["z0", "z1"]
    with pytest.raises(DataError, match="--keys: there is no column 'Fraud'; there are 'id', 'time'"):
        run(table_case, tmp_path / "lost", keys="Fraud")


def test_a_part_is_read_from_its_own_files(table_case: Case, tmp_path: Path) -> None:
    run(table_case, tmp_path / "codes", part_rows=2 * GROUP)
    shutil.copytree(table_case.data, tmp_path / "events")
    whole = content(tmp_path / "codes")
    other = Case(str(tmp_path / "events"), table_case.model)
    for name in ("part-00001.parquet", "part-00002.parquet"):
        (tmp_path / "codes" / name).unlink()
    assert run(table_case, tmp_path / "codes", part_rows=None).done_now == 2
    assert content(tmp_path / "codes") == whole
    run(other, tmp_path / "again", part_rows=2 * GROUP)
    assert content(tmp_path / "again") == whole


def test_scores_of_parts_are_those_of_one_process(table_case: Case, array_case: Case, tmp_path: Path) -> None:
    for name, case in (("table", table_case), ("array", array_case)):
        outcome = run(case, tmp_path / name, "score")
        found = written(tmp_path / name)
        opened = isthmus.data.open(events().drop_columns("fraud") if name == "table" else matrix())
        truth = scoring.score(isthmus.load(case.model), opened)
        assert np.array_equal(found["log_likelihood"], truth.nats)
        assert np.array_equal(found["error"], truth.errors)
        assert outcome.figures["log_likelihood"] == pytest.approx(truth.nats.sum())


def test_verdicts_of_parts_are_those_of_one_process(array_case: Case, tmp_path: Path) -> None:
    detector = Detector(model=isthmus.load(array_case.model), random_state=0).fit(matrix())
    detector.save(tmp_path / "d.safetensors")
    case = Case(array_case.data, str(tmp_path / "d.safetensors"))
    outcome = run(case, tmp_path / "found", "detect")
    found = written(tmp_path / "found")
    assert np.array_equal(found["score"], detector.score_samples(matrix()))
    assert np.array_equal(found["p_value"], detector.p_values(matrix()))
    assert outcome.figures["outliers"] == found["outlier"].sum() == (detector.predict(matrix()) == -1).sum()
    assert found["reason"].str.len().gt(0).all()


def test_a_detector_is_learned_once_where_there_is_only_a_model(array_case: Case, tmp_path: Path) -> None:
    found = run(array_case, tmp_path / "found", "detect")
    assert any("learned from 240 of 240 records" in note for note in found.notes)
    truth = Detector(model=isthmus.load(array_case.model), random_state=0).fit(matrix())
    assert np.array_equal(written(tmp_path / "found")["score"], truth.score_samples(matrix()))
    (kept,) = (tmp_path / "found").glob("_detector-*")
    (tmp_path / "found" / "part-00001.parquet").unlink()
    before = kept.stat().st_mtime_ns
    again = run(array_case, tmp_path / "found", "detect")
    assert (again.done_now, kept.stat().st_mtime_ns) == (1, before)
    assert np.array_equal(written(tmp_path / "found")["score"], truth.score_samples(matrix()))


def test_classes_of_parts_are_those_of_one_process(array_case: Case, tmp_path: Path) -> None:
    y = (matrix()[:, 0] > 0).astype(int)
    classifier = Classifier(model=isthmus.load(array_case.model), method="probe", random_state=0).fit(matrix(), y)
    classifier.save(tmp_path / "c.safetensors")
    outcome = run(Case(array_case.data, str(tmp_path / "c.safetensors")), tmp_path / "found", "classify")
    found = written(tmp_path / "found")
    assert np.array_equal(found[["p(0)", "p(1)"]], classifier.predict_proba(matrix()))
    assert np.array_equal(found["class"], classifier.predict(matrix()))
    assert outcome.figures == {f"class {k}": float((found["class"] == k).sum()) for k in (0, 1)}


def test_reconstructions_of_parts_are_those_of_one_process(table_case: Case, array_case: Case, tmp_path: Path) -> None:
    run(table_case, tmp_path / "table", "reconstruct", opening={"labels": "fraud"})
    out = str(tmp_path / "one.parquet")
    words = ["reconstruct", table_case.data, "-m", table_case.model, "--labels", "fraud", "-o", out]
    assert main(words) == 0
    pd.testing.assert_frame_equal(written(tmp_path / "table"), parquet.read_table(out).to_pandas())
    run(array_case, tmp_path / "array", "reconstruct")
    assert np.array_equal(written(tmp_path / "array"), isthmus.load(array_case.model).reconstruct(matrix()))


@pytest.mark.long
def test_missing_cells_of_a_part_are_filled_from_its_own_rows(table_case: Case, tmp_path: Path) -> None:
    outcome = run(table_case, tmp_path / "full", "impute", part_rows=3 * GROUP)
    model, found = isthmus.load(table_case.model), written(tmp_path / "full")
    halves = [events().drop_columns("fraud").slice(start, 3 * GROUP) for start in (0, 3 * GROUP)]
    truth = pd.concat([tasks.impute(model, half).records.to_pandas() for half in halves], ignore_index=True)
    pd.testing.assert_frame_equal(found[truth.columns.tolist()], truth)
    assert outcome.figures["cells"] == events()["amount"].null_count > 0
    assert found["amount"].notna().all()


def test_nans_of_an_array_are_filled_and_a_part_without_comes_back_as_it_is(array_case: Case, tmp_path: Path) -> None:
    holes = matrix()
    holes[:100:7, 1] = np.nan
    np.save(tmp_path / "holes.npy", holes)
    outcome = run(Case(str(tmp_path / "holes.npy"), array_case.model), tmp_path / "full", "impute")
    found = written(tmp_path / "full").to_numpy()
    assert outcome.figures["cells"] == np.isnan(holes).sum()
    assert np.array_equal(found[100:], holes[100:])
    assert np.array_equal(found[:100], tasks.impute(isthmus.load(array_case.model), holes[:100]).records)


def test_new_records_hang_on_the_seed_and_the_part_only(array_case: Case, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        found = run(array_case, tmp_path / name, "sample", options={"n": 250, "seed": seed})
        assert (found.rows, found.parts) == (250, 3)
    a, b, c = (written(tmp_path / name).to_numpy() for name in "abc")
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert a.shape == (250, 5)
    assert len(np.unique(a, axis=0)) == 250


def test_images_keep_their_names_and_become_npy_as_records(tmp_path: Path) -> None:
    from PIL import Image

    pictures = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    (tmp_path / "photos").mkdir()
    for index, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / "photos" / f"p{index:02d}.png")
    Autoencoder(**SMALL).fit(pictures).save(tmp_path / "m.safetensors")
    case = Case(str(tmp_path / "photos"), str(tmp_path / "m.safetensors"))
    run(case, tmp_path / "codes", part_rows=5)
    model = isthmus.load(case.model)
    found = written(tmp_path / "codes")
    assert found["name"].tolist() == [f"p{index:02d}.png" for index in range(12)]
    assert np.array_equal(found[["z0", "z1"]], model.transform(pictures))
    run(case, tmp_path / "again", "reconstruct", part_rows=5)
    parts = [np.load(path) for path in sorted((tmp_path / "again").glob("part-*.npy"))]
    assert np.array_equal(np.concatenate(parts), model.reconstruct(pictures))


# ------------------------------------------------------------------ nothing is done twice, or half


def test_a_second_run_does_the_missing_parts_only(array_case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "codes"
    run(array_case, folder)
    whole = content(folder)
    assert manifest(folder)["state"] == "done"
    assert run(array_case, folder, part_rows=None).done_now == 0
    (folder / "part-00001.parquet").unlink()
    (folder / "part-00002.parquet").write_bytes(whole["part-00002.parquet"][:-9])  # its size is another
    before = (folder / "part-00000.parquet").stat().st_mtime_ns
    found = run(array_case, folder, part_rows=None)
    assert (found.done_now, found.parts) == (2, 3)
    assert content(folder) == whole
    assert (folder / "part-00000.parquet").stat().st_mtime_ns == before


def test_the_manifest_says_what_is_there(array_case: Case, tmp_path: Path) -> None:
    run(array_case, tmp_path / "codes")
    said, files = manifest(tmp_path / "codes"), content(tmp_path / "codes")
    assert said["ranges"] == [[0, 100], [100, 200], [200, 240]]
    assert [part["name"] for part in said["parts"]] == list(files)
    for part, written_bytes in zip(said["parts"], files.values(), strict=True):
        assert part["nbytes"] == len(written_bytes)
        assert part["checksum"] == f"{zlib.crc32(written_bytes):08x}"
    assert not list((tmp_path / "codes").glob(".isthmus*"))


def test_verify_reads_every_part(array_case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(array_case, tmp_path / "codes")
    assert main(["verify", str(tmp_path / "codes")]) == 0
    part = tmp_path / "codes" / "part-00001.parquet"
    changed = bytearray(part.read_bytes())
    changed[40] ^= 1  # its size stays
    part.write_bytes(changed)
    (tmp_path / "codes" / "part-00002.parquet").unlink()
    assert cluster.verify(tmp_path / "codes") == ("part-00001.parquet", "part-00002.parquet")
    assert main(["verify", str(tmp_path / "codes")]) == 1
    assert "part-00001.parquet: missing, or not as it was written" in capsys.readouterr().out
    with pytest.raises(DataError, match="the output of no job"):
        cluster.verify(tmp_path)


def test_a_killed_job_is_told_from_a_finished_one(
    array_case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isthmus.cluster import work

    real, calls = work.do, []

    def until_interrupted(job: Any, part: Part) -> Any:
        calls.append(part.number)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(job, part)

    monkeypatch.setattr(work, "do", until_interrupted)
    sentence = r"interrupted; 1 of 3 parts are in .*codes: the same command goes on with the others"
    with pytest.raises(KeyboardInterrupt, match=sentence):
        run(array_case, tmp_path / "codes")
    assert manifest(tmp_path / "codes")["state"] == "running"
    assert run(array_case, tmp_path / "codes").done_now == 2
    run(array_case, tmp_path / "once")
    assert content(tmp_path / "codes") == content(tmp_path / "once")
    assert manifest(tmp_path / "codes")["state"] == "done"


def test_a_job_of_no_records_is_refused(table_case: Case, array_case: Case, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    parquet.write_table(events().slice(0, 0), tmp_path / "none" / "a.parquet")
    with pytest.raises(DataError, match="check the source"):
        run(Case(str(tmp_path / "none"), table_case.model), tmp_path / "codes")
    with pytest.raises(ParameterError, match="'n'"):
        run(array_case, tmp_path / "new", "sample")


def test_an_index_and_labels_of_pandas_pass_through(table_case: Case, tmp_path: Path) -> None:
    frame = events().to_pandas().set_index(pd.Index([f"e{k}" for k in range(ROWS)], name="event"))
    frame.to_parquet(tmp_path / "events.parquet", row_group_size=GROUP)
    case = Case(str(tmp_path / "events.parquet"), table_case.model)
    run(case, tmp_path / "codes", opening={"labels": "fraud"})
    found = written(tmp_path / "codes")
    assert found.columns.tolist() == ["fraud", "event", "id", "z0", "z1"]
    assert found["event"].tolist() == frame.index.tolist()
    run(case, tmp_path / "again", "reconstruct", opening={"labels": "fraud"})
    again = written(tmp_path / "again")
    assert again.index.tolist() == frame.index.tolist()
    assert again["fraud"].tolist() == frame["fraud"].tolist()


def test_two_runs_do_not_share_a_folder(array_case: Case, tmp_path: Path) -> None:
    with claim(tmp_path / "codes"), pytest.raises(OutputInUseError, match=r"two outputs|being written"):
        run(array_case, tmp_path / "codes")


# ------------------------------------------------------------------ what a folder may hold


def test_parts_of_another_model_are_refused_with_both_fingerprints(array_case: Case, tmp_path: Path) -> None:
    run(array_case, tmp_path / "codes")
    Autoencoder(**{**SMALL, "random_state": 1}).fit(matrix()).save(tmp_path / "other.safetensors")
    other = Case(array_case.data, str(tmp_path / "other.safetensors"))
    there = manifest(tmp_path / "codes")["model"]
    with pytest.raises(
        OutputExistsError, match=rf"other model \(.*{there}; now it is .*other\.safetensors, \w{{16}}\)"
    ):
        run(other, tmp_path / "codes")
    assert len(content(tmp_path / "codes")) == 3
    assert run(other, tmp_path / "codes", force=True).done_now == 3
    codes = isthmus.load(other.model).transform(matrix())
    assert np.array_equal(written(tmp_path / "codes").to_numpy(), codes)


def test_parts_of_other_data_or_options_are_refused(array_case: Case, tmp_path: Path) -> None:
    run(array_case, tmp_path / "codes")
    np.save(tmp_path / "x.npy", matrix()[::-1])
    there = manifest(tmp_path / "codes")["data"]
    with pytest.raises(OutputExistsError, match=rf"other data \(.*{there}; now it is .*x\.npy, \w{{16}}\)"):
        run(Case(str(tmp_path / "x.npy"), array_case.model), tmp_path / "codes")
    with pytest.raises(OutputExistsError, match=r"other verb \(encode; now it is score\)"):
        run(array_case, tmp_path / "codes", "score")
    with pytest.raises(OutputExistsError, match=r"other options \(--keys\) \(None; now it is none\)"):
        run(array_case, tmp_path / "codes", keys="none")
    with pytest.raises(OutputExistsError, match=r"other parts \(100; now it is cut otherwise\)"):
        run(array_case, tmp_path / "codes", part_rows=50)


def test_files_of_others_are_refused_and_never_removed(array_case: Case, tmp_path: Path) -> None:
    (tmp_path / "codes").mkdir()
    (tmp_path / "codes" / "notes.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(OutputExistsError, match=r"not this job's: 'notes\.txt'; name an empty or a new folder"):
            run(array_case, tmp_path / "codes", force=force)
    assert (tmp_path / "codes" / "notes.txt").read_text() == "mine"
    (tmp_path / "codes" / "notes.txt").unlink()
    run(array_case, tmp_path / "codes")
    shutil.copy(tmp_path / "codes" / "part-00000.parquet", tmp_path / "codes" / "part-00007.parquet")
    with pytest.raises(OutputExistsError, match=r"not this job's: 'part-00007\.parquet'"):
        run(array_case, tmp_path / "codes")


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"parts": [], "bad": {}, "format": 9}', '{"parts": 3}'])
def test_a_damaged_manifest_is_refused(array_case: Case, tmp_path: Path, damaged: str) -> None:
    run(array_case, tmp_path / "codes")
    (tmp_path / "codes" / "_manifest.json").write_text(damaged)
    with pytest.raises(DataError, match=r"_manifest\.json is no manifest of a job .*begin anew with --force"):
        run(array_case, tmp_path / "codes")
    assert run(array_case, tmp_path / "codes", force=True).done_now == 3


# ------------------------------------------------------------------ what goes wrong


def damage(path: Path) -> None:
    """Overwrite the cells of the second row group of a Parquet file; its description stays."""
    group = parquet.ParquetFile(path).metadata.row_group(1)
    columns = [group.column(number) for number in range(group.num_columns)]
    start = min(column.dictionary_page_offset or column.data_page_offset for column in columns)
    size = sum(column.total_compressed_size for column in columns)
    content = path.read_bytes()
    path.write_bytes(content[:start] + b"\xff" * size + content[start + size :])


def test_an_unreadable_part_is_named_and_left_out_where_asked(table_case: Case, tmp_path: Path) -> None:
    write_events(tmp_path / "events")
    damage(tmp_path / "events" / "day1.parquet")
    case = Case(str(tmp_path / "events"), table_case.model)
    sentence = r"part 3 \(rows 120 to 159\), part-00003\.parquet: .*day1\.parquet.*damaged.*3 of 6 parts are finished"
    with pytest.raises(DataError, match=sentence):
        run(case, tmp_path / "codes", part_rows=GROUP)
    found = run(case, tmp_path / "codes", part_rows=None, skip_bad=True)
    assert (found.done_now, found.parts, len(found.skipped)) == (2, 6, 1)
    assert found.skipped[0].startswith("part 3 (rows 120 to 159): ")
    assert manifest(tmp_path / "codes")["state"] != "done"
    ids = events()["id"].to_pylist()
    assert written(tmp_path / "codes")["id"].tolist() == ids[:120] + ids[160:]


def test_an_unreadable_file_is_named_and_left_out_where_asked(table_case: Case, tmp_path: Path) -> None:
    write_events(tmp_path / "events")
    (tmp_path / "events" / "day1.parquet").write_bytes(b"PAR1 and no more")
    case = Case(str(tmp_path / "events"), table_case.model)
    with pytest.raises(DataError, match=r"day1\.parquet"):
        run(case, tmp_path / "codes", part_rows=GROUP)
    found = run(case, tmp_path / "codes", part_rows=GROUP, skip_bad=True)
    assert found.rows == ROWS - 2 * GROUP
    assert any("left out" in note and "day1.parquet" in note for note in found.notes)


def test_a_nan_is_named_with_its_row_of_all(array_case: Case, tmp_path: Path) -> None:
    large = np.concatenate([matrix()] * 2)
    large[300, 2] = np.inf
    pq = tmp_path / "x.parquet"
    parquet.write_table(pa.table({f"c{k}": large[:, k] for k in range(5)}), pq, row_group_size=100)
    with pytest.raises(DataError, match=r"part 3 \(rows 300 to 399\).*row 300.*c2"):
        run(Case(str(pq), array_case.model), tmp_path / "codes")


def test_a_full_disk_leaves_no_half_part(array_case: Case, tmp_path: Path, largest_file: Any) -> None:
    run(array_case, tmp_path / "whole", "reconstruct")
    with largest_file(2500), pytest.raises(IsthmusError, match=r"part 0 .*part-00000\.parquet: .*File too large"):
        run(array_case, tmp_path / "codes", "reconstruct")
    assert [path.name for path in (tmp_path / "codes").iterdir() if path.name != "_manifest.json"] == []
    run(array_case, tmp_path / "codes", "reconstruct")
    assert content(tmp_path / "codes") == content(tmp_path / "whole")


def test_a_folder_without_write_access_is_refused(
    array_case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: Any) -> None:  # as the system does whoever is no administrator
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    with pytest.raises(ParameterError, match=r"'.*codes' is not, on .*: Permission denied"):
        run(array_case, tmp_path / "codes")


def test_an_output_that_is_a_file_is_refused(array_case: Case, tmp_path: Path) -> None:
    (tmp_path / "codes").write_text("a file")
    with pytest.raises(ParameterError, match=r"a folder that workers can write to; '.*codes' is not"):
        run(array_case, tmp_path / "codes")


def test_paths_that_a_worker_does_not_see_are_named(array_case: Case, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data: there is no '.*gone\.npy' on .*a path that every worker sees"):
        run(Case(str(tmp_path / "gone.npy"), array_case.model), tmp_path / "codes")
    with pytest.raises(DataError, match=r"--model: there is no '.*gone\.safetensors' on "):
        run(Case(array_case.data, str(tmp_path / "gone.safetensors")), tmp_path / "codes")


def test_what_is_no_job_is_refused(array_case: Case, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="verb"):
        run(array_case, tmp_path / "codes", "decode")
    with pytest.raises(ParameterError, match="a job's data must be a path or a URL"):
        cluster.run("encode", matrix(), array_case.model, tmp_path / "codes")  # type: ignore[arg-type]
    assert not (tmp_path / "codes" / "_manifest.json").exists()


# ------------------------------------------------------------------ URLs


def test_data_model_and_output_by_url_of_pyarrow(table_case: Case, tmp_path: Path) -> None:
    run(table_case, tmp_path / "codes")
    by_url = Case(f"file://{table_case.data}", f"file://{table_case.model}")
    found = cluster.run("encode", by_url.data, by_url.model, f"file://{tmp_path}/remote", workers=0, part_rows=100)
    assert found.done_now == found.parts == 2
    assert content(tmp_path / "remote") == content(tmp_path / "codes")
    again = cluster.run("encode", by_url.data, by_url.model, f"file://{tmp_path}/remote", workers=0)
    assert again.done_now == 0


def test_data_and_output_by_url_of_fsspec(table_case: Case, tmp_path: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.put(f"{table_case.data}/", "/lake/events/", recursive=True)
    try:
        settings: dict[str, Any] = {"workers": 0, "part_rows": 100}
        cluster.run("encode", "memory://lake/events", table_case.model, "memory://lake/codes", **settings)
        memory.get("/lake/codes/", str(tmp_path / "remote"), recursive=True)
    finally:
        memory.rm("/lake", recursive=True)
    run(table_case, tmp_path / "codes")
    assert content(tmp_path / "remote") == content(tmp_path / "codes")


def test_only_parquet_files_are_read_by_url(array_case: Case, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="names no Parquet files"):
        run(Case(f"file://{array_case.data}", array_case.model), tmp_path / "codes")


# ------------------------------------------------------------------ the command line


def test_an_output_that_ends_in_a_slash_is_a_job(
    table_case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["encode", table_case.data, "-m", table_case.model, "-o", f"{tmp_path}/codes/", "--workers", "0"]
    assert main([*words, "--part-rows", "100", "--json"]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert (document["rows"], document["parts"], document["done_now"]) == (ROWS, 2, 2)
    assert (
        f"workers read {table_case.model} and {table_case.data}, and their output goes to {tmp_path}/codes/" in said.err
    )
    assert main(words) == 0
    assert "240 records in 2 parts, 2 of them there before" in capsys.readouterr().out


def test_every_verb_takes_a_folder(array_case: Case, tmp_path: Path) -> None:
    y = (matrix()[:, 0] > 0).astype(int)
    model = isthmus.load(array_case.model)
    Detector(model=model, random_state=0).fit(matrix()).save(tmp_path / "d.safetensors")
    Classifier(model=model, method="probe", random_state=0).fit(matrix(), y).save(tmp_path / "c.safetensors")
    calls = {
        "scores": ["score", array_case.data, "-m", array_case.model, "--each"],
        "found": ["detect", array_case.data, "-m", str(tmp_path / "d.safetensors"), "-o"],
        "classes": ["classify", "predict", array_case.data, "-m", str(tmp_path / "c.safetensors"), "-o"],
        "again": ["reconstruct", array_case.data, "-m", array_case.model, "-o"],
        "new": ["sample", "-m", array_case.model, "--n", str(ROWS), "-o"],
        "full": ["impute", array_case.data, "-m", array_case.model, "-o"],
    }
    for name, words in calls.items():
        assert main([*words, f"{tmp_path}/{name}/", "--workers", "0", "-q"]) == 0
        assert len(written(tmp_path / name)) == ROWS


def test_flags_about_one_file_are_refused_for_a_folder(
    table_case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["impute", table_case.data, "-m", table_case.model, "-o", f"{tmp_path}/full/"]
    assert main([*words, "--intervals", str(tmp_path / "i.csv")]) == 2
    assert "--intervals is not written or read in parts; name a file as --output" in capsys.readouterr().err


def test_a_folder_of_reconstructed_images_is_one_of_images(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "p.npy", pictures)
    Autoencoder(**SMALL).fit(pictures).save(tmp_path / "m.safetensors")
    words = ["reconstruct", str(tmp_path / "p.npy"), "-m", str(tmp_path / "m.safetensors"), "-o", f"{tmp_path}/again/"]
    assert main([*words, "-q"]) == 0
    assert len(list((tmp_path / "again").glob("*.png"))) == 6
