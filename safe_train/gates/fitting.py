"""Fitting: a gate from a table of outcomes, and what it does on this table; no model is asked.

What is found of a learned gate is found out of fold: each question is scored by a gate that was not fitted on
its group. The gate that is kept is fitted on all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.core.options_file import installed_versions
from safe_eval.options import Sampling
from safe_eval.statistics.folds import folds_by_group
from safe_train.gates.all_gates import GATES, Recipe
from safe_train.gates.drop import AUDIO, Limits, can_show, not_shown, slice_rows
from safe_train.gates.features import CLAMP, features_of
from safe_train.gates.found import found_of, reliability_of
from safe_train.gates.gate import Decisions, check_scores, thresholded
from safe_train.gates.gate_facts import FORMAT_VERSION, FittedOn, GateFacts, MadeFor
from safe_train.gates.gate_files import FittedGate, fitted_gate
from safe_train.gates.heuristics import ALWAYS, CONSTANT_THRESHOLD, HEURISTICS, NEVER
from safe_train.gates.learned import FOLDS, check_labels, corrected, fit_network, scores_out_of_fold
from safe_train.gates.network import Network, Weights
from safe_train.gates.outcomes import Outcomes
from safe_train.gates.reference import best_constant, oracle_reference, scores_by_budget
from safe_train.gates.threshold import choose
from safe_train.settings.gate import GateConfig

RESAMPLES = 2_000
_VERSIONS = ("safe-hearing", "numpy", "scipy")

Scores = Float64[ndarray, " questions"]


@dataclass(frozen=True)
class Rules:
    """By what rule a gate was chosen, and what it may lose."""

    rule: str
    limits: Limits
    seed: int = 0
    alpha: float | None = None
    gamma: float | None = None


def fit_on(outcomes: Outcomes, config: GateConfig) -> FittedGate:
    """Fit a gate on a table of outcomes, and judge it there.

    Raises:
        InputError: the tokens were not tried, or not for every question, there are too few groups or labels
            for a learned gate, or the table does not say what it was made from.
    """
    if not outcomes.is_whole:
        raise InputError(
            "not every budget was tried for every question, so what a gate loses is not known; ask them all "
            "with --data and --backbone"
        )
    tokens = config.tokens or best_constant(outcomes, config.alpha)
    outcomes.column(tokens)
    scores, weights = _scored(outcomes, config, tokens)
    check_scores(config.kind, scores)
    limits = Limits(config.bound, config.vl_bound, config.confidence)
    notes: list[str] = []
    if config.kind in (ALWAYS, NEVER):
        threshold, gave_up = CONSTANT_THRESHOLD, False
    else:
        choice = choose(outcomes, scores, tokens, config.rule, limits)
        threshold, gave_up = choice.threshold, choice.gave_up
        if gave_up:
            notes.append("no threshold passed: this gate listens to every question")
    recipe = Recipe(config.kind, GATES[config.kind].features, threshold, tokens, (0, tokens))
    rules = Rules(config.rule, limits, config.seed, config.alpha)
    facts = facts_of(recipe, outcomes, thresholded(scores, threshold, tokens), rules, notes, gave_up=gave_up)
    return fitted_gate(facts, weights)


def facts_of(
    recipe: Recipe,
    outcomes: Outcomes,
    decisions: Decisions,
    rules: Rules,
    notes: list[str],
    *,
    gave_up: bool = False,
) -> GateFacts:
    """What gate.json says of a gate that decided so on this table; of a learned one, out of fold.

    `gave_up` says that the gate listens always because nothing better was shown to keep its limits.

    Raises:
        InputError: the table does not say what it was made from.
    """
    made_for, fitted_on = _origin(outcomes)
    found = found_of(outcomes, decisions, recipe.tokens, rules.limits)
    drops = found.drop_audio, found.drop_vl
    short = not_shown(drops)
    labels = corrected(outcomes, recipe.tokens)
    sampling = Sampling(confidence=rules.limits.confidence, resamples=RESAMPLES, seed=rules.seed)
    reliability = partial(reliability_of, outcomes, decisions.scores, labels, sampling=sampling)
    return GateFacts(
        format_version=FORMAT_VERSION,
        kind=recipe.kind,
        features=recipe.features,
        clamp=CLAMP if GATES[recipe.kind].learned else None,
        tokens=recipe.tokens,
        budgets=recipe.budgets,
        threshold=recipe.threshold,
        rule=rules.rule,
        confidence=rules.limits.confidence,
        alpha=rules.alpha,
        gamma=rules.gamma,
        seed=rules.seed,
        made_for=made_for,
        fitted_on=fitted_on,
        by_budget=scores_by_budget(outcomes),
        oracle=oracle_reference(outcomes),
        found=found,
        holds=not gave_up and found.keeps_limits,
        shown=all(map(can_show, drops)),
        notes=(*notes, *short),
        calibration=reliability(np.ones(len(outcomes), dtype=bool)),
        calibration_audio=reliability(slice_rows(outcomes, AUDIO)),
        versions=installed_versions(_VERSIONS),
    )


def _scored(outcomes: Outcomes, config: GateConfig, tokens: int) -> tuple[Scores, Weights]:
    """The score of each question, out of fold, and the weights of the gate that is fitted on all of them."""
    kind = GATES[config.kind]
    if kind.hidden is None:
        return HEURISTICS[config.kind](outcomes.states), {}
    labels = corrected(outcomes, tokens)
    check_labels(labels, tokens)
    features = features_of(outcomes.states, kind.features)
    folds = folds_by_group(outcomes.groups, FOLDS, seed=config.seed)
    fit: Callable[..., Network] = partial(fit_network, hidden=kind.hidden, l2=config.l2, seed=config.seed)
    return scores_out_of_fold(features, labels, folds, fit), fit(features, labels).weights


def _origin(outcomes: Outcomes) -> tuple[MadeFor, FittedOn]:
    """The checkpoint and the questions behind a table."""
    facts = outcomes.facts
    try:
        made_for = MadeFor(adapter_sha256=facts["adapter_sha256"], base_sha256=facts["base_sha256"])
        fitted_on = FittedOn(
            dataset=facts["dataset"]["name"],
            fingerprint=facts["dataset"]["fingerprint"],
            split=facts["split"],
            questions=len(outcomes),
            audio_questions=int(outcomes.needs_audio.sum()),
            groups=len(set(outcomes.groups)),
        )
    except (KeyError, TypeError) as error:
        raise InputError(
            f"these outcomes do not say what they are of ({error}); make them with `safe-train gate fit`"
        ) from None
    return made_for, fitted_on
