"""Every likelihood against independent truths: integrals, other libraries' densities, finite differences, draws."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch
import torch.nn.functional as F
from torch import Tensor

from isthmus.networks import (
    Bernoulli,
    Categorical,
    Core,
    DiscretisedLogistic,
    Facts,
    Gaussian,
    Huber,
    Laplace,
    Likelihood,
    MixedTable,
    likelihood_from,
)
from isthmus.networks.likelihoods.logistic import logistic_log_prob


@dataclass(frozen=True)
class Field:
    kind: str
    index: int
    size: int = 1
    mask: int = -1
    atoms: tuple[float, ...] = ()


# A number with a mask, one without, categories of sizes 3, 2 and 3 in no order. MIXED has atoms besides.
FIELDS = (
    Field("number", 0, mask=1),
    Field("mask", 1),
    Field("category", 2, size=3),
    Field("number", 3),
    Field("category", 4, size=2),
    Field("category", 5, size=3),
)
MIXED = (
    Field("number", 0, mask=1, atoms=(-0.5, 2.0)),
    Field("mask", 1),
    Field("number", 2),
    Field("number", 3, atoms=(1.25,)),
    Field("category", 4, size=2),
    Field("number", 5, atoms=(0.0, 3.0)),
)
DENSITIES = [
    Gaussian(),
    Gaussian(scale=0.3),
    Laplace(),
    Laplace(scale=0.7),
    Huber(),
    Huber(delta=0.5, scale=0.4),
    Huber(delta=4.0),
]


def facts(shape: tuple[int | None, ...] = (4,), std: float = 0.8, levels: int = 9) -> Facts:
    return Facts(
        shape,
        std=torch.tensor(std),
        low=torch.tensor(-1.0),
        high=torch.tensor(1.0),
        step=torch.tensor(2.0 / (levels - 1)),
        fields=FIELDS,
    )


def logistic(levels: int = 9, std: float = 0.8, share: str = "auto") -> DiscretisedLogistic:
    return DiscretisedLogistic(share=share).prepare(facts(std=std, levels=levels))


def table_rows(n: int, rng: torch.Generator) -> Tensor:
    x = torch.randn(n, 6, generator=rng)
    x[:, 1] = (torch.rand(n, generator=rng) < 0.7).float()
    x[:, 0] *= x[:, 1]
    for column, size in ((2, 3), (4, 2), (5, 3)):
        x[:, column] = torch.randint(0, size, (n,), generator=rng).float()
    return x


# ------------------------------------------------------------------------------------ they are probabilities


@pytest.mark.parametrize("likelihood", DENSITIES, ids=repr)
def test_density_integrates_to_one(likelihood: Likelihood) -> None:
    prepared = likelihood.prepare(facts((1,))).double()
    theta = torch.tensor([[0.37]], dtype=torch.float64)

    def density(x: float) -> float:
        return math.exp(prepared.log_prob(theta, torch.tensor([[x]], dtype=torch.float64)).item())

    pieces = np.linspace(-40, 41, 28)
    total = sum(scipy.integrate.quad(density, a, b)[0] for a, b in itertools.pairwise(pieces))
    assert total == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("mean", [-3.0, -1.0, 0.1, 0.99, 8.0])
@pytest.mark.parametrize("std", [1e-3, 0.05, 1.0, 30.0])
def test_discretised_logistic_sums_to_one(mean: float, std: float) -> None:
    likelihood = logistic(256, std)
    levels = torch.linspace(-1, 1, 256).view(-1, 1)
    total = likelihood.log_prob(torch.full((256, 1), mean), levels).exp().sum().item()
    assert total == pytest.approx(1, abs=2e-5)


def test_bernoulli_sums_to_one() -> None:
    theta = torch.tensor([[1.3, -0.4]]).expand(4, 2)
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert Bernoulli().log_prob(theta, x).exp().sum().item() == pytest.approx(1, abs=1e-6)


def test_categorical_sums_to_one() -> None:
    theta = torch.randn(1, 5, generator=torch.Generator().manual_seed(0))
    assert Categorical().log_prob(theta.expand(5, 5), torch.eye(5)).exp().sum().item() == pytest.approx(1, abs=1e-6)
    codes = Categorical(classes=5).log_prob(theta.view(1, 5, 1).expand(5, 5, 1), torch.arange(5).view(5, 1))
    assert codes.exp().sum().item() == pytest.approx(1, abs=1e-6)


# ------------------------------------------------------------------------------------ they are the right ones


def test_gaussian_equals_scipy() -> None:
    rng = torch.Generator().manual_seed(0)
    theta, x = torch.randn(7, 4, generator=rng), torch.randn(7, 4, generator=rng)
    got = Gaussian().prepare(facts()).log_prob(theta, x)
    want = scipy.stats.norm(theta.numpy(), 0.8).logpdf(x.numpy()).sum(1)
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-5)


def test_gaussian_with_scale_one_is_half_the_squared_error() -> None:
    rng = torch.Generator().manual_seed(1)
    theta, x = torch.randn(7, 3, 5, 5, generator=rng), torch.randn(7, 3, 5, 5, generator=rng)
    fixed = likelihood_from("gaussian-fixed").prepare(facts((3, 5, 5)))
    want = 0.5 * (x - theta).square().sum((1, 2, 3)) + 75 / 2 * math.log(2 * math.pi)
    torch.testing.assert_close(-fixed.log_prob(theta, x), want)
    assert not list(fixed.parameters())


def test_laplace_equals_scipy() -> None:
    rng = torch.Generator().manual_seed(2)
    theta, x = torch.randn(7, 4, generator=rng), torch.randn(7, 4, generator=rng)
    got = Laplace(scale=0.6).prepare(facts()).log_prob(theta, x)
    np.testing.assert_allclose(got, scipy.stats.laplace(theta.numpy(), 0.6).logpdf(x.numpy()).sum(1), rtol=1e-5)


def test_huber_lies_between_gaussian_and_laplace() -> None:
    rng = torch.Generator().manual_seed(3)
    theta, x = torch.randn(7, 4, generator=rng), 3 * torch.randn(7, 4, generator=rng)
    gaussian = Gaussian(scale=0.9).log_prob(theta, x)
    torch.testing.assert_close(Huber(delta=30.0, scale=0.9).log_prob(theta, x), gaussian)
    # exp(-delta |u| / s) is Laplace's law with scale s / delta.
    laplace = Laplace(scale=0.9 / 1e-3).log_prob(theta, x)
    torch.testing.assert_close(Huber(delta=1e-3, scale=0.9).log_prob(theta, x), laplace, atol=1e-3, rtol=0)


@pytest.mark.parametrize("shape", [(3, 1), (3, 15), (3, 16), (2, 1, 28, 28)])
def test_bernoulli_equals_cross_entropy_of_torch(shape: tuple[int, ...]) -> None:
    rng = torch.Generator().manual_seed(4)
    theta, x = 40 * torch.randn(shape, generator=rng), torch.rand(shape, generator=rng)
    want = -F.binary_cross_entropy_with_logits(theta, x, reduction="none").flatten(1).sum(1)
    torch.testing.assert_close(Bernoulli().log_prob(theta, x), want, rtol=1e-5, atol=1e-5)


def test_bernoulli_is_exact_where_chances_underflow() -> None:
    theta, x = torch.tensor([[300.0, -300.0]]), torch.tensor([[0.0, 1.0]])
    assert Bernoulli().log_prob(theta, x).item() == -600


@pytest.mark.parametrize("std", [0.02, 0.5, 20.0])
def test_discretised_logistic_equals_differences_of_the_distribution_function(std: float) -> None:
    likelihood = logistic(256, std)
    levels = np.linspace(-1, 1, 256)
    half, s, mean = 1 / 255, std * math.sqrt(3) / math.pi, 0.2
    law = scipy.stats.logistic(mean, s)
    upper = np.where(levels > 1 - half, 1.0, law.cdf(levels + half))
    lower = np.where(levels < -1 + half, 0.0, law.cdf(levels - half))
    usable = (upper - lower) > 1e-9  # below that the difference of distribution functions is itself not accurate
    x = torch.from_numpy(levels).float().view(-1, 1)
    got = likelihood.log_prob(torch.full((256, 1), mean), x).detach().numpy()
    np.testing.assert_allclose(got[usable], np.log((upper - lower)[usable]), rtol=1e-3, atol=1e-4)


def test_discretised_logistic_is_finite_far_from_its_centre() -> None:
    likelihood = logistic(256, 1e-3)
    theta = torch.tensor([[-50.0, 50.0, 0.0]], requires_grad=True)
    value = likelihood.log_prob(theta, torch.tensor([[1.0, -1.0, 1.0]])).sum()
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(theta.grad).all()
    assert torch.equal(theta.grad.sign(), torch.tensor([[1.0, -1.0, 1.0]]))


def test_categorical_equals_torch_distributions() -> None:
    rng = torch.Generator().manual_seed(5)
    theta = torch.randn(6, 11, 4, generator=rng)
    codes = torch.randint(0, 11, (6, 4), generator=rng)
    want = torch.distributions.Categorical(logits=theta.movedim(1, -1)).log_prob(codes).sum(1)
    torch.testing.assert_close(Categorical(classes=11).log_prob(theta, codes), want)
    rows = F.one_hot(codes[:, 0], 11).float()
    want = torch.distributions.OneHotCategorical(logits=theta[:, :, 0]).log_prob(rows)
    torch.testing.assert_close(Categorical().log_prob(theta[:, :, 0], rows), want)


def test_table_is_the_product_of_its_fields() -> None:
    rng = torch.Generator().manual_seed(6)
    likelihood = MixedTable().prepare(facts())
    with torch.no_grad():
        likelihood.width.parameter.copy_(torch.tensor([-0.1, 0.2]))
    x = table_rows(9, rng)
    theta = torch.randn(9, *likelihood.theta_shape((6,)), generator=rng)
    s = likelihood.width.log().exp()
    # theta: numbers 0 and 3, mask 1, categories by size: column 4 (two), columns 2 and 5 (three each).
    want = x[:, 1] * torch.distributions.Normal(theta[:, 0], s[0]).log_prob(x[:, 0])
    want += torch.distributions.Normal(theta[:, 1], s[1]).log_prob(x[:, 3])
    want += torch.distributions.Bernoulli(logits=theta[:, 2]).log_prob(x[:, 1])
    for column, (start, end) in {4: (3, 5), 2: (5, 8), 5: (8, 11)}.items():
        want += torch.distributions.Categorical(logits=theta[:, start:end]).log_prob(x[:, column])
    assert theta.shape[1] == 11
    torch.testing.assert_close(likelihood.log_prob(theta, x), want)


def test_missing_numbers_do_not_count() -> None:
    likelihood = MixedTable().prepare(facts())
    x = table_rows(1, torch.Generator().manual_seed(7))
    x[:, 1] = 0
    theta = torch.zeros(1, 11, requires_grad=True)
    likelihood.log_prob(theta, x).sum().backward()
    assert theta.grad[0, 0] == 0
    assert theta.grad[0, 1] != 0


def mixed_rows(n: int, rng: torch.Generator) -> Tensor:
    x = torch.randn(n, 6, generator=rng)
    x[:, 1] = (torch.rand(n, generator=rng) < 0.7).float()
    for column, atoms in ((0, (-0.5, 2.0)), (3, (1.25,)), (5, (0.0, 3.0))):
        for atom in atoms:
            x[torch.rand(n, generator=rng) < 0.3, column] = atom
    x[:, 0] *= x[:, 1]
    x[:, 4] = torch.randint(0, 2, (n,), generator=rng).float()
    return x


def test_numbers_with_atoms_are_masses_beside_a_density() -> None:
    rng = torch.Generator().manual_seed(24)
    likelihood = MixedTable(MIXED)
    x = mixed_rows(60, rng)
    theta = torch.randn(60, *likelihood.theta_shape((6,)), generator=rng)
    s = likelihood.width.log().exp()
    # theta: numbers 0, 2, 3 and 5, mask 1, category 4, then (none, atoms): of number 3 (one), of 0 and of 5 (two each).
    assert theta.shape[1] == 4 + 1 + 2 + 2 + 3 + 3
    want = torch.distributions.Bernoulli(logits=theta[:, 4]).log_prob(x[:, 1])
    want += torch.distributions.Normal(theta[:, 1], s[1]).log_prob(x[:, 2])
    want += torch.distributions.Categorical(logits=theta[:, 5:7]).log_prob(x[:, 4])
    for number, column, start, atoms in ((2, 3, 7, (1.25,)), (0, 0, 9, (-0.5, 2.0)), (3, 5, 12, (0.0, 3.0))):
        chances = theta[:, start : start + 1 + len(atoms)].log_softmax(1)
        each = chances[:, 0] + torch.distributions.Normal(theta[:, number], s[number]).log_prob(x[:, column])
        for j, atom in enumerate(atoms, 1):
            each = torch.where(x[:, column] == atom, chances[:, j], each)
        want += each * (x[:, 1] if column == 0 else 1)
    torch.testing.assert_close(likelihood.log_prob(theta, x), want)


def test_masses_and_density_sum_to_one() -> None:
    likelihood = MixedTable((Field("number", 0, atoms=(-0.5, 2.0)),)).double()
    theta = torch.tensor([[0.3, 0.2, -1.0, 0.7]], dtype=torch.float64)

    def probability(x: float) -> float:
        return math.exp(likelihood.log_prob(theta, torch.tensor([[x]], dtype=torch.float64)).item())

    density = scipy.integrate.quad(probability, -20, 20, points=(-0.5, 2.0), limit=200)[0]  # its nodes are no atoms
    assert density + probability(-0.5) + probability(2.0) == pytest.approx(1, abs=1e-7)


def test_draws_of_atoms_have_their_chances_and_are_exact() -> None:
    likelihood = MixedTable(MIXED)
    theta = torch.randn(1, 15, generator=torch.Generator().manual_seed(25))
    with torch.no_grad():
        draws = likelihood.sample(theta.expand(40_000, -1), torch.Generator().manual_seed(26))
    for column, start, atoms in ((3, 7, (1.25,)), (0, 9, (-0.5, 2.0)), (5, 12, (0.0, 3.0))):
        chances = theta[0, start : start + 1 + len(atoms)].softmax(0)[1:]
        got = torch.stack([(draws[:, column] == atom).float().mean() for atom in atoms])
        torch.testing.assert_close(got, chances, atol=0.015, rtol=0)
        likeliest = theta[0, start : start + 1 + len(atoms)].argmax()
        want = atoms[likeliest - 1] if likeliest else theta[0, {3: 2, 0: 0, 5: 3}[column]]
        assert likelihood.mean(theta)[0, column] == want


def test_numbers_with_atoms_begin_at_frequencies_and_at_means_of_the_others() -> None:
    likelihood = MixedTable(MIXED)
    x = mixed_rows(4000, torch.Generator().manual_seed(27))
    theta = likelihood.initial_theta(likelihood.statistics(x))
    seen = x[x[:, 1] == 1, 0]
    others = seen[(seen != -0.5) & (seen != 2.0)]
    want = torch.tensor([len(others), (seen == -0.5).sum(), (seen == 2.0).sum()]) / len(seen)
    torch.testing.assert_close(theta[9:12].softmax(0), want, atol=1e-3, rtol=0)
    torch.testing.assert_close(theta[0], others.mean())
    likelihood.start_at(x)
    torch.testing.assert_close(likelihood.width.log().exp()[0], others.std(), atol=0.01, rtol=0)


def test_numbers_with_atoms_are_written_out_as_they_are_drawn() -> None:
    """What a critic sees of records and of draws: of each number its value, and a one for the atom that it is."""
    likelihood = MixedTable(MIXED)
    x = mixed_rows(50, torch.Generator().manual_seed(28))
    theta = 30 * likelihood.one_hot(x) - 15  # certain of the masks, categories and atoms of these rows
    theta[:, :4] = likelihood.one_hot(x)[:, :4]
    drawn = likelihood.rsample(theta, torch.Generator().manual_seed(29))
    torch.testing.assert_close(drawn, likelihood.one_hot(x), atol=1e-4, rtol=0)
    assert torch.equal(likelihood.one_hot(x)[:, 9:12].sum(1), torch.ones(50))


# ------------------------------------------------------------------------------------ derivatives


@pytest.mark.parametrize("likelihood", [*DENSITIES, Gaussian(share="element"), Huber(share="feature")], ids=repr)
def test_gradients_of_densities_equal_finite_differences(likelihood: Likelihood) -> None:
    prepared = likelihood.prepare(facts()).double()
    rng = torch.Generator().manual_seed(8)
    theta = torch.randn(3, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    x = torch.randn(3, 4, generator=rng, dtype=torch.float64)
    parameters = [p for p in prepared.parameters() if p.requires_grad]
    assert torch.autograd.gradcheck(lambda t, *_: prepared.log_prob(t, x), (theta, *parameters))


@pytest.mark.parametrize("share", ["shared", "element"])
def test_gradients_of_discretised_logistic_equal_finite_differences(share: str) -> None:
    likelihood = logistic(9, 0.4, share).double()
    rng = torch.Generator().manual_seed(9)
    theta = torch.randn(5, 4, generator=rng, dtype=torch.float64, requires_grad=True)
    x = torch.randint(0, 9, (5, 4), generator=rng).double() / 4 - 1
    assert x.min() == -1  # both edges occur
    assert x.max() == 1
    parameter = likelihood.width.parameter
    assert torch.autograd.gradcheck(lambda t, _: likelihood.log_prob(t, x), (theta, parameter))
    assert torch.autograd.gradgradcheck(lambda t, _: likelihood.log_prob(t, x), (theta, parameter))


@pytest.mark.parametrize("shape", [(), (3, 1, 1)])
def test_fast_discretised_logistic_equals_the_plain_one(shape: tuple[int, ...]) -> None:
    rng = torch.Generator().manual_seed(10)
    likelihood = DiscretisedLogistic(share="feature" if shape else "shared").prepare(
        Facts((3, 5, 5), torch.full((3, 1, 1), 0.3), torch.tensor(-1.0), torch.tensor(1.0), torch.tensor(2 / 255))
    )
    assert likelihood.width.parameter.shape == shape
    theta = torch.randn(4, 3, 5, 5, generator=rng, requires_grad=True)
    x = torch.randint(0, 256, (4, 3, 5, 5), generator=rng) / 127.5 - 1
    weights = torch.rand(4, generator=rng)
    fast = likelihood.log_prob(theta, x)
    plain = logistic_log_prob(theta, likelihood.width.log(), x, likelihood.step, likelihood.low, likelihood.high)
    torch.testing.assert_close(fast, plain, rtol=1e-5, atol=1e-3)
    for one, other in zip(
        torch.autograd.grad((fast * weights).sum(), (theta, likelihood.width.parameter)),
        torch.autograd.grad((plain * weights).sum(), (theta, likelihood.width.parameter)),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_gradients_of_bernoulli_equal_finite_differences() -> None:
    rng = torch.Generator().manual_seed(11)
    theta = torch.randn(3, 20, generator=rng, dtype=torch.float64, requires_grad=True)
    x = torch.rand(3, 20, generator=rng, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Bernoulli().log_prob, (theta, x))
    assert torch.autograd.gradgradcheck(Bernoulli().log_prob, (theta, x))


@pytest.mark.parametrize(("fields", "rows"), [(FIELDS, table_rows), (MIXED, mixed_rows)])
def test_gradients_of_table_equal_finite_differences(fields: tuple[Field, ...], rows: Any) -> None:
    rng = torch.Generator().manual_seed(12)
    likelihood = MixedTable(fields).double()
    x = rows(4, rng).float().double()
    theta = torch.randn(4, *likelihood.theta_shape((6,)), generator=rng, dtype=torch.float64, requires_grad=True)
    parameter = likelihood.width.parameter
    assert torch.autograd.gradcheck(lambda t, _: likelihood.log_prob(t, x), (theta, parameter))


# ------------------------------------------------------------------------------------ means, draws, beginnings

ALL = [
    ("bernoulli", (4,)),
    ("gaussian", (4,)),
    ("laplace", (4,)),
    ("huber", (4,)),
    ("discretised-logistic", (4,)),
    ("categorical", (4,)),
    ("table", (6,)),
]


def prepared(name: str) -> Likelihood:
    return likelihood_from(name).prepare(facts())


def some_theta(likelihood: Likelihood, shape: tuple[int, ...], n: int) -> Tensor:
    theta = 0.5 * torch.randn(1, *likelihood.theta_shape(shape), generator=torch.Generator().manual_seed(13))
    return theta.expand(n, *theta.shape[1:])


@pytest.mark.parametrize(("name", "shape"), ALL)
def test_draws_have_the_mean(name: str, shape: tuple[int, ...]) -> None:
    likelihood = prepared(name)
    theta = some_theta(likelihood, shape, 40_000)
    with torch.no_grad():
        draws = likelihood.sample(theta, torch.Generator().manual_seed(14))
        mean = likelihood.mean(theta[:1])[0]
    assert draws.shape == (40_000, *shape)
    if name == "table":  # the mean of a table says the likeliest category, draws their frequencies
        numbers = [0, 3]
        torch.testing.assert_close(draws[:, numbers].mean(0), mean[numbers], atol=0.03, rtol=0)
        want = theta[0, 5:8].softmax(0)
        got = torch.bincount(draws[:, 2].long(), minlength=3) / len(draws)
        torch.testing.assert_close(got, want, atol=0.01, rtol=0)
        assert mean[2] == want.argmax()
    else:
        torch.testing.assert_close(draws.mean(0), mean, atol=0.03, rtol=0)


@pytest.mark.parametrize("name", ["gaussian", "laplace", "huber"])
def test_draws_follow_the_density(name: str) -> None:
    likelihood = prepared(name)
    theta = torch.zeros(20_000, 4)
    with torch.no_grad():
        draws = likelihood.sample(theta, torch.Generator().manual_seed(15))[:, :1]
        grid = torch.linspace(-12, 12, 4001).view(-1, 1)
        density = likelihood.log_prob(torch.zeros_like(grid).expand(-1, 1), grid).exp()
    cumulative = np.cumsum(density.numpy()) * (24 / 4000)
    _, p = scipy.stats.kstest(draws.flatten().numpy(), lambda v: np.interp(v, grid.flatten().numpy(), cumulative))
    assert p > 1e-3


def test_draws_of_whole_numbers_have_the_stated_probabilities() -> None:
    likelihood = logistic(9, 0.5)
    with torch.no_grad():
        draws = likelihood.sample(torch.full((50_000, 1), 0.6), torch.Generator().manual_seed(16))
        levels = torch.linspace(-1, 1, 9).view(-1, 1)
        want = likelihood.log_prob(torch.full((9, 1), 0.6), levels).exp()
    codes = (draws.flatten() + 1) * 4
    assert torch.allclose(codes, codes.round(), atol=1e-5)
    torch.testing.assert_close(torch.bincount(codes.round().long(), minlength=9) / 50_000, want, atol=0.01, rtol=0)


def test_mean_of_whole_numbers_is_their_expectation() -> None:
    likelihood = logistic(256, 0.7)
    levels = torch.linspace(-1, 1, 256).view(-1, 1)
    for centre in (-4.0, -1.0, 0.0, 0.7, 2.0):
        with torch.no_grad():
            p = likelihood.log_prob(torch.full((256, 1), centre), levels).exp()
            mean = likelihood.mean(torch.tensor([[centre]])).item()
        assert mean == pytest.approx((p * levels[:, 0]).sum().item(), abs=1e-4)


def test_draws_need_no_global_generator() -> None:
    before = torch.get_rng_state()
    for name, shape in ALL:
        likelihood = prepared(name)
        one, two = (
            likelihood.sample(some_theta(likelihood, shape, 5), torch.Generator().manual_seed(3)) for _ in range(2)
        )
        assert torch.equal(one, two)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("name", "shape"), ALL)
def test_first_theta_reproduces_the_mean(name: str, shape: tuple[int, ...]) -> None:
    rng = torch.Generator().manual_seed(17)
    likelihood = prepared(name)
    rows = {
        "bernoulli": (torch.rand(500, 4, generator=rng) < torch.tensor([0.1, 0.5, 0.9, 0.3])).float(),
        "categorical": F.one_hot(torch.randint(0, 4, (500,), generator=rng), 4).float(),
        "discretised-logistic": torch.randint(2, 7, (500, 4), generator=rng) / 4 - 1,
        "table": table_rows(500, rng),
    }
    x = rows.get(name, 0.7 + 0.3 * torch.randn(500, 4, generator=rng))
    theta = likelihood.initial_theta(likelihood.statistics(x))
    assert theta.shape == likelihood.theta_shape(shape)
    mean = likelihood.mean(theta[None])[0]
    if name == "table":
        observed = x[:, 1] == 1
        assert theta[0].item() == pytest.approx(x[observed, 0].mean().item(), abs=1e-5)
        assert torch.sigmoid(theta[2]).item() == pytest.approx(observed.float().mean().item(), abs=1e-5)
        frequencies = torch.bincount(x[:, 5].long(), minlength=3) / 500
        torch.testing.assert_close(theta[8:11].softmax(0), frequencies, atol=1e-3, rtol=0)
    else:
        # The mean of whole numbers with folded tails differs a little from its centre.
        tolerance = 0.05 if name == "discretised-logistic" else 2e-3
        torch.testing.assert_close(mean, x.float().mean(0), atol=tolerance, rtol=0)


def test_first_theta_of_codes_is_their_frequency() -> None:
    codes = torch.randint(0, 5, (300, 7), generator=torch.Generator().manual_seed(18))
    likelihood = Categorical(classes=5)
    theta = likelihood.initial_theta(likelihood.statistics(codes))
    assert theta.shape == (5, 7)
    want = F.one_hot(codes, 5).float().mean(0).T
    torch.testing.assert_close(theta.softmax(0), want, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["gaussian", "laplace", "huber", "discretised-logistic"])
def test_learned_scale_starts_near_its_best(name: str) -> None:
    """One scale is best where the derivative vanishes; at the data's spread it is small."""
    rng = torch.Generator().manual_seed(19)
    x = (torch.randn(4000, 4, generator=rng) * 0.3).clamp(-1, 1)
    likelihood = prepared(name)
    if name == "discretised-logistic":
        x = (x * 4).round() / 4
    likelihood.start_at(x)
    theta = likelihood.initial_theta(likelihood.statistics(x)).expand_as(x)

    def loss(shift: float) -> float:
        with torch.no_grad():
            likelihood.width.parameter.fill_(shift)
            return -likelihood.log_prob(theta, x).mean().item()

    best = min(loss(v) for v in np.linspace(-0.3, 0.3, 61))
    assert loss(0.0) - best < 0.15


