"""Which likelihood is chosen, why, and what is refused; against real preprocessors."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

import isthmus
from isthmus import data, preprocessing
from isthmus.errors import DataError, ParameterError
from isthmus.likelihood_choice import choose, facts_of
from isthmus.networks import (
    Bernoulli,
    DiscretisedLogistic,
    Gaussian,
    Huber,
    Likelihood,
    likelihood_from,
    likelihoods,
)

R = np.random.default_rng(0)
FLOATS = R.normal(size=(60, 4)) * [1, 5, 0.1, 30] + [0, 100, 0, -4]
WHOLE = R.integers(0, 10, size=(60, 4)).astype(np.float64)
GREY = R.integers(0, 256, size=(60, 8, 8)).astype(np.uint8)
COLOUR = R.integers(0, 256, size=(60, 6, 5, 3)).astype(np.uint8)
ONE_HOT = np.eye(5)[R.integers(0, 5, size=60)]
BINARY = R.integers(0, 2, size=(60, 6))
BINARY[0] = 1


def fitted(source: object) -> preprocessing.Preprocessor:
    records = data.open(source)
    return preprocessing.for_data(records).fit(records)


def prepared_for(preprocessor: preprocessing.Preprocessor, likelihood: object, scaling: str = "auto") -> Likelihood:
    """Return a likelihood as networks get it: the preprocessor is on its scale, and it knows the scaled data."""
    chosen = choose(preprocessor.summary_, likelihood, scaling)
    return chosen.likelihood.prepare(facts_of(preprocessor.rescale(chosen.scaling)))


@pytest.mark.parametrize(
    ("source", "name", "reason"),
    [
        (FLOATS, "gaussian", "gaussian, because the values have fractions; its scale is learned"),
        (WHOLE, "discretised-logistic", "discretised-logistic, because all values are whole numbers, from 0 to 9"),
        (GREY, "discretised-logistic", "discretised-logistic, because all values are whole numbers, from 0 to 255"),
        (COLOUR / 255.0, "gaussian", "gaussian, because the values have fractions; its scale is learned"),
        (ONE_HOT, "categorical", "categorical, because each row has exactly one 1 and otherwise zeros"),
        (BINARY, "bernoulli", "bernoulli, because all values are 0 or 1"),
        (
            WHOLE * 1e5,
            "gaussian",
            "gaussian, because the whole numbers span more than 65535 steps; its scale is learned",
        ),
        (["some text", "more"], "autoregressive", "autoregressive, because the data are texts"),
    ],
)
def test_auto(source: object, name: str, reason: str) -> None:
    chosen = choose(fitted(source).summary_)
    assert chosen.likelihood.name == name
    assert chosen.reason == reason


def test_auto_on_a_table() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": R.normal(size=60), "town": list("abc") * 20})
    preprocessor = fitted(frame)
    likelihood = prepared_for(preprocessor, "auto")
    assert choose(preprocessor.summary_).reason.startswith("table, because the data are a table")
    assert preprocessor.scaling_ == "standard"
    x = torch.from_numpy(preprocessor.encode(data.open(frame).take(np.arange(60))))
    theta = likelihood.initial_theta(likelihood.statistics(x)).expand(60, -1)
    assert torch.isfinite(likelihood.log_prob(theta, x)).all()


@pytest.mark.parametrize(
    ("source", "likelihood", "scaling", "used"),
    [
        (FLOATS, "auto", "auto", "standard"),
        (FLOATS, "laplace", "none", "none"),
        (FLOATS, "huber", "quantile", "quantile"),
        (GREY, "auto", "auto", "symmetric"),
        (GREY, "bernoulli", "auto", "unit"),
        (GREY, "discretised-logistic", "standard", "standard"),
        (WHOLE + 2000, "auto", "none", "none"),
        (WHOLE + 2000, "auto", "unit", "unit"),
        (COLOUR, "gaussian-fixed", "auto", "common"),
        (FLOATS, "gaussian-fixed", "auto", "common"),
        (BINARY, "bernoulli", "none", "none"),
        (ONE_HOT, "auto", "auto", "none"),
        (["some text", "more"], "auto", "auto", "none"),
    ],
)
def test_prepared_for_the_scaled_data(source: object, likelihood: str, scaling: str, used: str) -> None:
    preprocessor = fitted(source)
    prepared = prepared_for(preprocessor, likelihood, scaling)
    assert preprocessor.scaling_ == used
    records = data.open(source)
    encoded = torch.from_numpy(preprocessor.encode(records.take(np.arange(len(records)))))
    x = (
        encoded
        if prepared.codes
        else (encoded.float() - torch.from_numpy(preprocessor.shift_)) * torch.from_numpy(preprocessor.factor_)
    )
    theta = prepared.initial_theta(prepared.statistics(x)).expand(len(x), *prepared.theta_shape(preprocessor.shape_))
    assert torch.isfinite(prepared.log_prob(theta, x)).all()
    if isinstance(prepared, DiscretisedLogistic):
        low, high, step = prepared.low, prepared.high, prepared.step
        assert (x >= low - step / 4).all()
        assert (x <= high + step / 4).all()
        assert torch.allclose((x - low) / step, ((x - low) / step).round(), atol=1e-2)


@pytest.mark.parametrize(("source", "scales"), [(FLOATS, (4,)), (GREY, (1, 1, 1)), (COLOUR / 255.0, (3, 1, 1))])
def test_learned_scales_start_at_the_spread_of_scaled_data(source: np.ndarray, scales: tuple[int, ...]) -> None:
    likelihood = prepared_for(fitted(source), "gaussian")
    assert likelihood.width.parameter.shape == scales
    torch.testing.assert_close(likelihood.width.log().exp(), torch.ones(scales), atol=1e-5, rtol=0)


def test_whole_numbers_far_from_zero_keep_their_steps() -> None:
    preprocessor = fitted(WHOLE + 2000)
    likelihood = prepared_for(preprocessor, "auto", "none")
    assert likelihood.high.max() - likelihood.low.min() == 9
    assert float(likelihood.step.max()) == 1


def test_options_travel_as_json() -> None:
    for likelihood in (Huber(delta=2.0, scale=0.5), Gaussian(share="element"), Bernoulli()):
        again = likelihood_from(likelihood.to_dict())
        assert type(again) is type(likelihood)
        assert again.to_dict() == likelihood.to_dict()
        assert repr(again) == repr(likelihood)
    chosen = choose(fitted(FLOATS).summary_, Huber(delta=2.0).to_dict()).likelihood
    assert isinstance(chosen, Huber)
    assert chosen.delta == 2.0


def test_a_likelihood_given_is_not_changed() -> None:
    mine = Gaussian(share="feature")
    prepared = prepared_for(fitted(FLOATS), mine)
    assert prepared is not mine
    assert mine.width.parameter.shape == ()
    assert prepared.width.parameter.shape == (4,)
    assert choose(fitted(FLOATS).summary_, mine).reason == "gaussian, as asked"


def test_score_in_units_of_the_data_is_right_end_to_end() -> None:
    from isthmus.networks import Core

    preprocessor = fitted(FLOATS)
    likelihood = prepared_for(preprocessor, "gaussian")
    core = Core(torch.nn.Identity(), torch.nn.Identity(), likelihood, preprocessor.shift_, preprocessor.factor_)
    x = core.scale(torch.from_numpy(preprocessor.encode(FLOATS)))
    got = -core.nll(torch.zeros_like(x), x).detach().numpy()
    mean, std = FLOATS.mean(0), FLOATS.std(0)
    want = (-0.5 * ((FLOATS - mean) / std) ** 2 - np.log(std) - 0.5 * math.log(2 * math.pi)).sum(1)
    np.testing.assert_allclose(got, want, rtol=1e-4)


def test_the_choice_changes_no_preprocessor() -> None:
    preprocessor = fitted(FLOATS).rescale("standard")
    choose(preprocessor.summary_, "gaussian-fixed")
    facts_of(preprocessor)
    assert preprocessor.scaling_ == "standard"


def test_a_model_from_a_file_keeps_the_scaling_that_it_was_fitted_with(tmp_path) -> None:
    model = isthmus.Autoencoder(likelihood="gaussian-fixed", scaling="standard", max_epochs=1, random_state=0)
    model.fit(FLOATS).set_params(scaling="auto").save(tmp_path / "m.safetensors")  # whose own would be "common"
    loaded = isthmus.load(tmp_path / "m.safetensors")
    assert loaded.preprocessor_.scaling_ == "standard"
    assert loaded.likelihood_reason_ == model.likelihood_reason_ == "gaussian-fixed, as asked"
    assert np.array_equal(loaded.reconstruct(FLOATS), model.reconstruct(FLOATS))


class Half(Gaussian):
    """A likelihood that nothing else in the package knows: of values in [0, 0.5]."""

    name = "half"
    scaling: ClassVar[dict[str, str]] = {"array": "none"}
    needs = "values below a half"

    @classmethod
    def suits(cls, summary: Any, *, marginals: bool = False) -> str | None:
        return "no value is above a half" if summary.low.min() >= 0 and summary.high.max() <= 0.5 else None

    def check_support(self, summary: Any, owner: str) -> None:
        if summary.high.max() > 0.5:
            raise DataError(f"{owner}: too high")

    def fits_scaling(self, scaling: str, summary: Any) -> bool:
        return scaling == "none"


def test_a_likelihood_costs_its_class_and_two_places_in_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(likelihoods.LIKELIHOODS, "half", Half)
    monkeypatch.setattr(likelihoods, "DEFAULTS", [Half, *likelihoods.DEFAULTS])
    low, high = R.uniform(0, 0.5, size=(60, 4)), R.uniform(0.6, 1, size=(60, 4))
    chosen = choose(fitted(low).summary_)
    assert (chosen.likelihood.name, chosen.reason) == ("half", "half, because no value is above a half")
    assert chosen.scaling == "none"
    assert choose(fitted(high).summary_).likelihood.name == "gaussian"
    assert choose(fitted(COLOUR / 600).summary_).likelihood.name == "gaussian"  # it is not for pictures
    with pytest.raises(DataError, match="me: too high"):
        choose(fitted(high).summary_, "half", owner="me")
    sentence = r"me: likelihood='half' needs values below a half, which scaling='unit' .* use scaling='none' or 'auto'"
    with pytest.raises(ParameterError, match=sentence):
        choose(fitted(low).summary_, "half", "unit", owner="me")


def test_every_kind_of_data_has_a_default() -> None:
    assert {kind for cls in likelihoods.DEFAULTS for kind in cls.scaling} == {"array", "image", "table", "text"}
    for source in (FLOATS, WHOLE, GREY, COLOUR, ONE_HOT, BINARY, ["some text", "more"]):
        summary = fitted(source).summary_
        name, _ = likelihoods.default_likelihood(summary)
        chosen = likelihood_from(name)
        chosen.check_support(summary, "me")
        assert chosen.fits_scaling(chosen.default_scaling(summary.kind), summary)
        assert chosen.mismatch(summary) is None
    assert "the data have values between" in str(Bernoulli().mismatch(fitted(GREY).summary_))
