"""What a call tells of records that are unlike those of the fit: once, with counts, to whoever called."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import isthmus
from isthmus import Autoencoder, Clusterer, Detector
from isthmus import data as isthmus_data
from isthmus.cli import main
from isthmus.errors import IsthmusWarning
from isthmus.tasks import attribute, augment, denoise, explain, impute, inpaint, interpolate

COMMON = {"max_epochs": 2, "random_state": 0, "device": "cpu"}
N = 200


def people(n: int = N) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.integers(18, 91, n)
    age[:2] = 18, 90
    return pd.DataFrame(
        {
            "age": age,
            "height": rng.normal(170, 10, n),
            "job": pd.Series(rng.choice(["cook", "judge", "smith"], n), dtype="str"),
            "here": rng.random(n) < 0.5,
        }
    )


def strangers() -> pd.DataFrame:
    frame = people().head(30)
    frame.loc[:11, "age"] = 123
    frame.loc[:2, "job"] = ["pilot", "pilot", "poet"]
    return frame


@pytest.fixture(scope="module")
def model() -> Any:
    return Autoencoder(**COMMON).fit(people())


BEYOND = "12 values lie beyond those of the fit"
CLIPPED = f"{BEYOND} and come back clipped to them, in column 'age' (18 to 90; of 30 records)"
NEW = (
    "3 cells hold categories that the fit did not have, and are read as rare ones, in column 'job' "
    "('pilot', 'poet'; of 30 records)"
)


def told(caught: list[warnings.WarningMessage]) -> list[str]:
    return [str(one.message) for one in caught if issubclass(one.category, IsthmusWarning)]


def test_a_call_warns_once_at_the_callers_line_and_keeps_what_it_said(model: Any) -> None:
    with pytest.warns(IsthmusWarning) as caught:
        back = model.reconstruct(strangers())
    assert told(caught) == [f"{CLIPPED}; {NEW}."]
    assert caught[0].filename == __file__
    assert model.notes_[-2:] == [CLIPPED, NEW]
    assert back["age"].max() <= 90
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.reconstruct(people())
    assert CLIPPED not in model.notes_


@pytest.mark.parametrize(
    "use",
    [
        lambda model, frame: model.transform(frame),
        lambda model, frame: model.score_samples(frame),
        lambda model, frame: model.score(frame),
        lambda model, frame: denoise(model, frame),
        lambda model, frame: inpaint(model, frame, np.eye(1, 4, 1)[0]),
        lambda model, frame: impute(model, frame, np.arange(120).reshape(30, 4) == 81, draws=2),
        lambda model, frame: attribute(model, frame, [0], steps=2),
        lambda model, frame: explain(model, frame, units=1),
        lambda model, frame: augment(model, frame, 2, y=[0, 1] * 15),
        lambda model, frame: isthmus.evaluate(model, frame, samples=False),
        lambda model, frame: isthmus.tasks.diagnose(model, frame),
    ],
)
def test_every_use_tells_each_row_once(model: Any, use: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use(model, strangers())
    said = told(caught)
    assert len(said) == 1
    assert said[0].startswith(BEYOND)
    assert "(18 to 90; of 30 records)" in said[0]
    assert NEW in said[0]


def test_two_records_are_told_of_as_two(model: Any) -> None:
    with pytest.warns(IsthmusWarning, match=r"^2 values lie beyond .* of 2 records"):
        interpolate(model, strangers().iloc[[3, 4]])


def test_a_task_tells_and_a_far_value_is_odd() -> None:
    detector = Detector(random_state=0).fit(people())
    with pytest.warns(IsthmusWarning) as caught:
        scores = detector.score_samples(strangers())
    assert len(told(caught)) == 1
    assert "12 values lie beyond those of the fit, in column 'age'" in told(caught)[0]
    assert told(caught)[0].count("records") == 2
    assert detector.notes_[-1] == NEW
    assert scores[:12].max() < detector.offset_


def test_a_task_says_nothing_of_the_records_that_it_learned_from() -> None:
    frame = people()
    frame.loc[::10, "age"] = 1000 * np.arange(N // 10)  # some of them are kept from its model
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector = Detector(random_state=0).fit(frame)
        detector.predict(frame)
    with pytest.warns(IsthmusWarning, match="^1 value lies beyond those of the fit"):
        detector.predict(people().head(1).assign(age=10**6))


def test_columns_that_the_fit_did_not_have_are_named() -> None:
    clusterer = Clusterer(model=Autoencoder(**COMMON), n_clusters=2, random_state=0, runs=1).fit(people())
    with pytest.warns(IsthmusWarning, match="the fit had no column 'shoe size', and what is there is not looked at"):
        clusterer.predict(people().head(9).assign(**{"shoe size": 42}))


def test_whole_numbers_and_pictures_are_told_of_where_they_are_clipped() -> None:
    pictures = (np.random.default_rng(0).random((60, 8, 8)) * 1500).astype(np.uint16)
    pictures[0, 0, 0] = 1499
    pictures[0, 0, 1] = 0
    fitted = Autoencoder(**COMMON).fit(pictures)
    brighter = pictures[:2].copy()
    brighter[0] = 6392
    with pytest.warns(IsthmusWarning, match=r"^64 values lie beyond .* clipped to them \(0 to 1499; of 2 records\)\.$"):
        assert fitted.reconstruct(brighter).max() <= 1499
    with pytest.warns(IsthmusWarning, match="64 values have a fraction, where all of the fit were whole numbers"):
        fitted.reconstruct(pictures[1:2].astype(float) + 0.25)


def test_other_types_of_columns_are_told_of() -> None:
    frame = people()[["age"]].assign(day=pd.date_range("2020-01-01", periods=N), flag=[1, 0] * (N // 2), one=1)
    fitted = Autoencoder(**COMMON).fit(frame)
    later = (
        frame.head(4)
        .astype({"age": float})
        .assign(
            day=pd.date_range("2020-01-01 06:00", periods=4, tz="Europe/Paris"), flag=[1, 0, 3, 0], one=[1, 1, 2, 1]
        )
    )
    later.loc[0, "age"] = 20.5
    with pytest.warns(IsthmusWarning) as caught:
        fitted.transform(later)
    (said,) = told(caught)
    assert "1 value has a fraction, where all of the fit were whole numbers, in column 'age' (20.5; of" in said
    assert "4 dates have a time zone and those of the fit have none, or the other way round" in said
    assert "1 cell is neither 0 nor 1, as all of the fit were, and is read as the nearer one, in column 'flag'" in said
    assert "1 cell differs from the one value that its column had in the fit, and is not looked at, in column" in said


def test_rows_of_fractions_are_told_of_where_they_are_far_out() -> None:
    X = np.random.default_rng(0).normal(size=(N, 3))
    fitted = Autoencoder(**COMMON).fit(X)
    near, far = X[:5] * 1.3, X[:5].copy()
    far[0, 1] = 50.1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.transform(near)  # a little beyond is what new records are, and nothing bounds them
    with pytest.warns(IsthmusWarning, match="^1 value lies far beyond those of the fit, .* in column 1"):
        fitted.transform(far)


def test_many_columns_are_counted_not_listed() -> None:
    X = np.random.default_rng(0).integers(0, 9, (N, 300))
    fitted = Autoencoder(**COMMON).fit(X)
    with pytest.warns(IsthmusWarning) as caught:
        fitted.transform(np.full((2, 300), 99))
    (said,) = told(caught)
    assert said.startswith("600 values lie beyond those of the fit: 2 in column 0 (0 to 8), 2 in column 1 (0 to 8), ")
    assert said.endswith(", 594 in 297 more (of 2 records).")


def test_fit_says_nothing_of_its_own_records_and_keeps_those_of_the_validation() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = Autoencoder(**COMMON).fit(people(), validation=strangers())
    assert any(note.startswith(BEYOND) for note in fitted.notes_)


def test_what_a_call_told_is_not_written_into_the_file(model: Any, tmp_path: Path) -> None:
    with pytest.warns(IsthmusWarning):
        model.transform(strangers())
    model.save(tmp_path / "m.safetensors")
    assert isthmus.load(tmp_path / "m.safetensors").notes_ == [n for n in model.notes_ if n not in (model._told or [])]


def test_blocks_are_one_call_of_the_iterator(model: Any) -> None:
    blocks = isthmus.tasks.inpaint_blocks(model, isthmus_data.open(strangers()), np.eye(1, 4, 1)[0], rows=7)
    with pytest.warns(IsthmusWarning, match=r"^12 values lie beyond .* of 30 records") as caught:
        list(blocks)
    assert len(told(caught)) == 1


# ------------------------------------------------------------------ the command line


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model: Any) -> Path:
    path = tmp_path_factory.mktemp("telling")
    model.save(path / "m.safetensors")
    people().to_csv(path / "people.csv", index=False)
    strangers().to_csv(path / "strangers.csv", index=False)
    return path


def test_the_result_for_machines_has_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(f"score {folder}/strangers.csv -m {folder}/m.safetensors --json --quiet".split()) == 0
    out = capsys.readouterr()
    assert out.err == ""
    assert json.loads(out.out)["notes"][0].startswith(BEYOND)


def test_a_command_that_learns_says_nothing_of_what_it_learned_from(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"detect {folder}/strangers.csv --quiet --json".split()) == 0
    assert "notes" not in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "command",
    [
        "encode {0}/strangers.csv -m {0}/m.safetensors -o {0}/z.npy --force",
        "reconstruct {0}/strangers.csv -m {0}/m.safetensors -o {0}/back.csv --force",
        "denoise {0}/strangers.csv -m {0}/m.safetensors -o {0}/clean.csv --force",
        "score {0}/strangers.csv -m {0}/m.safetensors",
        "explain {0}/strangers.csv -m {0}/m.safetensors",
        "doctor {0}/m.safetensors {0}/strangers.csv",
        "detect {0}/strangers.csv --reference {0}/people.csv",
    ],
)
def test_a_command_notes_it_once(folder: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command.format(folder).split()) in (0, 1)
    said = [line for line in capsys.readouterr().err.splitlines() if BEYOND in line]
    assert len(said) == 1
    assert said[0].startswith(f"note: {BEYOND}")
    assert said[0].endswith("in column 'age' (18 to 90; of 30 records)")
