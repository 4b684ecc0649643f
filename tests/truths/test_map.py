"""The map against its equations, exact sums, automatic gradients, and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate
from scipy.special import gamma
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.neighbors import NearestNeighbors

import isthmus
from isthmus.graph import fuzzy_graph, nearest_rows, weights_of
from isthmus.layout import attraction, layout, loss, repulsion
from isthmus.metrics import nearest_neighbour_hits
from isthmus.models.components import principal_directions
from isthmus.networks import LandmarkEncoder, landmarks, log_cauchy_density

rows = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)


# ------------------------------------------------------------------ the graph


@pytest.mark.parametrize("block", [None, 7])
def test_nearest_rows_are_those_of_scikit_learn(block):
    indices, distances = nearest_rows(rows, 6, rows=block)
    expected, whom = NearestNeighbors(n_neighbors=6).fit(rows).kneighbors()
    np.testing.assert_allclose(distances, expected, rtol=1e-4)
    assert np.mean(indices == whom) > 0.999
    others = rows[:20] + 0.1
    np.testing.assert_array_equal(
        nearest_rows(rows, 3, others)[0], NearestNeighbors(n_neighbors=3).fit(rows).kneighbors(others)[1]
    )


@pytest.mark.parametrize("k", [3, 15, 64])
def test_weights_of_neighbours_sum_to_log2_k(k):
    _, distances = nearest_rows(rows, k)
    weights = weights_of(distances)
    np.testing.assert_allclose(weights.sum(axis=1), np.log2(k), rtol=1e-4)
    np.testing.assert_array_equal(weights[:, 0], 1.0)
    beyond = distances[0] - distances[0, 0]  # one scale explains all weights of a row
    scales = -beyond[1:] / np.log(weights[0, 1:])
    np.testing.assert_allclose(scales, scales[0], rtol=1e-4)


def test_the_graph_is_the_union_of_both_directions():
    indices, distances = nearest_rows(rows, 8)
    v = np.zeros((300, 300))
    np.put_along_axis(v, indices, weights_of(distances), axis=1)
    np.testing.assert_allclose(fuzzy_graph(indices, distances).toarray(), v + v.T - v * v.T, atol=1e-6)


# ------------------------------------------------------------------ the layout


@pytest.mark.parametrize("spread", [0.5, 10.0, 60.0])
def test_repulsion_on_the_grid_is_the_sum_over_all_pairs(spread):
    y = spread * torch.randn(1500, 2, generator=torch.Generator().manual_seed(1))
    force, total = repulsion(y)
    away = (y[:, None] - y[None]).double()
    near = 1 / (1 + away.square().sum(2))
    exact = (near.square()[:, :, None] * away).sum(1)
    # Between nodes w is interpolated; a point beside itself, where w has its peak, is off by up to 0.05.
    assert total.item() == pytest.approx((near.sum() - len(y)).item(), abs=0.05 * len(y))
    assert (force - exact).norm() / exact.norm() < 0.04


@pytest.mark.parametrize("dimensions", [1, 3])
def test_repulsion_estimated_from_some_rows_is_right_on_average(dimensions):
    y = 3 * torch.randn(1400, dimensions, generator=torch.Generator().manual_seed(1))
    rng = torch.Generator().manual_seed(0)
    draws = [repulsion(y, rng) for _ in range(30)]
    away = y[:, None] - y[None]
    near = 1 / (1 + away.square().sum(2))
    exact = (near.square()[:, :, None] * away).sum(1)
    mean = torch.stack([force for force, _ in draws]).mean(0)
    assert (mean - exact).norm() / exact.norm() < 0.05
    assert torch.stack([total for _, total in draws]).mean().item() == pytest.approx(near.sum().item() - 1400, rel=0.01)


def test_both_forces_are_the_gradient_of_the_loss():
    graph = fuzzy_graph(*nearest_rows(rows[:120], 10))
    y = torch.randn(120, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss(y, graph).backward()
    pull = attraction(y.detach(), graph / graph.sum())
    push, total = repulsion(y.detach())
    torch.testing.assert_close(4 * (pull - push / total), y.grad)


def test_the_layout_of_digits_keeps_neighbours_as_scikit_learns_tsne_does(digits):
    X = digits[:500].reshape(500, -1).astype(np.float32)
    graph = fuzzy_graph(*nearest_rows(X, 15))
    components = PCA(2, random_state=0).fit_transform(X)
    y = layout(graph, components)
    theirs = TSNE(perplexity=15, random_state=0, max_iter=400).fit_transform(X)
    ours = trustworthiness(X, y)
    assert ours > trustworthiness(X, theirs) - 0.01
    assert ours > trustworthiness(X, components) + 0.1
    ours, before, their_loss = (float(loss(torch.from_numpy(one), graph)) for one in (y, components, theirs))
    assert ours < before
    assert ours < their_loss + 0.1
    np.testing.assert_array_equal(y, layout(graph, components))


# ------------------------------------------------------------------ the encoder


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5])
def test_cauchys_density_integrates_to_one(dimensions):
    surface = 2 * math.pi ** (dimensions / 2) / gamma(dimensions / 2)

    def shell(radius):
        squares, width = torch.tensor(radius**2, dtype=torch.float64), torch.tensor(math.log(0.7))
        return surface * radius ** (dimensions - 1) * log_cauchy_density(squares, width, dimensions).exp().item()

    assert integrate.quad(shell, 0, np.inf)[0] == pytest.approx(1.0, abs=1e-6)


def encoder_of(count, outputs=2, seed=0):
    """Return an encoder with landmarks at random records, and the records."""
    rng = torch.Generator().manual_seed(seed)
    records, values = torch.randn(count, 6, generator=rng), torch.randn(count, outputs, generator=rng)
    encoder = LandmarkEncoder(6, outputs, 4).eval()
    encoder.start_from(records, values, torch.eye(6)[:4], records.mean(0), near=5.0, width=0.3)
    with torch.no_grad():
        encoder.heights.normal_(generator=rng)
    return encoder, records


def shares_of(encoder, x):
    h = x @ encoder.projection.weight.T + encoder.projection.bias
    squares = (h[:, None] - encoder.centres).square().sum(2)
    return (encoder.heights - encoder.log_sharpness.exp() * squares).softmax(1)


def test_the_density_of_places_is_the_mixture_written_out():
    encoder, records = encoder_of(40)
    x, y = records[:9] + 0.2, torch.randn(9, 2, generator=torch.Generator().manual_seed(2))
    squares = (y[:, None] - encoder.values).square().sum(2)
    width = encoder.log_width.exp()
    each = 1 / (2 * math.pi * width**2) * (1 + squares / width**2) ** -1.5
    torch.testing.assert_close(encoder.log_density(x, y), (shares_of(encoder, x) * each).sum(1).log())


def test_a_code_is_the_robust_centre_of_its_landmarks():
    encoder, records = encoder_of(40)
    x = records + 0.1
    shares = shares_of(encoder, x).detach()

    def told(z):
        squares = (z[:, None] - encoder.values).square().sum(2) / encoder.log_width.exp() ** 2
        return (shares * squares.log1p()).sum(1).detach()

    z, mean = encoder(x).detach(), shares @ encoder.values.detach()
    assert (told(z) <= told(mean) + 1e-5).all()
    steps = torch.tensor([[0.3, 0.0], [-0.3, 0.0], [0.0, 0.3], [0.0, -0.3]])
    assert np.mean([(told(z + step) > told(z)).double().mean().item() for step in steps]) > 0.9


def test_landmarks_of_a_group_lie_together():
    encoder, _ = encoder_of(1024)
    groups = encoder.values.unflatten(0, (32, -1))
    assert groups.shape[1] == 32
    assert (groups.var(0).sum(1) < encoder.values.var(0).sum() / 2).all()


def test_codes_and_densities_from_the_heaviest_groups_are_those_from_all_landmarks(monkeypatch):
    encoder, records = encoder_of(1024)
    x, y = records[:200] + 0.05, encoder.values[:200].detach()
    with torch.no_grad():
        some, density = encoder(x), encoder.log_density(x, y)
        monkeypatch.setattr(landmarks, "HEAVIEST", 32)
        every, whole = encoder(x), encoder.log_density(x, y)
    assert ((some - every).norm(dim=1) < 0.1).double().mean() > 0.85
    assert ((density - whole).abs() < 0.1).double().mean() > 0.8


def test_a_sharpness_gives_as_many_landmarks_as_asked():
    centres = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    squares = torch.cdist(centres, centres).square().fill_diagonal_(torch.inf)
    for near in (2.0, 20.0):
        share = (-landmarks._sharpness(centres, near) * squares).softmax(1)
        assert torch.special.entr(share).sum(1).mean().exp().item() == pytest.approx(near, rel=1e-3)


@pytest.mark.parametrize("shape", [(50, 8), (8, 50)])
def test_principal_directions_are_those_of_the_singular_value_decomposition(shape):
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found, expected = principal_directions(x, 5), torch.linalg.svd(x).Vh[:5]
    torch.testing.assert_close((found * expected).sum(1).abs(), torch.ones(5, dtype=torch.float64))


def test_directions_beyond_the_records_are_zero():
    x = torch.tensor([[1.0, 2.0, 0.0, 0.0], [-1.0, -2.0, 0.0, 0.0]])
    found = principal_directions(x, 3)
    assert found.shape == (3, 4)
    torch.testing.assert_close(found[0].abs() * 5**0.5, torch.tensor([1.0, 2.0, 0.0, 0.0]))
    assert not found[1:].any()


# ------------------------------------------------------------------ the model


@pytest.fixture(scope="module")
def drawn(digits):
    return isthmus.Map(hidden=(32,), max_epochs=8, random_state=0).fit(digits[:1400])


@pytest.mark.long
def test_new_records_land_among_their_own(drawn, digits, digit_labels):
    known, new = drawn.transform(digits[:1400]), drawn.transform(digits[1400:])
    X = digits.reshape(len(digits), -1).astype(float)
    components = PCA(2, random_state=0).fit(X[:1400])
    assert nearest_neighbour_hits(known, digit_labels[:1400], new, digit_labels[1400:]).mean() > 0.9
    assert trustworthiness(X[:1400], known) > 0.975
    ours, theirs = trustworthiness(X[1400:], new), trustworthiness(X[1400:], components.transform(X[1400:]))
    assert ours > theirs + 0.05
    assert known.std() == pytest.approx(1.0, abs=0.05)


def test_points_are_read_back_as_records_like_those_that_lie_there(drawn, digits, digit_labels):
    known = drawn.transform(digits[:1400])
    zeros = np.median(known[digit_labels[:1400] == 0], axis=0)
    seen = drawn.inverse_transform(zeros[None])[0].astype(float)
    errors = [np.square(seen - digits[:1400][digit_labels[:1400] == one].mean(axis=0)).mean() for one in range(10)]
    assert np.argmin(errors) == 0


@pytest.mark.parametrize("dimensions", [1, 3, 5])
def test_maps_have_as_many_dimensions_as_asked(dimensions, digits):
    model = isthmus.Map(latent_dim=dimensions, hidden=(8,), max_epochs=2, random_state=0).fit(digits[:150])
    assert model.transform(digits[:20]).shape == (20, dimensions)
    assert model.sample(3, random_state=0).shape == (3, 8, 8)


@pytest.mark.parametrize(
    "X",
    [
        np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 6.0]]),
        np.ones((40, 3)),
        np.repeat(np.arange(12.0).reshape(3, 4), 20, axis=0),
        np.arange(30.0)[:, None],
        np.eye(25),
    ],
    ids=["two", "constant", "copies", "one column", "all alike"],
)
def test_few_and_odd_records_have_a_map(X):
    model = isthmus.Map(max_epochs=2, random_state=0).fit(X)
    codes = model.transform(X)
    assert codes.shape == (len(X), 2)
    assert np.isfinite(codes).all()
    assert np.isfinite(model.reconstruct(X)).all()


def test_held_out_records_are_not_laid_out(digits):
    model = isthmus.Map(hidden=(8,), max_epochs=2, random_state=0).fit(digits[:200], validation=0.25)
    assert model.n_records_ == 150
    assert len(model.module_.encoder.heights) == 150
    assert {"train_map", "train_reconstruction", "validation_reconstruction"} <= set(model.history_[-1])
    assert "validation_map" not in model.history_[-1]


def test_records_beyond_the_layout_only_train_nothing(digits, monkeypatch):
    monkeypatch.setattr("isthmus.models.map.MAX_RECORDS", 100)
    model = isthmus.Map(hidden=(8,), max_epochs=2, random_state=0).fit(digits[:200])
    assert len(model.module_.encoder.heights) == 100
    assert np.isfinite(model.transform(digits[:200])).all()


@pytest.mark.long
def test_an_encoder_of_ones_own_learns_the_layout(digits):
    own = (
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2)),
        torch.nn.Linear(2, 64),
    )
    model = isthmus.Map(network=own, max_epochs=60, random_state=0).fit(digits[:300])
    X = digits[:300].reshape(300, -1)
    assert model.history_[-1]["train_map"] < model.history_[0]["train_map"] - 1
    assert trustworthiness(X, model.transform(digits[:300])) > 0.9


def test_parameters_out_of_range_are_refused(digits):
    from isthmus.errors import ParameterError

    for name, value, sentence in (
        ("n_neighbors", 1, "Map: n_neighbors must be a whole number of at least 2; it is 1."),
        ("exaggeration", 0.5, "Map: exaggeration must be a number of at least 1; it is 0.5."),
        ("landmarks", 1, "Map: landmarks must be a whole number of at least 2; it is 1."),
    ):
        with pytest.raises(ParameterError, match=sentence):
            isthmus.Map(**{name: value}).fit(digits[:50])
