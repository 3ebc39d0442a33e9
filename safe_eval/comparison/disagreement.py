"""Disagreement: why A and B score an item differently: in the prompt, the answer, its parsing or its scoring.

The first of these that differs is the reason, except that a prompt explains nothing where the answers are the
same. The same answer is parsed differently where what was read in it differs; and where nothing says what was
read, if it is read as one of several choices and the right ones are the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from safe_data.core.table import Table, csv_text
from safe_eval.arms.given_arms import is_given, is_share
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.comparison.pairing import folded
from safe_eval.prediction import Prediction
from safe_eval.results.readings import SAME_WITHIN, our_reading, reply_of, same_reading, their_reading
from safe_eval.scorers.scorer import READS_REPLIES

PROMPT, ANSWER, PARSING, SCORING = "prompt", "answer", "parsing", "scoring"
REASONS = (PROMPT, ANSWER, PARSING, SCORING)
SHOWN = 3  # examples of each reason in comparison.json
_CLOSE = 1e-9  # scores outside [0, 1] are the same if they differ by less


class DisagreementRow(msgspec.Struct, frozen=True, kw_only=True):
    """How many items A and B score differently for one reason, out of all that both score."""

    metric_a: str
    metric_b: str
    dataset: str | None
    a: str  # as "model/condition"
    b: str
    reason: str
    n: int
    share: float  # of `compared`
    compared: int
    same: int  # items with the same score, whatever was said
    a_higher: int
    b_higher: int
    examples: tuple[str, ...]  # the first ids


class DifferingItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item that A and B score differently, and why."""

    metric_a: str
    metric_b: str
    dataset: str | None
    a: str
    b: str
    example_id: str
    id_in_b: str  # another one where prompts pair the rows
    why: str
    score_a: float
    score_b: float
    prompt_a: str | None
    prompt_b: str | None
    answer_a: str | None
    answer_b: str | None
    read_a: str | None  # what was read in the answer, if that is known
    read_b: str | None
    references_a: tuple[str, ...]
    references_b: tuple[str, ...]


class Scorings(NamedTuple):
    """The same items as two metrics scored A and B; mostly it is one metric. Places agree."""

    a: ScoredArm
    b: ScoredArm
    names: tuple[str, str]  # as "model/condition"


def differing_items(sides: Scorings, ids_in_b: Mapping[str, str]) -> list[DifferingItem]:
    """The items that A and B score differently, in the order of their ids."""
    within = SAME_WITHIN if is_share(sides.a) and is_share(sides.b) else _CLOSE
    rows_a, rows_b = sides.a.rows, sides.b.rows
    found = []
    for place in np.flatnonzero(np.abs(sides.a.scores - sides.b.scores) > within).tolist():
        a, b = rows_a[place], rows_b[place]
        read = [_reading(row, sides.a.metric) for row in (a, b)]
        found.append(
            DifferingItem(
                metric_a=sides.a.metric,
                metric_b=sides.b.metric,
                dataset=sides.a.key.dataset,
                a=sides.names[0],
                b=sides.names[1],
                example_id=a.example_id,
                id_in_b=ids_in_b.get(a.example_id, a.example_id),
                why=reason(a, b, sides.a.metric),
                score_a=float(sides.a.scores[place]),
                score_b=float(sides.b.scores[place]),
                prompt_a=a.prompt,
                prompt_b=b.prompt,
                answer_a=_said(a),
                answer_b=_said(b),
                read_a=read[0],
                read_b=read[1],
                references_a=a.references,
                references_b=b.references,
            )
        )
    return found


def reason(a: Prediction, b: Prediction, metric: str) -> str:
    """Why two rows of one example are scored differently by a metric.

    >>> row = Prediction(example_id="q", references=("cat",), answer="B", choices=("dog", "cat"))
    >>> other = msgspec.structs.replace(row, answer="A")
    >>> reason(row, row, "given:hit"), reason(row, other, "given:hit")
    ('parsing', 'answer')
    """
    if _text(_said(a)) != _text(_said(b)):
        is_other = a.prompt is not None and b.prompt is not None and folded(a.prompt) != folded(b.prompt)
        return PROMPT if is_other else ANSWER
    read_a, read_b = _reading(a, metric), _reading(b, metric)
    if read_a is not None and read_b is not None:
        same = same_reading(read_a, read_b, a) or same_reading(read_a, read_b, b)
        return SCORING if same else PARSING
    chosen = bool(a.choices or b.choices) or metric in READS_REPLIES
    alike = sorted(map(folded, a.references)) == sorted(map(folded, b.references))
    return PARSING if chosen and alike else SCORING


def disagreement_rows(sides: Scorings, items: Sequence[DifferingItem]) -> Iterator[DisagreementRow]:
    """One row per reason for which some item differs; one without a reason if none does."""
    compared = len(sides.a.scores)
    for why in REASONS:
        own = [item for item in items if item.why == why]
        if own:
            yield DisagreementRow(
                metric_a=sides.a.metric,
                metric_b=sides.b.metric,
                dataset=sides.a.key.dataset,
                a=sides.names[0],
                b=sides.names[1],
                reason=why,
                n=len(own),
                share=len(own) / compared,
                compared=compared,
                same=compared - len(items),
                a_higher=sum(item.score_a > item.score_b for item in own),
                b_higher=sum(item.score_b > item.score_a for item in own),
                examples=tuple(item.example_id for item in own[:SHOWN]),
            )


def differing_csv(items: Sequence[DifferingItem]) -> bytes:
    """The content of disagreements.csv. Without any it is the header, so that no older file is left."""
    fields = DifferingItem.__struct_fields__
    values = [
        tuple(
            " | ".join(value) if isinstance(value := getattr(item, name), tuple) else value for name in fields
        )
        for item in items
    ]
    return csv_text([Table("disagreements", fields, values)]).encode()


def _reading(row: Prediction, metric: str) -> str | None:
    """What the harness read, for its own score; what is read here, for a metric here."""
    return their_reading(row) if is_given(metric) else our_reading(row)


def _said(row: Prediction) -> str | None:
    return row.error if row.error is not None else reply_of(row)


def _text(said: str | None) -> str:
    return " ".join((said or "").split())
