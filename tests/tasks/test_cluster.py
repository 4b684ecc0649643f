"""Clusterer: every method finds groups that are plain to see, and says what is wrong with what it cannot use."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import FunctionTransformer
from torch import nn

import isthmus
from isthmus import VAE, Autoencoder, Clusterer
from isthmus.errors import DataError, ParameterError, ShapeError
from isthmus.metrics import clustering_accuracy
from isthmus.tasks.cluster import METHODS, splits, variational
from isthmus.tasks.cluster.communities import NeighbourGraph
from isthmus.tasks.cluster.evidence import of_splits
from isthmus.tasks.cluster.mixture import fitted_mixture
from isthmus.tasks.cluster.variational import nats_told

SMALL = {"max_epochs": 20, "hidden": (16,), "random_state": 0}


def groups(k: int = 4, n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return k groups of n, n + 10, n + 20 ... rows of five numbers, and which group each is in."""
    rng = np.random.default_rng(seed)
    centres = 6 * np.eye(5)[:k]
    truth = np.repeat(np.arange(k), n + 10 * np.arange(k))
    order = rng.permutation(len(truth))
    truth = truth[order]
    return (centres[truth] + 0.5 * rng.normal(size=(len(truth), 5))).astype(np.float32), truth


@pytest.fixture(scope="module")
def plain() -> tuple[np.ndarray, np.ndarray, Autoencoder]:
    X, truth = groups()
    return X, truth, Autoencoder(latent_dim=5, **SMALL).fit(X)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "vade"])
def test_every_method_finds_groups_that_are_plain_to_see(plain, method):
    X, truth, model = plain
    clusterer = Clusterer(model=model, n_clusters=4, method=method, random_state=0).fit(X)
    assert clustering_accuracy(truth, clusterer.labels_) > 0.98
    assert clusterer.probabilities_.shape == (len(X), 4)
    assert clusterer.probabilities_.sum(1) == pytest.approx(np.ones(len(X)))
    assert np.mean(clusterer.predict(X) == clusterer.labels_) > 0.98
    assert clustering_accuracy(truth, clusterer.predict(X + 0.01)) > 0.98


@pytest.mark.long
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_vade_finds_them_with_a_model_of_its_own(precision):
    X, truth = groups()
    model = VAE(latent_dim=3, likelihood="gaussian", max_epochs=60, hidden=(16,), precision=precision, random_state=0)
    clusterer = Clusterer(model=model, n_clusters=4, method="vade", random_state=0).fit(X)
    assert clustering_accuracy(truth, clusterer.labels_) > 0.95
    assert clusterer.model_.prior == model.prior  # the model given stays as it was; the rule has its own


def test_vade_starts_with_the_mixture_that_posteriors_add_up_to():
    """Of codes in groups the prior's variances are those of draws of the posteriors, not of their means."""
    rng = np.random.default_rng(0)
    rows = np.repeat([0, 1], 5000)
    means = np.array([[-4.0, 0.0], [4.0, 0.0]])[rows] + [0.5, 0.01] * rng.normal(size=(10_000, 2))
    variances = np.array([[0.25, 1.0], [0.04, 1.0]])[rows]
    draws = means + np.sqrt(variances) * rng.normal(size=means.shape)
    prior = variational._prior(means.astype(np.float32), variances.astype(np.float32), 2, 0)
    order = prior.means[:, 0].argsort()
    for c, group in enumerate(order.tolist()):
        expected = draws[rows == c].var(axis=0)
        assert prior.log_vars[group].exp().detach().numpy() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("draw", [1, 3, 7, 8, 10])
def test_the_last_digits_of_codes_do_not_number_the_clusters_of_a_mixture_anew(draw):
    """Starts that end in one place are equally good but for rounding, which is not to choose among them."""
    rng = np.random.default_rng(draw)
    codes = 0.35 * rng.normal(size=(96, 4)) + 0.7 * rng.normal(size=(3, 4))[np.arange(96) % 3]
    near = [codes * (1 + 1e-7 * np.random.default_rng(seed).normal(size=codes.shape)) for seed in range(1, 4)]
    one, *others = (fitted_mixture(each.astype(np.float32), 3, 0, "diag", starts=10) for each in (codes, *near))
    for other in others:
        assert other.means_ == pytest.approx(one.means_, abs=1e-5)
    likeliest = GaussianMixture(3, covariance_type="diag", n_init=10, reg_covar=1e-4, random_state=0).fit(codes)
    assert one.lower_bound_ > likeliest.lower_bound_ - 2e-3


