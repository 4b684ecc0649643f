"""Write the golden files of the current format number, once: two small models, and what they compute.

Run it when the format number rises, and commit what it writes; the files of earlier numbers stay as they are, since
the promise of the format is that they stay readable::

    python tests/contracts/golden/make.py

For each model there are ``format-N-NAME.safetensors``, some of the records that it was fitted on, and the codes,
reconstructions and log-likelihoods that the version which wrote it computes for them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.datasets import load_digits

import isthmus
from isthmus.artifact import FORMAT_NUMBER

FOLDER = Path(__file__).parent
KEPT = 24  # records whose results are kept


def pictures() -> np.ndarray:
    """Return 300 digits, 8 x 8, whole numbers from 0 to 16."""
    return load_digits().images[:300].astype(np.uint8)


def table() -> pa.Table:
    """Return 200 rows with a column of every kind: numbers, gaps, dates, categories, booleans, an id and a constant."""
    rng = np.random.default_rng(7)
    age = rng.integers(18, 80, 200)
    income = np.round(age * 612.5 + rng.normal(0, 900, 200), 2)
    gaps = rng.random(200) < 0.15
    towns = ["Bern", "Oslo", "Rome", "Zürich"]
    days = np.datetime64("2021-03-01") + (age * 9 + rng.integers(0, 30, 200)).astype("timedelta64[D]")
    seconds = days.astype("datetime64[s]") + rng.integers(0, 86_400, 200).astype("timedelta64[s]")
    return pa.table(
        {
            "id": [f"person-{index:03d}" for index in range(200)],
            "age": pa.array(age, pa.int16()),
            "income": pa.array(income, mask=gaps),
            "town": pa.array([towns[a % 4] for a in age]).dictionary_encode(),
            "note": pa.array([None if a % 7 == 0 else ("old" if a > 50 else "young") for a in age]),
            "member": pa.array(age % 3 == 0),
            "since": pa.array(days),
            "seen": pa.array(seconds, pa.timestamp("s", tz="UTC")),
            "country": ["nowhere"] * 200,
        }
    )


def write_table(path: Path, rows: pa.Table) -> None:
    """Write a table in Arrow's own format, which keeps every type."""
    with pa.ipc.new_file(path, rows.schema) as file:
        file.write_table(rows)


def main() -> None:
    """Write what is not there yet."""
    run = {"max_epochs": 12, "batch_size": 32, "precision": "float32", "random_state": 0}
    image = isthmus.Autoencoder(network="convolutional", latent_dim=6, hidden=(4, 8), norm="batch", **run)
    mixed = isthmus.DenoisingAutoencoder(latent_dim=4, hidden=(24,), **run)
    for name, model, records in (("image", image, pictures()), ("table", mixed, table())):
        path = FOLDER / f"format-{FORMAT_NUMBER}-{name}.safetensors"
        if path.exists():
            print(f"{path.name} is there already and stays as it is")
            continue
        model.fit(records)
        model.save(path)
        some = records[:KEPT] if name == "image" else records.slice(0, KEPT)
        codes = model.transform(some)
        results = {"codes": codes, "log_likelihoods": model.score_samples(some)}
        if name == "image":
            results |= {"records": some, "reconstructions": model.inverse_transform(codes)}
        else:
            write_table(path.with_suffix(".records.arrow"), some)
            write_table(path.with_suffix(".reconstructions.arrow"), model.inverse_transform(codes))
        np.savez_compressed(path.with_suffix(".npz"), **results)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
