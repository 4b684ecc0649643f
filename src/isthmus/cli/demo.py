"""The verb for a first look: demo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.cli import fit, judge, scoring, sources
from isthmus.cli.terminal import Result, Terminal, columns, plain_json
from isthmus.errors import OutputExistsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.base import Model
    from isthmus.data import Data

__all__ = ["demo"]

TEST = 0.2  # share of the digits that no model sees
SAMPLES = "samples.png"
OURS = {"model.safetensors", "report.html", "report.json", SAMPLES}
FIGURES = ("frechet", "density", "coverage")
DRAWN = (6, 8)  # new digits in a row, and rows, of the picture


def demo(
    terminal: Terminal,
    *,
    output: str = "isthmus-demo",
    seed: int = 0,
    threads: int | None = None,
    force: bool = False,
) -> Result:
    """Watch an autoencoder learn 1,797 real handwritten digits, and a VAE and a GAN draw new ones.

    The autoencoder is set beside PCA, k-means and the mean; new digits are set beside real ones. Takes less than a
    minute. Writes the model, a report and a picture of new digits into a folder, and says what to type next.

    Parameters
    ----------
    output : str
        The folder; one that an earlier demo wrote is overwritten.
    seed : int
        Of everything random.
    threads : int
        Processor threads to use.
    force : bool
        Write into a folder that holds other files, too.

    Examples
    --------
    isthmus demo
    """
    from isthmus import data

    folder = Path(output)
    _check_folder(folder, force=force)
    records = sources.open_data(terminal, "digits", {})
    train, test = data.split(records, (1 - TEST, TEST), random_state=seed)
    model = _model(seed)
    model.fit(train, callbacks=[] if terminal.quiet else [fit.progress()])
    found = model.report(test, baseline_data=train, command=terminal.command)
    folder.mkdir(parents=True, exist_ok=True)
    _save(model, folder / "model.safetensors", records, train, test, seed, terminal.command)
    page = found.write(folder / "report.html", force=True)
    document = found.to_dict()
    size = document["model"]["code_size"]
    new = _new_digits(terminal, train, test, seed)
    picture = folder / SAMPLES
    _draw(new, test, picture)
    lines = [
        f"{len(test):,} digits of 8 x 8 pixels that the model never saw, through a code of {size} numbers:",
        "",
        *judge.comparison_table({"": document}),
        "",
        document["verdict"],
        "",
        f"New digits, drawn by two models, beside real ones (features: {new['features']}):",
        "",
        *_samples_table(new),
        "",
        f"open   {page}",
        f"look   {picture}",
        "next   isthmus inspect YOUR-DATA          a table, a folder of images, an .npy file, a text",
        "       isthmus fit YOUR-DATA              then: isthmus report YOUR-DATA",
        f"       isthmus encode digits -m {folder / 'model.safetensors'} -o codes.csv",
    ]
    result = {"page": str(page), "model": str(folder / "model.safetensors"), "scores": document["scores"]}
    drawn = {"features": new["features"], "rows": [_document(row) for row in new["rows"]], "picture": str(picture)}
    return Result({**result, "verdict": document["verdict"], "samples": drawn}, lines)


def _check_folder(folder: Path, *, force: bool) -> None:
    """Refuse a folder with files of somebody else's in it."""
    others = sorted(item.name for item in folder.iterdir() if item.name not in OURS) if folder.is_dir() else []
    if (others or (folder.exists() and not folder.is_dir())) and not force:
        what = f"holds {others[0]!r}, which no demo wrote" if others else "is no folder"
        raise OutputExistsError(f"{folder} {what}; name another folder with -o, or write into it with --force.")


def _model(seed: int) -> Model:
    from isthmus import Autoencoder

    return Autoencoder(
        latent_dim=16,
        hidden=(256,),
        network="dense",
        batch_size=64,
        learning_rate=0.005,
        max_epochs=60,
        random_state=seed,
    )


def _save(model: Model, path: Path, records: Any, train: Any, test: Any, seed: int, command: str) -> None:
    scores = scoring.score(model, test, train)
    model.provenance_ |= {"command": command}
    kept = {"held_out": scores.document(), "split": sources.split_record(model, records, test, TEST, seed)}
    model.save(path, force=True, scores=plain_json(kept))


# ------------------------------------------------------------------ new digits


def _new_digits(terminal: Terminal, train: Data, test: Data, seed: int) -> dict[str, Any]:
    """Train two models that draw; return the digits they draw, and how like real ones these are.

    Held-out digits are parted: one half is what new digits are compared with, and the other half is a row beside them.
    """
    from isthmus import GAN, VAE, data, metrics
    from isthmus.tasks import feature_network

    callbacks = [] if terminal.quiet else [fit.progress()]
    network = feature_network(train, random_state=seed, cache=False)
    reference, others = data.split(test, (0.5, 0.5), random_state=seed)
    real = network.features(_pictures(reference))
    models = {
        "VAE": VAE(latent_dim=16, prior="mixture", max_epochs=30, random_state=seed),
        "GAN": GAN(max_epochs=100, random_state=seed),
    }
    rows: list[dict[str, Any]] = [{"title": f"held-out digits, {len(others)}", "pictures": _pictures(others)}]
    for title, model in models.items():
        model.fit(train, callbacks=callbacks)
        drawn = model.sample(len(others), random_state=seed)
        rows.append({"title": title, "pictures": drawn, "seconds": model.provenance_["seconds"]})
    for row in rows:
        features = network.features(row["pictures"])
        near = metrics.density_coverage(real, features, random_state=seed)
        row["frechet"] = metrics.frechet_interval(real, features, random_state=seed)
        row |= {"density": near.density, "coverage": near.coverage}
    return {"features": network.label, "rows": rows}


def _pictures(records: Data) -> NDArray[Any]:
    import numpy as np

    return np.asarray(records.take(np.arange(len(records))))


def _samples_table(new: dict[str, Any]) -> list[str]:
    head = ["", "Fréchet distance", "95 % interval", "density", "coverage", "seconds of training"]
    body = []
    for row in new["rows"]:
        frechet = row["frechet"]
        figures = [f"{frechet.mean:.1f}", f"{frechet.low:.1f} to {frechet.high:.1f}"]
        figures += [f"{row[name].mean:.2f}" for name in ("density", "coverage")]
        body.append([row["title"], *figures, f"{row['seconds']:.1f}" if "seconds" in row else ""])
    return columns(head, body)


def _draw(new: dict[str, Any], test: Data, path: Path) -> None:
    """Draw real digits and new ones side by side."""
    from isthmus.report.gallery import DPI, titled_sheets

    across, down = DRAWN
    captions = {"held-out digits": "real"}
    panels = {"held-out digits": _pictures(test)[: across * down]}
    for row in new["rows"][1:]:
        panels[row["title"]] = row["pictures"][: across * down]
        captions[row["title"]] = f"new; coverage {row['coverage'].mean:.2f}"
    titled_sheets(panels, columns=across, captions=captions).savefig(path, dpi=DPI, facecolor="white")


def _document(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row for machines: its figures, without the pictures."""
    figures = {name: {"mean": row[name].mean, "low": row[name].low, "high": row[name].high} for name in FIGURES}
    return {"title": row["title"], "seconds": row.get("seconds"), **figures}
