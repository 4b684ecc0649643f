"""A conditional generative adversarial network: it draws pictures of a requested class.

Corrects a tutorial that calls fit(x_train, labels) on a network without an input for labels: neither generator nor
critic reads them, so no class can be requested. Here the generator receives the class beside the noise, and the critic
has one output for each class (Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014; Mescheder et al.,
ICML 2018).

Type
    python examples/conditional_gan.py

and see how often a drawn picture has the requested class. A classifier that was trained on real pictures predicts the
class of each new one; its accuracy on held-out pictures is shown as well, because it makes errors. Coverage is the
share of held-out pictures of a class with a new one nearby: a generator that always draws the same 7 has the right
class and a low coverage.
"""

from __future__ import annotations

import numpy as np
from common import arguments, halves, pictures, print_table, samples_table, sheets

from isthmus import ConditionalGAN, metrics
from isthmus.tasks import feature_network

EACH = 100  # pictures of each class that the classifier sees


def main() -> None:
    """Train with labels, ask for every class, and let a classifier say what it sees."""
    options = arguments(__doc__, epochs=20)
    train, test = pictures(options.data)
    model = ConditionalGAN(
        network="dense", hidden=(256, 256), latent_dim=64, max_epochs=options.epochs, random_state=0
    ).fit(train)
    asked = np.repeat(model.classes_, EACH)
    new = model.sample(len(asked), y=asked, random_state=0)

    network = feature_network(train)
    seen, seen_held_out = network.predict(new), network.predict(test.array)
    rows = {}
    for label in model.classes_:
        real = test.array[test.labels == label]
        near = metrics.density_coverage(network.features(real), network.features(new[asked == label]))
        right, right_held_out = (
            (seen[asked == label] == label).mean(),
            (seen_held_out[test.labels == label] == label).mean(),
        )
        rows[f"class {label}"] = [percent(right), percent(right_held_out), percent(near.coverage.mean)]
    right, right_held_out = (seen == asked).mean(), (seen_held_out == test.labels).mean()
    rows["all classes"] = [percent(right), percent(right_held_out), ""]
    print(f"{EACH} new pictures of each class, as {network.label} sees them:\n")
    print_table(("seen as that class", "held-out ones", "coverage"), rows)

    reference = halves(test)[1]
    samples_table(train, test, {"ConditionalGAN": model.sample(len(reference), random_state=0)})
    names = [str(label) for label in model.classes_]
    panels = {
        "held-out pictures": [x for label in model.classes_ for x in test.array[test.labels == label][:8]],
        "new pictures": [x for label in model.classes_ for x in new[asked == label][:8]],
    }
    captions = {"held-out pictures": "real", "new pictures": f"{percent(right)} look like the class asked for"}
    sheets(panels, options.output / "conditional_gan.png", columns=8, captions=captions, rows=names)


def percent(share: float) -> str:
    """Return a share as percent."""
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    main()
