"""A synthetic table: rows of people who do not exist, from a variational autoencoder and from a GAN.

Corrects tutorials that announce new data from an autoencoder, also for tables, and show neither rows nor figures. A
table mixes numbers, categories and missing cells. Each column gets the likelihood that it needs, and synthetic rows
have the same names, types and categories as the real ones. The script measures them and compares them with real rows.

Type
    python examples/census.py

and compare three measures. Column shapes: is the distribution of each column right? Pair trends: is the dependence of
each pair of columns right? Use: does a classifier that was trained on synthetic rows predict the income of real people
(area under its ROC curve; 0.5 is guessing)? "columns shuffled" is the control: each column is perfect, and the columns
are independent.

The rows are those of the Adult census if ISTHMUS_DATA has its files in tabular/adult. Otherwise 2,000 people are made
up below; for so few, use --epochs 30 or more. The rows of the VAE are written to census.csv.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from common import arguments, print_table, save
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from isthmus import GAN, VAE, data, metrics
from isthmus.data import Data
from isthmus.report import plots

NAMES = (
    *("age", "workclass", "weight", "education", "education years", "marital status", "occupation", "relationship"),
    *("race", "sex", "capital gain", "capital loss", "hours per week", "country", "income"),
)
TARGET = "income"
SHOWN = ("age", "hours per week", "education", "occupation", TARGET)
MOST = 7  # categories of a column that are shown


def main() -> None:
    """Fit both models, draw as many rows as they learned from, and compare."""
    options = arguments(__doc__, epochs=3, sets=("adult", "made"), about="rows; adult")
    name, train, test = people(options.data)
    print(f"{name}: {train.num_rows:,} rows to learn from, {test.num_rows:,} held out, {train.num_columns} columns\n")
    learned = data.open(train)
    # Half of the people have no capital gain and few work other than 40 hours: quantiles take such columns best.
    common = {"scaling": "quantile", "max_epochs": options.epochs, "random_state": 0}
    models = {"VAE": VAE(**common), "GAN": GAN(**common)}
    tables = {"held-out rows": test, "columns shuffled": shuffled(train)}
    tables |= {title: model.fit(learned).sample(len(learned), random_state=0) for title, model in models.items()}

    rows, use = {}, {}
    for title, table in tables.items():
        shapes, trends = metrics.column_shapes(train, table), metrics.pair_trends(train, table)
        rows[title] = [f"{shapes.score:.3f}", f"{trends.score:.3f}"]
        if title != "held-out rows":
            use[title] = metrics.efficacy(train, table, test, TARGET)
            rows[title].append(interval(use[title].synthetic))
    rows["held-out rows"].append(interval(use["VAE"].real))
    print(f"As many rows of each. Use: predicting {TARGET!r} of real people; first line: by the rows learned from.\n")
    print_table(("column shapes", "pair trends", "use"), rows)
    closest = metrics.closest_records(tables["VAE"], train, test, max_rows=2000)
    print(f"Same as a row learned from: {100 * closest.copies:.1f} % of the VAE's rows,")
    print(f"and {100 * closest.held_out_copies:.1f} % of the held-out ones, by chance.\n")

    block, schema = data.open(tables["VAE"]), learned.schema
    data.write(options.output / "census.csv", block.chunk(0, len(block)), schema, force=True)
    print(f"Rows: {options.output / 'census.csv'}")
    save(draw({"real": train} | {title: tables[title] for title in models}), options.output / "census.png")


def interval(found: metrics.Interval) -> str:
    """Return a figure with half the width of its interval."""
    return f"{found.mean:.3f} ± {(found.high - found.low) / 2:.3f}"


def people(name: str | None) -> tuple[str, pa.Table, pa.Table]:
    """Return the name of the rows, those to learn from, and those held out."""
    folder = Path(os.environ.get("ISTHMUS_DATA") or "nowhere") / "tabular" / "adult"
    if name == "made" or (name is None and not (folder / "adult-train.csv.gz").exists()):
        made = made_up(2000)
        return "made", made.slice(0, 1600), made.slice(1600)
    parts = (data.open(folder / f"adult-{part}.csv.gz", header=False) for part in ("train", "test"))
    return "adult", *map(_named, parts)


def _named(opened: Data) -> pa.Table:
    """Return the census's columns by name; in its test file the income ends in a full stop."""
    table = opened.chunk(0, len(opened)).rename_columns(NAMES)
    return table.set_column(len(NAMES) - 1, TARGET, pc.utf8_rtrim(table[TARGET], "."))


