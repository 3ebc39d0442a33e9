"""Checks: whether the maps can be believed, as verdicts: go, no-go, or not measured.

A bound that lies within an interval is *not measured*: noise says neither.
"""

from collections.abc import Sequence

import numpy as np

from safe_data.core.numerals import fraction, interval
from safe_eval.judging.judged import GO, NO_GO, NOT_MEASURED
from safe_eval.report.explanation import Completeness, Curve, Estimate, SanityCheck, Shuffled
from safe_train.explain.deletion import DELETION, KINDS, Curves
from safe_train.explain.estimates import Slices, mean_of
from safe_train.explain.shuffling import SOUND_NUMBERS, WORDS_PICTURE_SOUND, Similarity

_METHODS = {"gradients": "integrated gradients", "shapley": "Shapley values"}


def shuffled_rows(found: Sequence[Similarity], slices: Slices) -> list[Shuffled]:
    """The mean rank correlation at each stage."""
    return [
        Shuffled(
            map=one.map,
            stage=one.stage,
            correlation=mean_of(one.correlations, slices.groups, slices.sampling),
        )
        for one in found
    ]


def curve_rows(found: Sequence[Curves], slices: Slices) -> list[Curve]:
    """The mean curves of deletion and insertion, in the order of the maps and in random ones."""
    rows = []
    for kind in KINDS:
        for order, named in (("attributed", True), ("random", False)):
            values = np.array([(one.attributed if named else one.random)[kind] for one in found])
            better = np.array([one.better(kind) for one in found])
            rows.append(
                Curve(
                    kind=kind,
                    order=order,
                    values=tuple(values.mean(0).round(6).tolist()),
                    area=mean_of(values.mean(1), slices.groups, slices.sampling, share=True),
                    better=mean_of(better, slices.groups, slices.sampling) if named else None,
                )
            )
    return rows


def checks_of(
    completeness: Sequence[Completeness],
    shuffled: Sequence[Shuffled],
    curves: Sequence[Curve],
    *,
    most_similar: float,
    delta: float,
    why_not: str | None,
) -> tuple[SanityCheck, ...]:
    """The verdict of each check; `why_not` says why the weights were not shuffled."""
    return (
        *(_complete(one, delta) for one in completeness),
        *(
            _differs(name, [row for row in shuffled if row.map == name], most_similar, why_not)
            for name in (WORDS_PICTURE_SOUND, SOUND_NUMBERS)
        ),
        *(_beats(row) for row in curves if row.better is not None),
    )


def _complete(one: Completeness, delta: float) -> SanityCheck:
    name, relative = f"{_METHODS[one.method]} sum up", one.error / one.difference if one.difference else None
    if relative is None:
        return SanityCheck(name, NOT_MEASURED, "no answer depends on words, picture or sound")
    return SanityCheck(
        name,
        GO if relative <= delta else NO_GO,
        f"they miss the difference by {one.error:.3g} nats in the mean of {one.n}, {100 * relative:.2g} % of "
        f"its mean size {one.difference:.3g} (at most {100 * delta:g} %)"
        + ("" if relative <= delta else "; raise --steps"),
    )


def _differs(name: str, rows: Sequence[Shuffled], most: float, why_not: str | None) -> SanityCheck:
    """Whether the map changes when the weights are shuffled: at the last stage."""
    title = f"shuffled weights change the map of {name}"
    if not rows:
        return SanityCheck(title, NOT_MEASURED, why_not or "nothing was shuffled")
    last = rows[-1].correlation
    evidence = (
        f"rank correlation {_said(last)} after {rows[-1].stage} of {last.n} questions (below {most:g}; 1 is "
        "the same map)"
    )
    return SanityCheck(title, _decided(last, most, below=True), evidence)


def _beats(row: Curve) -> SanityCheck:
    if row.better is None:
        raise ValueError(f"{row.kind}: only the order of a map is compared")
    side = "smaller" if row.kind == DELETION else "larger"
    return SanityCheck(
        f"{row.kind} beats random order",
        _decided(row.better, 0.0, below=False),
        f"the area under the answer's probability is {_said(row.better)} {side} than in random order, of "
        f"{row.better.n} questions (above 0)",
    )


def _decided(found: Estimate, bound: float, *, below: bool) -> str:
    if found.low is None or found.high is None:
        return NOT_MEASURED
    holds = found.high < bound if below else found.low > bound
    fails = found.low >= bound if below else found.high <= bound
    return GO if holds else NO_GO if fails else NOT_MEASURED


def _said(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return f"{fraction(found.value)} (no interval)"
    return f"{fraction(found.value)} {interval(found.low, found.high)}"
