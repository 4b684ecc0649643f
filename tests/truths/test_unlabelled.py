"""Model M2 with labels that are not known, against a sum over all classes; and the batches that carry a few labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import isthmus
from isthmus import training
from isthmus.errors import DataError
from isthmus.training import Step


@pytest.fixture(scope="module")
def model(digits, digit_labels):
    labels = digit_labels[:300].copy()
    labels[100:] = -1
    return isthmus.ConditionalVAE(latent_dim=4, max_epochs=2, alpha=3.0, random_state=0).fit(digits[:300], labels)


def terms(model, records, labels):
    with torch.no_grad():
        return model.losses(Step(model.module_.scale(records), torch.Generator().manual_seed(7), labels))


def test_an_unlabelled_record_is_the_sum_over_its_classes(model, digits):
    """Equation 7: U(x) = sum_y q(y|x) (-log p(x|y,z) + KL(z) - log p(y)) - H(q(y|x)), by one labelled call a class."""
    records = torch.from_numpy(model.preprocessor_.encode(digits[:20]))
    found = terms(model, records, torch.full((20,), -1))
    with torch.no_grad():
        logits = model.module_.posterior_and_logits(model.module_.scale(records))[1]
    q = logits.softmax(1).double().numpy()
    nll = np.empty((20, 10))
    for y in range(10):
        for i in range(20):  # the same noise for each record: drawn for all, of which one is looked at
            labels = torch.full((20,), 0)
            labels[i] = y
            core, x = model.module_, model.module_.scale(records)
            with torch.no_grad():
                z, _ = core.posterior(x).draw(torch.Generator().manual_seed(7))
                nll[i, y] = core.nll(core.decode(core.code(z, labels)), x)[i]
    log_prior = model.module_.log_prior.double().numpy()
    entropy = -(q * np.log(q)).sum(1)
    wanted = (q * (nll - log_prior)).sum(1) - entropy
    assert float(found["reconstruction"] + found["class"]) == pytest.approx(wanted.mean(), rel=1e-5)
    assert float(found["kl"]) == pytest.approx(float(terms(model, records, torch.zeros(20, dtype=int))["kl"]), rel=1e-6)


def test_labelled_and_unlabelled_records_of_a_batch_add_up(model, digits, digit_labels):
    records = torch.from_numpy(model.preprocessor_.encode(digits[:40]))
    labels = torch.from_numpy(digit_labels[:40].copy())
    some = torch.where(torch.arange(40) < 10, labels, -1)
    whole, none = terms(model, records, labels), terms(model, records, torch.full((40,), -1))
    mixed = terms(model, records, some)
    with torch.no_grad():
        x = model.module_.scale(records)
        logits = model.module_.posterior_and_logits(x)[1]
        known = torch.nn.functional.cross_entropy(logits[:10], labels[:10])
        q, log_q = logits.softmax(1), logits.log_softmax(1)
        unknown = (q * (log_q - model.module_.log_prior)).sum(1)[10:].sum() / 40
    assert float(mixed["class"]) == pytest.approx(float(3.0 * known + unknown), rel=1e-5)
    low, high = sorted([float(whole["reconstruction"]), float(none["reconstruction"])])
    assert low - 5 < float(mixed["reconstruction"]) < high + 5


@pytest.mark.long
def test_unlabelled_records_help(digits, digit_labels):
    rows = np.concatenate([np.flatnonzero(digit_labels[:1200] == c)[:3] for c in range(10)])
    labels = np.full(1200, -1)
    labels[rows] = digit_labels[rows]
    common = {"latent_dim": 8, "hidden": (64,), "network": "dense", "alpha": 30.0, "random_state": 0}
    both = isthmus.ConditionalVAE(**common, max_epochs=15).fit(digits[:1200], labels, validation=0)
    alone = isthmus.ConditionalVAE(**common, max_epochs=300).fit(digits[rows], digit_labels[rows], validation=0)

    def error(model):
        return (model.class_logits(digits[1200:]).argmax(1) != digit_labels[1200:]).mean()

    assert error(both) < error(alone)


def test_class_logits_are_the_last_numbers_of_a_code(model, digits):
    chances = torch.from_numpy(model.class_logits(digits[:50])).softmax(1).numpy()
    assert model.transform(digits[:50])[:, 4:] == pytest.approx(chances, abs=1e-6)


@pytest.mark.parametrize("kind", [isthmus.ConditionalVAE, isthmus.LadderNetwork])
def test_no_label_at_all_is_refused(kind, digits):
    with pytest.raises(DataError, match=f"{kind.__name__}: at least some records must have a label, and all of them"):
        kind(max_epochs=1).fit(digits[:50], np.full(50, -1))


def test_a_missing_label_is_none_for_models_that_need_all(digits):
    labels = np.array(["a", "b"] * 25, dtype=object)
    assert isthmus.ConditionalGAN(max_epochs=1, latent_dim=2).fit(digits[:50], labels).classes_.tolist() == ["a", "b"]


# ---------------------------------------------------------------------- batches


@pytest.fixture
def paired():
    batches = training.ResidentBatches(torch.arange(100)[:, None], np.arange(90))
    batches.labels = torch.full((100,), -1)
    batches.labels[[3, 50, 70, 95]] = torch.tensor([0, 1, 0, 1])
    return training.PairedBatches(batches)


def test_every_batch_has_labelled_records_and_every_record_comes_once(paired):
    seen = []
    for records, rows in paired.epoch(32, torch.Generator().manual_seed(0)):
        assert torch.equal(records[:, 0], rows)
        assert sorted(rows[-3:].tolist()) == [3, 50, 70]  # not 95, which is held out
        assert (paired.labels_of(rows)[-3:] >= 0).all()
        seen += rows[:-3].tolist()
    assert sorted(seen) == list(range(90))


def test_labelled_records_take_turns(paired):
    paired.at_most = 2
    drawn = [rows[-2:].tolist() for _, rows in paired.epoch(30, torch.Generator().manual_seed(0))]
    assert sorted(row for rows in drawn for row in rows) == [3, 3, 50, 50, 70, 70]


def test_an_order_follows_from_the_generator_alone(paired):
    first, second = ([rows.tolist() for _, rows in paired.epoch(32, torch.Generator().manual_seed(1))] for _ in "ab")
    assert first == second


def test_without_labelled_records_batches_are_plain(paired):
    paired.labelled = np.empty(0, int)
    assert sum(len(rows) for _, rows in paired.epoch(32, torch.Generator())) == 90
