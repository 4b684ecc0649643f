"""Deliberately broken runs, each of which must be named first, and healthy ones, of which none may be accused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from torch import nn

import isthmus.data
from isthmus import (
    GAN,
    VAE,
    VAEGAN,
    VQVAE,
    AdversarialAutoencoder,
    Autoencoder,
    ConditionalGAN,
    ConditionalVAE,
    ContractiveAutoencoder,
    DenoisingAutoencoder,
    LadderVAE,
    RegularizedAutoencoder,
    SparseAutoencoder,
    TotalCorrelationVAE,
    WassersteinAutoencoder,
)
from isthmus.encoded import Encoded
from isthmus.errors import ParameterError, ShapeError
from isthmus.networks import Gaussian
from isthmus.tasks import Finding, diagnose, examine
from isthmus.tasks.diagnose import code, copies, examination, output, training
from isthmus.tasks.diagnose import data as data_checks
from isthmus.tasks.diagnose.diagnosis import CHECKS, CONSEQUENCES
from isthmus.tasks.diagnose.examination import Examination
from isthmus.tasks.diagnose.finding import NotKnownError

ROOT = Path(__file__).resolve().parents[2]
QUICK: dict[str, Any] = {"hidden": (64,), "max_epochs": 20, "random_state": 0}
LONG: dict[str, Any] = {"hidden": (32,), "max_epochs": 200, "random_state": 0}


class Run(NamedTuple):
    """A fitted model, and what it is judged by."""

    model: Any
    X: Any
    y: Any = None
    train: Any = None

    def kinds(self) -> list[str]:
        return [finding.kind for finding in diagnose(self.model, self.X, self.y, train=self.train)]


def fit(model: Any, X: Any, y: Any = None) -> Run:
    return Run(model.fit(X, y), X, y)


# ------------------------------------------------------------------ data

DIGITS, CLASSES = load_digits().images.astype(np.uint8)[:600], load_digits().target[:600]
NOISE = np.random.default_rng(0).normal(size=(600, 8))
UNIFORM = np.random.default_rng(0).random((200, 12))


def rows(n: int = 150, factors: int = 3, width: int = 8, noise: float = 0.1) -> np.ndarray:
    """Return rows of numbers that a few others explain."""
    rng = np.random.default_rng(0)
    found = rng.normal(size=(n, factors)) @ rng.normal(size=(factors, width))
    return found + noise * rng.normal(size=found.shape)


def changed(row: Any = slice(None), *, add: float = 0.0, times: float = 1.0) -> np.ndarray:
    """Return rows with something done to one column."""
    X = rows()
    X[row, 4] = times * X[row, 4] + add
    return X


def mixed(n: int = 400) -> pd.DataFrame:
    """Return a table of numbers, of which some are missing, a category, and a yes or no."""
    rng = np.random.default_rng(0)
    age, city = rng.integers(18, 80, n), rng.choice(["Bern", "Oslo", "Rome"], n)
    income = age * 900.0 + np.where(city == "Oslo", 9000, 0) + rng.normal(0, 3000, n)
    income[rng.random(n) < 0.1] = np.nan
    member = np.nan_to_num(income) > 40000
    return pd.DataFrame({"age": age, "income": income, "city": city, "member": member, "tall": rng.normal(170, 9, n)})


def switches() -> tuple[nn.Module, nn.Module]:
    """Return a network whose code is driven to the ends of tanh."""
    torch.manual_seed(0)
    first = nn.Linear(64, 8)
    first.weight.data *= 50
    return nn.Sequential(nn.Flatten(), first, nn.Tanh()), nn.Sequential(nn.Linear(8, 64), nn.Unflatten(1, (1, 8, 8)))


# ------------------------------------------------------------------ broken runs


def in_other_units() -> Run:
    run = fit(Autoencoder(**QUICK), DIGITS)
    return Run(run.model, DIGITS * np.uint8(15))


def twice() -> np.ndarray:
    return np.concatenate([DIGITS[:300]] * 2)


def by_heart() -> Run:
    model = Autoencoder(latent_dim=2, hidden=(128, 128), max_epochs=300, random_state=0)
    return Run(model.fit(UNIFORM[:100], validation=0), UNIFORM[100:], train=UNIFORM[:100])


def all_trained_on() -> Run:
    return Run(Autoencoder(**QUICK).fit(DIGITS, validation=0), DIGITS)


def labels_of_others() -> Run:
    return fit(ConditionalVAE(**QUICK), DIGITS, np.random.default_rng(0).permutation(CLASSES))


def drawer(change: Callable[[nn.Linear], None]) -> Run:
    """Return a GAN that drew well until something was done to the first weights of its generator."""
    run = fit(GAN(max_epochs=30, random_state=0), DIGITS)
    with torch.no_grad():
        change(next(part for part in run.model.module_.average.modules() if isinstance(part, nn.Linear)))
    return run


def hear_one_number(layer: nn.Linear) -> None:
    """Let noise through from one number of a code alone, as loud as before from all."""
    loudness = layer.weight.norm()
    layer.weight[:, 1:] = 0.0
    layer.weight *= loudness / layer.weight.norm()


def jumble(layer: nn.Linear) -> None:
    torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))


def tokens_by_heart() -> Run:
    model = VQVAE(latent_dim=16, codebook_size=512, optimizer="adam", **QUICK | {"max_epochs": 50})
    return Run(model.fit(DIGITS[:400], validation=0), DIGITS[400:], train=DIGITS[:400])


BROKEN: list[tuple[str, Callable[[], Run]]] = [
    ("learning-rate-too-high", lambda: fit(Autoencoder(learning_rate=30.0, **QUICK), DIGITS)),
    ("learning-rate-too-high", lambda: fit(VAE(learning_rate=3.0, **QUICK), DIGITS)),
    ("learning-rate-too-low", lambda: fit(Autoencoder(learning_rate=1e-6, **QUICK), DIGITS)),
    ("stopped-too-early", lambda: fit(Autoencoder(**QUICK | {"max_epochs": 1}), DIGITS)),
    ("batch-too-large", lambda: fit(Autoencoder(batch_size=600, **QUICK), DIGITS)),
    ("batch-too-small", lambda: fit(WassersteinAutoencoder(batch_size=2, **QUICK), DIGITS[:60])),
    ("over-fitting", lambda: fit(Autoencoder(latent_dim=8, **LONG | {"hidden": (128,)}), UNIFORM[:100])),
    ("no-held-out-records", all_trained_on),
    ("too-few-records", lambda: fit(Autoencoder(**LONG | {"hidden": (128, 128), "max_epochs": None}), rows(30))),
    ("values-out-of-range", in_other_units),
    ("unscaled-values", lambda: fit(Autoencoder(scaling="none", likelihood="gaussian", **LONG), 1000 * rows())),
    ("unscaled-values", lambda: fit(Autoencoder(scaling="none", likelihood="gaussian", **LONG), 1e-4 * rows())),
    ("dominating-column", lambda: fit(Autoencoder(scaling="common", **LONG), changed(times=1000.0))),
    ("extreme-values", lambda: fit(Autoencoder(**LONG), changed(row=7, add=1e4))),
    ("constant-columns", lambda: fit(Autoencoder(**LONG), changed(times=0.0, add=1.0))),
    ("duplicate-records", lambda: fit(Autoencoder(**QUICK), twice())),
    ("likelihood-mismatch", lambda: fit(Autoencoder(likelihood="bernoulli", **QUICK), DIGITS)),
    ("scale-mismatch", lambda: fit(VAE(likelihood=Gaussian(scale=0.01), **QUICK), DIGITS)),
    ("scale-mismatch", lambda: fit(VAE(likelihood="gaussian-fixed", scaling="unit", **QUICK), DIGITS / 16)),
    ("beta-too-large", lambda: fit(VAE(beta=1000, **QUICK), DIGITS)),
    ("penalty-too-large", lambda: fit(SparseAutoencoder(sparsity="l1", penalty=1e4, **QUICK), DIGITS)),
    ("penalty-too-large", lambda: fit(ContractiveAutoencoder(penalty=1e5, **QUICK), DIGITS)),
    ("weight-decay-too-large", lambda: fit(Autoencoder(weight_decay=30.0, **QUICK), DIGITS)),
    ("posterior-collapse", lambda: fit(VAE(latent_dim=4, **LONG | {"max_epochs": 40}), NOISE)),
    ("code-ignored", lambda: fit(Autoencoder(activation="sigmoid", **QUICK | {"hidden": (64,) * 8}), DIGITS)),
    ("dead-units", lambda: fit(SparseAutoencoder(latent_dim=128, k=1, **QUICK), DIGITS)),
    ("saturated-code", lambda: fit(Autoencoder(network=switches(), max_epochs=20, random_state=0), DIGITS)),
    ("code-too-narrow", lambda: fit(Autoencoder(latent_dim=1, **QUICK), DIGITS)),
    ("code-too-wide", lambda: fit(Autoencoder(latent_dim=16, **LONG), rows(factors=1, width=24, noise=0.001))),
    ("codes-off-the-prior", lambda: fit(VAE(beta=1e-5, **QUICK), DIGITS)),
    ("classes-ignored", labels_of_others),
    ("worse-than-pca", lambda: fit(Autoencoder(latent_dim=16, **QUICK | {"hidden": (4,)}), DIGITS)),
    ("memorisation", by_heart),
    # Of Wasserstein's game the generator has every fifth move: it has not spread out yet.
    ("mode-collapse", lambda: fit(GAN(loss="wasserstein", max_epochs=24, random_state=0), DIGITS)),
    ("mode-collapse", lambda: drawer(hear_one_number)),
    ("samples-unlike-records", lambda: drawer(jumble)),
    ("prior-over-fitted", tokens_by_heart),
]


@pytest.mark.long
@pytest.mark.parametrize(("kind", "make"), BROKEN, ids=[kind for kind, _ in BROKEN])
def test_a_broken_run_is_named_first(kind: str, make: Callable[[], Run]) -> None:
    run = make()
    found = diagnose(run.model, run.X, run.y, train=run.train)
    assert [finding.kind for finding in found][:1] == [kind]
    assert [finding.severity for finding in found] == sorted((f.severity for f in found), reverse=True)
    for finding in found:
        assert finding.sentence.endswith(".")
        assert finding.advice.endswith(".")
        json.dumps(finding.to_dict(), default=lambda value: value.tolist())
        # What is advised can be done.
        type(run.model)(**(run.model.get_params(deep=False) | finding.changes)).check_parameters()


# ------------------------------------------------------------------ healthy runs

WINE, CANCER = load_wine(as_frame=True).data, load_breast_cancer(as_frame=True).data

HEALTHY: dict[str, Callable[[], Run]] = {
    "autoencoder": lambda: fit(Autoencoder(max_epochs=20, random_state=0), DIGITS),
    "autoencoder, narrow": lambda: fit(Autoencoder(latent_dim=8, **QUICK), DIGITS),
    "autoencoder of rows": lambda: fit(Autoencoder(random_state=0), WINE.to_numpy()),
    "autoencoder of a table": lambda: fit(Autoencoder(max_epochs=60, random_state=0), CANCER),
    "autoencoder of a mixed table": lambda: fit(Autoencoder(max_epochs=60, random_state=0), mixed()),
    "denoising": lambda: fit(DenoisingAutoencoder(**QUICK), DIGITS),
    "sparse": lambda: fit(SparseAutoencoder(**QUICK), DIGITS),
    "sparse, l1": lambda: fit(SparseAutoencoder(sparsity="l1", **QUICK), DIGITS),
    "contractive": lambda: fit(ContractiveAutoencoder(**QUICK), DIGITS),
    "vae": lambda: fit(VAE(**QUICK), DIGITS),
    "vae, wide": lambda: fit(VAE(latent_dim=64, **QUICK), DIGITS),
    "vae of a mixed table": lambda: fit(VAE(max_epochs=60, random_state=0), mixed()),
    "conditional": lambda: fit(ConditionalVAE(**QUICK), DIGITS, CLASSES),
    "wasserstein": lambda: fit(WassersteinAutoencoder(**QUICK), DIGITS),
    "regularised": lambda: fit(RegularizedAutoencoder(**QUICK), DIGITS),
    "vector-quantised": lambda: fit(
        VQVAE(latent_dim=8, codebook_size=64, optimizer="adam", **QUICK | {"max_epochs": 40}), DIGITS[:450]
    ),
    "total correlation": lambda: fit(TotalCorrelationVAE(**QUICK), DIGITS),
    "ladder": lambda: fit(LadderVAE(**QUICK), DIGITS),
    "gan": lambda: fit(GAN(max_epochs=30, random_state=0), DIGITS),
    "gan of rows": lambda: fit(GAN(max_epochs=200, random_state=0), WINE.to_numpy()),
    "conditional gan": lambda: fit(ConditionalGAN(max_epochs=30, random_state=0), DIGITS, CLASSES),
    "vae and gan": lambda: fit(VAEGAN(**QUICK | {"max_epochs": 40}), DIGITS),
    "adversarial": lambda: fit(AdversarialAutoencoder(**QUICK | {"max_epochs": 80}), DIGITS),
}


@pytest.mark.long
@pytest.mark.parametrize("make", HEALTHY.values(), ids=HEALTHY)
def test_no_healthy_run_is_accused(make: Callable[[], Run]) -> None:
    run = make()
    assert run.kinds() == []
    assert Run(run.model, None).kinds() == []


@pytest.fixture(scope="module")
def sound() -> Run:
    return fit(VAE(latent_dim=8, **QUICK), DIGITS[:500])


def test_other_records_beside_those_of_the_fit(sound: Run) -> None:
    assert Run(sound.model, DIGITS[500:], train=DIGITS[:500]).kinds() == []


def test_copies_are_not_seen_in_records_of_another_kind(sound: Run) -> None:
    """New records are nearer to those of the fit than to others, where these are of another kind: no fault."""
    others = DIGITS[500:].transpose(0, 2, 1).copy()
    found = examine(sound.model, others, train=DIGITS[:500])
    assert "unlike those of the fit" in found.not_looked_at["copies among new records"]


# ------------------------------------------------------------------ copies

MIXED_UP = load_digits().images.astype(np.uint8)[np.random.default_rng(0).permutation(1797)]
SEEN, HELD_OUT, FRESH = MIXED_UP[:1200], MIXED_UP[1200:1240], MIXED_UP[1240:]


@pytest.fixture(scope="module")
def many_seen() -> Run:
    """Return a model of 1,200 records, of which 40 others are known."""
    return Run(VAE(**QUICK | {"max_epochs": 2}).fit(SEEN), HELD_OUT, train=SEEN)


def drawing(run: Run, records: np.ndarray, noise: float = 0.0) -> Examination:
    """Return the examination of a model that draws given records."""
    examined = Examination(run.model, isthmus.data.open(run.X), isthmus.data.open(run.train), 0)
    examined.samples = examined.rows(isthmus.data.open(records))
    examined.samples += noise * np.random.default_rng(0).normal(size=examined.samples.shape)
    return examined


def test_copies_are_found_where_few_records_were_held_out(many_seen: Run) -> None:
    """Of a copied record in thirty there would be a trace, were as few of those trained on looked at."""
    found = copies.memorised_records(drawing(many_seen, SEEN[:400]))
    assert (found.kind, found.evidence["identical"], found.evidence["held_out_identical"]) == ("memorisation", 1, 0)
    assert found.sentence == (
        "100 % of new records are identical to one trained on, which 0.0 % of those held out are: the model "
        "copies training records."
    )


def test_copies_with_a_little_noise_are_found() -> None:
    model = VAE(**QUICK | {"max_epochs": 2}).fit(SEEN)
    examined = drawing(Run(model, MIXED_UP[1200:1500], train=SEEN), SEEN[:400], noise=0.01)
    found = copies.memorised_records(examined)
    assert found.evidence["by_chance"] == 0.8
    assert found.sentence == (
        "100 % of new records are nearer to one trained on than to any held out, where 80 % would be by chance: the "
        "model copies training records."
    )


def test_real_records_that_nobody_saw_are_no_copies(many_seen: Run) -> None:
    examined = drawing(many_seen, FRESH)
    assert copies.memorised_records(examined) is None
    found = copies.copying(examined)
    assert found.by_chance == 1200 / 1240
    assert found.share_nearer == pytest.approx(found.by_chance, abs=0.02)
    assert examined.neighbours.searched == 1200


def test_chance_finds_no_copies() -> None:
    """Under one distribution the chance that is told is no smaller than it says: a tenth below 0.1, at most."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4))
    model = Autoencoder(latent_dim=2, hidden=(), max_epochs=1, random_state=0).fit(X)
    chances = []
    for _ in range(60):
        part = rng.permutation(3000)
        run = Run(model, X[part[:60]], train=X[part[60:300]])
        chances.append(copies.copying(drawing(run, X[part[300:500]])).p_value)
    assert np.mean(np.array(chances) < 0.1) < 0.1 + 3 * (0.09 / 60) ** 0.5


