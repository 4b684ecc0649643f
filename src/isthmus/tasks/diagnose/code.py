"""Checks of the code: whether it is used, how wide it is, and where it lies."""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus import metrics
from isthmus.capabilities import HasPosterior, Quantises, has, has_prior
from isthmus.tasks.diagnose.examination import IGNORED, Examination, Float64
from isthmus.tasks.diagnose.finding import Finding, NotKnownError, percent

__all__ = [
    "beta_too_large",
    "classes_ignored",
    "code_ignored",
    "code_too_narrow",
    "code_too_wide",
    "codes_off_the_prior",
    "dead_entries",
    "dead_units",
    "penalty_too_large",
    "posterior_collapse",
    "saturated_code",
    "weight_decay_too_large",
]

# A unit whose variance is a millionth of the largest moves no output by as much as the rounding of 8-bit data.
DEAD = 1e-6
MANY_DEAD = 0.1  # of the units: below, a random start explains it
# A quarter of the width would do, with room for as much again.
FEW_USED = 0.25
# Of a code that is mostly zeros many units die, and the others tell the record: without a remedy up to nine of ten (Gao
# et al., "Scaling and evaluating sparse autoencoders", 2024, section 2.4), 0.6 at most in usual runs on digits.
MANY_DEAD_OF_SPARSE = 1 - FEW_USED
LEAST_UNITS = 8  # below which a code is not called wide
RECORDS_A_UNIT = 4  # from which on the effective rank of noise is 0.97 of the width
# Slope of a sigmoid, as a share of its largest, below which its unit learns a hundred times slower than another.
FLAT = 0.01
MOSTLY = 0.9
# Nats between the codes of records and those drawn, a unit: half a nat is a deviation 2.3 times too large, or a mean
# one deviation off. Healthy runs have 0.09 at most, those with a KL term of no weight 1.7.
OFF_THE_PRIOR = 0.5
# Of the entries that tokens could reach: default codebooks on 1,600 digits have a perplexity of a third or more.
UNUSED = 0.1
BARELY = 0.5  # a model that gives back less than half of the variance
WHOLE = {"beta": 1.0}  # default weights that are not reduced: of a bound's KL term
GAIN = 0.2  # of the variance, that a linear code of four times the size gives back more
# Variance among the means of classes, of what varies in new records; digits have 0.45 to 0.57.
NO_DIFFERENCE = 0.005
# Times what labels at random leave, of which a network memorises some: 1.9 were seen.
BY_CHANCE = 4


def beta_too_large(examined: Examination) -> Finding | None:
    """Find a code that was given up because it cost too much."""
    return _too_heavy(examined, "beta", "a code costs more KL than it lowers the error")


def penalty_too_large(examined: Examination) -> Finding | None:
    """Find a code that was given up for a penalty."""
    return _too_heavy(examined, "penalty", "the penalty costs more than a good reconstruction would earn")


def weight_decay_too_large(examined: Examination) -> Finding | None:
    """Find weights that were pulled to zero."""
    return _too_heavy(examined, "weight_decay", "weights are pulled to zero before they can learn anything")


def _too_heavy(examined: Examination, name: str, why: str) -> Finding | None:
    """Return a finding where a weight was raised, and little or nothing comes back."""
    value, usual = examined.asked(name), examined.default(name) if name in examined.parameters else None
    if value is None or value <= (usual or WHOLE.get(name, 0)):
        return None
    spread = examined.answer_spread
    if spread >= IGNORED and not _far_below_linear(examined):
        return None
    seen = f"The variance of the decoder's output over different codes is {percent(spread)} of that of the records"
    if spread >= IGNORED:
        seen = f"{percent(examined.share_lost)} of what varies in the records is lost, far more than by PCA"
    terms = {key: examined.history[-1][key] for key in examined.history[-1] if key.startswith("train_")}
    return Finding(
        f"{name.replace('_', '-')}-too-large",
        1.0,
        f"{seen}: with {name}={value:g} {why}.",
        {"answer_spread": spread, name: value, "usual": usual} | terms,
        f"Leave {name} at its default{'' if usual is None else f', {usual:g}'}.",
        {name: usual},
    )


