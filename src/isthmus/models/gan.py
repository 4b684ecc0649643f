r"""Generative adversarial networks: a generator, and a critic that learns to tell its records from real ones.

Papers: Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014 (minimax and non-saturating); Mao et al., "Least
Squares GANs", ICCV 2017; Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017; Lim and Ye,
"Geometric GAN", 2017, with Miyato et al., "Spectral Normalization", ICLR 2018 (hinge); Huang, Gokaslan, Kuleshov and
Tompkin, "The GAN is dead; long live the GAN!", NeurIPS 2024 (R3GAN: relativistic, Jolicoeur-Martineau 2019, with both
gradient penalties). Noise: Gurumurthy, Sarvadevabhatla and Babu, "DeLiGAN", CVPR 2017.

::

    z ~ 1/K sum_k N(m_k, s_k^2) --G (generator)--> x~ --+
                                                        +--C (critic)--> how real
                                             x, data ---+
    x --E (encoder)--> the z from which G makes something like x

Objectives, each player lowering its own, with a = C(x), b = C(G(z)) and s = softplus::

    loss             critic                                        generator
    relativistic     s(b - a) + gamma/2 (||grad C(x)||^2           s(a - b)
                                         + ||grad C(G(z))||^2)
    non-saturating   s(-a) + s(b)                                  s(-b)
    minimax          s(-a) + s(b)                                  -s(b)
    least-squares    (a - 1)^2 / 2 + b^2 / 2                       (b - 1)^2 / 2
    wasserstein      b - a + 10 (||grad C(x^)|| - 1)^2             -b                     x^ between x and G(z)
    hinge            max(0, 1 - a) + max(0, 1 + b)                 -b                     C with unit spectral norms
    encoder, all     1/2 ||E(G(z)) - z||^2 - log p(x | G(E(x)))

With classes y (:class:`ConditionalGAN`): G(z, y) = m_y + g(z, y), where m_y is how far the mean record of class y lies
from that of all (in theta, the likelihood's parameters), and C(x, y) has an output for each class.

"relativistic" is the default because it converges, where the others may circle about the solution for ever (Mescheder,
Geiger and Nowozin, "Which Training Methods for GANs do actually Converge?", ICML 2018).

Differs from the papers: no paper has the encoder, which does not touch the game and gives every record a code. The
noise comes from many Gaussians, because a connected one cannot be mapped onto data in separate pieces without bridges
between them (Khayatkhoei, Singh and Elgammal, "Disconnected Manifold Learning for GANs", NeurIPS 2018). The critic sees
the numbers of narrow rows at several frequencies (:class:`isthmus.networks.Octaves`). To rows, real and generated, the
players add noise that fades (Sonderby, Caballero, Theis, Shi and Huszar, "Amortised MAP Inference for Image
Super-Resolution", ICLR 2017, section 3.2): pieces far apart have no slope of the critic between them that could tell
the generator which of them it visits too often, and blurred pieces have. m_y is no paper's: without it a generator
begins alike for all classes, and may draw one of them in another's place for hundreds of epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isthmus import checks, networks
from isthmus.base import Model
from isthmus.models.composition import DEFAULT_LATENT_DIM, compose
from isthmus.search import Choice, Number, SearchSpace, Whole
from isthmus.training import Batches, Player, Step

__all__ = ["GAN", "LOSSES", "ConditionalGAN", "squared_slope"]

CRITIC_MOVES = 5  # of a Wasserstein critic, for one of the generator
STRETCH = 10.0  # weight of the Wasserstein penalty
COMPONENTS = 100
DEVIATION = 0.05  # of each Gaussian at first, where their means are one apart from zero
NARROWEST, WIDEST = 128, 512  # of hidden layers, where records are rows or small pictures by default
SMALL = 256  # numbers in a small picture
STARTING = 2048  # records at most, that the means of classes at the start are those of
CHANGES = ("shift", "flip", "rotate", "elastic")  # of pictures before the critic: what a gradient goes through
LR_SCALE = 1 / 3  # of the optimiser's default rate
BLUR = 1.0  # deviation of the noise on rows at first, in deviations of a column
CLEAR = 0.6  # share of training after which there is none
BETAS = (0.0, 0.99)

Game = Callable[[Tensor, Tensor], Tensor]


def _both_sides(a: Tensor, b: Tensor) -> Tensor:
    return (F.softplus(-a) + F.softplus(b)).mean()


# name: what the critic lowers, and what the generator lowers, as functions of a = C(x) and b = C(G(z)).
LOSSES: dict[str, tuple[Game, Game]] = {
    "relativistic": (lambda a, b: F.softplus(b - a).mean(), lambda a, b: F.softplus(a - b).mean()),
    "non-saturating": (_both_sides, lambda a, b: F.softplus(-b).mean()),
    "minimax": (_both_sides, lambda a, b: -F.softplus(b).mean()),
    "least-squares": (
        lambda a, b: ((a - 1).square() + b.square()).mean() / 2,
        lambda a, b: (b - 1).square().mean() / 2,
    ),
    "wasserstein": (lambda a, b: (b - a).mean(), lambda a, b: -b.mean()),
    "hinge": (lambda a, b: (F.relu(1 - a) + F.relu(1 + b)).mean(), lambda a, b: -b.mean()),
}


def squared_slope(scores: Tensor, x: Tensor) -> Tensor:
    """Return ||grad C(x)||^2 of each record, (b,), through which a gradient reaches the critic.

    Parameters
    ----------
    scores : tensor, shape (b,)
        C(x), each of its own record alone.
    x : tensor, shape (b, ...)
        Records that ``scores`` were computed from.
    """
    (slope,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return slope.float().flatten(1).square().sum(1)


@dataclass(kw_only=True, eq=False, repr=False)
class GAN(Model):
    """Generative adversarial network: a generator and a critic trained against each other.

    Parameters
    ----------
    loss : {"relativistic", "non-saturating", "minimax", "least-squares", "wasserstein", "hinge"}, \
