"""Scorer: how a metric judges predictions one by one, and which metrics judge which."""

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
RIGHT_FROM = 0.5  # an answer counts as right from half the score of a perfect one

_VQA, _CLASSIFY = frozenset({"vqa"}), frozenset({"classify"})
_DEFAULT_TASK = "vqa"  # of a row that names none


def no_slices(_: Sequence[Prediction]) -> dict[str, Bool[ndarray, " items"]]:
    """No slices beside all, audio, vl and the types of question."""
    return {}


@dataclass(frozen=True)
class Scorer:
    """How a metric judges predictions one by one, and which.

    NaN says that a reply was not understood: it is unparsed, counts as wrong, and is counted. Rows with an
    error are among them, with their references if they have any; whatever is said of them, they score 0.
    """

    score_all: ScoreAll
    tasks: frozenset[str]
    datasets: frozenset[str] = frozenset()  # judged by this one only; without any, those no other claims
    slices: Slices = no_slices  # of its own, beside all, audio, vl and the types of question
    highest: float = 1.0  # the score of a perfect answer; the lowest is 0


SCORERS: dict[str, Scorer] = {
    "vqa_accuracy": Scorer(vqa.score_all, _VQA),
    "gqa_accuracy": Scorer(gqa.score_all, _VQA, frozenset({"gqa"}), gqa.slices),
    "music_avqa_accuracy": Scorer(music_avqa.score_all, _VQA, frozenset({"music_avqa"}), music_avqa.slices),
    "avqa_accuracy": Scorer(avqa.score_all, _VQA, frozenset({"avqa"}), avqa.slices),
    "accuracy": Scorer(classification.score_all, _CLASSIFY, slices=classification.slices),
}

# Of all captions of a dataset together, by `captions.measure`: a score depends on the corpus it is in.
CAPTION_METRICS = tuple(MAXIMA)

# Computed when asked for by name: other ways to score what a metric above scores already.
ON_REQUEST: dict[str, Scorer] = {
    "vqa_accuracy_2017": Scorer(partial(vqa.score_all, variant="official_2017"), _VQA),
    "vqa_accuracy_normalised": Scorer(partial(vqa.score_all, variant="normalised"), _VQA),
    "vqa_accuracy_no_answer_ids": Scorer(partial(vqa.score_all, answer_ids=False), _VQA),
    "exact_match": Scorer(exact_match.score_all, _VQA | _CLASSIFY),
}


def scorer_of(metric: str) -> Scorer:
    """The scorer of a metric, computed always or on request."""
    return SCORERS[metric] if metric in SCORERS else ON_REQUEST[metric]


def highest_of(metric: str) -> float:
    """The score of a perfect answer; of a share that no scorer makes, 1.

    >>> highest_of("cider_d"), highest_of("vqa_accuracy"), highest_of("consulted")
    (10.0, 1.0, 1.0)
    """
    scorer = SCORERS.get(metric) or ON_REQUEST.get(metric)
    return MAXIMA.get(metric, 1.0) if scorer is None else scorer.highest


@lru_cache(maxsize=1 << 10)
def metrics_for(dataset: str | None, task: str | None) -> tuple[str, ...]:
    """The metrics that judge a dataset's task: those of the dataset if it has its own, or else the general.

    >>> metrics_for("clotho", "caption")[:2]
    ('cider_d', 'cider')
    >>> metrics_for("gqa", "vqa"), metrics_for("vqav2", "vqa"), metrics_for("vggsound", "classify")
    (('gqa_accuracy',), ('vqa_accuracy',), ('accuracy',))
    """
    if task in TASKS:
        return CAPTION_METRICS
    judging = {name: scorer for name, scorer in SCORERS.items() if (task or _DEFAULT_TASK) in scorer.tasks}
    own = tuple(name for name, scorer in judging.items() if dataset in scorer.datasets)
    return own or tuple(name for name, scorer in judging.items() if not scorer.datasets)


def judges(metric: str, row: Prediction) -> bool:
    """Whether a metric judges a prediction; one asked for by name judges its task in every dataset."""
    if metric in ON_REQUEST:
        return (row.task or _DEFAULT_TASK) in ON_REQUEST[metric].tasks
    return metric in metrics_for(row.dataset, row.task)
