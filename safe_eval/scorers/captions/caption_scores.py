"""Caption scores: every caption metric of every predicted caption.

All predictions of a dataset are scored together. An example is one document, however many models answered it
under however many conditions, so scores that are compared use the same n-gram weights.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from safe_data.core.errors import InputError, raise_row_errors
from safe_eval.options import Tokenizer
from safe_eval.prediction import Prediction
from safe_eval.scorers.captions.bleu import bleu, bleu_counts
from safe_eval.scorers.captions.cider import cider, cider_d
from safe_eval.scorers.captions.corpus import index
from safe_eval.scorers.captions.frequencies import Frequencies, count_frequencies
from safe_eval.scorers.captions.meteor import meteor, meteor_counts
from safe_eval.scorers.captions.rouge import rouge_l
from safe_eval.scorers.captions.spice import spice, spider
from safe_eval.scorers.captions.tokenised import Tokenised, tokenised

TASKS = frozenset({"caption"})
MAXIMA = {"cider_d": 10.0, "cider": 10.0, "bleu_1": 1.0, "bleu_2": 1.0, "bleu_3": 1.0, "bleu_4": 1.0}
MAXIMA |= {"rouge_l": 1.0, "meteor": 1.0, "spice": 1.0, "spider": 5.5}
JAVA_METRICS = ("meteor", "spice", "spider")  # not measured without Java and its jars

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
    spice_values: Mapping[str, float] | None = None,
    java: bool = True,
    tokenizer: Tokenizer = "own",
) -> CaptionScores:
    """Score the captions of one dataset with every caption metric.

    CIDEr takes its document frequencies from these references, or from `frequencies`. `spice_values` maps
    example ids to SPICE, and needs predictions of one model under one condition. `java=False` disables METEOR
    and SPICE; `tokenizer="java"` lets Java's own tokenizer cut captions. An error counts as an empty caption;
    without references it scores 0.

    Raises:
        InputError: see `tokenised`; or there is not one SPICE value per prediction.
    """
    captions = tokenised(predictions, tokenizer)
    given = None
    if spice_values is not None:
        given = _in_order([predictions[i].example_id for i in captions.rows], spice_values)
    scores = _with_spice(_scores(captions, frequencies, java), captions, given, java)
    return CaptionScores(
        {metric: _spread(values, captions.rows, len(predictions)) for metric, values in scores.items.items()},
        {metric: _spread(rows, captions.rows, len(predictions)) for metric, rows in scores.counts.items()},
        scores.not_measured,
    )


def _scores(captions: Tokenised, frequencies: Frequencies | None, java: bool) -> CaptionScores:
    corpus = index(captions.candidates, captions.references, captions.example_of)
    table = bleu_counts(corpus).table
    counts: dict[str, Counts] = dict.fromkeys(("bleu_1", "bleu_2", "bleu_3", "bleu_4"), table)
    not_measured = {}
    if not java:
        not_measured["meteor"] = "METEOR is not measured: Java was not to be used"
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


def _with_spice(scores: CaptionScores, captions: Tokenised, given: Items | None, java: bool) -> CaptionScores:
    values: Items | str = "SPICE is not measured: Java was not to be used, and no values were given"
    if given is not None:
        values = given
    elif java:
        values = spice(captions.candidates, captions.own_references)
    items, not_measured = dict(scores.items), dict(scores.not_measured)
    if isinstance(values, str):
        not_measured |= {"spice": values, "spider": f"SPIDEr needs SPICE. {values}"}
    else:
        items["spice"] = values
        if "cider_d" in items:
            items["spider"] = spider(items["cider_d"], values)
        else:
            not_measured["spider"] = not_measured["cider_d"]
    return CaptionScores(items, scores.counts, not_measured)


def _in_order(names: Sequence[str], values: Mapping[str, float]) -> Items:
    if len(set(names)) < len(names):
        raise InputError(
            "SPICE values by example id are for one model under one condition, and examples are answered "
            "several times here; select one model, condition and seed"
        )
    errors = [
        f"{name!r}: has no SPICE value; give one per prediction" for name in names if name not in values
    ]
    errors += [
        f"{name!r}: SPICE value {values[name]} is outside [0, 1]"
        for name in names
        if name in values and not 0 <= values[name] <= 1
    ]
    raise_row_errors(errors, "SPICE values")
    return np.array([values[name] for name in names], dtype=float)


def _spread(
    values: Shaped[ndarray, "scored ..."], rows: Sequence[int], count: int
) -> Shaped[ndarray, "predictions ..."]:
    """The values at the places of the scored predictions, and 0 elsewhere."""
    spread = np.zeros((count, *values.shape[1:]), dtype=values.dtype)
    spread[rows] = values
    return spread
