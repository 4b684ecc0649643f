"""Classifying pictures from codes: with all labels, and with fifty.

Corrects a tutorial that gave an encoder as many outputs as there are classes, trained it with softmax and
cross-entropy, and called this classification with an autoencoder. It is an ordinary classifier, which cannot use
pictures without a label. An autoencoder learns from all pictures, and its code helps if few of them have a label.

Type
    python examples/image_classification.py

and compare the columns. With all labels, the ordinary classifier is among the best; with fifty, methods that also learn
from the unlabelled pictures are better. "Calibration error" is the difference between predicted probabilities and the
observed frequencies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from common import arguments, code_size, pictures, print_table, save

from isthmus import Autoencoder, Classifier, DenoisingAutoencoder, LadderNetwork
from isthmus.report import classification

LABELLED = 50


def main() -> None:
    """Train each classifier with all labels and with fifty, print accuracies, and draw the doubtful pictures."""
    options = arguments(__doc__, epochs=6)
    train, test = pictures(options.data)
    size = code_size(32, train)
    few = np.full(len(train), -1)
    rows = balanced(np.asarray(train.labels), LABELLED)
    few[rows] = np.asarray(train.labels)[rows]

    def classifier(method: str, kind: type[Any], **more: Any) -> Classifier:
        common = {"max_epochs": options.epochs, "random_state": 0} | more
        return Classifier(model=kind(**common), method=method, random_state=0)

    made = {
        "softmax on an encoder, as printed": classifier("head", Autoencoder, latent_dim=size),
        "the same beside reconstruction": classifier("joint", Autoencoder, latent_dim=size),
        "denoising autoencoder, fine-tuned": classifier("fine-tuned", DenoisingAutoencoder, latent_dim=size),
        "probe of its codes": classifier("probe", DenoisingAutoencoder, latent_dim=size),
        "labels spread over its codes": classifier("spreading", DenoisingAutoencoder, latent_dim=size),
        "ladder network": classifier("ladder", LadderNetwork, scaling="unit", likelihood="gaussian-fixed"),
    }
    found = {}
    for name, one in made.items():
        everything = one.fit(train).evaluate(test)
        fifty = one.fit(train.labelled(few)).evaluate(test)
        found[name] = [
            f"{100 * everything.accuracy.mean:.1f} %",
            f"{everything.calibration.expected_error:.3f}",
            f"{100 * fifty.accuracy.mean:.1f} %",
        ]
    heads = (f"accuracy, {len(train):,} labels", "calibration error", f"accuracy, {LABELLED} labels")
    print_table(heads, found)
    print(f"{fifty}\n")
    save(classification.pictures(fifty, test)["doubtful"], options.output / "image_classification.png")


def balanced(labels: np.ndarray, count: int) -> np.ndarray:
    """Return the first rows of each class, ``count`` in all."""
    classes = np.unique(labels)
    return np.sort(np.concatenate([np.flatnonzero(labels == one)[: count // len(classes)] for one in classes]))


if __name__ == "__main__":
    main()
