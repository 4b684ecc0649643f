"""The ladder network against a transcription of its paper into NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import isthmus
from isthmus.models.ladder_network import GUESSED, SURE, surest
from isthmus.networks.denoising_ladder import EPSILON, Combinator, DenoisingLadder
from isthmus.training import Step


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def g(z, u, a):
    """Equation 2 and the two lines below it."""
    m = a[0] * sigmoid(a[1] * u + a[2]) + a[3] * u + a[4]
    v = a[5] * sigmoid(a[6] * u + a[7]) + a[8] * u + a[9]
    return (z - m) * v + m


def batchnorm(z):
    return (z - z.mean(0)) / np.sqrt(z.var(0) + EPSILON)


def algorithm_1(ladder, x, noise):
    """Return the logits and the costs of a batch, step by step as the paper writes them."""
    W, V = ([m.detach().numpy().astype(float) for m in matrices] for matrices in (ladder.up, ladder.down))
    beta, gamma = [b.detach().numpy() for b in ladder.beta], ladder.gamma.detach().numpy()
    a = [c.a.detach().numpy().reshape(10, -1) for c in ladder.combinators]
    L = len(W)

    def phi(layer, z):
        return gamma * (z + beta[layer]) if layer == L - 1 else np.maximum(z + beta[layer], 0)

    h = x + noise[0]
    z_noisy = [h]
    for layer in range(L):
        z_noisy.append(batchnorm(h @ W[layer].T) + noise[layer + 1])
        h = phi(layer, z_noisy[-1])
    logits = h
    h, z, mean, deviation = x, [x], [0.0], [1.0]
    for layer in range(L):
        before = h @ W[layer].T
        mean.append(before.mean(0))
        deviation.append(np.sqrt(before.var(0) + EPSILON))
        z.append(batchnorm(before))
        h = phi(layer, z[-1])
    y = np.exp(logits - logits.max(1, keepdims=True))
    u, costs = batchnorm(y.shape[1] * y / y.sum(1, keepdims=True)), [0.0] * (L + 1)
    for layer in range(L, -1, -1):
        if layer < L:
            u = batchnorm(guess @ V[layer].T)  # noqa: F821 - of the layer above
        guess = g(z_noisy[layer], u, a[layer])
        costs[layer] = np.square(z[layer] - (guess - mean[layer]) / deviation[layer]).mean()
    return logits, costs


@pytest.fixture
def ladder():
    rng = torch.Generator().manual_seed(0)
    ladder = DenoisingLadder((12, 8, 5, 3), 0.3, rng)
    with torch.no_grad():
        for parameter in ladder.parameters():  # away from the zeros and ones that hide mistakes
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=rng))
    return ladder.train()


def test_combinator_is_equation_2():
    rng = np.random.default_rng(0)
    combinator, a = Combinator(4), rng.normal(size=(10, 4))
    with torch.no_grad():
        combinator.a.copy_(torch.from_numpy(a).flatten())
    z, u = rng.normal(size=(2, 7, 4))
    with torch.no_grad():
        found = combinator(torch.from_numpy(z), torch.from_numpy(u)).numpy()
    assert found == pytest.approx(g(z, u, a), rel=1e-5, abs=1e-6)


def test_a_new_combinator_guesses_zero():
    z, u = torch.randn(2, 7, 4)
    assert torch.equal(Combinator(4)(z, u), torch.zeros(7, 4))


def test_logits_and_costs_are_algorithm_1(ladder):
    x = torch.randn(40, 12, generator=torch.Generator().manual_seed(1))
    rng = torch.Generator().manual_seed(2)
    noise = [0.3 * torch.empty(40, width).normal_(generator=rng).double().numpy() for width in ladder.widths]
    with torch.no_grad():
        logits, costs, rest, _ = ladder.costs(x, torch.ones(40, dtype=bool), torch.Generator().manual_seed(2))
    assert rest.all()
    wanted_logits, wanted = algorithm_1(ladder, x.double().numpy(), noise)
    assert logits.numpy() == pytest.approx(wanted_logits, rel=1e-4, abs=1e-4)
    assert [float(cost) for cost in costs] == pytest.approx(wanted, rel=1e-4)


def test_labelled_and_unlabelled_records_are_normalised_apart(ladder):
    x = torch.randn(40, 12, generator=torch.Generator().manual_seed(1))
    x[10:] += 5
    labelled = torch.arange(40) < 10
    with torch.no_grad():
        logits, _, rest, codes = ladder.costs(x, labelled, torch.Generator().manual_seed(2))
    assert torch.equal(rest, ~labelled)
    assert codes.shape == (30, 5)
    shift = ladder.gamma * ladder.beta[-1]
    for rows in (labelled, rest):  # batchnorm and noise of deviation 0.3
        assert ((logits - shift) / ladder.gamma)[rows].mean(0).detach().numpy() == pytest.approx(0, abs=0.3)


def test_few_without_a_label_are_not_looked_at_by_themselves(ladder):
    x = torch.randn(40, 12, generator=torch.Generator().manual_seed(1))
    few = torch.arange(40) < 36
    with torch.no_grad():
        logits, costs, rest, codes = ladder.costs(x, few, torch.Generator().manual_seed(2))
        wanted = ladder.costs(x, torch.ones(40, dtype=bool), torch.Generator().manual_seed(2))
    assert rest.all()
    for one, other in zip((logits, *costs, codes), (wanted[0], *wanted[1], wanted[3]), strict=True):
        assert torch.equal(one, other)


@pytest.mark.long
def test_nine_of_ten_labels_are_as_good_as_all(digits, digit_labels):
    labels = digit_labels[:1400].copy()
    labels[::10] = -1
    model = isthmus.LadderNetwork(scaling="unit", max_epochs=12, random_state=0).fit(digits[:1400], labels)
    found = model.classes_[model.class_logits(digits[1400:]).argmax(1)]
    assert (found == digit_labels[1400:]).mean() > 0.85


def test_objective_is_the_weighted_sum(digits, digit_labels):
    model = isthmus.LadderNetwork(hidden=(20,), latent_dim=8, denoising=(7.0, 3.0), max_epochs=1, random_state=0)
    model.fit(digits[:200], digit_labels[:200])
    records, labels = torch.from_numpy(model.preprocessor_.encode(digits[:50])), torch.from_numpy(digit_labels[:50])
    core = model.module_.train()
    with torch.no_grad():
        x = core.scale(records)
        terms = model.losses(Step(x, torch.Generator().manual_seed(3), labels))
        logits, costs, _, _ = core.encoder.costs(core.numbers(x), labels >= 0, torch.Generator().manual_seed(3))
    weights = (7.0, 3.0, 3.0, 3.0)
    assert float(terms["denoising"]) == pytest.approx(sum(w * float(c) for w, c in zip(weights, costs, strict=True)))
    assert float(terms["class"]) == pytest.approx(float(torch.nn.functional.cross_entropy(logits, labels)))


@pytest.mark.long
def test_few_labels_and_many_records_beat_the_few_alone(digits, digit_labels):
    rows = np.concatenate([np.flatnonzero(digit_labels == c)[:5] for c in range(10)])
    labels = np.full(len(digits), -1)
    labels[rows] = digit_labels[rows]
    settings = {"hidden": (200, 100, 50), "latent_dim": 50, "scaling": "unit", "random_state": 0}
    settings |= {"max_epochs": 30, "batch_size": 100}
    unseen = np.setdiff1d(np.arange(len(digits)), rows)

    def error(model):
        return (model.class_logits(digits[unseen]).argmax(1) != digit_labels[unseen]).mean()

    both = isthmus.LadderNetwork(**settings).fit(digits, labels)
    alone = isthmus.LadderNetwork(**settings | {"max_epochs": 540}).fit(digits[rows], digit_labels[rows])
    assert error(both) < 0.8 * error(alone)


def test_labels_may_be_missing(digits, digit_labels):
    labels = np.array([str(label) for label in digit_labels], dtype=object)
    labels[50:] = None
    model = isthmus.LadderNetwork(hidden=(20,), latent_dim=8, max_epochs=1, random_state=0).fit(digits, labels)
    assert model.classes_.tolist() == list("0123456789")
    assert model.class_counts_.sum() == 50


# ---------------------------------------------------------------------- the head start


def test_the_surest_have_the_best_odds_of_their_class():
    """By the definition: mass = share times labels of the class over all shares of it; the best 30 % of each class."""
    rng = np.random.default_rng(0)
    shares, numbers = rng.dirichlet(np.ones(3), 200), np.full(200, -1)
    numbers[:8] = [0, 0, 0, 0, 1, 1, 2, 2]
    found = surest(shares, numbers)
    wanted = np.full(200, -1)
    for c in range(3):
        odds = {}
        for i, row in enumerate(shares):
            mass = row * [4, 2, 2] / shares.sum(0)
            if mass.argmax() == c:
                odds[i] = mass[c] / max(np.delete(mass, c))
        for i in sorted(odds, key=odds.get, reverse=True)[: int(SURE * len(odds))]:
            wanted[i] = -1 if i < 8 else c
    assert np.array_equal(found, wanted)


@pytest.fixture
def islands():
    """Two far groups of records, one label in each."""
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1], 100)
    labels = np.full(200, -1)
    labels[[3, 150]] = [0, 1]
    return (10 * classes[:, None] + rng.normal(size=(200, 5))).astype(np.float32), labels, classes


class Seen(isthmus.LadderNetwork):
    """Remembers what labels it is given, and what it makes of them."""

    def prepare(self, batches, seed):
        super().prepare(batches, seed)
        self.given = batches.labels.numpy().copy()
        self.taught = {}

    def losses(self, step):
        known, has_label = self._taught(step) >= 0, step.labels >= 0
        self.taught.setdefault(step.share < self.head_start, []).append(
            (int((known & has_label).sum()), int((known & ~has_label).sum()))
        )
        return super().losses(step)


def test_classes_spread_to_the_records_around_and_are_learned_in_the_head_start_only(islands):
    X, labels, classes = islands
    model = Seen(hidden=(8,), latent_dim=4, max_epochs=10, head_start=0.5, random_state=0).fit(X, labels)
    guessed = model.given <= GUESSED
    assert np.array_equal(model.given[~guessed], labels[~guessed])
    assert np.array_equal(GUESSED - model.given[guessed], classes[guessed])
    assert 50 <= guessed.sum() <= 60  # 30 % of each group
    assert sum(others for _, others in model.taught[True]) == 5 * guessed.sum()
    assert all(own and not others for own, others in model.taught[False])


@pytest.mark.parametrize("case", ["no head start", "all labelled"])
def test_nothing_is_guessed(islands, case):
    X, labels, classes = islands
    labels, head_start = (labels, 0.0) if case == "no head start" else (classes, 0.3)
    model = Seen(hidden=(8,), latent_dim=4, max_epochs=1, head_start=head_start, random_state=0).fit(X, labels)
    assert np.array_equal(model.given, labels)
