"""Clustering pictures without any label.

Corrects a tutorial that ran k-means on the codes of an autoencoder and called the clusters classes. With these codes
k-means is hardly better than with pixels, because it assumes round clusters. The graph method assumes no form: it cuts
a graph of nearest neighbours. It works on outlines, which change less than pixels when a line moves by one pixel.

Type
    python examples/image_clustering.py

and compare the rows. Labels are used for the score only: "accuracy" is the share of correct pictures if each cluster
stands for the class that fits best. output/image_clustering.png shows the medoid of each cluster beside its least
certain members.
"""

from __future__ import annotations

import numpy as np
from common import arguments, code_size, pictures, print_table, save
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from isthmus import Autoencoder, Clusterer
from isthmus.metrics import clustering_accuracy
from isthmus.report import clusters

KINDS = 10


def main() -> None:
    """Cluster the pictures in several ways, print how well each agrees with the classes, and draw the best way's."""
    options = arguments(__doc__, epochs=6)
    train, _ = pictures(options.data)
    classes = np.asarray(train.labels)
    model = Autoencoder(latent_dim=code_size(32, train), max_epochs=options.epochs, random_state=0).fit(train)
    best = Clusterer(n_clusters=KINDS, random_state=0).fit(train)
    made = {
        "k-means of pixels": KMeans(KINDS, n_init=3, random_state=0).fit(train.array.reshape(len(train), -1)),
        "k-means of codes, as printed": Clusterer(model=model, n_clusters=KINDS, method="k-means", random_state=0),
        "mixture of Gaussians of codes": Clusterer(model=model, n_clusters=KINDS, method="mixture", random_state=0),
        "graph of codes": Clusterer(model=model, n_clusters=KINDS, random_state=0),
        "graph of codes of outlines": best,
    }
    found = {}
    for name, one in made.items():
        labels = one.labels_ if hasattr(one, "labels_") else one.fit(train).labels_
        found[name] = [
            f"{100 * clustering_accuracy(classes, labels):.1f} %",
            f"{normalized_mutual_info_score(classes, labels):.3f}",
            f"{adjusted_rand_score(classes, labels):.3f}",
        ]
    print_table(("accuracy", "mutual information", "adjusted Rand index"), found)
    sizes = ", ".join(f"{size:,}" for size in np.bincount(best.labels_))
    print(f"Sizes of the clusters: {sizes}. Runs with other seeds agree to {best.stability_:.2f}.\n")
    save(clusters.members(best, train), options.output / "image_clustering.png")


if __name__ == "__main__":
    main()
