"""Scorers: how each metric scores single predictions, and which predictions it scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from jaxtyping import Bool, Float
from numpy import ndarray

from safe_eval.prediction import Prediction
from safe_eval.scorers import avqa, classification, exact_match, gqa, music_avqa, vqa
from safe_eval.scorers.captions.caption_scores import MAXIMA, TASKS

ScoreAll = Callable[[Sequence[Prediction]], Float[ndarray, " items"]]
Slices = Callable[[Sequence[Prediction]], dict[str, Bool[ndarray, " items"]]]

RIGHT_FROM = 0.5  # from this score on an answer counts as right
_VQA, _CLASSIFY = frozenset({"vqa"}), frozenset({"classify"})
_DEFAULT_TASK = "vqa"  # for rows without a task


def no_slices(_: Sequence[Prediction]) -> dict[str, Bool[ndarray, " items"]]:
    """Add no slices to all, audio, vl and the question types."""
    return {}


@dataclass(frozen=True)
class Scorer:
    """How a metric scores single predictions, and which predictions it scores.

    `score_all` returns one score per row. NaN marks a reply that was not understood: it is unparsed and
    counts as wrong. Rows with an error are passed in too; they score 0, whatever `score_all` returns for
    them.
    """

    score_all: ScoreAll
    tasks: frozenset[str]
    datasets: frozenset[str] = frozenset()  # only these; if empty, all that no other scorer claims
    slices: Slices = no_slices  # besides all, audio, vl and the types of question
    highest: float = 1.0  # the score of a perfect answer; the lowest is 0


SCORERS: dict[str, Scorer] = {
    "vqa_accuracy": Scorer(vqa.score_all, _VQA),
    "gqa_accuracy": Scorer(gqa.score_all, _VQA, frozenset({"gqa"}), gqa.slices),
    "music_avqa_accuracy": Scorer(music_avqa.score_all, _VQA, frozenset({"music_avqa"}), music_avqa.slices),
    "avqa_accuracy": Scorer(avqa.score_all, _VQA, frozenset({"avqa"}), avqa.slices),
    "accuracy": Scorer(classification.score_all, _CLASSIFY, slices=classification.slices),
}

READS_REPLIES = frozenset(("music_avqa_accuracy", "avqa_accuracy", "accuracy"))  # as one of several choices

# Scored for a whole dataset at once by `captions.caption_scores.score_captions`: scores depend on the corpus.
CAPTION_METRICS = tuple(MAXIMA)

# Computed only when asked for by name: other ways to score what a metric above already scores.
ON_REQUEST: dict[str, Scorer] = {
    "vqa_accuracy_2017": Scorer(partial(vqa.score_all, variant="official_2017"), _VQA),
    "vqa_accuracy_normalised": Scorer(partial(vqa.score_all, variant="normalised"), _VQA),
    "vqa_accuracy_no_answer_ids": Scorer(partial(vqa.score_all, answer_ids=False), _VQA),
    "exact_match": Scorer(exact_match.score_all, _VQA | _CLASSIFY),
}


def scorer_of(metric: str) -> Scorer:
    """The scorer of a metric, whether it is always computed or on request."""
    return SCORERS[metric] if metric in SCORERS else ON_REQUEST[metric]


@lru_cache(maxsize=1 << 10)
def metrics_for(dataset: str | None, task: str | None) -> tuple[str, ...]:
    """The metrics that score a dataset's task: its own metrics if it has any, or else the general ones.

    >>> metrics_for("clotho", "caption")[:2]
    ('cider_d', 'cider')
    >>> metrics_for("gqa", "vqa"), metrics_for("vqav2", "vqa"), metrics_for("vggsound", "classify")
    (('gqa_accuracy',), ('vqa_accuracy',), ('accuracy',))
    """
    if task in TASKS:
        return CAPTION_METRICS
    candidates = {name: scorer for name, scorer in SCORERS.items() if (task or _DEFAULT_TASK) in scorer.tasks}
    own = tuple(name for name, scorer in candidates.items() if dataset in scorer.datasets)
    return own or tuple(name for name, scorer in candidates.items() if not scorer.datasets)


def judges(metric: str, row: Prediction) -> bool:
    """Whether a metric scores a prediction. A metric on request scores its tasks in every dataset."""
    if metric in ON_REQUEST:
        return (row.task or _DEFAULT_TASK) in ON_REQUEST[metric].tasks
    return metric in metrics_for(row.dataset, row.task)
