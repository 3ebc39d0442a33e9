"""Notes: what a reader of the numbers must know, beside what each table says itself."""

from collections.abc import Iterator

from safe_data.core import numerals
from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import COMPARED_SLICES
from safe_eval.arms.consultation import consultation_notes
from safe_eval.arms.delivery import delivery_notes
from safe_eval.arms.given_arms import given_notes
from safe_eval.arms.pairs import pairing_notes, unpaired_notes
from safe_eval.arms.prompts import prompt_notes
from safe_eval.arms.protocols import fact_notes, protocol_notes
from safe_eval.arms.questions import question_notes
from safe_eval.arms.replies import reference_notes, reply_notes
from safe_eval.results.calibration import calibration_notes
from safe_eval.results.seeds import seed_notes
from safe_eval.scorers.pope import split_notes
from safe_eval.scorers.scorer import VQA_METRICS, metrics_for
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.score_interval import FEW_CLUSTERS, LEAST_CLUSTERS, count_effective


def notes_of(arms: Arms) -> Iterator[str]:
    """What a reader of the numbers must know."""
    few = _few_references(arms)
    if few:
        yield (
            f"{few} examples have 2 or 3 references: the official VQA accuracy gives even a perfect "
            "answer 1/3 or 2/3 there"
        )
    if arms.cluster != "group":
        yield f"no row has a 'group', so each {arms.cluster} counts as one cluster"
    yield from few_clusters_notes(arms)
    yield from arms.notes
    yield from prompt_notes(arms.worded)
    yield from _split_notes(arms)
    yield from pairing_notes(arms.pairing, arms.arms)
    yield from unpaired_notes(arms.pairing, arms.judged | arms.requested)
    yield from question_notes(arms.arms)
    yield from seed_notes(arms)
    yield from protocol_notes(arms.judged)
    yield from fact_notes(arms.scored)
    yield from reply_notes(arms.arms)
    yield from reference_notes(arms.judged)
    yield from given_notes(arms.arms, arms.given)
    yield from delivery_notes(arms.arms)
    yield from consultation_notes(arms.arms)
    yield from calibration_notes(arms)


def _split_notes(arms: Arms) -> Iterator[str]:
    """The note on POPE's shared questions, once for all arms that answer them."""
    for dataset in dict.fromkeys(arm.key.dataset for arm in arms.judged.get("yes_no_accuracy", ())):
        first = next(arm for arm in arms.arms if arm.key.dataset == dataset)
        yield from split_notes(first.rows)


def _few_references(arms: Arms) -> int:
    """The number of examples with 2 or 3 references that VQA accuracy judges."""
    few = {
        row.example_id
        for arm in arms.arms
        for asked, at in arm.tasks.items()
        if VQA_METRICS.issuperset(metrics_for(arm.key.dataset, *asked))
        for row in map(arm.rows.__getitem__, at.tolist())
        if len(row.references) in (2, 3)
    }
    return len(few)


def few_clusters_notes(arms: Arms) -> Iterator[str]:
    """One line per dataset and slice in which some arm has fewer than 20 effective clusters."""
    fewest: dict[tuple[str | None, str], tuple[float, int]] = {}
    for arm in arms.arms:
        for name in COMPARED_SLICES:
            if name in arm.slices and arm.slices[name].any():
                clusters = arm.clusters[arm.slices[name]]
                found = (count_effective(clusters), count_clusters(clusters))
                fewest[arm.key.dataset, name] = min(found, fewest.get((arm.key.dataset, name), found))
    for (dataset, name), (effective, count) in fewest.items():
        note = few_clusters_note(count, effective)
        if note is not None:
            yield f"{name if dataset is None else f'{dataset}, {name}'}: {note}"


def few_clusters_note(count: int, effective: float) -> str | None:
    """What a reader must know of intervals over so many clusters; None from 20 effective ones on.

    >>> few_clusters_note(31, 1.4), few_clusters_note(31, 20.5)
    ('1.4/31 effective clusters; an interval needs 2', None)
    """
    if effective >= FEW_CLUSTERS:
        return None
    counted = numerals.counted_clusters(count, effective)
    if effective < LEAST_CLUSTERS - 1e-9:
        return f"{counted}; an interval needs {LEAST_CLUSTERS:.0f}"
    return (
        f"{counted}; below {FEW_CLUSTERS:.0f}, intervals are wide, and those of captions and calibration "
        "hold the truth less often than they say"
    )