@pytest.mark.long
def test_vade_keeps_the_mixture_it_started_from_where_training_loses_clusters():
    """A rate that throws the networks anywhere leaves what was found before."""
    X, _ = groups()
    model = VAE(latent_dim=3, likelihood="gaussian", max_epochs=60, hidden=(16,), random_state=0)
    model.fit(X)
    ruined = copy.deepcopy(model).set_params(learning_rate=30.0)
    start = Clusterer(model=model, n_clusters=4, method="mixture", random_state=0).fit(X)
    found = Clusterer(model=ruined, n_clusters=4, method="vade", random_state=0).fit(X)
    assert adjusted_rand_score(start.labels_, found.labels_) > 0.95


def test_what_clusters_tell_of_a_record():
    assert nats_told(np.eye(4)[np.arange(8) % 4]) == pytest.approx(np.log(4))
    assert nats_told(np.full((5, 3), 1 / 3)) == pytest.approx(0, abs=1e-12)
    assert nats_told(np.eye(3)[np.zeros(6, int)]) == 0


@pytest.mark.parametrize("method", ["communities", "k-means", "mixture", "neighbour-graph"])
def test_the_number_of_clusters_is_estimated(method):
    X, truth = groups()
    clusterer = Clusterer(model=FunctionTransformer(), method=method, random_state=0).fit(X)
    assert clusterer.n_clusters_ == clusterer.evidence_.best == 4
    assert clusterer.evidence_.numbers[0] == 2
    assert len(clusterer.evidence_.scores) == len(clusterer.evidence_.numbers)
    assert adjusted_rand_score(truth, clusterer.labels_) > 0.98


@pytest.mark.parametrize(("count", "n", "d"), [(2, 150, 4), (3, 400, 10), (3, 2000, 10), (5, 400, 2), (12, 600, 10)])
def test_the_number_of_round_clusters_is_found(count, n, d):
    X, truth = make_blobs(n, d, centers=count, cluster_std=0.5, random_state=0)
    clusterer = Clusterer(model=FunctionTransformer(), random_state=0).fit(X.astype(np.float32))
    assert clusterer.n_clusters_ == count
    assert not clusterer.evidence_.is_one_cloud
    assert adjusted_rand_score(truth, clusterer.labels_) > 0.98


@pytest.mark.parametrize(("n", "d"), [(150, 2), (400, 10), (2000, 5), (700, 15), (500, 20), (400, 30)])
def test_one_cloud_is_one_cluster(n, d):
    X = np.random.default_rng(0).normal(size=(n, d)).astype(np.float32) * np.linspace(1, 3, d, dtype=np.float32)
    clusterer = Clusterer(model=FunctionTransformer(), random_state=0).fit(X)
    assert clusterer.evidence_.is_one_cloud
    assert clusterer.n_clusters_ == 1
    assert set(clusterer.labels_) == set(clusterer.predict(X[:9])) == {0}


def clouds(*sizes: int, d: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return round groups of these sizes, twelve deviations apart, and which group each row is in."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    return (8.5 * np.eye(d)[truth] + rng.normal(size=(len(truth), d))).astype(np.float32), truth


def a_dense_few(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(0, 1, (950, 5)), rng.normal(12, 0.5, (50, 5))]), np.repeat([0, 1], [950, 50])