def test_a_collapsed_generator_is_no_copier() -> None:
    """A few records over and over, by chance all near ones trained on."""
    model = VAE(**QUICK | {"max_epochs": 2}).fit(SEEN)
    examined = drawing(Run(model, MIXED_UP[1200:1500], train=SEEN), np.repeat(SEEN[:3], 130, axis=0), noise=0.01)
    assert output.missing_variety(examined).kind == "mode-collapse"
    with pytest.raises(NotKnownError, match="new records are of a few kinds, which are near or far by chance"):
        copies.memorised_records(examined)


def test_among_very_many_records_some_are_searched(many_seen: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "SEARCHED", 300)
    examined = drawing(many_seen, FRESH)
    assert examined.neighbours.searched == 300
    real = examined.rows(isthmus.data.open(SEEN[examined.neighbours.indices]))
    np.testing.assert_array_equal(examined.neighbours.distances, np.linalg.norm(examined.samples - real, axis=1))


# ------------------------------------------------------------------ checks that need more than a short fit


class Game:
    """As much of a model as a check of its history looks at."""

    def __init__(self, loss: str = "relativistic", learning_rate: float | None = None) -> None:
        self.loss, self.learning_rate = loss, learning_rate

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"loss": self.loss, "learning_rate": self.learning_rate}


