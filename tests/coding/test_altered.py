"""Files of every content that were altered: of every form and content there are some, and reading them ends well."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from isthmus.coding import contents
from isthmus.coding.container import ARCHIVE, SMALL_CONTENT, STREAM, Fields, Source, opened

from . import altered, samples

SAMPLES = {sample.name: sample for sample in samples.content_samples()}
each_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())


def content_of(sample: samples.Sample) -> tuple[int, int | None]:
    """Return the form of a file, and of a stream the number of its content."""
    source = Source.of(sample.content, "the sample")
    form = opened(source)
    return form, (Fields.read(source, STREAM).content or b"\0")[0] if form == STREAM else None


def test_there_are_samples_of_every_form_and_content() -> None:
    found = {content_of(sample) for sample in SAMPLES.values()}
    assert found == {(SMALL_CONTENT, None), (ARCHIVE, None), *((STREAM, number) for number in contents.MODULES)}


def met(sample: samples.Sample, count: int) -> Counter[str]:
    """Return what came of reading so many files that were altered in either way."""
    kinds: Counter[str] = Counter()
    for number in range(count):
        for make in (altered.mutant, altered.forged):
            content = make(sample, random.Random(f"{sample.name} {number}"))
            started = time.perf_counter()
            found = samples.outcome(content, sample)
            assert time.perf_counter() - started < 20
            assert not found.is_fault(signed=make is altered.forged), (number, make.__name__, found)
            assert found.said == "" or found.said.endswith("."), found
            kinds[f"{make.__name__} {found.kind}"] += 1
    return kinds


@each_sample
def test_some_altered_files(sample: samples.Sample) -> None:
    assert samples.outcome(sample.content, sample).kind == "same"
    met(sample, 6)


@pytest.mark.long
@each_sample
def test_altered_files_are_refused_in_a_sentence(sample: samples.Sample) -> None:
    met(sample, 200)


@pytest.mark.parametrize("name", ["2-picture-fast", "codes", "table, small"])
def test_what_is_forged_goes_past_the_checks(name: str) -> None:
    kinds = met(SAMPLES[name], 60)
    assert kinds["mutant refused"] > 50
    assert min(kinds["forged refused"], kinds["forged same"], kinds["forged other"]) > 0