def half_moons(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    angle, truth = rng.uniform(0, np.pi, 400), np.arange(400) % 2
    X = np.stack([np.cos(angle), np.sin(angle)], 1)
    X[truth == 1] = [1, 0.4] - X[truth == 1]
    return X + 0.05 * rng.normal(size=X.shape), truth


def two_rings(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    angle, truth = rng.uniform(0, 2 * np.pi, 500), np.arange(500) % 5 // 3
    X = np.stack([np.cos(angle), np.sin(angle)], 1) * (1.0 + truth[:, None])
    return X + 0.07 * rng.normal(size=X.shape), truth


def a_bridge(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(305, 2))
    X[200:300, 0] += 10
    X[300:] = np.stack([np.linspace(2, 8, 5), np.zeros(5)], 1)
    return X, np.concatenate([np.repeat([0, 1], [200, 100]), [0, 0, 0, 1, 1]])


def a_hundred_times_as_dense(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1], 400)
    return rng.normal(size=(800, 2)) * np.array([0.3, 3.0])[truth, None] + 30 * truth[:, None], truth


UNEVEN = {
    "200/100/45": lambda seed: clouds(200, 100, 45, seed=seed),
    "300/30/15": lambda seed: clouds(300, 30, 15, seed=seed),
    "500/500/30": lambda seed: clouds(500, 500, 30, seed=seed),
    "950/50": a_dense_few,
    "moons": half_moons,
    "rings": two_rings,
    "bridge": a_bridge,
    "densities 1:100": a_hundred_times_as_dense,
}


@pytest.mark.long
@pytest.mark.parametrize("name", UNEVEN)
def test_groups_of_any_size_form_and_density_are_found_with_and_without_their_number(name):
    X, truth = UNEVEN[name](0)
    for k in (truth.max() + 1, None):
        found = Clusterer(n_clusters=k, runs=1, random_state=0).fit(X)
        assert adjusted_rand_score(truth, found.labels_) > 0.95


def test_a_frame_is_clustered_like_its_numbers():
    X, truth = clouds(300, 30, 15)
    found = Clusterer(runs=1, random_state=0).fit(pd.DataFrame(X, columns=list("abcdef")))
    assert adjusted_rand_score(truth, found.labels_) > 0.95


@pytest.mark.long
def test_a_wrong_division_is_not_stable():
    X = np.random.default_rng(0).normal(size=(500, 5))
    halves = Clusterer(n_clusters=2, random_state=0).fit(X)
    assert halves.stability_ < 0.7
    X, _ = clouds(300, 30, 15)
    right = Clusterer(n_clusters=3, random_state=0).fit(X)
    assert right.stability_ > 0.95
    assert right.probabilities_.max(1).mean() > halves.probabilities_.max(1).mean() + 0.1


def test_fewer_clusters_than_asked_for_are_said():
    X = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)
    with pytest.warns(UserWarning, match="Clusterer: 3 clusters were found where n_clusters=5 was asked for"):
        found = Clusterer(model=FunctionTransformer(), n_clusters=5, random_state=0).fit(X)
    assert found.n_clusters_ == 3


def test_splits_below_the_limit_are_counted():
    found = of_splits(np.array([0.2, 0.3, 0.8]))
    assert found.numbers.tolist() == [2, 3, 4]
    assert found.best == 3
    assert not found.is_one_cloud
    assert found.up_to(3).scores.tolist() == [0.2, 0.3]
    assert of_splits(np.array([0.6, 0.9])).is_one_cloud


def test_a_graph_is_divided_row_by_row_into_what_hangs_together():
    graph = NeighbourGraph.of(clouds(60, 30, 20)[0], 0).graph
    merging, parts = splits._parts(graph, 0)
    assert sorted(np.concatenate(parts)) == list(range(110))
    assert merging.cuts[-2:] == pytest.approx([0, 0])  # the unions that are made last
    assert splits.ratios_by_row(graph, 6.0, 0)[:2] == pytest.approx([0, 0])


def test_halves_of_a_cluster_in_two_parts_are_joined_again():
    graph = NeighbourGraph.of(clouds(60, 60)[0], 0).graph
    labels = np.repeat([0, 1, 2, 3], 30)  # the halves of two clusters
    again, between, last = splits._rejoined(graph, labels, splits.Expected(1 / 120, 6.0, -1.0), 0)
    assert last == 0
    assert min(again, between) > 0.9


def test_the_cheapest_cut_of_an_order_is_that_of_all_cuts():
    rng = np.random.default_rng(0)
    weights = np.triu(rng.random((30, 30)) * (rng.random((30, 30)) < 0.2), 1)
    weights += weights.T
    order = rng.permutation(30)

    def conductance(count: int) -> float:
        inside, outside = order[:count], order[count:]
        volume = min(weights[inside].sum(), weights[outside].sum())
        return (weights[np.ix_(inside, outside)].sum() + 0.3) / (volume + 0.3)

    best = min(range(splits.LEAST, 31 - splits.LEAST), key=conductance)
    phi, side = splits._cheapest(csr_matrix(weights), weights.sum(axis=1), order, 0.3)
    assert phi == pytest.approx(conductance(best))
    assert set(np.flatnonzero(side)) == set(order[:best])


def test_a_number_that_is_given_needs_no_evidence(plain):
    X, _, model = plain
    assert Clusterer(model=model, n_clusters=3, random_state=0).fit(X).evidence_ is None


