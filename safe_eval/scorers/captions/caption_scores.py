"""Caption scores: every caption metric of every predicted caption.

All predictions of a dataset are scored together. An example is one document, however many models answered it
under however many conditions, so scores that are compared use the same n-gram weights.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.options import Tokenizer
from safe_eval.prediction import Prediction
from safe_eval.scorers.captions.bleu import bleu, bleu_counts
from safe_eval.scorers.captions.cider import cider, cider_d
from safe_eval.scorers.captions.corpus import index
from safe_eval.scorers.captions.frequencies import Frequencies, count_frequencies
from safe_eval.scorers.captions.learned_metrics.fluency import penalised
from safe_eval.scorers.captions.learned_metrics.learned_scores import (
    CLAP,
    CLAP_REFERENCES,
    ERROR,
    FENSE,
    NO_MODELS,
    SBERT,
    OpenModels,
    learned_scores,
)
from safe_eval.scorers.captions.meteor import meteor, meteor_counts
from safe_eval.scorers.captions.rouge import rouge_l
from safe_eval.scorers.captions.several import (
    SpiceValues,
    candidates_of,
    check_candidates,
    spice_in_order,
    spider_max,
    why_not_several,
)
from safe_eval.scorers.captions.spice import spice, spider
from safe_eval.scorers.captions.tokenised import Tokenised, caption_of, has_caption, tokenised

TASKS = frozenset({"caption"})
MAXIMA = {"cider_d": 10.0, "cider": 10.0, "bleu_1": 1.0, "bleu_2": 1.0, "bleu_3": 1.0, "bleu_4": 1.0}
MAXIMA |= {"rouge_l": 1.0, "meteor": 1.0, "spice": 1.0, "spider": 5.5, "spider_fl": 5.5, "spider_max": 5.5}
MAXIMA |= dict.fromkeys((SBERT, ERROR, FENSE, CLAP, CLAP_REFERENCES), 1.0)
SPICE_METRICS = ("spice", "spider", "spider_fl", "spider_max")
JAVA_METRICS = ("meteor", *SPICE_METRICS)  # Java starts slowly, so only if they are asked for by name
ASK_FOR = "score with --metric {}"
FAILED = {ERROR: 1.0}  # the score of an error, where it is not 0

Items = Float[ndarray, " predictions"]
Counts = Shaped[ndarray, "predictions counts"]
_SCORE_OF_SUMS: dict[str, Callable[[Shaped[ndarray, "*rows counts"]], Float[ndarray, "*rows"]]] = {
    "bleu_1": lambda sums: bleu(sums)[..., 0],
    "bleu_2": lambda sums: bleu(sums)[..., 1],
    "bleu_3": lambda sums: bleu(sums)[..., 2],
    "bleu_4": lambda sums: bleu(sums)[..., 3],
    "meteor": meteor,
}


def is_of_sums(metric: str) -> bool:
    """Whether a metric scores a corpus from summed counts, and so has no mean over items.

    >>> is_of_sums("bleu_4"), is_of_sums("cider_d")
    (True, False)
    """
    return metric in _SCORE_OF_SUMS


@dataclass(frozen=True)
class CaptionScores:
    """One value per prediction for each metric, in the order of the predictions.

    `counts` holds the counts of BLEU and METEOR, which score a corpus from summed counts and not by the mean
    of its items. `not_measured` holds the reason for each metric without values.
    """

    items: dict[str, Items] = field(default_factory=dict)
    counts: dict[str, Counts] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)
    tokens: tuple[str | None, ...] = ()  # each caption as tokens; None for an error

    def corpus(self, metric: str, chosen: Shaped[ndarray, " chosen"] | slice = slice(None)) -> float:
        """The score of a corpus: of the chosen predictions, which are of one model under one condition.

        Raises:
            InputError: the metric is not measured, or no predictions are chosen.
        """
        if metric not in self.items:
            raise InputError(self.not_measured.get(metric, f"{metric!r} is not one of {', '.join(MAXIMA)}"))
        items = self.items[metric][chosen]
        if not len(items):
            raise InputError("no captions: an empty set has no score")
        if metric in self.counts:
            return float(score_of_sums(metric, self.counts[metric][chosen].sum(axis=0)))
        return float(items.mean())


def score_of_sums(metric: str, sums: Shaped[ndarray, "*rows counts"]) -> Float[ndarray, "*rows"]:
    """BLEU or METEOR from summed counts: of a corpus, or of each of many resamples."""
    return _SCORE_OF_SUMS[metric](sums)


def reference_frequencies(predictions: Sequence[Prediction], tokenizer: Tokenizer = "own") -> Frequencies:
    """The document frequencies of one dataset, so that other runs can use the same ones.

    Raises:
        InputError: see `tokenised`; or there is one example only.
    """
    return count_frequencies(tokenised(predictions, tokenizer).references)


def score_captions(
    predictions: Sequence[Prediction],
    *,
    frequencies: Frequencies | None = None,
    spice_values: SpiceValues | None = None,
    asked: Collection[str] = (),
    models: OpenModels = NO_MODELS,
    tokenizer: Tokenizer = "own",
) -> CaptionScores:
    """Score the captions of one dataset with every caption metric.

    CIDEr takes its document frequencies from these references, or from `frequencies`. `spice_values` maps
    example ids to SPICE, and needs predictions of one model under one condition. Java runs only for metrics
    that are `asked` for by name, and `models` are those that a user named. An error counts as an empty
    caption; without references it scores 0.

    Raises:
        InputError: see `tokenised` and `check_candidates`; or there is not one SPICE value per prediction.
    """
    captions = tokenised(predictions, tokenizer)
    rows = [predictions[i] for i in captions.rows]
    check_candidates(rows)
    scores = _of_words(captions, frequencies, asked)
    scores = _with_spice(scores, captions, _Asked(rows, frequencies, spice_values, asked, tokenizer))
    truths = {row.example_id: row.references for row in predictions if row.references}
    references = [truths[row.example_id] for row in rows]  # an error may state none of its own
    records = [row.record_id for row in rows]
    learned, why_not = learned_scores(list(map(caption_of, rows)), references, records, models)
    has = np.array([has_caption(row) for row in rows])
    learned = {name: np.where(has, values, FAILED.get(name, 0.0)) for name, values in learned.items()}
    scores = _with_fluency(
        CaptionScores(scores.items | learned, scores.counts, scores.not_measured | why_not)
    )
    tokens: list[str | None] = [None] * len(predictions)
    for i, text, said in zip(captions.rows, captions.candidates, has.tolist(), strict=True):
        tokens[i] = text if said else None
    count = len(predictions)
    return CaptionScores(
        {
            metric: _spread(values, captions.rows, count, FAILED.get(metric, 0.0))
            for metric, values in scores.items.items()
        },
        {metric: _spread(counts, captions.rows, count) for metric, counts in scores.counts.items()},
        scores.not_measured,
        tuple(tokens),
    )


@dataclass(frozen=True)
class _Asked:
    """The judged rows, and what SPICE needs to know."""

    rows: list[Prediction]
    frequencies: Frequencies | None
    spice_values: SpiceValues | None
    asked: Collection[str]
    tokenizer: Tokenizer


def _of_words(captions: Tokenised, frequencies: Frequencies | None, asked: Collection[str]) -> CaptionScores:
    corpus = index(captions.candidates, captions.references, captions.example_of)
    table = bleu_counts(corpus).table
    counts: dict[str, Counts] = dict.fromkeys(("bleu_1", "bleu_2", "bleu_3", "bleu_4"), table)
    not_measured = {}
    if "meteor" not in asked:
        not_measured["meteor"] = f"METEOR is not measured: {ASK_FOR.format('meteor')}"
    elif isinstance(matches := meteor_counts(captions.candidates, captions.own_references), str):
        not_measured["meteor"] = matches
    else:
        counts["meteor"] = matches
    items = {metric: score_of_sums(metric, rows) for metric, rows in counts.items()}
    items["rouge_l"] = rouge_l(captions.candidates, captions.own_references)
    try:
        items |= {"cider_d": cider_d(corpus, frequencies), "cider": cider(corpus, frequencies)}
    except InputError as error:
        not_measured |= dict.fromkeys(("cider_d", "cider"), str(error))
    return CaptionScores(items, counts, not_measured)


def _with_spice(scores: CaptionScores, captions: Tokenised, given: _Asked) -> CaptionScores:
    """The scores with SPICE and what is made of it, by values that were given or by Java if asked for."""
    reason = f"SPICE is not measured: {ASK_FOR.format('spice')}, or give values made elsewhere with --spice"
    values: Items | str = reason
    of_candidates: list[Sequence[float]] | None = None
    if given.spice_values is not None:
        _check_one_arm(given.rows)
        values, of_candidates = spice_in_order(given.rows, given.spice_values)
    elif set(given.asked).intersection(SPICE_METRICS):
        values = spice(captions.candidates, captions.own_references)
    items, not_measured = dict(scores.items), dict(scores.not_measured)
    if isinstance(values, str):
        why_not = {
            "spider": f"SPIDEr needs SPICE. {values}",
            "spider_max": f"SPIDEr-max needs SPICE. {values}",
        }
        return CaptionScores(items, scores.counts, not_measured | {"spice": values} | why_not)
    items["spice"] = values
    if "cider_d" not in items:
        why_not = dict.fromkeys(("spider", "spider_max"), not_measured["cider_d"])
        return CaptionScores(items, scores.counts, not_measured | why_not)
    items["spider"] = spider(items["cider_d"], values)
    best = _spider_max(given, of_candidates)
    if isinstance(best, str):
        not_measured["spider_max"] = best
    else:
        items["spider_max"] = best
    return CaptionScores(items, scores.counts, not_measured)


def _spider_max(given: _Asked, of_candidates: list[Sequence[float]] | None) -> Items | str:
    """SPIDEr-max of each row, or why it is not measured."""
    reason = why_not_several(given.rows)
    if reason is not None:
        return reason
    if of_candidates is None and "spider_max" not in given.asked:
        return f"SPIDEr-max is not measured: {ASK_FOR.format('spider_max')}"
    if of_candidates is not None and any(
        len(values) < len(candidates_of(row)) for row, values in zip(given.rows, of_candidates, strict=True)
    ):
        return "SPIDEr-max is not measured: SPICE has one value per clip; give a list, one per candidate"
    return spider_max(given.rows, of_candidates, given.frequencies, given.tokenizer)


def _with_fluency(scores: CaptionScores) -> CaptionScores:
    if "spider" in scores.items and ERROR in scores.items:
        found = {"spider_fl": penalised(scores.items["spider"], scores.items[ERROR])}
        return CaptionScores(scores.items | found, scores.counts, scores.not_measured)
    needed = "spider" if "spider" not in scores.items else ERROR
    reason = f"SPIDEr-FL needs SPIDEr and fluency errors. {scores.not_measured[needed]}"
    return CaptionScores(scores.items, scores.counts, scores.not_measured | {"spider_fl": reason})


def _check_one_arm(rows: Sequence[Prediction]) -> None:
    names = {row.example_id for row in rows}
    if len(names) < len(rows):
        raise InputError(
            "SPICE values by example id are for one model under one condition, and examples are answered "
            "several times here; select one model, condition and seed"
        )


def _spread(
    values: Shaped[ndarray, "scored ..."], rows: Sequence[int], count: int, elsewhere: float = 0.0
) -> Shaped[ndarray, "predictions ..."]:
    """The values at the places of the scored predictions, and another elsewhere."""
    spread = np.full((count, *values.shape[1:]), elsewhere, dtype=values.dtype)
    spread[rows] = values
    return spread
