"""Measure: predictions of captions → every caption metric, a value a prediction.

All predictions of a dataset are measured together: an example is one document, however many models and
conditions answered it, so that scores which are compared have been weighted alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from safe_data.core.errors import InputError, raise_row_errors
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
JAVA_METRICS = ("meteor", "spice", "spider")  # lacking where Java or its jars are

Items = Float[ndarray, " predictions"]
Counts = Shaped[ndarray, "predictions counts"]
_SCORE_OF_SUMS: dict[str, Callable[[Shaped[ndarray, "*rows counts"]], Float[ndarray, "*rows"]]] = {
    "bleu_1": lambda sums: bleu(sums)[..., 0],
    "bleu_2": lambda sums: bleu(sums)[..., 1],
    "bleu_3": lambda sums: bleu(sums)[..., 2],
    "bleu_4": lambda sums: bleu(sums)[..., 3],
    "meteor": meteor,
}


@dataclass(frozen=True)
class CaptionScores:
    """Values by metric, in the order of the predictions, and the reasons for those metrics that have none.

    `counts` are of the metrics whose value on a corpus is not the mean of the items but a function of sums.
    """

    items: dict[str, Items] = field(default_factory=dict)
    counts: dict[str, Counts] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)

    def corpus(self, metric: str, members: Shaped[ndarray, " members"] | slice = slice(None)) -> float:
        """The value of a metric on some of the predictions, of one model under one condition.

        Raises:
            InputError: the metric is not measured, or there are no such predictions.
        """
        if metric not in self.items:
            raise InputError(self.not_measured.get(metric, f"{metric!r} is none of {', '.join(MAXIMA)}"))
        items = self.items[metric][members]
        if not len(items):
            raise InputError("no captions: an empty set has no score")
        if metric in self.counts:
            return float(score_of_sums(metric, self.counts[metric][members].sum(axis=0)))
        return float(items.mean())


def score_of_sums(metric: str, sums: Shaped[ndarray, "*rows counts"]) -> Float[ndarray, "*rows"]:
    """BLEU or METEOR of sums of counts: of a corpus, or of each of many resamples."""
    return _SCORE_OF_SUMS[metric](sums)


def reference_frequencies(predictions: Sequence[Prediction]) -> Frequencies:
    """The document frequencies of the examples of one dataset, to be written for runs that share them.

    Raises:
        InputError: see `tokenised`; or a single example.
    """
    return count_frequencies(tokenised(predictions).references)


def measure(
    predictions: Sequence[Prediction],
    *,
    frequencies: Frequencies | None = None,
    spice_values: Mapping[str, float] | None = None,
    java: bool = True,
) -> CaptionScores:
    """Measure the predictions of one dataset; CIDEr weighs n-grams by their references, or by `frequencies`.

    An error is an empty caption, and scores 0 where its example has no references. `spice_values` are by
    example id, for one model under one condition. Without `java`, METEOR and SPICE are not measured.

    Raises:
        InputError: see `tokenised`; or SPICE values that are not one a prediction.
    """
    captions = tokenised(predictions)
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
    corpus = index(captions.candidates, captions.references, captions.clips)
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
    errors = [f"{name!r}: has no SPICE value; give one a prediction" for name in names if name not in values]
    errors += [
        f"{name!r}: SPICE value {values[name]} is outside [0, 1]"
        for name in names
        if name in values and not 0 <= values[name] <= 1
    ]
    raise_row_errors(errors, "SPICE values")
    return np.array([values[name] for name in names], dtype=float)


def _spread(
    values: Shaped[ndarray, "judged ..."], rows: Sequence[int], count: int
) -> Shaped[ndarray, "predictions ..."]:
    """The values at the places of those judged; 0 at those of the others."""
    spread = np.zeros((count, *values.shape[1:]), dtype=values.dtype)
    spread[rows] = values
    return spread