def test_clusters_are_numbered_by_size_and_have_medoids(plain):
    X, _, model = plain
    clusterer = Clusterer(model=model, n_clusters=4, random_state=0).fit(X)
    assert np.bincount(clusterer.labels_).tolist() == [90, 80, 70, 60]
    codes = model.transform(X)
    for cluster, medoid in enumerate(clusterer.medoids_):
        rows = np.flatnonzero(clusterer.labels_ == cluster)
        distances = np.linalg.norm(codes[rows][:, None] - codes[rows], axis=2).sum(1)
        assert medoid == rows[distances.argmin()]


def test_doubtful_members_have_the_smallest_lead(plain):
    X, _, model = plain
    clusterer = Clusterer(model=model, n_clusters=4, method="mixture", random_state=0).fit(X)
    rows = clusterer.doubtful(1, 5)
    assert (clusterer.labels_[rows] == 1).all()
    leads = -np.diff(np.sort(clusterer.probabilities_, 1)[:, -2:], axis=1)[:, 0]
    members = np.flatnonzero(clusterer.labels_ == 1)
    assert np.sort(leads[rows])[0] == pytest.approx(leads[members].max())
    with pytest.raises(ParameterError, match="Clusterer: cluster must be a whole number of at least 0 and at most 3"):
        clusterer.doubtful(4)


def test_stability_is_the_agreement_of_the_runs(plain):
    X, _, model = plain
    assert Clusterer(model=model, n_clusters=4, method="k-means", runs=3, random_state=0).fit(X).stability_ == 1.0
    assert np.isnan(Clusterer(model=model, n_clusters=4, method="k-means", runs=1, random_state=0).fit(X).stability_)
    noise = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    several = Clusterer(model=FunctionTransformer(), n_clusters=6, method="mixture", runs=3, random_state=0).fit(noise)
    assert several.stability_ < 0.9


@pytest.mark.long
def test_the_same_seed_gives_the_same_clusters():
    X, _ = groups()
    X = X + np.random.default_rng(1).normal(size=X.shape).astype(np.float32) * 2
    first, second = (Clusterer(model=FunctionTransformer(), n_clusters=4, random_state=3).fit(X) for _ in range(2))
    assert np.array_equal(first.labels_, second.labels_)


def test_half_moons_need_the_graph():
    X, truth = half_moons(0)
    found = {
        method: Clusterer(model=FunctionTransformer(), n_clusters=2, method=method, random_state=0).fit(X).labels_
        for method in ("communities", "k-means")
    }
    assert clustering_accuracy(truth, found["k-means"]) < 0.9
    assert clustering_accuracy(truth, found["communities"]) > 0.98


def test_a_network_of_ones_own_gives_codes():
    X, truth = groups()
    torch.manual_seed(0)
    network = (nn.Linear(5, 5), nn.Linear(5, 5))
    model = Autoencoder(network=network, likelihood="gaussian", max_epochs=20, random_state=0)
    clusterer = Clusterer(model=model, n_clusters=4, random_state=0).fit(X)
    assert clustering_accuracy(truth, clusterer.labels_) > 0.9


def test_other_libraries_transformers_give_codes():
    X, truth = groups()
    clusterer = Clusterer(model=PCA(4), n_clusters=4, random_state=0).fit(X)
    assert clustering_accuracy(truth, clusterer.predict(X)) > 0.98


@pytest.mark.long
def test_tables_are_clustered_and_bring_their_own_model():
    X, truth = groups(3)
    table = pd.DataFrame(X, columns=list("abcde"))
    table["kind"] = np.where(truth == 0, "x", "y")
    clusterer = Clusterer(n_clusters=3, random_state=0).fit(table)
    assert clustering_accuracy(truth, clusterer.labels_) > 0.95
    with pytest.raises(DataError):
        clusterer.predict(table.drop(columns="kind"))


def test_columns_of_a_table_are_found_by_name_and_a_missing_one_is_named():
    X, _ = groups(3)
    table = pd.DataFrame(X, columns=list("abcde"))
    clusterer = Clusterer(model=Autoencoder(latent_dim=2, **SMALL), n_clusters=3, random_state=0).fit(table)
    assert np.array_equal(clusterer.predict(table[list("edcba")]), clusterer.predict(table))
    with pytest.raises(DataError, match="there is no column 'c' among 'a', 'b', 'd', 'e'"):
        clusterer.predict(table.drop(columns="c"))


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray, Clusterer]:
    from sklearn.datasets import load_digits

    X, classes = load_digits().images.astype(np.uint8), load_digits().target
    return X, classes, Clusterer(n_clusters=10, random_state=0).fit(X)


