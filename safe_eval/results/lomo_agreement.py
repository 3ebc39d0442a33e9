"""LOMO agreement: whether the questions said to need the sound are those that a model needs it for."""

from collections.abc import Iterator

import msgspec
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import shared_examples
from safe_eval.arms.pairs import beside_full
from safe_eval.options import Sampling
from safe_eval.results.drop import Pair
from safe_eval.results.lomo import guess_chances
from safe_eval.scorers.scorer import ANSWER_METRICS, RIGHT_FROM
from safe_eval.statistics.agreement import agreement
from safe_eval.statistics.bootstrap import Labels, count_clusters
from safe_eval.statistics.score_interval import count_effective, score_interval

WITHOUT_SOUND = ("mute_audio", "gate_off", "noise_audio", "swap_audio")  # conditions that leave none of it


class LomoAgreementRow(msgspec.Struct, frozen=True, kw_only=True):
    """How declared (`needs_audio`) and shown need of the sound agree, for one condition without it.

    A question is shown to need the sound if the model is right with it and wrong without. A model that
    guesses is, too, now and then, and as often the other way round: `guessed` is the share of questions that
    it would show by two independent guesses, and `reversed` how many it got right without the sound alone.
    """

    metric: str
    dataset: str | None
    seed: int
    model: str
    condition: str
    declared_and_shown: int = 0
    only_declared: int = 0
    only_shown: int = 0
    neither: int = 0
    agreement: float | None = None
    agreement_low: float | None = None
    agreement_high: float | None = None
    kappa: float | None = None
    kappa_low: float | None = None
    kappa_high: float | None = None
    confidence: float
    shown_audio: float | None = None  # of the questions declared to need the sound
    shown_audio_low: float | None = None
    shown_audio_high: float | None = None
    guessed_audio: float | None = None  # None: a row has no `choices`, so a guess may be among any number
    reversed_audio: int = 0
    shown_vl: float | None = None  # of the questions declared to need none
    shown_vl_low: float | None = None
    shown_vl_high: float | None = None
    guessed_vl: float | None = None
    reversed_vl: int = 0
    n: int
    clusters: int = 0
    effective_clusters: float = 0.0
    undeclared: int  # questions that both answered, and that do not say; in no other number
    only_full: int  # examples that only one of the two answered
    only_changed: int
    why_not: str | None = None


def lomo_agreement_rows(arms: Arms, sampling: Sampling) -> Iterator[LomoAgreementRow]:
    """One row for each condition without the sound that stands beside `full`, and each seed."""
    for metric in ANSWER_METRICS:
        for by_seed in beside_full(arms.judged.get(metric, ())):
            for pair in by_seed.values():
                if pair[1].key.condition in WITHOUT_SOUND:
                    yield _row(pair, sampling)


def _row(pair: Pair, sampling: Sampling) -> LomoAgreementRow:
    full, arm = pair
    at_full, at_arm = shared_examples(full.examples, arm.examples)
    declared = (full.inside("audio") | full.inside("vl"))[at_full]
    row = LomoAgreementRow(
        metric=full.metric,
        **arm.key._asdict(),
        confidence=sampling.confidence,
        n=int(declared.sum()),
        undeclared=int((~declared).sum()),
        only_full=len(full.examples) - len(at_full),
        only_changed=len(arm.examples) - len(at_arm),
    )
    if not declared.any():
        return msgspec.structs.replace(row, why_not="no question says in 'needs_audio' whether it needs it")
    at_full, at_arm = at_full[declared], at_arm[declared]
    needs = full.inside("audio")[at_full]
    with_it, without = full.scores[at_full] >= RIGHT_FROM, arm.scores[at_arm] >= RIGHT_FROM
    chances, clusters = guess_chances(full, at_full), full.clusters[at_full]
    row = _of_kind(row, "audio", needs, with_it, without, chances, clusters)
    row = _of_kind(row, "vl", ~needs, with_it, without, chances, clusters)
    return _agreeing(row, needs, with_it & ~without, clusters, sampling)


def _agreeing(
    row: LomoAgreementRow,
    needs: Bool[ndarray, " items"],
    shown: Bool[ndarray, " items"],
    clusters: Labels,
    sampling: Sampling,
) -> LomoAgreementRow:
    found = agreement(needs, shown, clusters, sampling)
    one_kind = needs.all() or not needs.any()
    return msgspec.structs.replace(
        row,
        declared_and_shown=found.both_right,
        only_declared=found.scorer_only,
        only_shown=found.person_only,
        neither=found.both_wrong,
        agreement=found.agreement,
        agreement_low=found.agreement_low,
        agreement_high=found.agreement_high,
        kappa=None if one_kind else found.kappa,
        kappa_low=None if one_kind else found.kappa_low,
        kappa_high=None if one_kind else found.kappa_high,
        clusters=count_clusters(clusters),
        effective_clusters=count_effective(clusters),
        why_not="no kappa: all questions say the same in 'needs_audio'" if one_kind else None,
    )


def _of_kind(
    row: LomoAgreementRow,
    kind: str,
    inside: Bool[ndarray, " items"],
    with_it: Bool[ndarray, " items"],
    without: Bool[ndarray, " items"],
    chances: Float[ndarray, " items"],
    clusters: Labels,
) -> LomoAgreementRow:
    """The row with what is shown of one kind of question; unchanged if there is none."""
    if not inside.any():
        return row
    shown = (with_it & ~without)[inside].astype(float)
    interval = score_interval(shown, clusters[inside], row.confidence)
    guessed = float(np.mean(chances[inside] * (1 - chances[inside])))
    return msgspec.structs.replace(
        row,
        **{
            f"shown_{kind}": float(shown.mean()),
            f"shown_{kind}_low": interval.low,
            f"shown_{kind}_high": interval.high,
            f"guessed_{kind}": None if np.isnan(guessed) else guessed,
            f"reversed_{kind}": int((without & ~with_it)[inside].sum()),
        },
    )