def test_learned_scale_cannot_leave_its_bounds() -> None:
    likelihood = Gaussian().prepare(facts())
    with torch.no_grad():
        likelihood.width.parameter.fill_(-1e6)
        assert likelihood.width.log().item() == pytest.approx(math.log(0.8) - 7)
        likelihood.width.parameter.fill_(1e6)
        assert likelihood.width.log().item() == pytest.approx(math.log(0.8) + 7)


def test_constant_columns_have_a_scale() -> None:
    std = torch.tensor([1.0, 0.0, 1e-9, 1.0])
    likelihood = Gaussian(share="feature").prepare(Facts((4,), std=std, low=-std, high=std))
    assert torch.isfinite(likelihood.width.start).all()
    assert likelihood.width.start[1].item() == pytest.approx(0.0)  # a usual one
    assert likelihood.width.start[2].item() == pytest.approx(math.log(1e-3))
    likelihood.start_at(torch.ones(5, 4))
    assert torch.equal(likelihood.width.start, torch.zeros(4))


def test_a_scale_is_not_misled_by_records_that_lack_the_rare_values_of_a_column() -> None:
    std = torch.tensor([1.0, 0.5, 0.5, 2.0])
    some = torch.tensor([[-1.0, 0.0, 0.5, 2.0], [1.0, 1e-6, -0.5, -2.0]])
    likelihood = Gaussian(share="feature").prepare(Facts((4,), std=std, low=-std, high=std))
    likelihood.start_at(some)
    assert likelihood.width.start.exp().tolist() == pytest.approx([1.0, 0.05, 0.5, 2.0])
    # One record far out in all columns is no reason to take the others for nothing.
    likelihood = Gaussian(share="feature").prepare(Facts((4,), std=1e27 * std, low=-std, high=std))
    likelihood.start_at(some[:, [0, 2, 2, 3]])
    assert likelihood.width.start.exp().tolist() == pytest.approx([1.0, 0.5, 0.5, 2.0], rel=1e-4)