def game(critic: Any, generator: Any, **parameters: Any) -> Examination:
    model: Any = Game(**parameters)
    pairs = zip(np.asarray(critic, float), np.asarray(generator, float), strict=True)
    model.history_ = [{"train_critic_loss": one, "train_generator_loss": other} for one, other in pairs]
    return Examination(model, None, None, 0)


FALLS, RISES = 0.7 * 0.6 ** np.arange(12), 0.7 + np.arange(12)


def test_a_critic_that_won() -> None:
    found = training.critic_won(game(FALLS, RISES, loss="minimax"))
    assert found is not None
    assert (found.kind, found.grade, found.changes) == ("critic-won", "severe", {"loss": "relativistic"})
    assert found.sentence == (
        "The critic's loss fell to 0.0064, where it separates new records from real ones without error, and the "
        "generator's rose from 2.2 to 10.2: it gets no useful gradient any more."
    )
    assert training.critic_won(game(FALLS, RISES, learning_rate=1.0)).changes == {"learning_rate": None}
    assert training.critic_won(game(FALLS, RISES)).code == ""


@pytest.mark.parametrize(
    ("critic", "generator"),
    [(np.full(12, 0.69), np.full(12, 0.7)), (np.full(12, 0.5), RISES), (FALLS, RISES[::-1])],
    ids=["balance", "a generator that lags", "a generator that learns"],
)
def test_a_critic_that_did_not_win(critic: np.ndarray, generator: np.ndarray) -> None:
    assert training.critic_won(game(critic, generator)) is None


