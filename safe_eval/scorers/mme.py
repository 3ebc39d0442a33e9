"""MME: two questions about each picture, one whose answer is yes and one whose answer is no.

Accuracy is over questions, `accuracy_plus` the share of pictures with both questions right. The score of a
category is 100 × their sum. The score of perception (10 categories) and of cognition (4) is the sum over
categories, so at most 2,000 and 800.

Source: Fu et al. 2023, "MME: A Comprehensive Evaluation Benchmark for Multimodal Large Language Models",
section 2.2; calculation.py of its evaluation tool, as ported in lmms-eval (tasks/mme/utils.py) and VLMEvalKit
(utils/yorn.py, MME_rating), which agree. A row's category is its `question_type`, its picture `record_id`, or
`group` without it.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.prediction import Prediction
from safe_eval.scorers import yes_no
from safe_eval.scorers.aggregate import Aggregate, check_one_arm, mean_of, not_measured

PERCEPTION = (
    *("existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark", "artwork"),
    "OCR",
)
COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")
CATEGORY_POINTS = 200.0  # of a category whose questions are all answered right
HIGHEST = {
    "perception_score": CATEGORY_POINTS * len(PERCEPTION),
    "cognition_score": CATEGORY_POINTS * len(COGNITION),
}
_LETTERS = 4


def score_first_letters(predictions: Sequence[Prediction]) -> Float[ndarray, " items"]:
    """Yes if the first four letters hold "yes", or else no if they hold "no"; others are neither.

    Source: EvolvingLMMs-Lab/lmms-eval, tasks/mme/utils.py, parse_pred_ans, which also takes y and n. So "Not
    sure" is a no. Differs: where the script says "other", the reply is unparsed.

    >>> from msgspec.structs import replace
    >>> row = Prediction(example_id="q", references=("no",), answer="")
    >>> score_first_letters([replace(row, answer=text) for text in ("None.", "A no.", "Unknown")]).tolist()
    [1.0, 1.0, nan]
    """
    return yes_no.scored_by(_first_letters, predictions)


def aggregates(predictions: Sequence[Prediction]) -> list[Aggregate]:
    """What `yes_no` counts, and what `pair_aggregates` makes of the same readings.

    Raises:
        InputError: no predictions, or predictions of more than one model, condition or seed.
    """
    check_one_arm(predictions)
    scores = np.nan_to_num(yes_no.score_all(predictions))
    scores[[row.error is not None for row in predictions]] = 0.0
    return [*yes_no.aggregates(predictions), *pair_aggregates(predictions, scores)]


def pair_aggregates(predictions: Sequence[Prediction], scores: Float[ndarray, " items"]) -> list[Aggregate]:
    """Accuracy+ over pictures, and the scores of perception and cognition, of answers that are 1 or 0.

    Both questions about a picture must be there, and for a score at least one picture of each category.
    """
    pairs, why_not = _pairs(predictions)
    if why_not:
        return [not_measured(name, why_not) for name in ("accuracy_plus", *HIGHEST)]
    plus = {pair: min(scores[at].tolist()) for pair, at in pairs.items()}
    firsts = [at[0] for at in pairs.values()]
    points = np.zeros(len(predictions))
    for pair, at in pairs.items():
        points[at] = (scores[at] + plus[pair]) / 2
    categories = np.array([row.question_type for row in predictions])
    return [
        mean_of("accuracy_plus", firsts, list(plus.values()), "no picture"),
        _score("perception_score", PERCEPTION, categories, points),
        _score("cognition_score", COGNITION, categories, points),
    ]


def _pairs(predictions: Sequence[Prediction]) -> tuple[dict[tuple[str, str], list[int]], str | None]:
    """The places of the questions about each picture; or why it has not two."""
    pairs: dict[tuple[str, str], list[int]] = {}
    for place, row in enumerate(predictions):
        picture = row.record_id or row.group
        if picture is None:
            return {}, f"{row.example_id!r} names no picture: give 'record_id' or 'group'"
        pairs.setdefault((row.question_type or "", picture), []).append(place)
    odd = [(picture, len(at)) for (_, picture), at in pairs.items() if len(at) != 2]
    if odd:
        picture, count = min(odd)
        asked = f"{count} question{'s' if count > 1 else ''}"
        which = "1 picture does" if len(odd) == 1 else f"{len(odd)} pictures do"
        return {}, f"{which} not have 2 questions, for example {picture!r}, which has {asked}"
    return pairs, None


def _score(
    name: str, wanted: Sequence[str], categories: np.ndarray, points: Float[ndarray, " items"]
) -> Aggregate:
    """The sum over categories, as a mean over categories of the share of their points."""
    missing = [category for category in wanted if not (categories == category).any()]
    if missing:
        few = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        return not_measured(name, f"{len(missing)} of {len(wanted)} categories have no question ({few})")
    at = np.flatnonzero(np.isin(categories, wanted))
    classes = np.array([wanted.index(category) for category in categories[at].tolist()])
    means = [points[at][classes == number].mean() for number in range(len(wanted))]
    value = CATEGORY_POINTS * float(sum(means))
    return Aggregate(
        name, value, len(at), at=at, scores=points[at], classes=classes, highest=CATEGORY_POINTS * len(wanted)
    )


def _first_letters(reply: str) -> str | None:
    text = reply.lower().strip().replace(".", "")
    if len(text) == 1:
        return {"y": yes_no.YES, "n": yes_no.NO}.get(text)
    start = text[:_LETTERS]
    return yes_no.YES if yes_no.YES in start else yes_no.NO if yes_no.NO in start else None