@pytest.mark.parametrize(
    ("share", "shape", "by_column", "scales"),
    [
        ("auto", (4,), False, ()),
        ("auto", (4,), True, (4,)),
        ("auto", (3, 5, 6), False, (3, 1, 1)),
        ("auto", (3, None, None), False, (3, 1, 1)),
        ("shared", (3, 5, 6), True, ()),
        ("feature", (4,), False, (4,)),
        ("element", (3, 5, 6), False, (3, 5, 6)),
    ],
)
def test_shapes_of_learned_scales(
    share: str, shape: tuple[int | None, ...], by_column: bool, scales: tuple[int, ...]
) -> None:
    one = torch.ones(())
    likelihood = Gaussian(share=share).prepare(Facts(shape, std=one, low=-one, high=one, by_column=by_column))
    assert likelihood.width.parameter.shape == scales
    x = torch.randn(50, *(side or 5 for side in shape), generator=torch.Generator().manual_seed(20)) * 2 + 7
    likelihood.start_at(x)
    assert likelihood.width.start.shape == scales
    assert likelihood.width.start.mean().exp().item() == pytest.approx(2, rel=0.1)
    assert likelihood.log_prob(torch.zeros_like(x), x).shape == (50,)


# ------------------------------------------------------------------------------------ precision and units