def test_where_a_critic_cannot_be_judged(sound: Run) -> None:
    for examined, sentence in [
        (game(-FALLS, RISES), "the critic measures a distance"),
        (game(FALLS[:4], RISES[:4]), "too few epochs"),
        (Examination(sound.model, None, None, 0), "the model has no critic"),
    ]:
        with pytest.raises(NotKnownError, match=sentence):
            training.critic_won(examined)


def test_players_of_a_game_have_no_loss_that_falls() -> None:
    with pytest.raises(NotKnownError, match="no loss that falls"):
        training.over_fitting(game(FALLS, RISES))


def test_a_codebook_of_which_little_is_used() -> None:
    model = VQVAE(latent_dim=4, codebook_size=64, hidden=(16,), max_epochs=3, random_state=0).fit(DIGITS[:300])
    examined = Examination(model, None, None, 0)
    model.history_[-1]["perplexity"] = 20.0
    assert code.dead_entries(examined) is None
    model.history_[-1]["perplexity"] = 4.0
    found = code.dead_entries(examined)
    assert (found.kind, found.changes) == ("dead-entries", {"codebook_size": 16})
    assert found.sentence.startswith("Of 64 entries of the codebook about 4.0 are used")


@pytest.mark.parametrize(
    ("value", "check", "kind"),
    [
        (-50.0, data_checks.scale_at_its_floor, "scale-at-its-floor"),
        (50.0, data_checks.scale_exploded, "scale-exploded"),
    ],
)
def test_scales_of_a_likelihood(value: float, check: Callable[[Examination], Finding | None], kind: str) -> None:
    model = VAE(latent_dim=2, **LONG | {"max_epochs": 5}).fit(rows())
    examined = Examination(model, None, None, 0)
    assert check(examined) is None
    model.module_.likelihood.width.parameter.data[2] = value
    assert check(examined).kind == kind