def made_up(n: int) -> pa.Table:
    """Return people whose columns depend on each other: schooling, age and hours on work, and all of it on income."""
    rng = np.random.default_rng(0)
    age = np.clip(rng.gamma(6, 6.5, n), 17, 90).astype(int)
    years = np.clip(rng.normal(10 + 0.03 * (age - 38), 2.5, n).round(), 3, 16).astype(int)
    school = np.select([years < 9, years < 12, years < 14], ["primary", "secondary", "college"], "university")
    skilled = rng.random(n) < 1 / (1 + np.exp(-(years - 11)))
    work = np.where(skilled, rng.choice(["office", "teaching", "medicine"], n), rng.choice(["craft", "farming"], n))
    hours = np.where(rng.random(n) < 0.5, 40, rng.normal(38 + 6 * (work == "farming"), 9, n)).round().astype(int)
    gain = np.where(rng.random(n) < 0.08, rng.lognormal(8, 1, n), 0).round(2)
    score = 0.5 * (years - 11) + 0.05 * (age - 38) + 0.06 * (hours - 40) + gain / 4000 - 1
    income = np.where(rng.logistic(0, 0.8, n) < score, ">50K", "<=50K")
    return pa.table(
        {
            "age": age,
            "education": school,
            "education years": years,
            "occupation": pa.array(work, mask=rng.random(n) < 0.06),
            "hours per week": hours,
            "capital gain": gain,
            TARGET: income,
        }
    )


def shuffled(table: pa.Table) -> pa.Table:
    """Return a table with each column in an order of its own."""
    rng = np.random.default_rng(0)
    return pa.table({name: table[name].take(rng.permutation(len(table))) for name in table.column_names})


def draw(tables: dict[str, pa.Table]) -> Figure:
    """Draw how often each value occurs, in real rows and in synthetic ones."""
    looks = dict(zip(tables, ("0.72", *plots.COLOURS), strict=False))
    with plots.style():
        figure = Figure(figsize=(13, 3.6), layout="constrained")
        for axes, name in zip(figure.subplots(1, len(SHOWN), width_ratios=(3, 3, 3, 3, 2)), SHOWN, strict=True):
            columns = {title: table[name].drop_null().to_numpy() for title, table in tables.items()}
            axes.set_title(name)
            axes.yaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 5, 10)))
            axes.yaxis.set_major_formatter("{x:.0%}")
            if columns["real"].dtype.kind in "if":
                low, high = columns["real"].min(), columns["real"].max()
                edges = np.arange(low - 0.5, high + 4, max(1, round((high - low) / 25)))  # as many ages in each bar
                for title, values in columns.items():
                    weights = np.full(len(values), 1 / len(values))
                    style = {"color": looks[title], "label": title, "weights": weights}
                    axes.hist(values, edges, histtype="stepfilled" if title == "real" else "step", **style)
                continue
            values, counts = np.unique(columns["real"].astype(str), return_counts=True)
            common = values[np.argsort(-counts)][:MOST]
            width = 0.8 / len(columns)
            for index, (title, found) in enumerate(columns.items()):
                places = np.arange(len(common)) + (index - 1) * width
                axes.bar(places, [(found == value).mean() for value in common], width, color=looks[title], label=title)
            axes.set_xticks(range(len(common)), common, rotation=40, ha="right", rotation_mode="anchor")
        figure.axes[0].legend(loc="upper right")
    return figure


if __name__ == "__main__":
    main()
