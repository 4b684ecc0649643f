"""Clustering objectives against formulas, finite differences, integration, scikit-learn and brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.manifold import SpectralEmbedding
from sklearn.mixture import GaussianMixture

from isthmus import VAE, Clusterer
from isthmus.density import gaussian_logits
from isthmus.errors import ShapeError
from isthmus.gradients import oriented_gradients
from isthmus.graph import fuzzy_graph, nearest_rows
from isthmus.networks import MixturePrior
from isthmus.tasks.cluster import graph as graphs
from isthmus.tasks.cluster import splits
from isthmus.tasks.cluster.embedded import Centres, divergence, target_distribution
from isthmus.training import Step


def random_graph(n: int = 40, seed: int = 0) -> sp.csr_matrix:
    """Return symmetric weights of two groups that hardly know each other."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 2
    chance = np.where(group[:, None] == group, 0.5, 0.05)
    upper = np.triu(rng.random((n, n)) * (rng.random((n, n)) < chance), 1)
    return sp.csr_matrix(upper + upper.T)


# ------------------------------------------------------------------ deep embedded clustering


def test_soft_assignments_are_student_t_with_one_degree_of_freedom():
    rng = np.random.default_rng(0)
    codes, centres, scale = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), 2.0
    layer = Centres(torch.from_numpy(centres).float(), scale)
    squares = np.square((codes[:, None] - centres) / scale).sum(2)
    q = 1 / (1 + squares)
    found = layer(torch.from_numpy(codes).float()).exp().detach().numpy()
    assert found == pytest.approx(q / q.sum(1, keepdims=True), abs=1e-6)


def test_target_distribution_is_equation_3():
    q = np.random.default_rng(1).dirichlet(np.ones(3), 6)
    f = q.sum(0)
    expected = np.array(
        [[q[i, j] ** 2 / f[j] / sum(q[i, k] ** 2 / f[k] for k in range(3)) for j in range(3)] for i in range(6)]
    )
    assert target_distribution(torch.from_numpy(q), torch.from_numpy(f)).numpy() == pytest.approx(expected, abs=1e-12)


def test_gradient_of_the_divergence_is_equation_4_and_that_of_finite_differences():
    rng = np.random.default_rng(2)
    z, m = rng.normal(size=(6, 2)), rng.normal(size=(3, 2))
    layer = Centres(torch.from_numpy(m)).double()
    layer.scale = layer.scale.double()
    p = torch.from_numpy(rng.dirichlet(np.ones(3), 6))

    def loss(codes: torch.Tensor) -> torch.Tensor:
        log_q = (-torch.log1p((codes[:, None] - layer.centres).square().sum(2))).log_softmax(1)
        return divergence(p, log_q).sum()

    codes = torch.from_numpy(z).requires_grad_()
    (found,) = torch.autograd.grad(loss(codes), codes)
    kernel = 1 / (1 + np.square(z[:, None] - m).sum(2))
    q = kernel / kernel.sum(1, keepdims=True)
    by_hand = 2 * ((kernel * (p.numpy() - q))[:, :, None] * (z[:, None] - m)).sum(1)  # Xie et al., equation 4
    assert found.numpy() == pytest.approx(by_hand, abs=1e-10)
    for i, j in ((0, 0), (3, 1)):
        step = torch.zeros_like(codes)
        step[i, j] = 1e-6
        slope = (loss(codes + step) - loss(codes - step)).item() / 2e-6
        assert found[i, j].item() == pytest.approx(slope, abs=1e-7)


def test_divergence_is_zero_where_the_two_are_one():
    q = torch.tensor([[0.2, 0.8], [1.0, 0.0]])
    assert divergence(q, q.clamp_min(1e-30).log()).tolist() == pytest.approx([0.0, 0.0], abs=1e-7)


# ------------------------------------------------------------------ variational deep embedding


@pytest.fixture(scope="module")
def deep() -> tuple[Clusterer, np.ndarray]:
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(-2, 0.5, (60, 3)), rng.normal(2, 0.5, (60, 3))]).astype(np.float32)
    model = VAE(latent_dim=1, hidden=(16,), max_epochs=60, likelihood="gaussian", random_state=0)
    return Clusterer(model=model, n_clusters=2, method="vade", random_state=0).fit(X), X