def test_losses_that_were_not_finite(sound: Run) -> None:
    examined = Examination(sound.model, None, None, 0)
    assert training.not_finite(examined) is None
    note = "epoch 3: train_kl was not finite; went back to its start with the learning rate times 0.1"
    sound.model.notes_ = [note]
    found = training.not_finite(examined)
    sound.model.notes_ = []
    assert (found.kind, found.evidence["returns"]) == ("not-finite", 1)
    assert "(train_kl in epoch 3)" in found.sentence


def another_class(run: Run) -> Run:
    """Let a model hear the next class than the one it is asked for, where its generator or decoder takes it in."""
    core, k = run.model.module_, len(run.model.classes_)
    with torch.no_grad():
        for decoder in {getattr(core, "average", core.decoder), core.decoder}:
            first = next(part for part in decoder.modules() if isinstance(part, nn.Linear))
            first.weight[:, -k:] = first.weight[:, -k:].roll(1, 1)
        if hasattr(core, "starts"):
            core.starts.copy_(core.starts.roll(1, 0))
    return run


@pytest.mark.long
@pytest.mark.parametrize(
    "make", [HEALTHY["conditional"], HEALTHY["conditional gan"]], ids=["conditional vae", "conditional gan"]
)
def test_a_model_that_does_not_listen_to_its_label(make: Callable[[], Run]) -> None:
    run = another_class(make())
    finding = diagnose(run.model, run.X, run.y)[0]
    assert (finding.kind, finding.grade) == ("classes-confused", "severe")
    assert finding.evidence["share_of_new"] < 0.35 * finding.evidence["share_of_real"]
    assert finding.evidence["classes_confused"] > 5
    assert "the model ignores the label" in finding.sentence
    without = examine(run.model, run.X)
    assert without.not_looked_at["classes that come out as others"] == "it needs the labels of the records"


