"""What each verb does with the records of a part. A part's file is a table of Parquet wherever its content is one."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus import checks
from isthmus.cluster import places
from isthmus.cluster.fingerprints import fingerprint_of_data, fingerprint_of_model
from isthmus.cluster.plan import Job, Part
from isthmus.cluster.reading import Input, open_input
from isthmus.data.records import Data

if TYPE_CHECKING:
    import pyarrow as pa

    from isthmus.cli.terminal import Terminal
    from isthmus.data.schema import Schema

__all__ = ["VERBS", "Verb"]

Figures = dict[str, float]
Columns = dict[str, np.ndarray]
LEARNED_FROM = 100_000  # records that a detector is fitted on, at most
REFERENCE = "_reference"  # file in the output folder with the records that say how columns spread


class Verb(ABC):
    """A verb of one job, its model loaded; made once in each process that works.

    Parameters
    ----------
    job : Job
    terminal : Terminal
        Is told what a person should know.
    """

    def __init__(self, job: Job, terminal: Terminal) -> None:
        self.job, self.terminal = job, terminal
        with places.local_copy(job.model) as path:
            self.loaded = self.load(path)
        self.model = getattr(self.loaded, "model_", self.loaded)
        self.check()

    def load(self, path: str) -> Any:
        """Return what the model's file holds."""
        from isthmus.cli import inputs

        return inputs.load_model(path, self.job.option("device"))

    def check(self) -> None:  # noqa: B027 - most verbs use any model
        """Refuse a model that this verb cannot use."""

    def open(self) -> Input | None:
        """Return the input; None of a verb that reads none."""
        return open_input(self.job, self.model, self.terminal)

    def prepare(self, records: Input, n: int) -> None:  # noqa: B027 - most parts need nothing of others
        """Write to the output folder what all parts need; the planner does that once."""

    @property
    def suffix(self) -> str:
        """Of the parts' files."""
        return ".parquet"

    @abstractmethod
    def write(self, path: Path, part: Part, records: Any) -> Figures:
        """Write what becomes of a part's records to a file of that suffix; return sums over them."""


class Finding(Verb):
    """A verb that finds some numbers of each record: a table of them, with the record's keys in front."""

    def write(self, path: Path, part: Part, records: Input) -> Figures:
        """Write keys and what was found."""
        figures: Figures = {}
        data = records.part(part)
        _write_columns(path, records.keys(part), self._summed(self.found(data), figures))
        return figures

    @abstractmethod
    def found(self, data: Data) -> Iterator[Columns]:
        """Yield what is found of the records, block by block."""

    def figures(self, found: Columns) -> Figures:
        """Return sums over the records of a block."""
        return {}

    def _summed(self, blocks: Iterator[Columns], figures: Figures) -> Iterator[Columns]:
        for block in blocks:
            for name, figure in self.figures(block).items():
                figures[name] = figures.get(name, 0.0) + figure
            yield block


class Encode(Finding):
    """Codes: columns z0, z1, ...; of images of several sizes an archive of arrays."""

    @property
    def varying(self) -> bool:
        """Whether codes differ in shape."""
        return None in self.model.code_shape_

    @property
    def suffix(self) -> str:
        """Of the parts' files."""
        return ".npz" if self.varying else ".parquet"

    def found(self, data: Data) -> Iterator[Columns]:
        """Yield codes."""
        from isthmus.cli import inputs, outputs

        for block in inputs.blocks(data):
            yield outputs.named_columns(self.model.transform(_plain(block)))

    def write(self, path: Path, part: Part, records: Input) -> Figures:
        """Write codes."""
        if not self.varying:
            return super().write(path, part, records)
        from isthmus.cli import inputs, outputs

        data = records.part(part)
        codes = (self.model.transform(block) for block in inputs.blocks(data))
        outputs.write_codes(path, len(part), codes, data.names, force=True, varying=True)
        return {}


class Score(Finding):
    """Log-likelihood and reconstruction error; a table's errors are in units of how all of its rows spread."""

    def prepare(self, records: Input, n: int) -> None:
        """Keep the records that say how columns spread, evenly spaced over all."""
        from isthmus import data
        from isthmus.cli import scoring

        schema = records.schema
        if schema.kind in ("table", "array"):
            reference = records.some(scoring.REFERENCE)
            with places.Folder(self.job.output).writing(_reference_name(schema)) as path:
                data.write(path, reference, schema, force=True)

    def found(self, data: Data) -> Iterator[Columns]:
        """Yield scores."""
        from isthmus.cli import scoring

        comparison = scoring.comparison_to(self.model, data, self._reference(data.schema))
        for nats, errors, _ in scoring.scored(self.model, data, comparison):
            yield {"log_likelihood": nats, "error": errors}

    def figures(self, found: Columns) -> Figures:
        """Return sums of the scores that are finite."""
        return {name: float(values[np.isfinite(values)].sum()) for name, values in found.items()}

    def _reference(self, schema: Schema) -> Any:
        """Return the records that say how columns spread, as the planner kept them."""
        from isthmus import data

        if schema.kind not in ("table", "array"):
            return None
        with places.local_copy(f"{self.job.output.rstrip('/')}/{_reference_name(schema)}") as path:
            kept = data.open(path)
            kept = kept.select([column.name for column in schema.columns]) if schema.kind == "table" else kept
            return kept.chunk(0, len(kept))