def _far_below_linear(examined: Examination) -> bool:
    """Whether a linear code of the same size gives back much more; False where the two do not compare."""
    if examined.data is None or has_prior(examined.model) or not examined.is_number.all():
        return False
    size = examined.numbers_used
    return size < examined.max_components and examined.share_lost - examined.linear_share_lost(size) > GAIN


def posterior_collapse(examined: Examination) -> Finding | None:
    """Find a decoder that does without the code of a variational model."""
    examined.able("code_posterior")
    spread = examined.answer_spread
    if spread >= IGNORED:
        return None
    evidence: dict[str, Any] = {"answer_spread": spread}
    said = ""
    if examined.data is not None:
        information = metrics.mutual_information(*examined.posterior, random_state=examined.random_state)
        evidence["mutual_information"] = information.mutual_information.mean
        said = f", and the mutual information of codes and records is {information.mutual_information.mean:.2g} nats"
    return Finding(
        "posterior-collapse",
        0.92,
        f"The decoder ignores the code: the variance of its output over different codes is {percent(spread)} of that "
        f"of the records{said}. New records and reconstructions are all the same.",
        evidence,
        "Raise the weight of the KL term slowly (warm_up), or leave some nats of each unit free of it (free_bits=0.1).",
        {"warm_up": 0.3} if examined.parameters.get("warm_up", 0) < 0.3 else {"free_bits": 0.1},
    )


def code_ignored(examined: Examination) -> Finding | None:
    """Find a decoder that gives one answer for all codes."""
    spread = examined.answer_spread
    if spread >= IGNORED or has(examined.model, HasPosterior):
        return None
    return Finding(
        "code-ignored",
        0.9,
        f"The decoder's output hardly depends on the code: its variance is {percent(spread)} of that of the records. "
        f"The model returns the mean record.",
        {"answer_spread": spread},
        "Look at the loss curves: a loss that never fell needs another activation, scaling or rate.",
        {"activation": "silu"},
    )


def dead_units(examined: Examination) -> Finding | None:
    """Find units of a plain code that never move."""
    if has(examined.model, HasPosterior) or has(examined.model, Quantises):
        raise NotKnownError("only a plain code has units that should all move")
    variance = examined.codes.var(axis=0)
    size = np.square(examined.codes).mean()
    dead = int((variance <= DEAD * max(float(variance.max()), 1e-6 * float(size))).sum())
    usual = MANY_DEAD_OF_SPARSE if _is_sparse(examined.codes) else MANY_DEAD
    if dead <= usual * len(variance) and dead < len(variance):
        return None
    all_dead = dead == len(variance)
    return Finding(
        "dead-units",
        0.94 if all_dead else 0.64,
        f"{dead} of {len(variance)} units of the code are the same for every record: "
        + ("nothing passes it." if all_dead else "they hold nothing, and get no gradient that would wake them."),
        {"units": len(variance), "dead": dead},
        "Take an activation that does not go flat, or a lower rate; a sparse model wakes units with a larger k or a "
        "lower penalty.",
        {"activation": "silu"},
    )


def _is_sparse(codes: Float64) -> bool:
    return bool(np.mean(codes == 0) > 0.5)


