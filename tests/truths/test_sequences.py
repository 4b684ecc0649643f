"""Networks of texts: probabilities of all sequences sum to one, and nothing hangs on padding or on other records."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import isthmus
from isthmus import data
from isthmus.errors import IsthmusWarning, ParameterError
from isthmus.networks import Autoregressive, Facts, SequenceDecoder, SequenceEncoder, build, corrupt

END, LENGTH = 2, 3  # of sequences over the symbols 0 and 1
ONE = torch.ones(())
CORPUS = ["the cat sat", "a dog", "two birds fly", "no", "rain", "red wine", "old stone", "blue sky"]
EVERY = [
    [*letters, *(END,) * (LENGTH - len(letters))]
    for n in range(LENGTH + 1)
    for letters in itertools.product((0, 1), repeat=n)
]


@pytest.fixture
def likelihood() -> Autoregressive:
    """Return one of three symbols whose weights are far from their start."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        made = Autoregressive(width=4, units=8, context=2)
        made = made.prepare(Facts((LENGTH,), std=ONE, low=ONE, high=ONE, classes=END + 1)).double()
        for weights in made.parameters():
            torch.nn.init.normal_(weights, std=0.7)
    return made.eval()


def theta(seed: int = 0, length: int = LENGTH) -> Tensor:
    return torch.randn(1, 4, length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def log_probs(likelihood: Autoregressive, said: Tensor, sequences: list[list[int]]) -> Tensor:
    return likelihood.log_prob(said.expand(len(sequences), -1, -1), torch.tensor(sequences))


@pytest.mark.parametrize("seed", range(3))
def test_probabilities_of_all_sequences_sum_to_one(likelihood: Autoregressive, seed: int) -> None:
    with torch.no_grad():
        assert log_probs(likelihood, theta(seed), EVERY).exp().sum().item() == pytest.approx(1, abs=1e-9)


def test_training_without_blanks_counts_the_same_nats(likelihood: Autoregressive) -> None:
    likelihood.blanks = 0.0
    with torch.no_grad():
        judged = log_probs(likelihood, theta(), EVERY)
        assert torch.allclose(log_probs(likelihood.train(), theta(), EVERY), judged)


def test_what_follows_the_end_does_not_count(likelihood: Autoregressive) -> None:
    with torch.no_grad():
        short = log_probs(likelihood, theta(length=5)[..., :LENGTH], [[0, END, END]])
        assert torch.allclose(log_probs(likelihood, theta(length=5), [[0, END, 1, 0, 1]]), short)


def test_the_greedy_sequence_takes_the_likeliest_symbol_each_time(likelihood: Autoregressive) -> None:
    for seed in range(20):
        chosen: list[int] = []
        while len(chosen) < LENGTH and END not in chosen:
            # The chance of a beginning is the sum over all sequences that begin so.
            sums = [
                log_probs(likelihood, theta(seed), [s for s in EVERY if s[: len(chosen) + 1] == [*chosen, symbol]])
                .logsumexp(0)
                .item()
                for symbol in range(END + 1)
            ]
            chosen.append(int(np.argmax(sums)))
        assert likelihood.mean(theta(seed))[0].tolist() == [*chosen, *(END,) * (LENGTH - len(chosen))]


@pytest.mark.parametrize("level", [0.01, 0.3, 0.6])
@pytest.mark.parametrize("seed", range(4))
def test_a_denoised_sequence_is_the_likeliest_of_which_the_given_is_a_copy(
    likelihood: Autoregressive, seed: int, level: float
) -> None:
    said = 3 * theta(seed)
    with torch.no_grad():
        for given in EVERY:
            alike = [other for other in EVERY if other.count(END) == given.count(END)]
            same = torch.tensor([[a == b for a, b in zip(given, other, strict=True) if a != END] for other in alike])
            channel = (1 - level) * same + level / END
            best = int((log_probs(likelihood, said, alike) + channel.log().sum(1)).argmax())
            found = likelihood.denoised(said, torch.tensor([given]), level)
            assert found[0].tolist() == alike[best]


def test_draws_are_as_frequent_as_they_are_probable(likelihood: Autoregressive) -> None:
    n = 20_000
    drawn = likelihood.sample(theta().expand(n, -1, -1), torch.Generator().manual_seed(1)).tolist()
    chances = log_probs(likelihood, theta(), EVERY).exp().tolist()
    for sequence, chance in zip(EVERY, chances, strict=True):
        found = sum(row == sequence for row in drawn) / n
        assert abs(found - chance) < 5 * (chance * (1 - chance) / n) ** 0.5 + 1e-4


def networks(length: int = 21) -> tuple[SequenceEncoder, SequenceDecoder]:
    pair = build("sequence", (length,), (4, length), 6, rng=torch.Generator().manual_seed(0), symbols=9)
    return pair[0].eval(), pair[1].eval()  # type: ignore[return-value]


def test_a_code_does_not_depend_on_what_follows_the_end() -> None:
    encoder, _ = networks()
    x = torch.full((2, 21), 8)
    x[:, :5] = torch.tensor([1, 2, 3, 4, 5])
    x[1, 6:] = torch.arange(15) % 8  # behind the end symbol
    assert torch.equal(*encoder(x).detach())


def test_a_code_does_not_depend_on_other_records() -> None:
    encoder, decoder = networks()
    x = torch.randint(9, (64, 21), generator=torch.Generator().manual_seed(0))
    order = torch.randperm(64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        z = encoder(x)
        assert torch.equal(encoder(x[order]), z[order])
        assert torch.equal(decoder(z[order]), decoder(z)[order])


@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 100])
@pytest.mark.parametrize("options", [{}, {"norm": "layer"}, {"norm": "batch", "dropout": 0.1}, {"hidden": ()}])
def test_any_length_goes_through(length: int, options: dict) -> None:
    rng = torch.Generator().manual_seed(0)
    encoder, decoder = build("sequence", (length,), (4, length), 5, rng=rng, symbols=9, **options)
    said = decoder(encoder(torch.randint(9, (3, length))))
    assert said.shape == (3, 4, length)
    said.sum().backward()
    assert all(weights.grad is not None for module in (encoder, decoder) for weights in module.parameters())