@pytest.mark.parametrize(("name", "shape"), ALL)
def test_half_precision_theta_is_summed_in_single_precision(name: str, shape: tuple[int, ...]) -> None:
    likelihood = prepared(name)
    theta = some_theta(likelihood, shape, 6).to(torch.bfloat16)
    with torch.no_grad():
        x = likelihood.sample(theta.float(), torch.Generator().manual_seed(21))
        with torch.autocast("cpu", torch.bfloat16):
            got = likelihood.log_prob(theta, x)
        want = likelihood.log_prob(theta.float(), x)
    assert got.dtype == torch.float32
    assert torch.equal(got, want)


def test_scores_are_in_the_units_of_the_data() -> None:
    """The same data in other units: the density changes by the volume, and nothing else."""
    rng = torch.Generator().manual_seed(22)
    records = 50 + 20 * torch.randn(8, 4, generator=rng)
    shift, factor = torch.tensor([50.0, 49.0, 48.0, 47.0]), torch.tensor([0.05, 0.1, 0.2, 0.4])
    core = Core(torch.nn.Identity(), torch.nn.Identity(), Gaussian(scale=0.5), shift, factor)
    x = core.scale(records)
    theta = torch.randn(8, 4, generator=rng)
    want = scipy.stats.norm((theta / factor + shift).numpy(), (0.5 / factor).numpy()).logpdf(records.numpy()).sum(1)
    np.testing.assert_allclose(-core.nll(theta, x).numpy(), want, rtol=1e-5)
    torch.testing.assert_close(core.unscale(x), records)


