"""What every model promises, found through the registry: no model is listed here by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

import isthmus
from isthmus import artifact, data
from isthmus.errors import (
    ArtifactError,
    DataError,
    FormatNumberError,
    OutputExistsError,
    ParameterError,
    ShapeError,
    UnavailableError,
)
from isthmus.models import REGISTRY
from isthmus.training import Step

# What has no gradient by design: a bias that cancels in differences of a critic's scores, the frequencies of a GAN's
# components, which are drawn, and the principal axes that a map starts from.
FIXED = {
    "AdversarialAutoencoder": {"critic.head.bias"},
    "VAEGAN": {"critic.head.bias"},
    "GAN": {"critic.head.bias", "prior.logits"},
    "ConditionalGAN": {"critic.head.bias", "prior.logits"},
    "Map": {"encoder.projection.weight", "encoder.projection.bias"},
}
QUICK = {"latent_dim": 3, "max_epochs": 2, "random_state": 0}
every_model = pytest.mark.parametrize("model", REGISTRY.values(), ids=REGISTRY)


def two(records):
    """Return labels of two classes, which models that learn no classes leave alone."""
    return np.arange(len(records)) % 2


@pytest.fixture(scope="module", params=REGISTRY.values(), ids=REGISTRY)
def fitted(request, digits, digit_labels):
    return request.param(**QUICK).fit(digits[:200], digit_labels[:200])


def test_a_row_does_not_depend_on_the_others(fitted, digits):
    X = digits[:150]
    codes, pictures, scores = fitted.transform(X), fitted.reconstruct(X), fitted.score_samples(X)
    for i in (0, 17, 149):
        assert np.array_equal(fitted.transform(X[i : i + 1])[0], codes[i])
        assert np.array_equal(fitted.reconstruct(X[i : i + 1])[0], pictures[i])
        assert fitted.score_samples(X[i : i + 1])[0] == scores[i]
    order = np.random.default_rng(0).permutation(150)
    assert np.array_equal(fitted.transform(X[order]), codes[order])


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", ">f4", "bool", "uint8", "uint16", "int64", "uint64"]
)
def test_any_layout_of_an_array_gives_the_same_codes(dtype, digits):
    X = digits[:120].reshape(120, -1).astype(dtype)
    model = isthmus.Autoencoder(latent_dim=3, max_epochs=1, random_state=0).fit(X)
    codes = model.transform(X)
    assert np.array_equal(model.transform(X[::-1]), codes[::-1])
    assert np.array_equal(model.transform(np.asfortranarray(X)), codes)
    assert np.array_equal(model.transform(np.repeat(X, 2, axis=1)[:, ::2]), codes)


@pytest.mark.parametrize("scaling", ["auto", "unit"])
def test_records_that_may_not_be_written_to_are_no_matter(scaling, digits):
    X = digits.reshape(len(digits), -1)[:100].copy()
    X.flags.writeable = False  # as those of a file that is mapped, or of a buffer
    torch.set_warn_always(True)  # else only the first warning of a process is seen
    try:
        model = isthmus.Autoencoder(scaling=scaling, likelihood="gaussian-fixed", max_epochs=1, random_state=0).fit(X)
        assert np.array_equal(model.transform(X), model.transform(X.copy()))
    finally:
        torch.set_warn_always(False)


@pytest.mark.parametrize("latent_dim", [1, 2])
@pytest.mark.parametrize("width", [2, 64])
def test_a_row_does_not_depend_on_the_others_where_layers_are_narrow(latent_dim, width, digits):
    X = digits[:200].reshape(-1, 64)[:, 20 : 20 + width].astype(np.float32)
    model = isthmus.Autoencoder(latent_dim=latent_dim, max_epochs=1, random_state=0).fit(X)
    codes, records = model.transform(X), model.reconstruct(X)
    for i in (0, 17, 199):
        assert np.array_equal(model.transform(X[i : i + 1])[0], codes[i])
        assert np.array_equal(model.reconstruct(X[i : i + 1])[0], records[i])


def test_there_and_back_is_decode_after_encode(fitted, digits):
    X = digits[:40]
    assert np.array_equal(fitted.inverse_transform(fitted.transform(X)), fitted.reconstruct(X))
    assert fitted.reconstruct(X).dtype == X.dtype
    assert fitted.transform(X).dtype == np.float32


def test_loss_of_a_batch_is_the_mean_of_its_records(fitted, digits, digit_labels):
    """Terms are nats per example: averaged over examples, and over nothing else."""
    records, labels = torch.from_numpy(fitted.preprocessor_.encode(digits[:8])), torch.from_numpy(digit_labels[:8])
    rng = torch.Generator().manual_seed(0)

    def reconstruction(rows):
        with torch.no_grad():
            its = labels[rows] if fitted.learns_classes else None
            return fitted.losses(Step(fitted.module_.scale(records[rows]), rng, its))["reconstruction"].item()

    by_chance = reconstruction(slice(8)) != reconstruction(slice(8))
    whole = np.array([reconstruction(slice(8)) for _ in range(500 if by_chance else 1)])
    each = np.array([reconstruction(slice(i % 8, i % 8 + 1)) for i in range(4000 if by_chance else 8)])
    error = 4 * (whole.var() / len(whole) + each.var() / len(each)) ** 0.5 if by_chance else 0.0
    assert whole.mean() == pytest.approx(each.mean(), rel=1e-5, abs=error)


def test_saved_and_loaded_gives_the_same_bits(fitted, digits, tmp_path):
    path = tmp_path / "model.safetensors"
    fitted.save(path)
    again = isthmus.load(path)
    assert type(again) is type(fitted)
    assert again.get_params() == fitted.get_params()
    assert np.array_equal(again.transform(digits), fitted.transform(digits))
    assert np.array_equal(again.score_samples(digits), fitted.score_samples(digits))


def test_samples_are_records_like_those_fitted_on(fitted, digits, tmp_path):
    drawn = fitted.sample(7, random_state=0)
    assert (drawn.shape, drawn.dtype) == ((7, 8, 8), digits.dtype)
    assert np.array_equal(drawn, fitted.sample(7, random_state=0))
    assert not np.array_equal(drawn, fitted.sample(7, random_state=1))
    assert drawn.min() >= 0
    assert drawn.max() <= 16
    fitted.save(tmp_path / "model.safetensors")
    assert np.array_equal(drawn, isthmus.load(tmp_path / "model.safetensors").sample(7, random_state=0))


def test_sampling_refuses_what_it_cannot_do(fitted):
    with pytest.raises(ParameterError, match="n must be a whole number of at least 1; it is 0"):
        fitted.sample(0)
    with pytest.raises(ParameterError, match=r"learned no classes|knows no class 'x'; its classes are 0, 1, 2"):
        fitted.sample(1, y="x")
    with pytest.raises(ParameterError, match="temperature must be a number of at least 0; it is -1"):
        fitted.sample(1, temperature=-1)


def mixed_table():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"age": rng.integers(18, 90, 80), "town": rng.choice(["Ulm", "Bonn"], 80), "pay": rng.normal(size=80)}
    )


@every_model
def test_nothing_that_could_learn_is_left_as_it_was(model):
    """A prior that no player trains draws from where no code lies."""
    table = mixed_table()
    short, long = (
        model(**QUICK | {"max_epochs": epochs, "precision": "float32"}).fit(table, two(table)) for epochs in (1, 3)
    )
    after = dict(long.module_.named_parameters())
    still = {name for name, value in short.module_.named_parameters() if torch.equal(value, after[name])}
    assert still <= FIXED.get(model.__name__, set())


@every_model
def test_tables_are_drawn_with_their_types(model):
    table = mixed_table()
    drawn = model(**QUICK).fit(table, two(table)).sample(30, random_state=0)
    assert dict(drawn.dtypes) == dict(table.dtypes)
    assert set(drawn["town"]) <= {"Ulm", "Bonn"}
    assert len(drawn) == 30


def test_history_has_every_term(fitted):
    terms = {name.removeprefix("train_") for name in fitted.history_[-1] if name.startswith("train_")}
    assert any(name.endswith("reconstruction") for name in terms)
    for record in fitted.history_:
        assert record["train_loss"] == pytest.approx(sum(record[f"train_{term}"] for term in terms - {"loss"}))
        assert {"epoch", "seconds", "learning_rate"} <= set(record)
        assert ("validation_loss" in record) == fitted.stops_early


@every_model
def test_arrays_tables_and_texts_train(model, blobs, tmp_path):
    table = mixed_table()
    table.loc[3, "pay"] = np.nan
    assert model(**QUICK).fit(blobs, two(blobs)).reconstruct(blobs[:3]).shape == (3, 6)
    back = model(**QUICK).fit(table, two(table)).reconstruct(table)
    assert dict(back.dtypes) == dict(table.dtypes)
    assert list(back.columns) == list(table.columns)


@every_model
def test_texts_train_or_are_refused_by_name(model):
    texts = ["an isthmus is narrow", "a strip of land", "two seas", "a code"] * 10
    if model.__name__ == "ContractiveAutoencoder":
        with pytest.raises(ParameterError, match=f"{model.__name__} needs numbers or pictures, not texts"):
            model(**QUICK).fit(texts, two(texts))
    else:
        assert all(isinstance(text, str) for text in model(**QUICK).fit(texts, two(texts)).reconstruct(texts[:4]))


@every_model
def test_pictures_of_six_sizes_train_in_one_fit(model, tmp_path):
    rng = np.random.default_rng(0)
    sizes = [(1, 1), (7, 13), (64, 64), (35, 32), (43, 10), (12, 37)] * 2
    pictures = data.open([rng.integers(0, 255, (*size, 3), dtype=np.uint8) for size in sizes], sizes="group")
    if model.__name__ in ("LadderNetwork", "Map"):  # which compare records number by number
        with pytest.raises(DataError, match=f"{model.__name__} needs records of one size; open the pictures with size"):
            model().fit(pictures, two(sizes))
        return
    fitted = model(max_epochs=1, random_state=0, latent_dim=2, hidden=(4, 4)).fit(pictures, two(sizes))
    back = fitted.reconstruct(pictures)
    assert [picture.shape for picture in back] == [(*size, 3) for size in sizes]
    again = fitted.inverse_transform(fitted.transform(pictures), sizes=sizes)
    assert all(np.array_equal(one, other) for one, other in zip(back, again, strict=True))


# ---------------------------------------------------------------------- networks of the user's own


def own_network() -> tuple[nn.Module, nn.Module]:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), nn.Linear(3, 64)


def test_any_module_may_be_encoder_and_decoder(digits, tmp_path):
    network = own_network()
    before = network[0][1].weight.clone()
    model = isthmus.Autoencoder(network=network, max_epochs=2, random_state=0).fit(digits)
    assert torch.equal(network[0][1].weight, before)  # the user's own copy is not trained
    model.save(tmp_path / "own.safetensors")
    with pytest.raises(ArtifactError, match=r"was fitted with a network of the user's own \(torch.nn.modules"):
        isthmus.load(tmp_path / "own.safetensors")
    again = isthmus.load(tmp_path / "own.safetensors", network=own_network())
    assert np.array_equal(again.transform(digits[:5]), model.transform(digits[:5]))


@pytest.mark.parametrize(
    ("family", "heads", "decoded"),
    [
        (isthmus.VAE(), 6, 3),
        (isthmus.VAE(prior="mixture"), 6, 3),
        (isthmus.VAE(posterior="flow"), 9, 3),
        (isthmus.VAE(prior="vamp"), 6, 3),
        (isthmus.ConditionalVAE(), 6 + 10, 3 + 10),
        (isthmus.TotalCorrelationVAE(), 6, 3),
        (isthmus.SparseAutoencoder(k=2), 3, 3),
    ],
)
def test_own_networks_serve_codes_with_several_heads(family, heads, decoded, digits, digit_labels):
    own = nn.Sequential(nn.Flatten(), nn.Linear(64, heads)), nn.Linear(decoded, 64)
    model = family.set_params(network=own, max_epochs=1, random_state=0).fit(digits[:200], digit_labels[:200])
    assert model.transform(digits[:5]).shape == (5, decoded)
    assert model.sample(3, random_state=0).shape == (3, 8, 8)


def test_an_own_encoder_without_enough_heads_is_told(digits):
    own = nn.Sequential(nn.Flatten(), nn.Linear(64, 7)), nn.Linear(3, 64)
    with pytest.raises(ShapeError, match="returns 7 numbers for one record, and needs 2 for each number of the code"):
        isthmus.VAE(network=own).fit(digits[:50])


# ---------------------------------------------------------------------- files


@pytest.fixture
def model_file(digits, tmp_path):
    path = tmp_path / "model.safetensors"
    isthmus.Autoencoder(**QUICK).fit(digits[:100]).save(path)
    return path


def test_a_file_is_not_overwritten_unasked(model_file):
    with pytest.raises(OutputExistsError, match="exists already; choose another name, or overwrite it with --force"):
        isthmus.load(model_file).save(model_file)
    isthmus.load(model_file).save(model_file, force=True)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused(model_file, share):
    content = model_file.read_bytes()
    model_file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ArtifactError, match=r"is damaged or cut short .*copy or download it again"):
        isthmus.load(model_file)


def test_any_altered_byte_is_found(model_file):
    content = model_file.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(content), 60):
        altered = bytearray(content)
        altered[position] ^= 1 << int(rng.integers(8))
        model_file.write_bytes(altered)
        with pytest.raises((ArtifactError, FormatNumberError)):
            isthmus.load(model_file)


def test_a_future_format_names_the_version_to_install(model_file, monkeypatch):
    monkeypatch.setattr(artifact, "FORMAT_NUMBER", 0)
    with pytest.raises(
        FormatNumberError, match=r"has format 1, this isthmus reads up to 0; it was written by isthmus"
    ) as caught:
        isthmus.load(model_file)
    assert caught.value.exit_code == 6


def test_another_class_is_refused(model_file):
    with pytest.raises(ArtifactError, match="holds a Autoencoder, not a SparseAutoencoder"):
        isthmus.SparseAutoencoder.load(model_file)


def test_a_full_disk_leaves_nothing_behind(model_file, tmp_path, monkeypatch):
    model = isthmus.load(model_file)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifact.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        model.save(tmp_path / "other.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors"]


def test_the_description_is_plain_json(model_file):
    from safetensors import safe_open

    with safe_open(model_file, framework="numpy") as file:
        envelope = json.loads(file.metadata()["isthmus"])
    assert envelope["format"] == 1
    assert envelope["class"] == "Autoencoder"
    assert envelope["document"]["parameters"]["latent_dim"] == 3


# ---------------------------------------------------------------------- sentences


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"latent_dim": 0}, "Autoencoder: latent_dim must be a whole number of at least 1, or None; it is 0."),
        ({"latent_dim": 2.5}, "Autoencoder: latent_dim must be a whole number of at least 1, or None; it is 2.5."),
        ({"optimizer": "adm"}, "Autoencoder: optimizer must be one of .* it is 'adm'; did you mean 'adam'?"),
        ({"dropout": 1.0}, "Autoencoder: dropout must be a number of at least 0 and below 1; it is 1.0."),
        (
            {"hidden": 128},
            r"Autoencoder: hidden must be a tuple of layer widths such as \(128, 64\), or None; it is 128.",
        ),
        ({"learning_rate": -1}, "Autoencoder: learning_rate must be a number above 0, or None; it is -1."),
        ({"likelihood": "bernouli"}, "did you mean 'bernoulli'"),
        ({"network": "dens"}, "did you mean 'dense'"),
        ({"augment": ("flop",)}, "each of augment must be one of .* it is 'flop'; did you mean 'flip'?"),
    ],
)
def test_a_bad_parameter_is_refused_before_training(digits, parameters, sentence):
    with pytest.raises(ParameterError, match=sentence) as caught:
        isthmus.Autoencoder(**parameters).fit(digits)
    assert caught.value.exit_code == 2


def test_an_unknown_parameter_names_the_nearest():
    with pytest.raises(ParameterError, match=r"Autoencoder has no parameter 'latent_dims'; did you mean 'latent_dim'?"):
        isthmus.Autoencoder(latent_dims=3)


def test_a_device_that_is_not_there_is_refused(digits):
    if torch.cuda.is_available():
        pytest.skip("this machine has it")
    with pytest.raises(UnavailableError, match="device 'cuda' is not on this machine; use 'auto' or 'cpu'") as caught:
        isthmus.Autoencoder(device="cuda").fit(digits)
    assert caught.value.exit_code == 5


def test_a_likelihood_outside_its_support_is_refused(blobs):
    with pytest.raises(DataError, match="bernoulli"):
        isthmus.Autoencoder(likelihood="bernoulli").fit(blobs)


def test_one_row_is_refused():
    with pytest.raises(DataError, match="1 sample"):
        isthmus.Autoencoder().fit(np.ones((1, 4)))
