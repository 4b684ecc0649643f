"""Checks of the training: its history, notes and parameters."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from isthmus.tasks.diagnose.examination import IGNORED, Examination
from isthmus.tasks.diagnose.finding import Finding, NotKnownError, percent
from isthmus.training import DEFAULT_STEPS, default_learning_rate

__all__ = [
    "batch_too_large",
    "batch_too_small",
    "critic_won",
    "learning_rate_too_high",
    "learning_rate_too_low",
    "no_held_out_records",
    "not_finite",
    "over_fitting",
    "stopped_too_early",
    "too_few_records",
]

# Each optimiser's default rate was chosen to be good within a factor of about 3 to either side; beyond that, a bad
# outcome is put down to the rate.
FAR_FROM_DEFAULT = 3.0
# The loss of a run at a default rate never rose above that of its first epoch by more than 0.05 of what it fell by in
# the end, for 11 models on 6 sets of records; at 30 times the default rate it rose by more than the whole fall.
CLIMBED = 0.5
# Where the loss falls as much in the second half of the moved distance as in the first, the run ended before its curve
# bent: at a tenth of the default rate and below the share is 0.49 to 0.53.
UNBENT = 0.35
# At the default rate healthy runs of 300 steps and more have 0.44 at most (24 kinds of models, 3 to 7 seeds each); runs
# of 100 to 140 steps have 0.51 to 0.72.
STEEP = 0.475
# A default run takes 4,000 steps (isthmus.training.default_epochs) and one of the smallest sets 300. In fewer than 100,
# a default run on digits has not left the mean record behind by a third of what it will in the end.
FEW_STEPS = 100
# Above so many steps a loss that still falls is called slow, not unfinished.
MANY_STEPS = 1000
# The held-out loss of default runs is lowest after half of their epochs or later, as the rate falls (0.49 at least, but
# for 178 wines: 0.18); where it turns at 0.2, the network can memorise its records.
EARLY = 0.35
TURNED = 0.2  # of what it had fallen by: less is the scatter of a few held-out records
# The weights of the best epoch are kept, so a turn by itself costs time only. It costs quality where, at that epoch, a
# third of what was learned holds for the records trained on alone: of runs that turn early, healthy ones have 0.19 at
# most, and those that memorise noise 0.48.
BY_HEART = 1 / 3
# Mean of -log of the chance that a critic gives to the right answer: at 0.05 it is right with 95 %. Where neither wins
# it is log 2 = 0.69 for pairs (relativistic), twice that for both answers together, 2 for hinges, 0.25 for squares.
WON = 0.05
PARTS = 3  # of a run, in which the generator's loss is compared
# With 100 weights for each number of the data, 30 digits were memorised in 60 epochs (held-out error 3 times
# that of the records trained on); default networks have below 50 for as few as 20 rows.
WEIGHTS_FOR_A_NUMBER = 100.0
# Terms that compare the records of a batch with each other, and need some: below 8, the estimate of the squared
# maximum mean discrepancy scatters by more than its value a unit from the prior (Gretton et al. 2012, theorem 10).
AMONG_RECORDS = ("mmd", "total_correlation")
MIN_BATCH_SIZE = 8


def not_finite(examined: Examination) -> Finding | None:
    """Find losses that were not finite, and from which the run came back."""
    found = _returns(examined)
    if not found:
        return None
    term = re.match(r"epoch (\d+): (.*) was not finite", found[0])
    where = f"{term[2]} in epoch {term[1]}" if term else "a loss"
    return Finding(
        "not-finite",
        0.9,
        f"Numbers ran out of range {_times(len(found))} ({where}), and the run went on at a lower learning rate, "
        f"at which it learned less.",
        {"returns": len(found), "notes": found},
        "Look for extreme values in the data, or lower the learning rate from the start.",
        {"learning_rate": _default_rate(examined) / 10},
    )


def learning_rate_too_high(examined: Examination) -> Finding | None:
    """Find a loss that climbed, blew up, or never came off the mean, at a rate far above the default."""
    rate = examined.asked("learning_rate")
    default = _default_rate(examined)
    ratio = (rate or default) / default
    returns, climb = len(_returns(examined)), _climb(examined)
    blew_up = returns > 0 and ratio > FAR_FROM_DEFAULT
    stuck = ratio > FAR_FROM_DEFAULT and _is_ignored(examined)
    if not (blew_up or stuck or climb > CLIMBED):
        return None
    seen = "the loss climbed far above where it began"
    if blew_up:
        seen = f"losses were not finite {_times(returns)}"
    elif stuck:
        seen = "the network gives one answer for all records"
    asked = f"the rate is {default:.3g}"
    if rate:
        asked = f"learning_rate={rate:g} is {ratio:.3g} times the default {default:.3g}"
    return Finding(
        "learning-rate-too-high",
        0.97,
        f"{seen[0].upper()}{seen[1:]}, and {asked}: the steps are too large.",
        {"learning_rate": rate or default, "usual": default, "returns": returns, "climb": climb},
        "Leave learning_rate at its default." if rate else "Lower learning_rate.",
        {"learning_rate": None if rate else default / 10},
    )


def learning_rate_too_low(examined: Examination) -> Finding | None:
    """Find a curve that had not bent when the run ended, at a rate far below the default."""
    rate = examined.asked("learning_rate")
    default = _default_rate(examined)
    if rate is None or rate * FAR_FROM_DEFAULT >= default:
        return None
    late = _late_share(examined)
    if late < UNBENT and not _is_ignored(examined):
        return None
    return Finding(
        "learning-rate-too-low",
        0.97,
        f"learning_rate={rate:g} is {default / rate:.3g} times below the default {default:.3g}, and the loss still "
        f"fell at the end as at the beginning: the weights have hardly changed.",
        {"learning_rate": rate, "usual": default, "share_of_fall_in_second_half": late},
        "Leave learning_rate at its default.",
        {"learning_rate": None},
    )


def stopped_too_early(examined: Examination) -> Finding | None:
    """Find a run that ended while its loss was still falling steeply, or before enough steps to learn anything."""
    steps, pace = int(examined.told("steps")), _pace(examined)
    late = _late_share(examined)
    # A share of NaN: the loss does not say.
    if steps >= FEW_STEPS and (steps >= MANY_STEPS * pace or not late >= STEEP):
        return None
    limit, changes = _what_ended_it(examined)
    falls = f" {percent(late)} of the fall of the loss came in the second half;" if np.isfinite(late) else ""
    return Finding(
        "stopped-too-early",
        0.95,
        f"The run took {steps:,} steps, a default one {DEFAULT_STEPS * pace:,.0f};{falls} it was ended by {limit} "
        f"while there was much left to learn.",
        {"steps": steps, "epochs": len(examined.history), "share_of_fall_in_second_half": late},
        "Train longer: by default the number of epochs follows from the number of records.",
        changes,
    )


def _pace(examined: Examination) -> float:
    """Return the share of the usual number of steps that a model takes by default: less where each takes long."""
    module = getattr(examined.model, "module_", None)
    return float(getattr(getattr(module, "likelihood", None), "steps", 1.0))


def batch_too_large(examined: Examination) -> Finding | None:
    """Find batches that leave too few steps, where the number of records would allow many more."""
    batch = examined.asked("batch_size")
    steps = int(examined.told("steps"))
    records = int(examined.told("train_records"))
    # With eight batches an epoch or more, it is the epochs that were few.
    if batch is None or steps >= FEW_STEPS or 8 * batch < records:
        return None
    return Finding(
        "batch-too-large",
        0.96,
        f"Batches of {batch:,} records make {-(-records // batch)} of the {records:,} records an epoch, and {steps:,} "
        f"steps in all: too few updates, however large the batches are.",
        {"batch_size": batch, "steps": steps, "records": records},
        "Leave batch_size at its default, a 64th of the records, from 32 to 512.",
        {"batch_size": None},
    )


def batch_too_small(examined: Examination) -> Finding | None:
    """Find batches too small for what is measured on them."""
    batch = examined.asked("batch_size")
    terms = [term for term in AMONG_RECORDS if np.isfinite(examined.curve(f"train_{term}")).any()]
    what = f"the term {terms[0]!r}" if terms else ""
    if examined.parameters.get("norm") == "batch":
        what = "the mean and deviation of norm='batch'"
    if batch is None or batch >= MIN_BATCH_SIZE or not what:
        return None
    return Finding(
        "batch-too-small",
        0.6,
        f"batch_size={batch} is too small for {what}, which compares the records of a batch with each other: its "
        f"estimate from so few is mostly noise.",
        {"batch_size": batch, "needed": MIN_BATCH_SIZE},
        "Leave batch_size at its default.",
        {"batch_size": None},
    )


def over_fitting(examined: Examination) -> Finding | None:
    """Find a held-out loss that turned up almost at once."""
    train, held_out = examined.losses
    if not np.isfinite(held_out).all():
        raise NotKnownError("no records were held out")
    fell = held_out[0] - held_out[examined.best]
    rose = held_out[-1] - held_out[examined.best]
    epochs = len(held_out)
    learned = train[0] - train[examined.best]
    by_heart = held_out[examined.best] - train[examined.best] - (held_out[0] - train[0])
    # Of fewer than ten epochs a third is three: no curve.
    if epochs < 10 or examined.best + 1 > EARLY * epochs or rose <= TURNED * max(fell, abs(train[0] - train[-1])):
        return None
    if by_heart <= BY_HEART * learned:
        return None
    return Finding(
        "over-fitting",
        0.65,
        f"The loss of held-out records was lowest after epoch {examined.best + 1} of {epochs} and then rose, while "
        f"that of the records trained on still fell: the network memorised these. The weights of epoch "
        f"{examined.best + 1} were kept.",
        {
            "best_epoch": examined.best + 1,
            "epochs": epochs,
            "held_out_best": float(held_out[examined.best]),
            "held_out_last": float(held_out[-1]),
            "train_best": float(train[examined.best]),
            "train_last": float(train[-1]),
            "share_by_heart": float(by_heart / learned) if learned > 0 else 1.0,
        },
        "Get more records, or regularise: smaller hidden, dropout, weight_decay, augment for pictures.",
        {"dropout": 0.2} if not examined.parameters.get("dropout") else {"hidden": (32,)},
    )


def critic_won(examined: Examination) -> Finding | None:
    """Find a critic that tells every new record from a real one, so that the generator learns nothing from it."""
    if not examined.is_game:
        raise NotKnownError("the model has no critic")
    critic, generator = examined.curve("train_critic_loss"), examined.curve("train_generator_loss")
    if critic.min() < 0:
        raise NotKnownError("the critic measures a distance, and gives no answers that are right or wrong")
    if len(critic) < 2 * PARTS:
        raise NotKnownError("the run has too few epochs")
    in_the_end = float(np.array_split(critic, PARTS)[-1].mean())
    losses = [float(part.mean()) for part in np.array_split(generator, PARTS)]
    if in_the_end > WON or losses != sorted(set(losses)):
        return None
    return Finding(
        "critic-won",
        0.91,
        f"The critic's loss fell to {in_the_end:.2g}, where it separates new records from real ones without error, and "
        f"the generator's rose from {losses[0]:.3g} to {losses[-1]:.3g}: it gets no useful gradient any more.",
        {"critic_loss": in_the_end, "generator_loss_first": losses[0], "generator_loss_last": losses[-1]},
        "Take the default loss and rate, raise gamma, or get more records: the critic memorises few of them.",
        {
            name: examined.default(name)
            for name in ("loss", "gamma", "learning_rate")
            if examined.asked(name) is not None
        },
    )


def no_held_out_records(examined: Examination) -> Finding | None:
    """Find nothing that would have shown when to stop."""
    if examined.is_held_out or not getattr(examined.model, "stops_early", False):
        return None
    records = int(examined.told("train_records"))
    return Finding(
        "no-held-out-records",
        0.3,
        f"All {records:,} records were trained on, so nothing shows whether the model memorised them, and "
        f"training could not stop in time.",
        {"records": records},
        "Hold some out: model.fit(X) does by default, from 20 records on; so does fit(X, validation=0.1).",
    )


def too_few_records(examined: Examination) -> Finding | None:
    """Find far more weights than numbers to learn them from."""
    module = getattr(examined.model, "module_", None)
    parts = [part for name in ("encoder", "decoder") if (part := getattr(module, name, None)) is not None]
    if not parts or None in examined.model.preprocessor_.shape_:
        raise NotKnownError("the model has no encoder and decoder for records of one size")
    weights = sum(weight.numel() for part in parts for weight in part.parameters())
    records = int(examined.told("train_records"))
    numbers = records * int(np.prod(examined.model.preprocessor_.shape_))
    if weights <= WEIGHTS_FOR_A_NUMBER * numbers:
        return None
    return Finding(
        "too-few-records",
        0.62,
        f"The network has {weights:,} weights, and the {records:,} records hold {numbers:,} numbers: enough weights to "
        f"memorise every one of them, {weights / numbers:.0f} for each.",
        {"weights": weights, "records": records, "numbers": numbers},
        "Get more records, or take a smaller network.",
        {"hidden": (32,)},
    )


# ------------------------------------------------------------------ figures of a run


def _returns(examined: Examination) -> list[str]:
    """Return the notes on returns to earlier weights."""
    return [note for note in examined.notes if "was not finite" in note]


def _default_rate(examined: Examination) -> float:
    return default_learning_rate(examined.parameters["optimizer"], int(examined.told("batch_size")))


def _climb(examined: Examination) -> float:
    """Return how far the training loss rose above its first epoch, as a share of how far it fell in the end."""
    if examined.is_game:
        return 0.0
    loss = examined.curve("train_loss")
    fell = max(float(loss[0] - loss.min()), 1e-3 * abs(float(loss[0])), 1e-9)
    return float(loss.max() - loss[0]) / fell


def _late_share(examined: Examination) -> float:
    """Return the share of a loss's fall that came in the second half of the distance moved.

    NaN of a short history, and of players whose losses do not fall.

    The distance that weights can move is the sum of the rates. At a rate that falls to zero the curve over epochs is
    flat at its end whatever is left to learn; over the distance it is not.
    """
    if examined.is_game or len(examined.history) < 4:
        return float("nan")
    train, held_out = examined.losses
    loss = np.minimum.accumulate(held_out if np.isfinite(held_out).all() else train)  # a rise is nothing left to learn
    moved = np.cumsum(examined.curve("learning_rate"))
    fell = loss[0] - loss.min()
    if not fell > 0:
        return 0.0
    half_way = float(np.interp((moved[0] + moved[-1]) / 2, moved, loss))
    return float(np.clip((half_way - loss.min()) / fell, 0.0, 1.0))


def _what_ended_it(examined: Examination) -> tuple[str, dict[str, Any]]:
    """Return the parameter that ended a run, in words, and what to change."""
    for name in ("max_epochs", "max_seconds", "patience"):
        value = examined.asked(name)
        if value is not None:
            return f"{name}={value:g}", {name: None}
    return "its default length for so few records", {"max_epochs": 4 * len(examined.history)}


def _is_ignored(examined: Examination) -> bool:
    try:
        return examined.answer_spread < IGNORED
    except NotKnownError:
        return False


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