@pytest.mark.long
def test_the_bound_of_vade_lies_below_the_integral_by_the_divergence_of_the_posterior(deep):
    clusterer, X = deep
    model = clusterer.fitted_method_.model
    assert isinstance(model.module_.prior, MixturePrior)
    x = model.module_.scale(torch.from_numpy(X[:1]))
    with torch.no_grad():
        mean, log_var = (part.item() for part in model.module_.gaussian(x))

    def joint(z: np.ndarray) -> np.ndarray:  # log p(x | z) + log p(z)
        codes = torch.from_numpy(z[:, None]).float()
        with torch.no_grad():
            nll = model.module_.nll(model.decode(codes), x.expand(len(z), -1))
            return (model.module_.prior.log_prob(codes) - nll).double().numpy()

    deviation = np.exp(0.5 * log_var)
    near = np.linspace(mean - 8 * deviation, mean + 8 * deviation, 4001)
    posterior = np.exp(-0.5 * ((near - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
    bound = np.trapezoid(posterior * (joint(near) - np.log(posterior)), near)
    places = np.union1d(near, np.linspace(-12, 12, 4001))
    peak = joint(places).max()
    evidence = peak + np.log(np.trapezoid(np.exp(joint(places) - peak), places))
    rng = torch.Generator().manual_seed(0)
    copies = model.module_.scale(torch.from_numpy(X[:1].repeat(2_000, 0)))
    with torch.no_grad():
        drawn = np.array([-float(sum(model.losses(Step(copies, rng)).values())) for _ in range(100)])
    assert drawn.mean() == pytest.approx(bound, abs=5 * drawn.std(ddof=1) / np.sqrt(len(drawn)))
    assert drawn.std(ddof=1) < 1  # so that the error allowed is below .5 whatever was learned
    assert bound <= evidence + 1e-6
    assert evidence - bound < 1.0


def test_chances_of_vade_are_those_of_bayes(deep):
    clusterer, X = deep
    prior = clusterer.fitted_method_.model.module_.prior
    log_w, means, log_vars = (part.detach().numpy() for part in prior.components())
    z = clusterer.fitted_method_.model.transform(X)
    density = np.exp(log_w + (-0.5 * (log_vars + (z[:, None] - means) ** 2 / np.exp(log_vars))).sum(2))
    expected = density / density.sum(1, keepdims=True)
    assert clusterer.predict_proba(X) == pytest.approx(expected[:, clusterer.columns_], abs=1e-5)


# ------------------------------------------------------------------ mixture


def test_logits_of_a_mixture_are_those_of_scikit_learn():
    X = np.random.default_rng(0).normal(size=(80, 3)) * [1, 2, 3] + np.repeat([[0], [5]], 40, 0)
    mixture = GaussianMixture(2, random_state=0).fit(X)
    logits = gaussian_logits(X, np.log(mixture.weights_), mixture.means_, mixture.precisions_cholesky_)
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    assert exponentials / exponentials.sum(1, keepdims=True) == pytest.approx(mixture.predict_proba(X), abs=1e-9)


# ------------------------------------------------------------------ graph


@pytest.mark.parametrize("n", [40, 600])
def test_spectral_layout_is_that_of_scikit_learn(n):
    rng = np.random.default_rng(0)
    X = np.stack([rng.random(n), 0.1 * rng.random(n)], 1).astype(np.float32)
    graph = fuzzy_graph(*nearest_rows(X, 10))
    values, vectors = graphs.spectral_layout(graph, 4, 0)
    degrees = np.asarray(graph.sum(1)).ravel()
    walk = (graph.toarray() / np.sqrt(degrees)) / np.sqrt(degrees)[:, None]
    assert walk @ vectors == pytest.approx(vectors * values, abs=1e-3)
    assert values[0] == pytest.approx(1.0, abs=1e-6)
    theirs = SpectralEmbedding(3, affinity="precomputed", random_state=0).fit_transform(graph.toarray())
    ours = vectors[:, 1:] / np.sqrt(degrees)[:, None]
    for a, b in zip(ours.T, theirs.T, strict=True):
        assert abs(np.corrcoef(a, b)[0, 1]) > 0.999


def test_modularity_and_normalised_association_are_their_definitions():
    graph, labels = random_graph(), np.random.default_rng(3).integers(0, 3, 40)
    w = graph.toarray()
    k, total = w.sum(1), w.sum()
    between = graphs.weights_between(graph, labels)
    same = labels[:, None] == labels
    assert graphs.total(graphs.modularity, between) == pytest.approx(
        ((w - np.outer(k, k) / total) * same).sum() / total, abs=1e-12
    )
    kept = sum(w[np.ix_(labels == c, labels == c)].sum() / w[labels == c].sum() for c in range(3))
    assert graphs.total(graphs.association, between) == pytest.approx(kept, abs=1e-12)


def test_a_row_that_counts_twice_is_two_rows():
    graph, labels = random_graph(), np.random.default_rng(3).integers(0, 3, 40)
    counts = np.random.default_rng(4).integers(1, 4, 40)
    rows = np.repeat(np.arange(40), counts)
    copies = graphs.weights_between(graph[rows][:, rows], labels[rows])
    assert graphs.weights_between(graph, labels, counts.astype(float)) == pytest.approx(copies, abs=1e-12)


WORTHS = [graphs.association, graphs.modularity]


def worth_of(worth, graph: sp.csr_matrix, labels: np.ndarray) -> float:
    return graphs.total(worth, graphs.weights_between(graph, labels))


@pytest.mark.parametrize("worth", WORTHS)
def test_a_merging_joins_the_two_groups_whose_union_is_worth_most(worth):
    graph = random_graph()
    groups = np.random.default_rng(0).permutation(40) // 4
    between = graphs.weights_between(graph, groups)
    merging = graphs.Merging.of(between, worth)
    for k in range(1, 10):
        before, after = (merging.first(count)[groups] for count in (k + 1, k))
        assert after.max() + 1 == k
        unions = [
            np.unique(np.where(before == j, i, before), return_inverse=True)[1] for j in range(k + 1) for i in range(j)
        ]
        assert worth_of(worth, graph, after) == pytest.approx(max(worth_of(worth, graph, one) for one in unions))
        i, j = merging.pairs[len(merging.pairs) - k]
        sides = [before[groups == one][0] for one in (i, j)]
        w = graphs.weights_between(graph, before)
        assert merging.cuts[len(merging.pairs) - k] == pytest.approx(w[sides[0], sides[1]])


@pytest.mark.long
@pytest.mark.parametrize("worth", WORTHS)
def test_annealing_finds_the_best_division_of_few_groups(worth):
    graph = random_graph(24)
    groups = np.arange(24) // 3
    between = graphs.weights_between(graph, groups)
    for k in (2, 3):
        merged = graphs.Merging.of(between, worth).first(k)
        labels = graphs.annealed(between, merged, worth, 0)
        best = max(
            worth_of(worth, graph, np.array(division)[groups])
            for division in product(range(k), repeat=8)
            if len(set(division)) == k
        )
        assert worth_of(worth, graph, labels[groups]) == pytest.approx(best, abs=1e-12)


def test_rows_move_until_no_move_raises_the_association():
    graph = random_graph()
    begun = np.random.default_rng(1).permutation(40) % 3
    found = graphs.moved(graph, begun, 0)
    assert worth_of(graphs.association, graph, found) > worth_of(graphs.association, graph, begun)
    between, degrees = graphs.weights_between(graph, found), np.asarray(graph.sum(1)).ravel()
    target = graphs._better(graph, found, between, degrees, np.arange(40))
    for row in range(40):
        moves = []
        for cluster in range(3):
            after = found.copy()
            after[row] = cluster
            moves.append(worth_of(graphs.association, graph, after) if len(set(after)) == 3 else -np.inf)
        assert moves[target[row]] == pytest.approx(max(moves), abs=1e-9)


def test_normalised_cuts_do_not_mind_how_large_a_group_is_and_modularity_does():
    few, many = 8, 152
    steps = np.abs(np.subtract.outer(np.arange(many), np.arange(many)))  # a chain in which every row knows eight others
    graph = sp.block_diag([np.ones((few, few)) - np.eye(few), ((steps > 0) & (steps < 5)).astype(float)]).tocsr()
    right, even = (np.arange(few + many) < few).astype(int), (np.arange(few + many) < 80).astype(int)
    assert worth_of(graphs.association, graph, right) > worth_of(graphs.association, graph, even)
    assert worth_of(graphs.modularity, graph, right) < worth_of(graphs.modularity, graph, even)


def test_a_smaller_graph_keeps_all_weight_and_joins_neighbours():
    X = np.random.default_rng(0).normal(size=(900, 3)).astype(np.float32) + 20 * (np.arange(900) % 2)[:, None]
    graph = fuzzy_graph(*nearest_rows(X.astype(np.float32), 15))
    small, vertices = graphs.coarsened(graph, 200, 0)
    assert small.shape[0] <= 200
    assert small.sum() == pytest.approx(graph.sum(), rel=1e-5)
    assert all(len(set((np.arange(900) % 2)[vertices == one])) == 1 for one in range(small.shape[0]))
    same = graphs.coarsened(graph, 900, 0)
    assert same[0] is graph


# ------------------------------------------------------------------ splits between clusters


@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_dimension_of_rows_is_found_whatever_the_space_they_lie_in(d):
    X = (
        np.random.default_rng(0).normal(size=(3000, d))
        @ np.linalg.qr(np.random.default_rng(1).normal(size=(8, d)))[0].T
    )
    found = splits.intrinsic_dimension(nearest_rows(X.astype(np.float32), 15)[1])
    assert found == pytest.approx(d, rel=0.15)


def test_the_ratio_of_a_split_is_its_formula():
    cuts, sides = np.array([3.0, 4.0, 1.0]), np.array([[100.0, 120.0], [90.0, 150.0], [200.0, 240.0]])
    merging = graphs.Merging(np.array([[0, 1], [2, 3], [0, 2]]), cuts, sides)
    d, degree = 2.0, 2.0
    n = sides.sum(1) / degree
    a = cuts / sides.min(1) * n ** (1 / d)
    phi = (a[0] * a[1] * np.median(a)) ** (1 / 3) * n[2] ** (-1 / d)
    c = 0.75 * degree
    assert splits.ratios(merging, degree, d)[2] == pytest.approx((cuts[2] + c) / (phi * 200 + c))
    apart = graphs.Merging(merging.pairs, np.array([3.0, 4.0, 0.01]), sides)
    assert splits.ratios(apart, degree, d)[2] == 0.0
    assert splits.strongest(merging, splits.ratios(merging, degree, d), 2).tolist() == [0, 0, 1, 1]


# ------------------------------------------------------------------ gradients of pictures


def test_histograms_of_gradients_are_their_formula():
    picture = np.random.default_rng(0).integers(0, 256, (12, 9), np.uint8)
    padded = np.pad(picture / 255, 1, mode="edge")
    right, down = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2, (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    turns = np.arctan2(down, right) * 8 / (2 * np.pi)
    expected = []
    for direction in range(8):
        apart = np.minimum((turns - direction) % 8, (direction - turns) % 8)
        lengths = np.hypot(right, down) * np.maximum(0, 1 - apart)
        for row in range(12):
            for column in range(9):
                window = np.exp(-2.0 * (np.square(np.arange(12) - row)[:, None] + np.square(np.arange(9) - column))) * (
                    (abs(np.arange(12) - row) <= 2)[:, None] & (abs(np.arange(9) - column) <= 2)
                )
                expected.append(np.sqrt((window * lengths).sum() / np.exp(-2.0 * np.arange(-2, 3) ** 2).sum() ** 2))
    assert oriented_gradients(picture[None])[0] == pytest.approx(np.array(expected), abs=1e-5)


def test_histograms_add_up_to_the_slopes_and_hardly_change_with_a_small_shift():
    picture = np.zeros((28, 28), np.uint8)
    picture[8:20, 10:14] = 255
    moved, elsewhere = np.roll(picture, 1, 1), np.roll(picture, 8, 1)
    found = oriented_gradients(np.stack([picture, moved, elsewhere]))
    assert found.shape == (3, 8 * 9 * 9)
    near, far = np.linalg.norm(found[0] - found[1]), np.linalg.norm(found[0] - found[2])
    assert near < 0.5 * far
    assert np.linalg.norm(picture / 255 - moved / 255) > 0.4 * np.linalg.norm(picture / 255 - elsewhere / 255)


@pytest.mark.parametrize("shape", [(8, 8), (0, 8, 8), (2, 3, 4, 5, 6)])
def test_what_is_not_pictures_has_no_gradients(shape):
    with pytest.raises(ShapeError, match=r"takes pictures as \(n, height, width\)"):
        oriented_gradients(np.zeros(shape))


def test_the_steepest_channel_counts_and_large_pictures_are_made_smaller():
    grey = np.random.default_rng(1).integers(0, 256, (2, 20, 20), np.uint8)
    colours = np.stack([grey, np.zeros_like(grey), grey // 4], axis=-1)
    assert oriented_gradients(colours) == pytest.approx(oriented_gradients(grey), abs=1e-6)
    large = np.kron(grey, np.ones((1, 8, 8), np.uint8))
    assert oriented_gradients(large).shape == (2, 8 * 9 * 9)