class Detect(Finding):
    """Score, p-value, verdict and reasons of a detector; of a model's file one is fitted first, by the planner."""

    def load(self, path: str) -> Any:
        """Return the detector; or the model, where none is fitted yet."""
        from isthmus.cli import inputs
        from isthmus.tasks import Detector

        loaded = inputs.load_model(path, self.job.option("device"), or_a=Detector)
        if isinstance(loaded, Detector) or self.kept not in self.folder.sizes():
            return loaded
        with places.local_copy(f"{self.folder.name.rstrip('/')}/{self.kept}") as kept:
            return inputs.load_model(kept, self.job.option("device"), or_a=Detector)

    @property
    def folder(self) -> places.Folder:
        """The output."""
        return places.Folder(self.job.output)

    @property
    def kept(self) -> str:
        """Name of the detector's file in the output folder; it says of which model, data and settings it is."""
        settings = [self.job.option(name) for name in ("method", "contamination", "seed")]
        marks = f"{fingerprint_of_model(self.job.model)} {fingerprint_of_data(self.job)} {settings}"
        return f"_detector-{hashlib.sha256(marks.encode()).hexdigest()[:16]}.safetensors"

    def prepare(self, records: Input, n: int) -> None:
        """Learn what is usual from records that are evenly spaced over all, unless that was done."""
        from isthmus.checks.detect import a_share
        from isthmus.tasks import Detector

        if isinstance(self.loaded, Detector):
            return
        detector = Detector(
            model=self.loaded,
            method=self.job.option("method", "auto"),
            contamination=a_share("detect", "--contamination", str(self.job.option("contamination", "auto"))),
            random_state=self.job.option("seed", 0),
            device=self.job.option("device") or "auto",
            verbose=0,
        )
        usual = self.model.opened(records.some(LEARNED_FROM))
        detector.fit(usual)
        self.terminal.say(f"what is usual was learned from {len(usual):,} of {n:,} records", *detector.notes_)
        with self.folder.writing(self.kept) as path:
            detector.save(path, force=True)
        with places.local_copy(self.job.model) as name:
            self.loaded = self.load(name)  # as every other worker has it

    def found(self, data: Data) -> Iterator[Columns]:
        """Yield scores, p-values, verdicts and reasons."""
        from isthmus.cli.outliers import Found

        yield from Found(self.loaded, data).columns(reasons=True)

    def figures(self, found: Columns) -> Figures:
        """Return how many are outliers."""
        return {"outliers": float(found["outlier"].sum())}


class Classify(Finding):
    """The likeliest class, its probability, and those of all classes."""

    def load(self, path: str) -> Any:
        """Return the classifier."""
        from isthmus.cli import inputs

        return inputs.load_classifier(path, self.job.option("device"))

    def found(self, data: Data) -> Iterator[Columns]:
        """Yield classes and probabilities."""
        from isthmus.cli import inputs, outputs

        for block in inputs.blocks(data):
            yield outputs.columns_of_chances("class", self.loaded.classes_, self.loaded.predict_proba(block))

    def figures(self, found: Columns) -> Figures:
        """Return how many records are of each class."""
        names, counts = np.unique(found["class"], return_counts=True)
        return {f"class {name}": float(count) for name, count in zip(names.tolist(), counts.tolist(), strict=True)}


class Rewriting(Verb):
    """A verb that writes records: rows of numbers and tables as Parquet, images of one size as .npy, texts as .txt."""

    def check(self) -> None:
        """Refuse records that have no format in parts."""
        schema = self.model.schema_
        if schema.kind == "image" and None in schema.shape:
            raise checks.no_folder_format("images of several sizes", self.job.verb)

    @property
    def suffix(self) -> str:
        """Of the parts' files."""
        return {"image": ".npy", "text": ".txt"}.get(self.model.schema_.kind, ".parquet")

    def _put(self, path: Path, n: int, blocks: Iterator[Any], schema: Schema, side_columns: Any = None) -> None:
        from isthmus.cli import outputs

        outputs.write_records(path, n, blocks, schema, None, side_columns=side_columns, force=True)