def test_replaced_symbols() -> None:
    x = torch.randint(5, (200, 50), generator=torch.Generator().manual_seed(0))
    x[:, 40:] = 8
    changed = corrupt(x, "replacement", 0.2, torch.Generator().manual_seed(1), end=8)
    assert torch.equal(changed[:, 40:], x[:, 40:])
    assert changed.max() == 8
    assert changed[:, :40].max() < 5
    share = (changed != x)[:, :40].float().mean().item()
    assert share == pytest.approx(0.2 * 4 / 5, abs=0.02)  # a fifth of what is drawn is what was there


# ---------------------------------------------------------------------- models


@pytest.fixture(scope="module")
def fitted() -> isthmus.Autoencoder:
    return isthmus.Autoencoder(latent_dim=16, max_epochs=60, random_state=0).fit(CORPUS * 16, validation=0)


@pytest.mark.long
def test_texts_take_these_networks_by_default(fitted: isthmus.Autoencoder) -> None:
    assert fitted.likelihood_reason_ == "autoregressive, because the data are texts"
    assert isinstance(fitted.module_.encoder, SequenceEncoder)
    assert isinstance(fitted.module_.decoder, SequenceDecoder)


@pytest.mark.long
def test_a_tiny_corpus_is_reconstructed(fitted: isthmus.Autoencoder) -> None:
    assert fitted.reconstruct(CORPUS) == CORPUS
    assert fitted.inverse_transform(fitted.transform(CORPUS)) == CORPUS


@pytest.mark.long
def test_a_longer_text_is_cut_and_that_is_said(fitted: isthmus.Autoencoder) -> None:
    with pytest.warns(IsthmusWarning, match="1 text is longer than those of the fit, and is cut"):
        codes = fitted.transform(["two birds fly away"])
    assert np.array_equal(codes, fitted.transform(["two birds fly"]))


@pytest.mark.long
def test_records_do_not_depend_on_each_other(fitted: isthmus.Autoencoder) -> None:
    together, scores = fitted.transform(CORPUS), fitted.score_samples(CORPUS)
    for i, text in enumerate(CORPUS):
        assert np.array_equal(fitted.transform([text])[0], together[i])
        assert fitted.score_samples([text])[0] == scores[i]
        assert fitted.reconstruct([text]) == [text]