@pytest.mark.long
def test_pictures_are_seen_as_gradients_by_a_model_of_its_own(digits):
    X, classes, clusterer = digits
    assert clusterer.features_ == "gradients"
    assert clustering_accuracy(classes, clusterer.labels_) > 0.93
    assert np.mean(clusterer.predict(X) == clusterer.labels_) > 0.97
    assert clusterer.codes(X[:5]).shape == (5, 64)
    with pytest.raises(ShapeError):
        clusterer.predict(X[:, :7])


def test_a_file_of_clusters_of_gradients_takes_pictures(digits, tmp_path):
    X, _, clusterer = digits
    clusterer.save(tmp_path / "clusters.safetensors")
    again = isthmus.load(tmp_path / "clusters.safetensors")
    assert again.features_ == "gradients"
    assert np.array_equal(again.predict_proba(X[:50]), clusterer.predict_proba(X[:50]))


@pytest.mark.long
def test_a_given_model_sees_pictures_as_they_are_unless_told_otherwise(digits):
    X, _, _ = digits
    model = Autoencoder(latent_dim=4, **SMALL | {"max_epochs": 1})
    assert Clusterer(model=model, n_clusters=3, random_state=0).fit(X).model_.schema_.shape == (8, 8)
    told = Clusterer(model=model, n_clusters=3, features="gradients", random_state=0).fit(X)
    assert told.model_.schema_.shape == (512,)
    assert Clusterer(n_clusters=3, features="records", random_state=0).fit(X[:60]).features_ == "records"


def test_gradients_are_those_of_pictures(plain):
    X, _, model = plain
    sentence = (
        "Clusterer: features='gradients' are those of pictures of one size, of at least 6 x 6 pixels; the records are"
    )
    with pytest.raises(ParameterError, match=sentence):
        Clusterer(model=model, features="gradients").fit(X)
    with pytest.raises(ParameterError, match=r"their sides are \(4, 5\)"):
        Clusterer(features="gradients").fit(np.ones((9, 4, 5), np.uint8))


def test_texts_are_clustered():
    texts = ["aaaa aaab", "abab baba"] * 20
    model = Autoencoder(latent_dim=2, **SMALL | {"max_epochs": 3})
    clusterer = Clusterer(model=model, n_clusters=2, method="k-means", random_state=0).fit(texts)
    assert adjusted_rand_score(np.arange(40) % 2, clusterer.labels_) == pytest.approx(1.0)


@pytest.mark.long
def test_labels_are_not_looked_at(plain):
    X, truth, model = plain
    shuffled = np.random.default_rng(0).permutation(truth)
    with_labels = Clusterer(model=model, n_clusters=4, random_state=0).fit(X, shuffled)
    assert np.array_equal(with_labels.labels_, Clusterer(model=model, n_clusters=4, random_state=0).fit(X).labels_)


@pytest.mark.filterwarnings("ignore:Clusterer. . clusters were found")  # after two epochs codes may be all alike
@pytest.mark.parametrize("method", METHODS)
def test_a_file_gives_every_method_back(method, tmp_path):
    X, _ = groups()
    model = (VAE if method == "vade" else Autoencoder)(latent_dim=2, **SMALL | {"max_epochs": 2})
    fitted = Clusterer(model=model, n_clusters=3, method=method, random_state=0).fit(X)
    fitted.save(tmp_path / "clusters.safetensors")
    again = isthmus.load(tmp_path / "clusters.safetensors")
    assert np.array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert np.array_equal(again.labels_, fitted.labels_)
    assert np.array_equal(again.doubtful(0), fitted.doubtful(0))


@pytest.mark.filterwarnings("ignore:Clusterer. . clusters were found")
@pytest.mark.parametrize(("method", "family"), [("idec", Autoencoder), ("vade", VAE)])
def test_what_trains_a_model_further_keeps_its_settings(method, family):
    X, _ = groups()
    model = family(latent_dim=2, **SMALL | {"max_epochs": 2}, optimizer="adamw", learning_rate=1e-9).fit(X)
    found = Clusterer(model=model, n_clusters=3, method=method, random_state=0).fit(X)
    for before, after in zip(
        model.module_.encoder.parameters(), found.fitted_method_.model.module_.encoder.parameters(), strict=True
    ):
        assert np.allclose(before.detach().numpy(), after.detach().numpy(), atol=1e-6)


