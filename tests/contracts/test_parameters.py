"""Parameters: a class has those that it can use, and files with the parameters of earlier versions stay readable."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from pathlib import Path

import numpy as np
import pytest

import isthmus
from isthmus import artifact, networks
from isthmus.cli import docstrings
from isthmus.errors import ArtifactError, ParameterError
from isthmus.models import REGISTRY

every_model = pytest.mark.parametrize("model", REGISTRY.values(), ids=REGISTRY)
FOLDER = Path(__file__).parent / "golden" / "parameters"  # written while models inherited parameters that they refused
OLD_FILES = sorted(path.stem for path in FOLDER.glob("*.safetensors"))
CLOSE = {"rtol": 1e-4, "atol": 1e-5}  # another processor sums in another order


def others(model, field):
    """Return values of a parameter's type that are not its default."""
    hint = typing.get_type_hints(model)[field.name]
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    words = re.findall(r'"([\w-]+)"', docstrings.of_class(model).types.get(field.name, ""))
    found = {
        int: [1, 2, 3],
        float: [0.1, 0.5, 2.0],
        bool: [True, False],
        str: [*words, *networks.ACTIVATIONS],
        typing.Any: words,
        types.NoneType: [None],
        tuple[int, ...]: [(2, 3)],
        tuple[float, ...]: [(0.5,)],
        tuple[str, ...]: [(word,) for word in words],
    }
    return [value for kind in kinds for value in found[kind] if value != field.default]


@every_model
def test_no_model_has_a_parameter_of_which_it_refuses_every_other_value(model):
    for field in dataclasses.fields(model):
        if not field.init or field.name in ("likelihood", "device", "random_state", "verbose"):
            continue
        refusals = []
        for value in others(model, field):
            try:
                model(**{field.name: value}).check_parameters()
                break
            except ParameterError as refusal:
                refusals.append(f"{value!r}: {refusal}")
        else:
            pytest.fail(f"{model.__name__} refuses every value of {field.name} but its default: {refusals}")


@every_model
def test_a_network_of_texts_is_offered_by_models_that_can_train_with_it(model):
    texts = ["some words", "more of them", "words"] * 10
    y = np.arange(len(texts)) % 2 if model.learns_classes else None
    one = model(network="sequence", max_epochs=0.1, random_state=0)
    if "sequence" in docstrings.of_class(model).choices("network"):
        one.fit(texts, y)
    else:
        with pytest.raises(ParameterError, match=r"network must be one of 'auto', 'dense'.*; it is 'sequence'"):
            one.fit(texts, y)


@every_model
def test_no_parameter_is_retired_or_renamed_that_the_class_has(model):
    names = {field.name for field in dataclasses.fields(model) if field.init}
    assert not names & (model.retired_parameters.keys() | model.renamed_parameters.keys())
    assert set(model.renamed_parameters.values()) <= names


@pytest.mark.parametrize("name", OLD_FILES)
def test_a_file_with_the_parameters_of_earlier_versions_means_what_it_meant(name):
    model = isthmus.load(FOLDER / f"{name}.safetensors")
    with np.load(FOLDER / "kept.npz") as kept:
        records = [kept["picture"]] if name.startswith("VQVAE") else kept["records"]
        np.testing.assert_allclose(np.stack(model.transform(records)), kept[name], **CLOSE)


@pytest.mark.parametrize("name", OLD_FILES)
def test_saved_anew_it_holds_the_parameters_of_today(name, tmp_path):
    model = isthmus.load(FOLDER / f"{name}.safetensors")
    model.save(tmp_path / "again.safetensors")
    stored = artifact.describe(tmp_path / "again.safetensors")["document"]["parameters"]
    assert stored.keys() == model.get_params(deep=False).keys()
    assert isthmus.load(tmp_path / "again.safetensors").get_params() == model.get_params()


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [("VAEGAN", "prior", "flow"), ("TotalCorrelationVAE", "free_bits", 0.5), ("LadderNetwork", "norm", "layer")],
)
def test_a_value_that_a_class_can_no_longer_stand_for_is_named(name, parameter, value, tmp_path):
    document, arrays = artifact.read(FOLDER / f"{name}.safetensors")
    document["parameters"][parameter] = value
    artifact.write(tmp_path / "model.safetensors", name, document, arrays)
    with pytest.raises(ArtifactError, match=f"its parameter {parameter} is {value!r}, and {name} no longer has that"):
        isthmus.load(tmp_path / "model.safetensors")


@pytest.mark.parametrize("parameter", ["prior", "components", "posterior", "k", "free_bits"])
def test_a_parameter_of_another_model_is_refused_by_name(parameter):
    with pytest.raises(ParameterError, match=f"VAEGAN has no parameter {parameter!r}"):
        isthmus.VAEGAN(**{parameter: 1})
