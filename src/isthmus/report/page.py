"""A report as one HTML page with all pictures embedded."""

from __future__ import annotations

import difflib
import html
import io
import re
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isthmus import plain
from isthmus.report import formatting, plots

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure

    from isthmus.report.sample import Sample

__all__ = ["card", "environment", "framed", "inline_svg", "render"]


# What is known of a fit, in the order in which the page tells it, and what it is called there.
PROVENANCE = {
    "source": "fitted on",
    "records": "records",
    "train_records": "of them trained on",
    "held_out_records": "held out to stop early",
    "epochs": "epochs",
    "best_epoch": "best epoch",
    "seconds": "fitted in",
    "seed": "seed",
    "device": "device",
    "threads": "threads",
    "precision": "precision",
}


def environment() -> Environment:
    """Return what fills the templates beside this file: everything escaped, and no gap left empty in silence."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def visible(value: Any) -> Any:
        """Return a text of others without characters that turn the direction, or that no encoding takes."""
        return plain.escaped(value, lines=True) if isinstance(value, str) and not isinstance(value, Markup) else value

    return Environment(
        loader=PackageLoader("isthmus", "report"),
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(document: dict[str, Any], sample: Sample, figures: Mapping[str, Figure]) -> str:
    """Return the page.

    Parameters
    ----------
    document : dict
        All figures.
    sample : Sample
        Texts that are shown side by side.
    figures : mapping of str to Figure
        The pictures.

    Returns
    -------
    str
        HTML without a reference to anything outside itself.
    """
    ours = environment()
    ours.filters |= {
        "number": lambda *given: _minus(formatting.number(*given)),
        "percent": formatting.percent,
        "interval": lambda found: _minus(formatting.interval(found)),
        "duration": formatting.duration,
        "shape": formatting.shape,
        "value": _value,
        "cell": _cell,
        "ordered": _ordered,
        "called": lambda name: PROVENANCE.get(name) or name.replace("_", " "),
    }
    texts = sample.kind == "text"
    return ours.get_template("report.html").render(
        report=document,
        cards=_cards(document),
        pictures={name: inline_svg(figure, name) for name, figure in figures.items()},
        texts=[_side_by_side(*pair) for pair in sample.shown] if texts else [],
        worst_texts=[_side_by_side(*pair) for pair in sample.worst] if texts else [],
    )


def framed(page: str) -> str:
    """Return a page inside a frame, so that its style and a notebook's do not meet."""
    return f'<iframe srcdoc="{html.escape(page)}" style="width:100%;height:56rem;border:0"></iframe>'


def inline_svg(figure: Figure, name: str) -> Any:
    """Return a figure as an SVG element that takes text colour and font from the page around it.

    Parameters
    ----------
    figure : Figure
        Drawn with :data:`isthmus.report.plots.INK`.
    name : str
        Put before every identifier inside, so that those of two pictures on a page never meet.

    Returns
    -------
    markupsafe.Markup
    """
    from markupsafe import Markup

    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with plots.style(), warnings.catch_warnings():
        # The browser's fonts draw the text; that this one lacks a letter of a class name does not matter.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head, _, body = text.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    head = f'<svg {box.group(0) if box else ""} class="picture" role="img" aria-label="{html.escape(name)}"'
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(?:xlink:)?href="#', f'href="#{name}-', body)
    body = body.replace("xlink:href=", "href=").replace("url(#", f"url(#{name}-")
    body = body.replace(plots.INK, "currentColor").replace("'DejaVu Sans'", "var(--sans)")
    return Markup(f"{head}>{body}")  # noqa: S704 - matplotlib has escaped every text in it.


def _cards(document: dict[str, Any]) -> list[dict[str, str]]:
    """Return the key figures at the top of the page."""
    scores, data, model, codes = document["scores"], document["data"], document["model"], document["codes"]
    row, measure = scores["rows"][0], scores["measures"][0]
    cards = [card(measure["title"], formatting.number(row["error"]["mean"]), _ends(row["error"]))]
    difference = scores["difference_to_pca"]
    if difference and difference["relative"]:
        relative = difference["relative"]["mean"]
        cards.append(
            card(
                "against PCA",
                f"{100 * relative:+.0f} %".replace("-", "\N{MINUS SIGN}"),
                f"{formatting.number(scores['rows'][1]['code_size'])} components",
                "good"
                if (difference["relative"]["high"] or 0) < 0
                else "bad"
                if (difference["relative"]["low"] or 0) > 0
                else "",
            )
        )
    if row.get("psnr"):
        cards.append(card("PSNR, dB", f"{row['psnr']['mean']:.2f}", _ends(row["psnr"])))
    elif row.get("share"):
        cards.append(card("error left", formatting.percent(row["share"]["mean"]), "of what the mean record costs"))
    likelihood = scores["likelihood"]
    if likelihood and likelihood["bits_per_dimension"]:
        bits = likelihood["bits_per_dimension"]
        cards.append(card("bits/dimension", formatting.number(bits["mean"]), _ends(bits)))
    cards.append(
        card(
            "code", formatting.number(model["code_size"]), f"for {formatting.number(round(data['dimensions']))} values"
        )
    )
    cards.append(
        card("active units", f"{formatting.number(codes['active'])}", f"of {formatting.number(codes['units'])}")
    )
    seconds = model["provenance"].get("seconds")
    if isinstance(seconds, int | float):
        weights = f"{formatting.number(model['n_weights'])} weights" if model["n_weights"] else ""
        cards.append(card("fitted in", formatting.duration(seconds), weights))
    return cards


def card(title: str, figure: str, detail: str = "", tone: str = "") -> dict[str, str]:
    """Return a key figure as the top of a page shows it; ``tone`` is "good", "bad" or nothing."""
    return {"title": title, "figure": figure, "detail": detail, "tone": tone}


def _ends(found: dict[str, Any]) -> str:
    """Return a figure's interval, whose level the page states once."""
    return formatting.interval(found)


def _ordered(provenance: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return what is known of a fit, the most telling first."""
    places = {name: place for place, name in enumerate(PROVENANCE)}
    return sorted(provenance.items(), key=lambda item: places.get(item[0], len(places)))


def _minus(text: str) -> str:
    """Return numbers with a minus in the place of the hyphen, but in exponents."""
    return re.sub(r"(?<!e)-", "\N{MINUS SIGN}", text)


def _value(value: Any, digits: int = 6) -> str:
    """Return a parameter or a cell as a person would write it in Python."""
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return value if isinstance(value, str) else repr(value)


def _cell(value: Any) -> str:
    """Return a cell of a table; a date without its midnight."""
    return "missing" if value is None else _value(value, digits=7).removesuffix(" 00:00:00")


def _side_by_side(original: bytes, reconstruction: bytes, caption: str) -> dict[str, Any]:
    """Return two texts in pieces, each with whether it is equal on both sides."""
    x, y = (part[:600].decode("utf-8", "replace") for part in (original, reconstruction))
    steps = difflib.SequenceMatcher(None, x, y, autojunk=False).get_opcodes()
    return {
        "caption": caption,
        "original": [(x[a:b], tag == "equal") for tag, a, b, _, _ in steps if b > a],
        "reconstruction": [(y[c:d], tag == "equal") for tag, _, _, c, d in steps if d > c],
    }
