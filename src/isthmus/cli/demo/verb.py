"""Verb ``demo``: fit, reconstruct, sample, use codes downstream, compress, and restore photographs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.cli import evaluation, fit, inputs, scoring
from isthmus.cli.demo import compression, downstream, drawing, restoring
from isthmus.cli.restored import made_by
from isthmus.cli.terminal import Result, Terminal, plain_json
from isthmus.errors import OutputExistsError

if TYPE_CHECKING:
    from isthmus.base import Model

__all__ = ["demo"]

TEST = 0.2  # share of the digits that no model sees
SAMPLES = "samples.png"
OURS = {
    *("model.safetensors", "report.html", "report.json", SAMPLES, "map.html", "clusters.png", "outliers.png"),
    *compression.NAMES,
    restoring.NAME,
}


def demo(
    terminal: Terminal,
    *,
    output: str = "isthmus-demo",
    seed: int = 0,
    threads: int | None = None,
    force: bool = False,
) -> Result:
    """Fit an autoencoder to 1,797 handwritten digits, draw new ones from a VAE and a GAN, and use codes downstream.

    The autoencoder is set beside PCA, k-means and the mean; new digits are set beside real ones; a classifier with 50
    labels, a map, clusters and outliers are set beside scikit-learn's on pixels; digits as text are compressed, beside
    xz; and two photographs are damaged and restored. Takes about a minute, of which photographs take some seconds.
    Writes the model, a report, a map to move about in, pictures, a compressed file and a page of photographs before and
    after into a folder, and says what to type next.

    Parameters
    ----------
    output : str
        The folder; one that an earlier demo wrote is overwritten.
    force : bool
        Write into a folder that holds other files, too.

    Examples
    --------
    isthmus demo
    """
    from isthmus import data, evaluate

    folder = Path(output)
    _check_folder(folder, force=force)
    records = inputs.open_data(terminal, "digits", {})
    train, test = data.split(records, (1 - TEST, TEST), random_state=seed)
    model = _model(seed)
    model.fit(train, callbacks=_callbacks(terminal))
    found = evaluate(model, test, baseline_data=train, command=terminal.command)
    folder.mkdir(parents=True, exist_ok=True)
    _save(model, folder / "model.safetensors", records, train, test, seed, terminal.command)
    page = found.write(folder / "report.html", force=True)
    document = found.to_dict()
    size = document["model"]["code_size"]
    new = drawing.draw_digits(train, test, seed, _callbacks(terminal))
    picture = folder / SAMPLES
    drawing.picture(new, test, picture)
    codes = downstream.compare_with_pixels(model, records, train, test, seed)
    codes.draw(records, test, folder)
    compressed = compression.compress_digits(test, folder)
    photographs = restoring.restore_photographs(folder, seed, made_by(terminal))
    lines = [
        f"{len(test):,} digits of 8 x 8 pixels that the model never saw, through a code of {size} numbers:",
        "",
        *evaluation.comparison_table({"": document}),
        "",
        document["verdict"],
        "",
        f"New digits, drawn by two models, beside real ones (features: {new['features']}):",
        "",
        *drawing.table(new),
        "",
        "What codes are good for, beside plain pixels:",
        "",
        *codes.table(),
        "",
        compression.sentence(compressed),
        "",
        "Photographs restored by the weights that come with isthmus, PSNR in dB:",
        "",
        *restoring.table(photographs),
        "",
        f"open   {page}",
        f"       {folder / 'map.html'}",
        f"       {folder / restoring.NAME}",
        f"look   {picture}, clusters.png, outliers.png",
        "next   isthmus inspect YOUR-DATA          a table, a folder of images, an .npy file, a text",
        "       isthmus fit YOUR-DATA              then: isthmus report YOUR-DATA",
        f"       isthmus encode digits -m {folder / 'model.safetensors'} -o codes.csv",
        "       isthmus denoise YOUR-PHOTO.jpg     or: isthmus enhance YOUR-PHOTO.jpg --scale 2",
    ]
    result = {"page": str(page), "model": str(folder / "model.safetensors"), "scores": document["scores"]}
    drawn = drawing.document(new) | {"picture": str(picture)}
    return Result(
        {
            **result,
            "verdict": document["verdict"],
            "samples": drawn,
            "codes": codes.document(),
            "compressed": compressed,
            "photographs": restoring.document(photographs),
        },
        lines,
    )


def _callbacks(terminal: Terminal) -> list[Any]:
    return [] if terminal.quiet else [fit.progress()]


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
    kept = {"held_out": scores.document(), "split": inputs.split_record(model, records, test, TEST, seed)}
    model.scores_ = plain_json(kept)
    model.save(path, force=True)