class Reconstruct(Rewriting):
    """Records after crossing the code."""

    def write(self, path: Path, part: Part, records: Input) -> Figures:
        """Write reconstructions, with the labels that these had beside them."""
        from isthmus.cli import inputs

        data = records.part(part)
        blocks = inputs.each(self.model, self.model.reconstruct)(data)
        self._put(path, len(part), iter(blocks), self.model.schema_, data.side_columns)
        return {}


class Impute(Rewriting):
    """Records whose missing cells are filled, each part from its own records and the model."""

    def open(self) -> Input:
        """Return the input; an array may have NaNs."""
        return open_input(self.job, self.model, self.terminal, with_holes=True)

    def write(self, path: Path, part: Part, records: Input) -> Figures:
        """Fill a part's records; where none of its cells is missing they come back as they are."""
        from isthmus import data as isthmus_data
        from isthmus import tasks

        data = records.part(part)
        if not _has_holes(data):
            self._put(path, len(part), iter([data.chunk(0, len(data))]), data.schema, data.side_columns)
            return {"cells": 0.0}
        options = {name: self.job.option(name, default) for name, default in (("level", 0.9), ("draws", 50))}
        given = data.chunk(0, len(data)) if data.schema.kind == "array" else data
        found = tasks.impute(self.model, given, random_state=self.job.option("seed", 0), **options)
        filled = isthmus_data.open(found.records)
        self._put(path, len(part), iter([filled.chunk(0, len(filled))]), filled.schema, data.side_columns)
        return {"cells": float(found.marked.sum())}


class Sample(Rewriting):
    """New records; those of a part come from the seed and the part's number."""

    def open(self) -> Input | None:
        """Return nothing: no records are read."""
        return None

    def write(self, path: Path, part: Part, records: None) -> Figures:
        """Draw a part's records."""
        from isthmus import tasks
        from isthmus.checks.tasks import values_of
        from isthmus.cli import inputs
        from isthmus.data import to_block

        state = np.random.SeedSequence((self.job.option("seed", 0), part.number)).generate_state(1)
        options = {name: self.job.option(name, default) for name, default in (("temperature", 1.0), ("noise", None))}
        options |= {"y": inputs.class_of(self.model, self.job.option("label")), "random_state": int(state[0])}
        where = self.job.option("where")
        if where is None:
            drawn = self.model.sample(len(part), **options)
        else:
            drawn = tasks.sample_where(self.model, len(part), values_of("sample", where), **options)
        self._put(path, len(part), iter([to_block(drawn, self.model.schema_)]), self.model.schema_)
        return {}


VERBS: dict[str, type[Verb]] = {
    "encode": Encode,
    "score": Score,
    "detect": Detect,
    "reconstruct": Reconstruct,
    "sample": Sample,
    "impute": Impute,
    "classify": Classify,
}


# --- blocks and columns ----------------------------------------------------------------------------------------------


def _plain(block: Data) -> Any:
    """Return rows of numbers, or images of one size, as the array that they are: a model has a shorter way for it."""
    if block.schema.kind in ("array", "image") and None not in block.schema.shape:
        return block.chunk(0, len(block))
    return block


def _has_holes(data: Data) -> bool:
    """Tell whether a cell is missing."""
    block = data.chunk(0, len(data))
    if data.schema.kind == "table":
        return any(column.null_count for column in block.columns)
    return bool(block.dtype.kind == "f" and np.isnan(block).any())


def _reference_name(schema: Schema) -> str:
    return f"{REFERENCE}{'.parquet' if schema.kind == 'table' else '.npy'}"


def _write_columns(path: Path, keys: pa.Table | None, blocks: Iterator[Columns]) -> None:
    """Write columns block by block as Parquet, the keys of the records in front.

    Numbers of a network neither repeat nor compress: they are stored as they are, which is several times quicker.
    """
    import pyarrow as pa
    from pyarrow import parquet

    from isthmus.cli import outputs

    writer, start = None, 0
    try:
        for block in blocks:
            n = len(next(iter(block.values())))
            beside = {} if keys is None else _renamed(keys.slice(start, n), block)
            table = pa.table({**beside, **{name: outputs.text_as_utf8(values) for name, values in block.items()}})
            if writer is None:
                floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
                others = [name for name in table.column_names if name not in floats]
                packed = {name: "none" if name in floats else "snappy" for name in table.column_names}
                writer = parquet.ParquetWriter(path, table.schema, compression=packed, use_dictionary=others)
            writer.write_table(table)
            start += n
    finally:
        if writer is not None:
            writer.close()


def _renamed(keys: pa.Table, found: Columns) -> dict[str, Any]:
    """Return key columns by name; one that has the name of a result is called otherwise."""
    return {
        f"{name} of the input" if name in found else name: column
        for name, column in zip(keys.column_names, keys.columns, strict=True)
    }
