"""Every model declares what of its parameters is worth trying, and whatever is drawn from it can be fitted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from isthmus.errors import ParameterError
from isthmus.models import REGISTRY
from isthmus.search import Choice, Number, Whole, drawn, range_from_dict

every_model = pytest.mark.parametrize("model", REGISTRY.values(), ids=REGISTRY)


@every_model
def test_a_space_has_parameters_of_its_model_and_their_usual_values(model):
    fields = {field.name: field.default for field in dataclasses.fields(model) if field.init}
    assert model.search_space
    for name, among in model.search_space.items():
        usual = fields[name]
        if isinstance(among, Choice):
            assert usual in among.values
        elif usual is not None:
            assert among.low <= usual <= among.high


@every_model
def test_every_drawn_setting_is_allowed(model):
    rng = np.random.default_rng(0)
    for _ in range(100):
        model(**drawn(model.search_space, rng)).check_parameters()


@every_model
def test_drawn_settings_can_be_fitted(model, digits, digit_labels):
    rng = np.random.default_rng(1)
    for _ in range(2):
        setting = drawn(model.search_space, rng) | {"hidden": None}
        fitted = model(**setting, max_epochs=1, random_state=0).fit(digits[:40], digit_labels[:40])
        assert np.isfinite(fitted.score_samples(digits[40:50])).all()


def test_ranges_draw_what_they_say_and_come_back_from_json():
    rng = np.random.default_rng(0)
    space = {"a": Whole(2, 5), "b": Number(0.01, 100.0, log=True), "c": Choice((None, (3, 2), "x"))}
    settings = [drawn(space, rng) for _ in range(500)]
    assert {one["a"] for one in settings} == {2, 3, 4, 5}
    assert {one["c"] for one in settings} == {None, (3, 2), "x"}
    below_one = np.mean([one["b"] < 1 for one in settings])
    assert below_one == pytest.approx(0.5, abs=0.08)  # evenly on a logarithmic scale
    assert {name: range_from_dict(among.to_dict()) for name, among in space.items()} == space
    assert Whole(2, 128).up_to(6) == Whole(2, 6)


def test_a_range_that_holds_nothing_is_refused():
    with pytest.raises(ParameterError, match="must go from low to high; it goes from 5 to 2"):
        Whole(5, 2)
    with pytest.raises(ParameterError, match="must go from low to high and both above 0; it goes from 0 to 1"):
        Number(0, 1, log=True)
    with pytest.raises(ParameterError, match="values must hold one value at least"):
        Choice(())