def test_scores_of_pictures_count_each_pixel() -> None:
    core = Core(
        torch.nn.Identity(), torch.nn.Identity(), Gaussian(scale=1.0), np.zeros((3, 1, 1)), np.full((3, 1, 1), 2.0)
    )
    x = torch.zeros(2, 3, 4, 5)
    torch.testing.assert_close(core.nll(x, x), torch.full((2,), 60 * (0.5 * math.log(2 * math.pi) - math.log(2))))


def test_scores_of_tables_count_observed_numbers_only() -> None:
    likelihood = MixedTable().prepare(facts())
    factor = torch.tensor([2.0, 1.0, 1.0, 5.0, 1.0, 1.0])
    x = table_rows(6, torch.Generator().manual_seed(23))
    want = x[:, 1] * math.log(2) + math.log(5)
    torch.testing.assert_close(likelihood.log_det(factor.log(), x), want)


def test_scores_of_tables_change_units_of_densities_only() -> None:
    likelihood = MixedTable(MIXED)
    x = mixed_rows(30, torch.Generator().manual_seed(30))
    logs = torch.randn(30, 6, generator=torch.Generator().manual_seed(31))
    dense = torch.ones(30, 6)
    dense[:, 0] = x[:, 1] * (x[:, 0] != -0.5) * (x[:, 0] != 2.0)
    dense[:, 3], dense[:, 5] = x[:, 3] != 1.25, (x[:, 5] != 0) * (x[:, 5] != 3)
    numbers = [0, 2, 3, 5]
    torch.testing.assert_close(likelihood.log_det(logs, x), (dense * logs)[:, numbers].sum(1))
    torch.testing.assert_close(likelihood.log_det(logs[0], x), (dense * logs[0])[:, numbers].sum(1))


def test_probabilities_do_not_depend_on_units() -> None:
    for likelihood in (Bernoulli(), DiscretisedLogistic(), Categorical()):
        assert likelihood.log_det(torch.tensor(5.0), torch.zeros(2, 4)) == 0.0