# ------------------------------------------------------------------ ranking


def test_a_constant_column_by_itself_is_no_great_harm() -> None:
    run = fit(Autoencoder(**LONG), changed(times=0.0, add=1.0))
    (finding,) = diagnose(run.model, run.X)
    assert (finding.kind, finding.grade) == ("constant-columns", "slight")


def test_a_cause_is_told_without_its_consequences_and_as_grave_as_they_are() -> None:
    """Enough epochs would have given a code that is used: the short run is told, and what it led to is not."""
    run = fit(Autoencoder(**LONG | {"max_epochs": 2}), rows())
    kinds = {finding.kind: finding.grade for finding in diagnose(run.model, run.X)}
    assert kinds == {"stopped-too-early": "severe"}


def test_what_was_looked_at_and_what_was_not(sound: Run) -> None:
    found = examine(sound.model)
    assert sorted([*found.looked_at, *found.not_looked_at]) == sorted(CHECKS)
    assert found.not_looked_at["PCA with the same code size"].startswith("a model with a prior of codes pays")
    assert found.not_looked_at["records that repeat"] == "it needs records: pass DATA"
    with_records = examine(sound.model, sound.X)
    assert set(with_records.not_looked_at) < set(found.not_looked_at)


def test_grades() -> None:
    grades = [Finding("a", severity, "", {}, "").grade for severity in (1.0, 0.9, 0.89, 0.5, 0.3)]
    assert grades == ["severe", "severe", "moderate", "moderate", "slight"]


def test_every_kind_is_on_the_page_and_no_consequence_is_made_up() -> None:
    sources = (ROOT / "src/isthmus/tasks/diagnose").glob("*.py")
    kinds = {kind for path in sources for kind in re.findall(r'Finding\(\s*"([a-z-]+)"', path.read_text())}
    kinds |= {"beta-too-large", "penalty-too-large", "weight-decay-too-large"}
    page = (ROOT / "docs/doctor.md").read_text()
    assert kinds == set(re.findall(r"`([a-z-]+)`", " ".join(re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE))))
    assert {*CONSEQUENCES, *(kind for brings in CONSEQUENCES.values() for kind in brings)} <= kinds