def saturated_code(examined: Examination) -> Finding | None:
    """Find a bounded code that is stuck at its bounds."""
    z = examined.codes
    low, high = float(z.min()), float(z.max())
    bounded = (low >= 0.0 and high <= 1.0 and high - low > 0.5) or (-1.0 <= low < -0.5 and 0.5 < high <= 1.0)
    if not bounded or _is_sparse(z):
        return None
    slope = 4 * z * (1 - z) if low >= 0 else 1 - np.square(z)
    flat = float((slope < FLAT).mean())
    if flat <= MOSTLY:
        return None
    return Finding(
        "saturated-code",
        0.66,
        f"{percent(flat)} of the code's values lie at the ends of [{0 if low >= 0 else -1}, 1], where its function is "
        f"flat: these units are on or off, and have no gradient.",
        {"share_flat": flat, "low": low, "high": high},
        "End the encoder without sigmoid or tanh, or lower penalty, weight_decay or learning_rate.",
        {"penalty": examined.default("penalty")} if examined.asked("penalty") else {},
    )


def code_too_narrow(examined: Examination) -> Finding | None:
    """Find little comes back, and a wider code would bring more."""
    lost, size = examined.share_lost, examined.code_size
    if lost <= BARELY:
        return None
    wider = min(4 * size, examined.max_components // 2, examined.x.shape[1])
    same, better = examined.linear_share_lost(size), examined.linear_share_lost(wider)
    # A linear code of this size is no better either: it is the width that lacks, not the training.
    if same - better < GAIN or lost > same + GAIN:
        return None
    return Finding(
        "code-too-narrow",
        0.78,
        f"With {size} {'number' if size == 1 else 'numbers'} in a code {percent(1 - lost)} of what varies in the "
        f"records comes back; a linear code of {wider} gives back {percent(1 - better)}.",
        {"code_size": size, "share_lost": lost, "linear_share_lost": same, "wider": wider, "wider_share_lost": better},
        "Widen the code.",
        {"latent_dim": wider},
    )


def code_too_wide(examined: Examination) -> Finding | None:
    """Find a code of which little is used."""
    if examined.asked("latent_dim") is None or examined.code_size < LEAST_UNITS or has(examined.model, Quantises):
        return None
    used = _units_used(examined)
    if used >= FEW_USED * examined.code_size:
        return None
    return Finding(
        "code-too-wide",
        0.3,
        f"Of {examined.code_size} units of the code about {used:.0f} are used: the data need no more, and the others "
        f"cost time and memory.",
        {"units": examined.code_size, "used": used},
        "A smaller latent_dim gives the same reconstructions.",
        {"latent_dim": max(1, round(2 * used))},
    )


def _units_used(examined: Examination) -> float:
    """Return how many units say something of the record, or how many directions a plain code fills."""
    if has(examined.model, HasPosterior):
        mean, log_variance = examined.posterior
        return float(((mean.var(axis=0) / np.exp(log_variance).mean(axis=0)) > 0.01).sum())
    # Width is no matter of seen or unseen, and few records fill few directions.
    seen = examined.train is not None
    codes = np.asarray(examined.able("transform")(examined.seen), np.float64) if seen else examined.codes
    if len(codes) < RECORDS_A_UNIT * examined.code_size:
        raise NotKnownError("it needs more records for so wide a code")
    return metrics.effective_rank(codes)


def codes_off_the_prior(examined: Examination) -> Finding | None:
    """Find codes that do not lie where new ones are drawn."""
    if not has_prior(examined.model) or has(examined.model, Quantises):
        raise NotKnownError("the model has no prior of numbers")
    if examined.is_game:
        raise NotKnownError("the decoder learned from codes that were drawn, and knows them")
    drawn, codes = examined.prior_codes, examined.codes
    if has(examined.model, HasPosterior):
        mean, log_variance = examined.posterior
        noise = np.random.default_rng(examined.random_state).standard_normal(mean.shape)
        codes = mean + np.exp(0.5 * log_variance) * noise
    off = _nats_apart(codes, drawn[:, : codes.shape[1]])
    if off.mean() <= OFF_THE_PRIOR:
        return None
    worst = int(off.argmax())
    heavier = {
        name: 10 * value for name in ("beta", "penalty") if (value := examined.asked(name)) is not None and value > 0
    }
    lowered = {name: examined.default(name) for name in ("beta", "penalty") if examined.asked(name) is not None}
    return Finding(
        "codes-off-the-prior",
        0.7,
        f"Codes of records are not distributed as the prior: KL of {off.mean():.2g} nats a unit (unit {worst} "
        f"deviates by {codes[:, worst].std():.3g}, new codes by {drawn[:, worst].std():.3g}). New records come from "
        f"codes that the decoder has never seen.",
        {"nats_a_unit": float(off.mean()), "worst_unit": worst, "deviation": float(codes[:, worst].std())},
        "Raise the weight of the KL term (beta or penalty), or take prior='mixture', which fits the codes.",
        lowered or heavier or {"prior": "mixture"},
    )


def _nats_apart(codes: Float64, drawn: Float64) -> Float64:
    """Return KL(N(codes) || N(drawn)) of each unit, from means and variances."""
    tiny = 1e-12
    ratio = (codes.var(axis=0) + tiny) / (drawn.var(axis=0) + tiny)
    shift = np.square(codes.mean(axis=0) - drawn.mean(axis=0)) / (drawn.var(axis=0) + tiny)
    return np.asarray(0.5 * (ratio + shift - 1 - np.log(ratio)))


def dead_entries(examined: Examination) -> Finding | None:
    """Find a codebook of which few entries are used."""
    examined.able("code_indices")
    perplexity, entries = _codebook_use(examined)
    if perplexity > UNUSED * entries:
        return None
    return Finding(
        "dead-entries",
        0.9 if perplexity < 3 else 0.6,
        f"Of {entries:,} entries of the codebook about {perplexity:.1f} are used: every record is encoded in "
        f"these; the others cost bits and carry no information.",
        {"entries": entries, "perplexity": perplexity},
        "Take fewer entries, or quantisation='scalar', which has no codebook.",
        {"codebook_size": max(2, 2 ** round(np.log2(4 * perplexity)))}
        if perplexity >= 3
        else {"quantisation": "scalar"},
    )


def _codebook_use(examined: Examination) -> tuple[float, int]:
    """Return how many entries are used, as if they were used alike, and how many could be."""
    entries = int(examined.model.module_.quantiser.codebook_size)
    last = examined.history[-1]
    if "perplexity" in last:  # of all records trained on
        return float(last["perplexity"]), min(entries, int(examined.told("train_records")))
    indices = examined.code_indices
    perplexities = []
    for depth in range(indices.shape[2]):
        share = np.unique(indices[..., depth], return_counts=True)[1] / indices[..., depth].size
        perplexities.append(float(np.exp(-(share * np.log(share)).sum())))
    return float(np.mean(perplexities)), min(entries, indices[..., 0].size)


def classes_ignored(examined: Examination) -> Finding | None:
    """Find records of every class that look alike."""
    classes = np.stack(examined.samples_of_classes())
    among = float(classes.var(axis=0).sum(axis=1).mean())
    whole = float(classes.reshape(-1, classes.shape[2]).var(axis=0).sum())
    share = among / whole if whole > 0 else 0.0
    # Labels drawn at random leave (classes - 1) / (records - 1), which a network can memorise.
    by_chance = (len(examined.model.classes_) - 1) / max(1, int(examined.told("train_records")) - 1)
    if share >= max(NO_DIFFERENCE, BY_CHANCE * by_chance):
        return None
    return Finding(
        "classes-ignored",
        0.88,
        f"New records of one class and of another are the same: the class makes {percent(share)} of what varies in "
        f"them, random labels would make {percent(by_chance)}. The labels are unrelated to the records, or in another "
        f"order.",
        {"share_of_variance": share, "share_by_chance": by_chance, "classes": len(classes)},
        "Check that labels and records are in the same order; with a smaller code the class carries more.",
        {"latent_dim": max(1, examined.code_size // 4)},
    )