def test_evidence_and_runs_share_the_groups_of_one_seed():
    view = NeighbourGraph.of(groups()[0], 0)
    assert view.groups(2, 1) is view.groups(20, 1)
    assert view.groups(2, 1) is not view.groups(2, 2)


@pytest.mark.long
def test_evidence_and_stability_are_in_the_file(tmp_path):
    X, _ = groups()
    fitted = Clusterer(model=Autoencoder(latent_dim=2, **SMALL), random_state=0).fit(X)
    fitted.save(tmp_path / "clusters.safetensors")
    again = isthmus.load(tmp_path / "clusters.safetensors")
    assert again.evidence_.to_dict() == fitted.evidence_.to_dict()
    assert again.stability_ == fitted.stability_


def test_cloned_it_is_as_before(plain):
    clusterer = Clusterer(model=plain[2], n_clusters=4, method="idec", random_state=7)
    assert clone(clusterer).get_params()["method"] == "idec"


# ------------------------------------------------------------------ what cannot be used


def test_more_clusters_than_records_are_refused(plain):
    X, _, model = plain
    sentence = (
        r"Clusterer: n_clusters=301 is more than the 300 records there are; ask for at most 300, or leave it out to "
        r"have it estimated\."
    )
    with pytest.raises(ParameterError, match=sentence):
        Clusterer(model=model, n_clusters=301).fit(X)


@pytest.mark.parametrize("number", [1, 0, -2, 2.5, True])
def test_fewer_than_two_clusters_are_refused(plain, number):
    X, _, model = plain
    with pytest.raises(ParameterError, match="Clusterer: n_clusters must be a whole number of at least 2; it is"):
        Clusterer(model=model, n_clusters=number).fit(X)


def test_identical_records_are_refused():
    X = np.ones((40, 5), np.float32)
    sentence = "Clusterer: all 40 records have the same code, so there is nothing to divide; look at them with isthmus"
    with pytest.raises(DataError, match=sentence):
        Clusterer(model=FunctionTransformer(), n_clusters=2).fit(X)
    with pytest.raises(DataError, match="all 40 records have the same code"):
        Clusterer(model=Autoencoder(latent_dim=2, **SMALL), n_clusters=2).fit(X)


def test_one_record_is_refused():
    with pytest.raises(DataError, match=r"Clusterer: clusters need at least 2 records; there is 1 sample\(s\)\."):
        Clusterer(model=FunctionTransformer()).fit(np.ones((1, 3)))


def test_codes_that_are_no_numbers_are_refused():
    class Broken(FunctionTransformer):
        def transform(self, X):
            codes = np.array(X, np.float32)
            codes[3] = np.nan
            return codes

    with pytest.raises(DataError, match="Clusterer: the model's codes must be finite numbers; that of record 3 is not"):
        Clusterer(model=Broken(), n_clusters=2).fit(groups()[0])


def test_vade_needs_a_model_with_a_prior(plain):
    X, _, model = plain
    with pytest.raises(ParameterError, match=r"Clusterer: the model must have the method code_posterior\(\)"):
        Clusterer(model=model, n_clusters=2, method="vade").fit(X)
    flow = VAE(latent_dim=2, posterior="flow", max_epochs=1, random_state=0)
    with pytest.raises(ParameterError, match="method='vade' needs a VAE with a Gaussian posterior"):
        Clusterer(model=flow, n_clusters=2, method="vade").fit(X)


def test_an_unknown_method_gets_its_nearest_name(plain):
    X, _, model = plain
    with pytest.raises(ParameterError, match=r"Clusterer: method must be one of .*; did you mean 'k-means'"):
        Clusterer(model=model, method="kmeans").fit(X)


def test_copies_of_a_few_records_can_be_clustered():
    X = np.repeat(groups(3, 4)[0][:6], 10, axis=0)
    for method in ("communities", "neighbour-graph", "k-means", "mixture"):
        clusterer = Clusterer(model=FunctionTransformer(), n_clusters=3, method=method, random_state=0).fit(X)
        assert np.isfinite(clusterer.probabilities_).all()


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_handful_of_records_can_be_clustered(n):
    X = groups()[0][:n]
    for method in ("communities", "neighbour-graph", "k-means", "mixture"):
        for k in (2, None):
            labels = Clusterer(model=FunctionTransformer(), n_clusters=k, method=method, random_state=0).fit(X).labels_
            assert labels.max() < n
