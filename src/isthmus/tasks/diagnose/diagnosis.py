"""The diagnosis of a fitted model: what is wrong with it, how bad that is, and what to try.

Every check is one small function of an :class:`~isthmus.tasks.diagnose.examination.Examination`, which returns a
finding or None; the list below has all of them. Checks that need a method which the model lacks, or records which the
call was not given, are listed as not made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from isthmus import data as isthmus_data
from isthmus import telling
from isthmus.capabilities import Configurable, Encodes
from isthmus.checks import parameters as checks
from isthmus.checks import tasks as sentences
from isthmus.data import Data
from isthmus.errors import ParameterError
from isthmus.tasks.diagnose import classes, code, columns, copies, data, output, training
from isthmus.tasks.diagnose.examination import Examination
from isthmus.tasks.diagnose.finding import Finding, NotKnownError

__all__ = ["CHECKS", "Diagnosis", "Finding", "diagnose", "examine"]

Check = Callable[[Examination], Finding | None]

# What is looked at, in words; in the order in which checks cost.
CHECKS: dict[str, Check] = {
    "losses that are not finite": training.not_finite,
    "a learning rate too high": training.learning_rate_too_high,
    "a learning rate too low": training.learning_rate_too_low,
    "a run too short": training.stopped_too_early,
    "batches too large": training.batch_too_large,
    "batches too small": training.batch_too_small,
    "a critic that won": training.critic_won,
    "a held-out loss that turned up": training.over_fitting,
    "held-out records": training.no_held_out_records,
    "weights for the number of records": training.too_few_records,
    "the scale that the network sees": data.unscaled_values,
    "columns that outweigh the others": data.dominating_column,
    "extreme values": data.extreme_values,
    "columns that never vary": data.constant_columns,
    "values outside the range fitted on": data.values_out_of_range,
    "records that repeat": data.duplicate_records,
    "the likelihood and the values": data.likelihood_mismatch,
    "scales of the likelihood at their floor": data.scale_at_its_floor,
    "scales of the likelihood too large": data.scale_exploded,
    "a KL term that weighs too much": code.beta_too_large,
    "a penalty that weighs too much": code.penalty_too_large,
    "a weight decay too large": code.weight_decay_too_large,
    "collapse of the posterior": code.posterior_collapse,
    "a code that is ignored": code.code_ignored,
    "units that never move": code.dead_units,
    "units at the ends of their range": code.saturated_code,
    "a code too narrow": code.code_too_narrow,
    "a code too wide": code.code_too_wide,
    "codes that lie off the prior": code.codes_off_the_prior,
    "codebook entries that are not used": code.dead_entries,
    "classes that make no difference": code.classes_ignored,
    "classes that come out as others": classes.classes_confused,
    "PCA with the same code size": output.worse_than_pca,
    "errors of seen and unseen records": output.unseen_much_worse,
    "variety of new records": output.missing_variety,
    "new records among real ones": output.poor_samples,
    "values that many records share": columns.shared_values,
    "values that no record has": columns.values_made_up,
    "columns that depend on each other": columns.dependence,
    "copies among new records": copies.memorised_records,
    "the prior of tokens": output.prior_over_fitted,
}

# What a model that learned nothing shows besides: findings that need no cure of their own.
OUTCOMES = {
    "posterior-collapse",
    "code-ignored",
    "dead-units",
    "dead-entries",
    "saturated-code",
    "code-too-narrow",
    "code-too-wide",
    "codes-off-the-prior",
    "classes-ignored",
    "classes-confused",
    "worse-than-pca",
    "over-fitting",
    "mode-collapse",
    "samples-unlike-records",
    "dependence-lost",
    "scale-exploded",
    "prior-over-fitted",
}
NO_CODE = OUTCOMES - {"posterior-collapse", "code-ignored"}

# kind: the kinds that it brings about, which are not told beside it
CONSEQUENCES: dict[str, set[str]] = {
    "values-out-of-range": OUTCOMES | {"scale-mismatch", "memorisation"},
    "unscaled-values": OUTCOMES | {"dominating-column", "scale-mismatch", "not-finite", "learning-rate-too-high"},
    "learning-rate-too-high": OUTCOMES | {"not-finite", "stopped-too-early", "scale-mismatch"},
    "not-finite": {"scale-exploded"},
    "learning-rate-too-low": OUTCOMES | {"stopped-too-early", "scale-mismatch"},
    "batch-too-large": OUTCOMES | {"stopped-too-early", "scale-mismatch"},
    "stopped-too-early": OUTCOMES | {"scale-mismatch"},
    "critic-won": OUTCOMES,
    "beta-too-large": OUTCOMES | {"learning-rate-too-high"},
    "penalty-too-large": OUTCOMES | {"learning-rate-too-high"},
    "weight-decay-too-large": OUTCOMES | {"learning-rate-too-high"},
    "scale-mismatch": OUTCOMES,
    "posterior-collapse": NO_CODE,
    "code-ignored": NO_CODE,
    "classes-ignored": {"classes-confused"},
    "dead-units": {"code-ignored", "code-too-wide", "worse-than-pca", "code-too-narrow"},
    "dead-entries": {"code-ignored", "code-too-narrow", "mode-collapse", "samples-unlike-records", "prior-over-fitted"},
    "codes-off-the-prior": {"mode-collapse", "samples-unlike-records"},
    "saturated-code": {"code-too-narrow", "mode-collapse", "samples-unlike-records", "worse-than-pca"},
    "worse-than-pca": {"mode-collapse", "samples-unlike-records"},
    "code-too-narrow": {"samples-unlike-records", "mode-collapse"},
    "duplicate-records": {"memorisation", "scale-at-its-floor"},
    # The likelihood of a column without spread has no bound, and its gradient outweighs that of all others.
    "constant-columns": OUTCOMES | {"scale-at-its-floor", "scale-mismatch"},
    "memorisation": {"over-fitting"},
    "too-few-records": {"over-fitting"},
    "extreme-values": {"dominating-column"},
    "mode-collapse": {"samples-unlike-records", "shares-lost", "dependence-lost"},
    "samples-unlike-records": {"shares-lost", "values-made-up", "dependence-lost"},
}


@dataclass(frozen=True)
class Diagnosis:
    """What was found, and what was looked at.

    Parameters
    ----------
    findings : list of Finding
        The gravest first.
    looked_at : list of str
        What was checked.
    not_looked_at : dict of str to str
        What was not, and why.
    """

    findings: list[Finding]
    looked_at: list[str] = field(default_factory=list)
    not_looked_at: dict[str, str] = field(default_factory=dict)


@telling.tells
def diagnose(model: Any, X: Any = None, y: Any = None, *, train: Any = None, random_state: int = 0) -> list[Finding]:
    """Return what is wrong with a fitted model, the gravest first; an empty list where nothing was found.

    Nothing is trained. A finding that only follows from another is not told beside it.

    Parameters
    ----------
    model : fitted model
        History, notes, parameters and weights are looked at, and what else it can do: a model is asked for methods, and
        a check that it has none for is not made.
    X : array, data frame, path, or Data, optional
        Records to judge it by, at most 2,000 of them. Of the data of the fit the rows that it held out are judged.
        Without records, only what the model itself knows is looked at.
    y : array of shape (n,), optional
        Labels of the records.
    train : array, data frame, path, or Data, optional
        Records that it was fitted on, where ``X`` are others: memorisation and over-fitting show beside them.
    random_state : int, default=0
        Seed of the records chosen and drawn.

    Returns
    -------
    list of Finding
        Each with its kind, a sentence, the figures behind it, and what to try.

    Raises
    ------
    ParameterError
        The model is not fitted, or is none.
    DataError
        The data cannot be used with this model.

    Examples
    --------
    >>> from isthmus import VAE
    >>> from isthmus.tasks import diagnose
    >>> model = VAE(beta=1000, max_epochs=10, random_state=0).fit("digits")
    >>> finding = diagnose(model)[0]
    >>> finding.kind, finding.code
    ('beta-too-large', 'model.set_params(beta=None).fit(X)')
    """
    return examine(model, X, y, train=train, random_state=random_state).findings


@telling.tells
def examine(model: Any, X: Any = None, y: Any = None, *, train: Any = None, random_state: int = 0) -> Diagnosis:
    """Return what :func:`diagnose` does, and beside it what was looked at and what was not."""
    sentences.can("diagnose", model, Encodes, Configurable)
    sentences.is_fitted("diagnose", model)
    checks.integer("diagnose", "random_state", random_state, low=0)
    examined = Examination(model, _opened(model, X, y), _opened(model, train), random_state)
    found: list[Finding] = []
    diagnosis = Diagnosis(found)
    for what, check in CHECKS.items():
        try:
            finding = check(examined)
        except NotKnownError as reason:
            diagnosis.not_looked_at[what] = str(reason)
            continue
        diagnosis.looked_at.append(what)
        if finding is not None:
            found.append(finding)
    found[:] = _causes([_possible(model, finding) for finding in found])
    return diagnosis


def _causes(found: list[Finding]) -> list[Finding]:
    """Return the findings that follow from no other, each as grave as what it brings about, the gravest first."""
    explained = {kind for finding in found for kind in CONSEQUENCES.get(finding.kind, ())}
    causes = []
    for finding in found:
        if finding.kind not in explained:
            brings = CONSEQUENCES.get(finding.kind, set())
            severity = max(other.severity for other in found if other is finding or other.kind in brings)
            causes.append(replace(finding, severity=severity))
    return sorted(causes, key=lambda finding: -finding.severity)


def _possible(model: Any, finding: Finding) -> Finding:
    """Return a finding without changes that its model would refuse."""
    try:
        type(model)(**(model.get_params(deep=False) | finding.changes)).check_parameters()
    except ParameterError:
        return replace(finding, changes={})
    return finding


def _opened(model: Any, X: Any, y: Any = None) -> Data | None:
    """Return records as data of the shape that a model was fitted on."""
    if X is None:
        return None
    schema = model.schema_
    varies = schema.kind == "image" and None in schema.shape and not isinstance(X, Data)
    opened = isthmus_data.open(X, labels=y, sizes="group" if varies else None, schema=schema)
    return telling.belongs(isthmus_data.conform(opened, schema, type(model).__name__), X)