@pytest.mark.long
def test_a_file_gives_the_same(fitted: isthmus.Autoencoder, tmp_path: Path) -> None:
    fitted.save(tmp_path / "texts.safetensors")
    again = isthmus.load(tmp_path / "texts.safetensors")
    assert np.array_equal(again.transform(CORPUS), fitted.transform(CORPUS))
    assert np.array_equal(again.score_samples(CORPUS), fitted.score_samples(CORPUS))
    assert again.sample(5, random_state=3) == fitted.sample(5, random_state=3)


@pytest.mark.long
def test_a_denoising_autoencoder_of_texts_restores_replaced_letters() -> None:
    model = isthmus.DenoisingAutoencoder(latent_dim=16, max_epochs=60, random_state=0).fit(CORPUS * 16, validation=0)
    assert model.corruption_ == "replacement"
    assert model.reconstruct(["the czt sat", "two birzs fly"]) == ["the cat sat", "two birds fly"]
    found = model.provenance_["restoring"]
    assert found["after"] < found["before"]


@pytest.mark.long
def test_the_code_of_a_vae_is_used() -> None:
    model = isthmus.VAE(latent_dim=8, max_epochs=60, random_state=0).fit(CORPUS * 16, validation=0)
    assert sum(map(str.__eq__, model.reconstruct(CORPUS), CORPUS)) >= 6
    assert np.mean([text in CORPUS for text in model.sample(50, random_state=0)]) > 0.3


def test_corruptions_of_numbers_are_refused_for_texts_and_the_reverse() -> None:
    with pytest.raises(
        ParameterError, match=r"='gaussian' is for numbers or pictures, .* use corruption='replacement'"
    ):
        isthmus.DenoisingAutoencoder(corruption="gaussian", max_epochs=1).fit(CORPUS * 4)
    with pytest.raises(ParameterError, match=r"='replacement' is for texts, .* use corruption='gaussian'"):
        isthmus.DenoisingAutoencoder(corruption="replacement", max_epochs=1).fit("digits")


def test_a_model_that_needs_all_of_a_record_at_once_keeps_dense_networks() -> None:
    model = isthmus.GAN(max_epochs=1, random_state=0).fit(CORPUS * 4)
    assert model.likelihood_reason_.startswith("categorical")
    with pytest.raises(ParameterError, match="writes one symbol after the other"):
        isthmus.GAN(likelihood="autoregressive", max_epochs=1).fit(CORPUS * 4)


def test_networks_of_sequences_are_for_texts() -> None:
    with pytest.raises(ParameterError, match="network='sequence' is for texts; use network='auto'"):
        isthmus.Autoencoder(network="sequence", max_epochs=1).fit("digits")


# ---------------------------------------------------------------------- files of lines


def test_short_lines_of_a_file_are_records(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("one\n\nZürich\nfour")
    opened = data.open(tmp_path / "t.txt")
    assert (opened.schema.dtype, opened.schema.container, opened.schema.shape) == ("str", "list", (7,))
    assert opened.chunk(0, 4) == [b"one", b"", "Zürich".encode(), b"four"]
    assert opened.notes == ["t.txt was read as 4 lines, of 7 bytes at most; each is a record."]
    data.write(tmp_path / "again.txt", opened.chunk(0, 4), opened.schema)
    assert (tmp_path / "again.txt").read_text() == "one\n\nZürich\nfour\n"


def test_which_files_are_read_by_lines(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("short\n" + 1025 * "x" + "\n")
    assert len(data.open(tmp_path / "t.txt")) == 17
    assert len(data.open(tmp_path / "t.txt", lines=True)) == 2
    (tmp_path / "u.txt").write_text("one\ntwo\n")
    assert len(data.open(tmp_path / "u.txt")) == 2
    assert len(data.open(tmp_path / "u.txt", lines=False)) == 1
    assert len(data.open(tmp_path / "u.txt", window=4)) == 2
    windows = data.open(tmp_path / "u.txt", window=8).schema
    assert len(data.open(tmp_path / "u.txt", schema=windows)) == 1  # for a model that was fitted on windows
    for options in ({"window": 4}, {"as_bytes": True}):
        with pytest.raises(ParameterError, match=f"lines=True and {next(iter(options))} contradict each other"):
            data.open(tmp_path / "u.txt", lines=True, **options)
    with pytest.raises(ParameterError, match="lines is for text files"):
        data.open([[1.0, 2.0]], lines=True)
