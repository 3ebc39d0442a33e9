"""Several captions per clip: SPIDEr-max, the best SPIDEr of all that a model offers for a sound.

A row says them in `metadata.candidates`, a list of texts of which `answer` is one; SPICE values are then a
list per example, in the same order.
Source: Labbé et al. 2022, "Is my Automatic Audio Captioning System so Bad? SPIDEr-max: A Metric to Consider
Several Caption Candidates", section 3; aac-metrics 0.5.4, functional/spider_max.py.
Differs: clips may have different numbers of candidates; there all have the same number.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import raise_row_errors
from safe_eval.options import Tokenizer
from safe_eval.prediction import Prediction, quoted
from safe_eval.scorers.captions.cider import cider_d
from safe_eval.scorers.captions.corpus import index
from safe_eval.scorers.captions.frequencies import Frequencies
from safe_eval.scorers.captions.spice import spice, spider
from safe_eval.scorers.captions.tokenised import Tokenised, caption_of, has_caption, tokenised

FIELD = "candidates"  # in the metadata of a row
SpiceValues = Mapping[str, float | Sequence[float]]  # by example id: of the answer, or of each candidate
Items = Float[ndarray, " captions"]


def candidates_of(row: Prediction) -> tuple[str, ...]:
    """The captions that a row offers: its candidates, or its answer alone; an error offers an empty one."""
    given = (row.metadata or {}).get(FIELD)
    return (caption_of(row),) if given is None or not has_caption(row) else tuple(given)


def check_candidates(rows: Sequence[Prediction]) -> None:
    """Refuse rows whose candidates are no list of texts with the answer among them.

    Raises:
        InputError: there are such rows; all are named at once.
    """
    errors = []
    for row in rows:
        given = (row.metadata or {}).get(FIELD)
        if given is None or not has_caption(row):
            continue
        if not isinstance(given, list | tuple) or not all(isinstance(text, str) for text in given):
            errors.append(f"{quoted(row.example_id)}: metadata.{FIELD} is no list of texts")
        elif row.answer not in given:
            errors.append(
                f"{quoted(row.example_id)}: answer is none of its metadata.{FIELD}; list it among them"
            )
    raise_row_errors(errors, "captions")


def why_not_several(rows: Sequence[Prediction]) -> str | None:
    """Why rows have no SPIDEr-max; None if every row that is no error offers several captions."""
    answered = [row for row in rows if has_caption(row)]
    single = sum(len(candidates_of(row)) < 2 for row in answered)
    if not single and answered:
        return None
    whose = "each row" if single == len(answered) else f"{single} of {len(answered)} rows"
    return (
        f"SPIDEr-max is not measured: it needs several captions per clip, and {whose} has one; list them in "
        f"metadata.{FIELD}"
    )


def spider_max(
    rows: Sequence[Prediction],
    spice_values: Sequence[Sequence[float]] | None = None,
    frequencies: Frequencies | None = None,
    tokenizer: Tokenizer = "own",
) -> Items | str:
    """The best SPIDEr of each row's candidates, or why there is none; Java gives SPICE unless it is given.

    >>> said = {"candidates": ["a dog barks", "a cat"]}
    >>> clips = [
    ...     Prediction(example_id=name, references=(text,), answer="a cat", metadata=said)
    ...     for name, text in (("1", "a dog barks"), ("2", "rain falls"))
    ... ]
    >>> spider_max(clips, [[0.5, 0.0], [0.0, 0.1]]).round(3).tolist()  # (7.5 + 0.5) / 2, and 0.1 / 2
    [4.0, 0.05]
    """
    offered = list(map(candidates_of, rows))
    parts: list[Tokenised] = []
    places: list[list[int]] = []
    for number in range(max(map(len, offered))):
        places.append([min(number, len(texts) - 1) for texts in offered])
        asked = [
            msgspec.structs.replace(row, answer=texts[place]) if has_caption(row) else row
            for row, texts, place in zip(rows, offered, places[-1], strict=True)
        ]
        parts.append(tokenised(asked, tokenizer))
    if spice_values is None:
        found = spice(
            [text for part in parts for text in part.candidates],
            [texts for part in parts for texts in part.own_references],
        )
        if isinstance(found, str):
            return f"SPIDEr-max needs SPICE. {found}"
        values = np.split(found, len(parts))
    else:
        values = [
            np.array([of[place] for of, place in zip(spice_values, chosen, strict=True)]) for chosen in places
        ]
    scores = [
        spider(cider_d(index(part.candidates, part.references, part.example_of), frequencies), of_part)
        for part, of_part in zip(parts, values, strict=True)
    ]
    best: Items = np.max(scores, axis=0)
    return best


def spice_in_order(rows: Sequence[Prediction], values: SpiceValues) -> tuple[Items, list[Sequence[float]]]:
    """The SPICE value of each row's answer, and of each of its candidates, from values by example id.

    Raises:
        InputError: an example has no value, one outside [0, 1], or not one per candidate.
    """
    errors: list[str] = []
    of_answers: list[float] = []
    of_candidates: list[Sequence[float]] = []
    for row in rows:
        name, offered, given = row.example_id, candidates_of(row), values.get(row.example_id)
        numbers = given if isinstance(given, list | tuple) else () if given is None else (given,)
        outside = [number for number in numbers if not 0 <= number <= 1]
        if isinstance(given, list | tuple) and not has_caption(row):
            given = numbers = (0.0,)  # an error offers one empty caption
        if given is None:
            errors.append(f"{name!r}: has no SPICE value; give one per prediction")
        elif outside:
            errors.append(f"{name!r}: SPICE value {outside[0]} is outside [0, 1]")
        elif numbers is given and len(numbers) != len(offered):
            errors.append(f"{name!r}: has {len(numbers)} SPICE values for {len(offered)} captions")
        else:
            of_answers.append(numbers[offered.index(caption_of(row)) if numbers is given else 0])
            of_candidates.append(numbers)
    raise_row_errors(errors, "SPICE values")
    return np.array(of_answers, dtype=float), of_candidates
