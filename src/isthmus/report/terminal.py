"""A report as plain text."""

from __future__ import annotations

import textwrap
from typing import Any

from isthmus import plain
from isthmus.report.formatting import duration, interval, number, percent, shape

__all__ = ["summary"]

WIDTH = 100
NEARLY_ALL_UNITS = 0.9  # share of the units above which a code is not called wider than needed


def summary(document: dict[str, Any]) -> str:
    """Return the scores of a report as lines for a terminal.

    Parameters
    ----------
    document : dict
        All figures.

    Returns
    -------
    str
        Without a line break at its end.
    """
    data, model, codes = document["data"], document["model"], document["codes"]
    seconds = model["provenance"].get("seconds")
    facts = [
        f"{model['class']}, code of {number(model['code_size'])} for {number(round(data['dimensions']))} values",
        f"{number(model['n_weights'])} weights" if model["n_weights"] else "",
        f"fitted in {duration(seconds)}" if isinstance(seconds, int | float) else "",
    ]
    records = (
        f"{number(data['n_scored'])} of {number(data['n'])}" if data["n_scored"] < data["n"] else number(data["n"])
    )
    name = f" from {plain.shown(data['source'])}" if data["source"] not in ("", "X") else ""
    kind = "held-out records" if data["held_out"] else "records of the fit"
    lines = [
        ", ".join(filter(None, facts)),
        f"{records} {kind}{name} ({_form(data)})",
        "",
        *_table(document["scores"]),
        "",
    ]
    found = document["scores"]["likelihood"]
    if found and found["nats_per_record"]:
        nats, bits = found["nats_per_record"], found["bits_per_dimension"]
        ends = f"  (95 % {interval(nats)})" if interval(nats) else ""
        lines.append(
            f"log-likelihood  {number(nats['mean'])} nats per record{ends}, {number(bits['mean'])} bits per dimension"
        )
    rank = f", effective rank {codes['effective_rank']:.1f}" if codes["effective_rank"] is not None else ""
    is_wide = codes["kl"] is not None and 0 < codes["active"] < NEARLY_ALL_UNITS * codes["units"]
    enough = f"; latent_dim={codes['active']} is enough" if is_wide else ""
    lines += [f"active units    {codes['active']} of {codes['units']}{rank}{enough}", ""]
    lines += textwrap.wrap(plain.sentence(document["verdict"]), WIDTH)
    nearest = (document["generation"] or {}).get("nearest")
    if nearest:
        lines += textwrap.wrap(f"New records: {nearest['sentence']}", WIDTH)
    for note in data["notes"]:
        lines += textwrap.wrap(plain.sentence(note), WIDTH, initial_indent="- ", subsequent_indent="  ")
    return "\n".join(lines)


def _form(data: dict[str, Any]) -> str:
    """Return kind, size and type of records in words."""
    if data["kind"] in ("array", "table"):
        return f"{data['kind']}, {number(data['shape'][0])} columns"
    return f"{data['kind']}, {shape(data['shape'])}, {data['dtype']}"


def _table(scores: dict[str, Any]) -> list[str]:
    """Return the methods by the measures, the first measure with its interval, in columns that line up."""
    measures = scores["measures"]
    head = ["", *(f"{m['title']}{', ' + m['unit'] if m['unit'] == 'dB' else ''}" for m in measures)]
    head.insert(2, f"{100 * scores['level']:.0f} % interval")
    body = []
    for row in scores["rows"]:
        cells = [row["title"]]
        for index, measure in enumerate(measures):
            value = row.get(measure["key"])
            mean = None if value is None else value["mean"]
            cells.append(percent(mean) if measure["key"] == "share" else number(mean))
            if index == 0:
                cells.append(interval(value))
        body.append(cells)
    widths = [max(len(cells[column]) for cells in [head, *body]) for column in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in [head, *body]
    ]
