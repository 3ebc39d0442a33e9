"""Flips: the examples that one model gets right and another gets wrong, with what both of them said."""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
import numpy as np

from safe_data.core.table import Table, Value, csv_text
from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import shared_examples
from safe_eval.arms.consultation import CONSULTATION_METRICS
from safe_eval.arms.given_arms import is_off_scale
from safe_eval.arms.pairs import baseline_of
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.results.comparisons import matched_equals
from safe_eval.scorers.scorer import CAPTION_METRICS, RIGHT_FROM

FLIPS_FILE = "flips.csv"


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """One example that A gets right and B wrong (gained), or the other way round (lost)."""

    metric: str
    dataset: str | None
    seed: int
    a: str  # as "model/condition"
    b: str
    example_id: str
    flip: Literal["gained", "lost"]
    question_type: str | None
    needs_audio: bool | None
    group: str | None
    prompt: str | None
    references: tuple[str, ...]
    answer_a: str | None
    answer_b: str | None
    score_a: float
    score_b: float
    error_a: str | None = None
    error_b: str | None = None


_COLUMNS = Flip.__struct_fields__


def flips_of_models(arms: Arms) -> Iterator[Flip]:
    """The flips of every model under `full` against the baseline, or of each pair of equals."""
    for scored in arms.judged.values():
        full = [arm for arm in scored if arm.key.condition == "full"]
        for arm in full:
            base = baseline_of(arm, full, arms.pairing)
            if base is not None:
                yield from flips_between(arm, base, seed=arm.key.seed)
        for seed, (arm, other) in matched_equals(full, arms.pairing):
            yield from flips_between(arm, other, seed=seed)


def flips_between(
    a: ScoredArm, b: ScoredArm, *, seed: int, names: tuple[str, str] | None = None
) -> Iterator[Flip]:
    """The flips of the examples that both answered, in the order of their ids.

    Captions are not right or wrong, and neither are consultation and given scores outside [0, 1]: they have
    no flips.
    """
    if a.metric in CAPTION_METRICS or a.metric in CONSULTATION_METRICS or is_off_scale(a):
        return
    at_a, at_b = shared_examples(a.examples, b.examples)
    right_a, right_b = a.scores[at_a] >= RIGHT_FROM, b.scores[at_b] >= RIGHT_FROM
    rows_a, rows_b = a.rows, b.rows
    name_a, name_b = names or (a.key.name, b.key.name)
    for place in np.flatnonzero(right_a != right_b).tolist():
        in_a, in_b = int(at_a[place]), int(at_b[place])
        one, other = rows_a[in_a], rows_b[in_b]
        yield Flip(
            metric=a.metric,
            dataset=a.key.dataset,
            seed=seed,
            a=name_a,
            b=name_b,
            example_id=one.example_id,
            flip="gained" if right_a[place] else "lost",
            question_type=one.question_type,
            needs_audio=one.needs_audio,
            group=one.group,
            prompt=one.prompt or other.prompt,
            references=one.references or other.references,
            answer_a=one.answer,
            answer_b=other.answer,
            score_a=float(a.scores[in_a]),
            score_b=float(b.scores[in_b]),
            error_a=one.error,
            error_b=other.error,
        )


def flips_table(flips: Sequence[Flip]) -> Table:
    """One row per flip, with the fields of `Flip` as columns; equal references are counted."""
    return Table("flips", _COLUMNS, [tuple(_cell(flip, name) for name in _COLUMNS) for flip in flips])


def flips_csv(flips: Sequence[Flip]) -> bytes:
    """The content of flips.csv. Without flips it is the header, so that no older file is left."""
    return csv_text([flips_table(flips)]).encode()


def _cell(flip: Flip, name: str) -> Value:
    if name != "references":
        value: Value = getattr(flip, name)
        return value
    counts = {text: flip.references.count(text) for text in dict.fromkeys(flip.references)}
    often = sorted(counts, key=lambda text: -counts[text])
    return " | ".join(text if counts[text] == 1 else f"{text} ×{counts[text]}" for text in often)
