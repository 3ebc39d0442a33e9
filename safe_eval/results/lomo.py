"""LOMO: what is lost when one modality is left out or replaced, among what was right with it."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import Places, shared_examples
from safe_eval.arms.pairs import answered_alike, beside_full
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.results.drop import Pair, drop_of, drop_slices
from safe_eval.scorers.scorer import ANSWER_METRICS, RIGHT_FROM
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.intervals import Interval, clustered_stderr
from safe_eval.statistics.score_interval import count_effective, score_interval
from safe_eval.statistics.two_way import two_way_interval

SHARE_LOST, SHARE_LOST_CORRECTED = "share_lost", "share_lost_corrected"
SHARES_LOST = (SHARE_LOST, SHARE_LOST_CORRECTED)

# Their replies are yes or no, so that a guess is right half of the time, whether or not rows have `choices`.
_YES_OR_NO = frozenset(
    ("yes_no_accuracy", "yes_no_words", "pope_first_sentence", "mme_first_letters", "cmm_first_letters")
)


class LomoRow(msgspec.Struct, frozen=True, kw_only=True):
    """Of the answers that a model gets right under `full`, the share it gets wrong under a condition.

    A score of 0.5 or more is right, as everywhere. Answers that were wrong under `full` are in no share: they
    had nothing to lose. They are in the drop, the mean of full − condition. A row without a seed is over all
    seeds.
    """

    metric: str
    dataset: str | None
    seed: int | None
    seeds: tuple[int, ...]
    model: str
    condition: str
    slice: str
    share_lost: float | None  # None if no answer was right under `full`
    ci_low: float | None = None
    ci_high: float | None = None
    confidence: float
    interval: str | None = None
    of_each_seed: tuple[float | None, ...] = ()  # the share of each seed
    sampling_stderr: float | None = None  # over seeds: by clusters alone
    chance: float | None = None  # of guessing right, on average; None if an answer has no `choices`
    corrected: float | None = None  # the share, of the most that a model would lose that then guesses
    corrected_low: float | None = None
    corrected_high: float | None = None
    lost: int
    n: int  # answers that are right under `full`, and that the condition was asked as well
    clusters: int
    effective_clusters: float
    only_full: int  # examples that only one of the two answered; in no other number
    only_changed: int
    asked: int = 0  # examples that both answered, right or wrong
    drop: float | None = None  # the mean of full − condition over these
    drop_low: float | None = None
    drop_high: float | None = None
    drop_interval: str | None = None
    beyond_vl: float | None = None  # the drop, less that on vl; None for slices with questions of vl
    beyond_vl_low: float | None = None
    beyond_vl_high: float | None = None


class Right(msgspec.Struct, frozen=True):
    """What one seed gets right under `full`: lost or not, the clusters, and the chances of a guess."""

    lost: Float[ndarray, " right"]
    clusters: Places
    chances: Float[ndarray, " right"]
    only_full: int
    only_changed: int


def lomo_rows(arms: Arms, sampling: Sampling) -> Iterator[LomoRow]:
    """One row for each condition that stands beside `full`, each slice and each question type.

    Several seeds that answered the same examples have a row together, too. The right answers are chosen by
    what the model said under `full`. Where answers are partly luck, some of them are kept by chance: a model
    that guesses among k without the sound keeps 1/k of them. The corrected share is that of (k − 1)/k.
    """
    for metric in ANSWER_METRICS:
        for by_seed in beside_full(arms.judged.get(metric, ())):
            for seed, pair in by_seed.items():
                yield from _by_slice({seed: pair}, seed, sampling)
            if answered_alike(by_seed.values()):
                yield from _by_slice(by_seed, None, sampling)


def _by_slice(by_seed: dict[int, Pair], seed: int | None, sampling: Sampling) -> Iterator[LomoRow]:
    full, arm = next(iter(by_seed.values()))
    whole = _row(by_seed, seed, "all", sampling)
    for name in drop_slices(full, arm):
        if full.is_whole(name) and arm.is_whole(name):
            yield msgspec.structs.replace(whole, slice=name)
        else:
            yield _row(by_seed, seed, name, sampling)


def _row(by_seed: dict[int, Pair], seed: int | None, slice_name: str, sampling: Sampling) -> LomoRow:
    row, found = _lost(by_seed, seed, slice_name, sampling), drop_of(by_seed, slice_name, sampling)
    return msgspec.structs.replace(
        row,
        asked=found.n,
        drop=found.value,
        drop_low=found.interval.low,
        drop_high=found.interval.high,
        drop_interval=found.interval.method,
        beyond_vl=found.beyond_vl,
        beyond_vl_low=found.beyond_vl_interval.low,
        beyond_vl_high=found.beyond_vl_interval.high,
    )


def _lost(by_seed: dict[int, Pair], seed: int | None, slice_name: str, sampling: Sampling) -> LomoRow:
    of_each = [_right(*pair, slice_name) for pair in by_seed.values()]
    lost, clusters, chances = (
        np.concatenate([getattr(one, name) for one in of_each]) for name in ("lost", "clusters", "chances")
    )
    full, arm = next(iter(by_seed.values()))
    row = LomoRow(
        metric=full.metric,
        **arm.key._replace(seed=seed)._asdict(),  # type: ignore[arg-type]  # None: over seeds
        seeds=tuple(by_seed),
        slice=slice_name,
        share_lost=None,
        confidence=sampling.confidence,
        of_each_seed=tuple(float(one.lost.mean()) if len(one.lost) else None for one in of_each),
        lost=int(lost.sum()),
        n=len(lost),
        clusters=count_clusters(clusters) if len(lost) else 0,
        effective_clusters=count_effective(clusters) if len(lost) else 0.0,
        only_full=sum(one.only_full for one in of_each),
        only_changed=sum(one.only_changed for one in of_each),
    )
    if not len(lost):
        return row
    interval, sampling_stderr = score_interval(lost, clusters, sampling.confidence), None
    if len(of_each) > 1:
        interval = over_seeds(interval, of_each, sampling)
        sampling_stderr = clustered_stderr(lost, clusters)
    found = msgspec.structs.replace(
        row,
        share_lost=float(lost.mean()),
        ci_low=interval.low,
        ci_high=interval.high,
        interval=interval.method,
        sampling_stderr=sampling_stderr,
    )
    chance = float(chances.mean())
    return found if not chance < 1 else _corrected(found, chance)  # NaN: a chance is not known


def _right(full: ScoredArm, arm: ScoredArm, slice_name: str) -> Right:
    in_full, in_arm = full.inside(slice_name), arm.inside(slice_name)
    at_full, at_arm = shared_examples(full.examples, arm.examples)
    both = in_full[at_full] & in_arm[at_arm]
    at_full, at_arm = at_full[both], at_arm[both]
    right = full.scores[at_full] >= RIGHT_FROM
    return Right(
        (arm.scores[at_arm][right] < RIGHT_FROM).astype(float),
        full.clusters[at_full][right],
        guess_chances(full, at_full[right]),
        int(in_full.sum()) - len(at_full),
        int(in_arm.sum()) - len(at_arm),
    )


def guess_chances(full: ScoredArm, at: Places) -> Float[ndarray, " right"]:
    """The chance of a right guess for each of these answers; NaN where nothing says among how many."""
    if full.metric in _YES_OR_NO:
        return np.full(len(at), 0.5)
    if not any(asked.choices for asked in full.arm.tasks):
        return np.full(len(at), np.nan)
    rows = full.arm.rows
    counts: Sequence[int] = [len(rows[place].choices or ()) for place in full.at[at].tolist()]
    return 1 / np.where(np.array(counts) > 0, counts, np.nan)


def over_seeds(of_items: Interval, of_each: Sequence[Right], sampling: Sampling) -> Interval:
    """The interval for new clusters and new seeds, nowhere narrower than the one for new clusters alone.

    Where no seed differs and nothing was kept, the former sees no spread at all.
    """
    labels = np.repeat(np.arange(len(of_each)), [len(one.lost) for one in of_each])
    lost, clusters = (
        np.concatenate([getattr(one, name) for one in of_each]) for name in ("lost", "clusters")
    )
    both = two_way_interval(lost, clusters, labels, sampling)
    if both.low is None or both.high is None or of_items.low is None or of_items.high is None:
        return of_items
    low, high = min(both.low, of_items.low), max(both.high, of_items.high)
    return Interval(max(0.0, low), min(1.0, high), both.method)


def _corrected(row: LomoRow, chance: float) -> LomoRow:
    """The row with its share and interval divided by the share that a guessing model loses.

    Differs: Cohen's kappa and other corrections for chance correct an agreement; here what is kept by a
    guess among the choices, each as likely as the other, is taken off what could be lost. It may pass 1,
    where a model is wrong more often than a guess.
    """
    share, low, high = (
        None if one is None else one / (1 - chance) for one in (row.share_lost, row.ci_low, row.ci_high)
    )
    return msgspec.structs.replace(
        row, chance=chance, corrected=share, corrected_low=low, corrected_high=high
    )