# ------------------------------------------------------------------ sentences


def test_sentences(sound: Run) -> None:
    with pytest.raises(ParameterError, match=r"diagnose: the model must be fitted; call VAE\.fit"):
        diagnose(VAE())
    with pytest.raises(ParameterError, match=r"diagnose: the model must have the method transform\(\)"):
        diagnose(object())
    with pytest.raises(ParameterError, match="random_state must be a whole number of at least 0; it is -1"):
        diagnose(sound.model, random_state=-1)
    with pytest.raises(ShapeError):
        diagnose(sound.model, np.zeros((30, 5, 5), np.uint8))


# ------------------------------------------------------------------ columns of what is drawn


def shops(n: int = 1500, seed: int = 0) -> pd.DataFrame:
    """Return a table with a code, an amount that is mostly zero, and numbers that depend on each other."""
    rng = np.random.default_rng(seed)
    region, size = rng.integers(0, 2, n), rng.lognormal(3, 1, n)
    return pd.DataFrame(
        {
            "code": rng.choice([1, 5, 9, 40], n, p=[0.5, 0.2, 0.2, 0.1]),
            "gain": np.where(rng.random(n) < 0.9, 0, size * (1 + region)).round(),
            "age": rng.normal(40 + 15 * region, 9).round().astype(int),
            "region": np.where(region == 1, "north", "south"),
            "turnover": 3 * size + rng.normal(size=n),
            "size": size,
        }
    )


COLUMN_CHECKS = {"values that many records share", "values that no record has", "columns that depend on each other"}


def of_columns(run: Run) -> list[Finding]:
    """Return what the checks of columns find, by themselves."""
    examined = Examination(run.model, isthmus.data.open(run.X), None, 0)
    return [finding for what in sorted(COLUMN_CHECKS) if (finding := CHECKS[what](examined)) is not None]


class Shuffled(VAE):
    """What it draws has every column as records have it, each by itself."""

    def sampled(self, n: int = 1, **options: Any) -> Encoded:
        drawn = super().sampled(n, **options)
        return drawn.replaced(np.random.default_rng(0).permuted(drawn.array, axis=0))


@pytest.mark.long
def test_shares_and_values_that_a_density_loses_are_found() -> None:
    X = shops()[["code", "gain", "age", "turnover"]].to_numpy(float)
    run = fit(VAE(likelihood="gaussian", scaling="standard", max_epochs=30, random_state=0), X)
    made_up, shares = sorted(of_columns(run), key=lambda finding: finding.kind, reverse=True)
    assert (shares.kind, made_up.kind) == ("shares-lost", "values-made-up")
    assert shares.evidence["column"] in ("column 0", "column 1")
    assert set(shares.evidence["columns"]) == {"column 0", "column 1"}
    assert abs(shares.evidence["share"] - shares.evidence["drawn"]) > 0.3
    assert made_up.evidence["columns"] == ["column 0"]
    assert made_up.evidence["values"] == [1, 5, 9, 40]
    assert made_up.changes == {"likelihood": "auto", "scaling": "auto"}
    run.model.set_params(**made_up.changes)
    assert of_columns(fit(run.model, X)) == []


@pytest.mark.long
def test_columns_that_are_drawn_one_by_one_are_found() -> None:
    (finding,) = of_columns(fit(Shuffled(max_epochs=30, random_state=0), shops()))
    assert finding.kind == "dependence-lost"
    assert finding.evidence["columns"] == ["column 'turnover'", "column 'size'"]
    assert finding.evidence["correlation"] > 0.9
    assert abs(finding.evidence["drawn"]) < 0.3


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_columns_of_sound_models_are_not_accused(seed: int) -> None:
    assert of_columns(fit(VAE(max_epochs=60, random_state=seed), shops(seed=seed))) == []
    assert of_columns(fit(VAE(max_epochs=60, random_state=seed), WINE)) == []
    assert of_columns(fit(Autoencoder(max_epochs=40, random_state=seed), mixed())) == []


def test_pixels_have_no_values_of_their_own_columns() -> None:
    run = fit(VAE(**QUICK), DIGITS.reshape(len(DIGITS), -1))
    assert {"values that many records share", "values that no record has"} <= set(
        examine(run.model, run.X).not_looked_at
    )
