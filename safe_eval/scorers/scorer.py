"""Scorers: how each metric scores single predictions, and which predictions it scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from jaxtyping import Bool, Float
from numpy import ndarray

from safe_eval.prediction import Prediction
from safe_eval.scorers import (
    avqa,
    choice_letter,
    classification,
    clotho_aqa,
    cmm,
    exact_match,
    gqa,
    mmau,
    mme,
    music_avqa,
    pope,
    vqa,
    yes_no,
)
from safe_eval.scorers.benchmarks import Benchmark, benchmark_of
from safe_eval.scorers.captions.caption_scores import MAXIMA, TASKS

ScoreAll = Callable[[Sequence[Prediction]], Float[ndarray, " items"]]
Slices = Callable[[Sequence[Prediction]], dict[str, Bool[ndarray, " items"]]]
Only = Callable[[Sequence[Prediction]], Bool[ndarray, " items"]]

RIGHT_FROM = 0.5  # from this score on an answer counts as right
_VQA, _CLASSIFY = frozenset({"vqa"}), frozenset({"classify"})
_DEFAULT_TASK = "vqa"  # for rows without a task


def no_slices(_: Sequence[Prediction]) -> dict[str, Bool[ndarray, " items"]]:
    """Add no slices to all, audio, vl and the question types."""
    return {}


@dataclass(frozen=True)
class Scorer:
    """How a metric scores single predictions, and which tasks it can score when it is asked for by name.

    `score_all` returns one score per row. NaN marks a reply that was not understood: it is unparsed and
    counts as wrong. Rows with an error are passed in too; they score 0, whatever `score_all` returns for
    them.
    """

    score_all: ScoreAll
    tasks: frozenset[str]
    slices: Slices = no_slices  # besides all, audio, vl and the types of question
    highest: float = 1.0  # the score of a perfect answer; the lowest is 0
    reads_choices: bool = False  # it can score rows with `choices`
    only: Only | None = None  # which of these rows it scores
    reads_fact: str | None = None  # a key of the metadata without which it is not the published rule

    def has_facts(self, row: Prediction) -> bool:
        """Whether a row holds what the published rule reads beside references and answer."""
        return self.reads_fact is None or self.reads_fact in (row.metadata or {})


SCORERS: dict[str, Scorer] = {
    "vqa_accuracy": Scorer(vqa.score_all, _VQA),
    "gqa_accuracy": Scorer(gqa.score_all, _VQA, gqa.slices),
    "music_avqa_accuracy": Scorer(music_avqa.score_all, _VQA, music_avqa.slices, reads_choices=True),
    "avqa_accuracy": Scorer(avqa.score_all, _VQA, avqa.slices, reads_choices=True),
    "yes_no_accuracy": Scorer(yes_no.score_all, _VQA, pope.slices, reads_choices=True),
    "clotho_aqa_accuracy": Scorer(clotho_aqa.score_all, _VQA, clotho_aqa.slices),
    "accuracy": Scorer(classification.score_all, _CLASSIFY, classification.slices, reads_choices=True),
}

# Metrics that read a reply as one of several choices.
READS_REPLIES = frozenset(
    ("music_avqa_accuracy", "avqa_accuracy", "yes_no_accuracy", "clotho_aqa_accuracy", "accuracy")
)

# Scored for a whole dataset at once by `captions.caption_scores.score_captions`: scores depend on the corpus.
CAPTION_METRICS = tuple(MAXIMA)

# Other ways to score what a metric above scores: the protocol of some benchmarks, or asked for by name.
ON_REQUEST: dict[str, Scorer] = {
    "vqa_accuracy_2017": Scorer(partial(vqa.score_all, variant="official_2017"), _VQA),
    "vqa_accuracy_normalised": Scorer(partial(vqa.score_all, variant="normalised"), _VQA),
    "evalai_accuracy": Scorer(partial(vqa.score_all, variant="evalai"), _VQA),
    "vqa_accuracy_no_answer_ids": Scorer(
        partial(vqa.score_all, answer_ids=False), _VQA, reads_fact="answer_confidence"
    ),
    "gqa_accuracy_caseless": Scorer(gqa.score_all_caseless, _VQA, gqa.slices),
    "music_avqa_contained": Scorer(music_avqa.score_contained, _VQA, music_avqa.slices, reads_choices=True),
    "yes_no_words": Scorer(yes_no.score_words, _VQA, pope.slices, reads_choices=True),
    "pope_first_sentence": Scorer(pope.score_first_sentences, _VQA, pope.slices, reads_choices=True),
    "mme_first_letters": Scorer(mme.score_first_letters, _VQA, yes_no.slices, reads_choices=True),
    "cmm_first_letters": Scorer(cmm.score_first_letters, _VQA, yes_no.slices, reads_choices=True),
    "clotho_aqa_unanimous": Scorer(clotho_aqa.score_all, _VQA, only=clotho_aqa.unanimous),
    "mmau_words": Scorer(mmau.score_words, _VQA, reads_choices=True),
    "scienceqa_letter": Scorer(choice_letter.score_scienceqa, _VQA, reads_choices=True),
    "scienceqa_llava": Scorer(choice_letter.score_llava, _VQA, reads_choices=True),
    "daily_omni_first_letter": Scorer(choice_letter.score_first, _VQA, reads_choices=True),
    "omnibench_last_letter": Scorer(choice_letter.score_last_named, _VQA, reads_choices=True),
    "worldsense_any_letter": Scorer(choice_letter.score_any_letter, _VQA, reads_choices=True),
    "exact_match": Scorer(exact_match.score_all, _VQA | _CLASSIFY, reads_choices=True),
}

VQA_METRICS = frozenset(
    ("vqa_accuracy", "evalai_accuracy", *(name for name in ON_REQUEST if name.startswith("vqa_accuracy_")))
)  # that leave each annotator out in turn
ANSWER_METRICS = (*SCORERS, *ON_REQUEST)  # all that say of a single answer how right it is
_GENERAL = {"vqa": "vqa_accuracy", "classify": "accuracy"}  # by task, where no benchmark says otherwise
_OF_CHOICES = "accuracy"


def scorer_of(metric: str) -> Scorer:
    """The scorer of a metric, whether it is always computed or on request."""
    return SCORERS[metric] if metric in SCORERS else ON_REQUEST[metric]


@lru_cache(maxsize=1 << 10)
def metrics_for(
    dataset: str | None, task: str | None, choices: bool = False, protocol: str | None = None
) -> tuple[str, ...]:
    """The metrics that score a dataset's task: its benchmark's protocol, or else the general ones.

    Rows with `choices` are multiple choice, whatever their task is called. `protocol` replaces the protocol
    of the benchmarks that have such a rule.

    >>> metrics_for("clotho", "caption")[:2]
    ('cider_d', 'cider')
    >>> metrics_for("GQA", "vqa"), metrics_for("TextVQA_VAL", None), metrics_for("vggsound", "classify")
    (('gqa_accuracy',), ('vqa_accuracy_normalised',), ('accuracy',))
    >>> metrics_for("mine", "vqa"), metrics_for("mine", "vqa", choices=True)
    (('vqa_accuracy',), ('accuracy',))
    """
    benchmark = benchmark_of(dataset)
    if benchmark is not None and scores(benchmark, task, choices):
        return (protocol if protocol in benchmark.rules else benchmark.protocol,)
    if choices:
        return (_OF_CHOICES,)
    if task in TASKS:
        return CAPTION_METRICS
    general = _GENERAL.get(task or _DEFAULT_TASK)
    return () if general is None else (general,)


def scores(benchmark: Benchmark, task: str | None, choices: bool) -> bool:
    """Whether a benchmark's rules score rows of a task, with or without choices."""
    return benchmark.reads_choices if choices else (task or _DEFAULT_TASK) in benchmark.tasks


def judges(metric: str, row: Prediction) -> bool:
    """Whether a metric scores a prediction, by itself or if it is asked for by name.

    On request a metric of `SCORERS` scores the benchmarks that have it as a rule, any other all its tasks.
    """
    if metric in metrics_for(row.dataset, row.task, bool(row.choices)):
        return True
    benchmark = benchmark_of(row.dataset)
    if metric in SCORERS and (benchmark is None or metric not in benchmark.rules):
        return False
    scorer = scorer_of(metric)
    return scorer.reads_choices if row.choices else (row.task or _DEFAULT_TASK) in scorer.tasks


@lru_cache(maxsize=1 << 10)
def judging_metrics(dataset: str | None, protocol: str | None = None) -> frozenset[str]:
    """The metrics of single answers that may judge rows of a dataset, whatever their task."""
    kinds = [(task, choices) for task in _GENERAL for choices in (False, True)]
    return frozenset(metric for kind in kinds for metric in metrics_for(dataset, *kind, protocol))
