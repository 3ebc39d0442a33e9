"""Gates: how often a model leaves the sound alone, and what that costs and saves.

Shares of decisions say what the gate did; drop, helped and harmed say what became of the answers; times say
what a user waits. None of them says whether another gate would have done better.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import Arm, ArmKey, Slices, shared_examples
from safe_eval.arms.consultation import CONSULTED, SKIPPED
from safe_eval.arms.pairs import ALWAYS_ON, always_on_of, baseline_of
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.results.gate_row import (
    DROP,
    HARMED,
    HELPED,
    INFLUENCED,
    TOKENS,
    GateRow,
    Items,
    Measure,
    Place,
    bare_row,
    measured_rows,
    seeds_row,
)
from safe_eval.results.gate_times import GATE_TIMES, time_rows
from safe_eval.results.irrelevance import FALSE_CONSULTATION, SEEN, IrrelevanceRow, is_irrelevant
from safe_eval.results.sound_kinds import ALL
from safe_eval.scorers.scorer import ANSWER_METRICS, RIGHT_FROM
from safe_eval.statistics.intervals import DIFFERENCE

TIMES_AND_TOKENS = (TOKENS, *GATE_TIMES)
# The measures, in the order of the table.
GATE_MEASURES = (SKIPPED, FALSE_CONSULTATION, DROP, HELPED, HARMED, INFLUENCED, *TIMES_AND_TOKENS)

INFLUENCE_NATS = 0.1  # of KL(gate off ‖ as answered), above which the sound moved the answer
BY_KL, BY_ANSWER = "influence_kl", "answer changed against mute_audio"


def gate_rows(arms: Arms, sampling: Sampling, irrelevance: Sequence[IrrelevanceRow]) -> Iterator[GateRow]:
    """The measures of each model that says whether it consulted the sound; of the baseline, none."""
    found = {(row.dataset, row.seed, row.model, row.condition): row for row in irrelevance if _is_false(row)}
    saying = {arm.key: arm for arm in arms.consultation.get(CONSULTED, ())}
    by_place: dict[Place, dict[int, ScoredArm]] = {}
    for key, arm in saying.items():
        if key.model != arms.pairing.baseline:
            by_place.setdefault((key.dataset, key.model, key.condition), {})[key.seed] = arm
    for place, by_seed in by_place.items():
        if is_irrelevant(place[2]):
            yield from _false_consultation(place, by_seed, found, sampling)
        if place[2] == "full":
            yield from _of_full(arms, place, by_seed, sampling)


def _is_false(row: IrrelevanceRow) -> bool:
    return row.measure == FALSE_CONSULTATION and row.sound == ALL


def _of_full(
    arms: Arms, place: Place, by_seed: Mapping[int, ScoredArm], sampling: Sampling
) -> Iterator[GateRow]:
    """What is measured under the untouched input alone."""
    whole = {seed: one.arm for seed, one in by_seed.items()}
    decided = {seed: _decisions(one) for seed, one in by_seed.items()}
    yield from measured_rows(Measure(SKIPPED), place, decided, sampling)
    skips = any(items.values.any() for items in decided.values())
    for metric in ANSWER_METRICS:
        scored = arms.judged.get(metric, ())
        own = {one.key.seed: one for one in scored if _place(one.key) == place}
        if own:
            yield from _drop(metric, own, scored, sampling, skips=skips)
            yield from _turned(own, scored, arms, sampling)
    yield from _influenced(place, whole, arms.arms, sampling)
    tokens = {seed: items for seed, arm in whole.items() if (items := _tokens(arm)) is not None}
    if tokens:
        most = max(float(items.values.max()) for items in tokens.values())
        yield from measured_rows(Measure(TOKENS, scale=(0.0, most or 1.0)), place, tokens, sampling)
    yield from time_rows(place, whole, arms, sampling)


def _place(key: ArmKey) -> Place:
    return key.dataset, key.model, key.condition


def _decisions(arm: ScoredArm) -> Items:
    """1 where the sound was skipped."""
    unsaid = ~np.isin(arm.arm.examples, arm.examples)
    return Items(1 - arm.scores, arm.examples, arm.clusters, arm.slices, _counts(unsaid, arm.arm.slices))


def _false_consultation(
    place: Place,
    by_seed: Mapping[int, ScoredArm],
    found: Mapping[tuple[str | None, int, str, str], IrrelevanceRow],
    sampling: Sampling,
) -> Iterator[GateRow]:
    """What irrelevance says of each seed, and the same over seeds."""
    decided = {seed: _decisions(arm) for seed, arm in by_seed.items() if SEEN in arm.slices}
    for seed in decided:
        row = found.get((place[0], seed, place[1], place[2]))
        if row is not None:
            names = set(GateRow.__struct_fields__) & set(IrrelevanceRow.__struct_fields__)
            told = {name: getattr(row, name) for name in names}
            yield GateRow(**told, seeds=(seed,), slice=SEEN, unsaid=decided[seed].unsaid[SEEN])
    items = {seed: replace(one, values=1 - one.values) for seed, one in decided.items()}
    yield from seeds_row(Measure(FALSE_CONSULTATION), place, items, SEEN, sampling)


def _drop(
    metric: str,
    own: Mapping[int, ScoredArm],
    scored: Sequence[ScoredArm],
    sampling: Sampling,
    *,
    skips: bool,
) -> Iterator[GateRow]:
    """What the model loses against itself with its gate always open; more than 0 is a loss."""
    place = _place(next(iter(own.values())).key)
    twin = f"{place[1]}{ALWAYS_ON}"
    pairs = {seed: (one, other) for seed, one in own.items() if (other := always_on_of(one, scored))}
    if pairs:
        apart = {seed: _paired(one, other, other, one) for seed, (one, other) in pairs.items()}
        measure = Measure(DROP, metric, f"{twin}/full", scale=DIFFERENCE)
        yield from measured_rows(measure, place, apart, sampling)
    elif skips:
        why_not = f"no model is called {twin}: answer with the gate always open under this name"
        yield bare_row(Measure(DROP, metric), place, tuple(own), "all", sampling, why_not=why_not)


def _turned(
    own: Mapping[int, ScoredArm], scored: Sequence[ScoredArm], arms: Arms, sampling: Sampling
) -> Iterator[GateRow]:
    """Answers that are right with the sound and wrong without it, and the reverse."""
    by_key = {arm.key: arm for arm in scored}
    pairs: dict[str, dict[int, tuple[ScoredArm, ScoredArm]]] = {}
    for seed, arm in own.items():
        without = by_key.get(arm.key._replace(condition="gate_off")) or baseline_of(arm, scored, arms.pairing)
        if without is not None:
            pairs.setdefault(without.key.name, {})[seed] = (arm, without)
    for against, by_seed in pairs.items():
        for name in (HELPED, HARMED):
            turned = {}
            for seed, (arm, without) in by_seed.items():
                items = _paired(
                    arm, without, *((arm, without) if name == HELPED else (without, arm)), right=True
                )
                turned[seed] = replace(items, values=np.maximum(items.values, 0.0))
            first = next(iter(by_seed.values()))[0]
            yield from measured_rows(
                Measure(name, first.metric, against), _place(first.key), turned, sampling
            )


def _paired(
    arm: ScoredArm, other: ScoredArm, more: ScoredArm, less: ScoredArm, *, right: bool = False
) -> Items:
    """`more` − `less` (each is `arm` or `other`) on what both answered, in scores, or in right answers."""
    at_arm, at_other = shared_examples(arm.examples, other.examples)
    scores = {id(arm): arm.scores[at_arm], id(other): other.scores[at_other]}
    if right:
        scores = {name: (of >= RIGHT_FROM).astype(float) for name, of in scores.items()}
    slices = {name: inside[at_arm] for name, inside in arm.slices.items()}
    alone = {
        name: int(arm.inside(name).sum() + other.inside(name).sum() - 2 * inside.sum())
        for name, inside in slices.items()
    }
    return Items(
        scores[id(more)] - scores[id(less)],
        arm.examples[at_arm],
        arm.clusters[at_arm],
        {name: inside for name, inside in slices.items() if inside.any()},
        only_one=alone,
    )


def _influenced(
    place: Place, whole: Mapping[int, Arm], among: Sequence[Arm], sampling: Sampling
) -> Iterator[GateRow]:
    """Answers that the sound moved: by `influence_kl` where rows state it, else by the muted answer."""
    by_key = {arm.key: arm for arm in among}
    found: dict[str, dict[int, Items]] = {}
    for seed, arm in whole.items():
        muted = by_key.get(arm.key._replace(condition="mute_audio"))
        if any(row.influence_kl is not None for row in arm.rows):
            found.setdefault(BY_KL, {})[seed] = _by_divergence(arm)
        elif muted is not None and len(shared_examples(arm.examples, muted.examples)[0]):
            found.setdefault(BY_ANSWER, {})[seed] = _by_answer(arm, muted)
    for by, of_seed in found.items():
        yield from measured_rows(Measure(INFLUENCED, by=by), place, of_seed, sampling)


def _by_divergence(arm: Arm) -> Items:
    """1 where the divergence is large; a sound that was skipped moved nothing."""
    stated = np.array([np.nan if row.influence_kl is None else row.influence_kl for row in arm.rows])
    stated[[row.consulted is False for row in arm.rows]] = 0.0
    return _stating(arm, np.where(arm.failed, np.nan, np.where(stated > INFLUENCE_NATS, 1.0, 0 * stated)))


def _by_answer(arm: Arm, muted: Arm) -> Items:
    at_arm, at_muted = shared_examples(arm.examples, muted.examples)
    ours, theirs = arm.answers[at_arm], muted.answers[at_muted]
    values = np.full(len(arm.rows), np.nan)
    values[at_arm] = (ours != theirs) | (ours < 0)
    return _stating(arm, values)


def _tokens(arm: Arm) -> Items | None:
    """The number of audio tokens of each answer; None where no row states it."""
    stated = np.array([np.nan if row.audio_tokens is None else row.audio_tokens for row in arm.rows])
    stated = np.where(arm.failed, np.nan, stated)
    return None if np.isnan(stated).all() else _stating(arm, stated)


def _stating(arm: Arm, values: Float[ndarray, " rows"]) -> Items:
    """The rows of an arm that have a value; the others are unsaid."""
    at = np.flatnonzero(np.isfinite(values))
    slices = {name: inside[at] for name, inside in arm.slices.items()}
    slices = {name: inside for name, inside in slices.items() if inside.any()}
    unsaid = _counts(~np.isfinite(values), arm.slices)
    return Items(values[at], arm.examples[at], arm.clusters[at], slices, unsaid)


def _counts(there: Bool[ndarray, " rows"], slices: Slices) -> dict[str, int]:
    return {name: int((there & inside).sum()) for name, inside in slices.items()}