default="relativistic"
        What the two players lower: above.
    gamma : float, default=0.05
        Weight of the gradient penalties of "relativistic".
    components : int, optional
        Gaussians that the noise is drawn from, whose means and deviations are learned; by default 100 for rows, which
        often lie in separate pieces, and 1 for pictures and texts: a standard normal.
    network : {"auto", "dense", "convolutional", "residual"} or (encoder, decoder), default="auto"
        By the kind of data, or any two ``torch.nn.Module``. The critic sees whole records, and has a network alike.
    **common
        The parameters of every model: :class:`isthmus.base.Model`; the default ``latent_dim`` is 32, however narrow the
        records, the default optimiser "adam", and the default precision "float32". A likelihood gives records their
        range, and the encoder its scores; the game knows none. ``augment`` serves when records are few: real and
        generated pictures are changed before the critic sees them, a share of them that grows while the critic is too
        sure (Karras et al., NeurIPS 2020, section 3).

    Notes
    -----
    Training ends with the last weights, averaged over training: no held-out figure says which are the best.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import GAN
    >>> X = load_digits().images.astype("uint8")
    >>> model = GAN(latent_dim=8, max_epochs=2, random_state=0).fit(X)
    >>> model.sample(4, random_state=0).shape
    (4, 8, 8)
    """

    loss: str = "relativistic"
    gamma: float = 0.05
    components: int | None = None
    optimizer: str = "adam"
    precision: str = "float32"

    has_prior: ClassVar[bool] = True
    needs_factorised: ClassVar[bool] = True
    stops_early: ClassVar[bool] = False
    min_records: ClassVar[int] = 10
    alternative_for_few: ClassVar[str] = "VAE"
    min_batch_size: ClassVar[int] = 128  # of fewer, a critic sees some pieces of the data and not others
    search_space: ClassVar[SearchSpace] = {
        "latent_dim": Whole(2, 128, log=True),
        "learning_rate": Choice((None, 0.0005, 0.001, 0.003)),
        "loss": Choice(("relativistic", "non-saturating", "wasserstein", "hinge")),
        "gamma": Number(0.005, 1.0, log=True),
        "components": Choice((None, 1, 20, 100)),
    }

    def check_parameters(self) -> None:  # noqa: D102
        super().check_parameters()
        owner = type(self).__name__
        checks.choice(owner, "loss", self.loss, tuple(LOSSES))
        checks.number(owner, "gamma", self.gamma, low=0)
        checks.integer(owner, "components", self.components, low=1, optional=True)
        checks.check_network(owner, self.network, networks.WITHOUT_SEQUENCE)
        for kind in self.augment:
            checks.choice(owner, "each of augment", kind, CHANGES)

    def build(self, rng: torch.Generator) -> nn.Module:  # noqa: D102
        classes = len(self.classes_) if self.learns_classes else 0
        network, hidden = self._network_and_hidden()
        core = compose(
            self,
            rng,
            extra_dims=classes,
            width=self.latent_dim or DEFAULT_LATENT_DIM,
            network=network,
            hidden=hidden,
            core=networks.AdversarialCore,
        )
        core.augmentation = networks.Augmentation()  # what the critic sees is augmented, real or generated
        if classes:
            shape = core.likelihood.theta_shape(self.preprocessor_.shape_)
            core.with_classes(torch.as_tensor(self.class_counts_), shape)
        width, *sides = core.code_shape
        components = self.components or (COMPONENTS if len(self.preprocessor_.shape_) == 1 and not sides else 1)
        if components > 1 and sides:
            checks.vectors_only(type(self).__name__, f"components={components}")
        if components > 1:
            core.prior = networks.MixturePrior(width, components, rng, deviation=DEVIATION)
        core.critic = networks.Critic(
            core.likelihood.theta_shape(self.preprocessor_.shape_),
            max(1, classes),
            hidden,
            network=network if isinstance(network, str) else "auto",
            numbers=core.likelihood.n_quantities(self.preprocessor_.shape_),
            rng=rng,
            owner=type(self).__name__,
        )
        if self.loss == "hinge":
            for layer in core.critic.modules():
                if isinstance(layer, nn.Linear | nn.Conv2d):
                    nn.utils.parametrizations.spectral_norm(layer)
        return core

    def _network_and_hidden(self) -> tuple[Any, tuple[int, ...] | None]:
        """Return the networks: by default, dense ones of wide layers for rows and for small pictures.

        A game asks more of networks than a likelihood, and convolutions of a few pixels are too shallow for it.
        """
        shape = self.preprocessor_.shape_
        small = None not in shape and math.prod(side or 1 for side in shape) <= SMALL
        if self.network != "auto" or self.hidden is not None or not (small or len(shape) == 1):
            return self.network, self.hidden
        inputs = math.prod(side or 1 for side in shape)
        width = int(min(WIDEST, max(NARROWEST, 2 ** math.ceil(math.log2(2 * inputs)))))
        return "dense", (width,) * (3 if len(shape) == 1 else 2)

    def players(self) -> list[Player]:  # noqa: D102
        core = self.module_
        every = CRITIC_MOVES if self.loss == "wasserstein" else 1
        game: dict[str, Any] = {"lr_scale": LR_SCALE, "betas": BETAS, "in_validation": False}
        generator = (core.decoder, core.prior)
        return [
            Player("encoder", (core.encoder, core.likelihood), self.losses, lr_scale=LR_SCALE),
            Player("critic", (core.critic,), self.critic_losses, **game),
            Player("generator", generator, self.generator_losses, every=every, after=core.update_average, **game),
        ]

    # ------------------------------------------------------------------ the three objectives

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return the encoder's terms: -log p(x | G(E(x))) and 1/2 ||E(G(z)) - z||^2."""
        core = self.module_
        with torch.no_grad():
            wanted = core.code(self._noise(step), step.labels)
            made = core.likelihood.mean_with_sampled_categories(core.decode(wanted, step.size), step.rng)
        theta = core.decode(core.encode(step.x), step.size)
        return {
            "reconstruction": core.nll(theta, step.x).mean(),
            "code": (core.encode(made) - wanted).float().square().flatten(1).sum(1).mean() / 2,
        }

    def critic_losses(self, step: Step) -> dict[str, Tensor]:
        """Return the critic's loss and its gradient penalty."""
        core, penalised = self.module_, self.loss == "relativistic" and self.gamma > 0
        with torch.no_grad():
            real, fake = self._real_and_fake(step)
        real, fake = real.requires_grad_(penalised), fake.requires_grad_(penalised)
        a, b = core.judge(real, step.labels), core.judge(fake, step.labels)
        if self.augment and core.training:
            core.adapt(a, b)
        terms = {"loss": LOSSES[self.loss][0](a, b)}
        if penalised:
            terms["penalty"] = self.gamma / 2 * (squared_slope(a, real) + squared_slope(b, fake)).mean()
        elif self.loss == "wasserstein":
            share = torch.rand((len(real), *(1 for _ in real.shape[1:])), generator=step.rng, device=real.device)
            between = torch.lerp(real, fake, share).requires_grad_()
            slopes = squared_slope(core.judge(between, step.labels), between).add(1e-12).sqrt()
            terms["penalty"] = STRETCH * (slopes - 1).square().mean()
        return terms

    def generator_losses(self, step: Step) -> dict[str, Tensor]:
        """Return the generator's loss."""
        core = self.module_
        real, fake = self._real_and_fake(step)
        with torch.no_grad():
            a = core.judge(real, step.labels)
        return {"loss": LOSSES[self.loss][1](a, core.judge(fake, step.labels))}

    def _real_and_fake(self, step: Step) -> tuple[Tensor, Tensor]:
        """Return what the critic sees: a batch of records, and as many generated ones."""
        core, rng = self.module_, step.rng
        theta = core.generate(core.decoder, core.code(self._noise(step), step.labels), step.size or None)
        real, fake = core.likelihood.one_hot(step.x).float(), core.likelihood.rsample(theta, rng).float()
        real, fake = self._blurred(real, step), self._blurred(fake, step)
        return (self._changed(real, rng), self._changed(fake, rng)) if self.augment else (real, fake)

    def _blurred(self, x: Tensor, step: Step) -> Tensor:
        """Return rows with noise of a deviation that falls to zero in training; pictures and texts as they are."""
        deviation = BLUR * max(0.0, 1 - step.share / CLEAR)
        if deviation == 0 or len(self.preprocessor_.shape_) != 1:
            return x
        return x + deviation * torch.randn(x.shape, generator=step.rng, device=x.device)

    def _changed(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """Return pictures of which a share is augmented, real and generated ones alike."""
        chosen = torch.rand(len(x), generator=rng, device=x.device) < self.module_.strength
        return torch.where(chosen[:, None, None, None], networks.augment(x, self.augment, rng), x)

    def _noise(self, step: Step) -> Tensor:
        """Return a z of the prior for each record of a batch."""
        core = self.module_
        shape = core.code_shape
        if None in shape:
            with torch.no_grad():
                shape = (shape[0], *core.encoder(step.x[:1]).shape[2:])
        noise: Tensor = core.prior.sample((len(step.x), *shape), step.rng)
        return noise

    # ------------------------------------------------------------------ use

    def sample_codes(
        self, shape: tuple[int, ...], rng: torch.Generator, temperature: float = 1.0, labels: Tensor | None = None
    ) -> Tensor:
        """Return codes drawn from the prior, of the classes asked for or as frequent as among the records fitted on."""
        core = self.module_
        if core.classes and labels is None:
            labels = torch.multinomial(core.log_prior.exp().cpu(), shape[0], replacement=True, generator=rng)
        z = core.prior.sample((shape[0], shape[1] - core.classes, *shape[2:]), rng, temperature)
        codes: Tensor = core.code(z, None if labels is None else labels.to(z.device))
        return codes


@dataclass(kw_only=True, eq=False, repr=False)
class ConditionalGAN(GAN):
    """Generative adversarial network with labels: draws records of a given class.

    Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014. The generator takes the class beside z, and
    begins with each class about its mean record; the critic judges each class on its own output (Mescheder et al.
    2018). A code is z and the chance of each class.

    Parameters
    ----------
    **common
        The parameters of :class:`isthmus.GAN` and of every model: :class:`isthmus.base.Model`.

    Attributes
    ----------
    classes_ : ndarray
        The labels, sorted. The last ``len(classes_)`` numbers of a code are their chances.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import ConditionalGAN
    >>> digits = load_digits()
    >>> model = ConditionalGAN(latent_dim=8, max_epochs=2, random_state=0)
    >>> model.fit(digits.images.astype("uint8"), digits.target).sample(4, y=7, random_state=0).shape
    (4, 8, 8)
    """

    learns_classes: ClassVar[bool] = True
    alternative_for_few: ClassVar[str] = "ConditionalVAE"

    def prepare(self, batches: Batches, seed: int) -> None:
        """Start the generator at the mean record of each class."""
        if None in self.preprocessor_.shape_:
            return
        labels = batches.labels.cpu().numpy()[batches.rows]  # type: ignore[union-attr]
        most = max(1, STARTING // len(self.classes_))
        rows = np.sort(np.concatenate([batches.rows[labels == c][:most] for c in np.unique(labels)]))
        x = self.module_.scale(batches.read_rows(rows))
        self.module_.start_classes_at(x, batches.labels_of(torch.from_numpy(rows)))
