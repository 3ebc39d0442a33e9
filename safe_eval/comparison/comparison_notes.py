"""Comparison notes: what a reader must know of two matched sides, beside what the tables say."""

from collections.abc import Iterator, Sequence

from safe_eval.comparison.matching import Matched
from safe_eval.comparison.sides import Side
from safe_eval.options import CompareOptions
from safe_eval.scorers.captions.caption_scores import ASK_FOR, JAVA_METRICS

_IN_JAVA = tuple(ASK_FOR.format(metric) for metric in JAVA_METRICS)  # in the notes on captions

Sides = tuple[Side, Side]


def matching_notes(sides: Sides, matched: Sequence[Matched], options: CompareOptions) -> Iterator[str]:
    """Conditions of one side alone, a model beside itself, how rows are paired, and which are left out."""
    for side, other in (sides, sides[::-1]):
        alone = [name for name in side.conditions if name not in other.conditions]
        if alone and options.conditions == (None, None):
            yield f"only {side.name} answered under {', '.join(alone)}, which is not compared"
    yield from dict.fromkeys(note for side in sides for note in side.notes)
    if sides[0].hashes == sides[1].hashes:
        yield from _same_bytes(*sides, matched)
    for found in matched:
        yield from found.how
        if found.ambiguous:
            yield (
                f"{found.ambiguous} rows ask what another row of their side asks too, and are left out"
                f"{_listed(found.ambiguous_ids, found.ambiguous)}"
            )
        if found.only_a or found.only_b:
            yield (
                f"{found.only_a} examples of A {found.condition_a} and {found.only_b} of B "
                f"{found.condition_b} are on one side only and are left out{_ids(found)}"
            )


def _same_bytes(a: Side, b: Side, matched: Sequence[Matched]) -> Iterator[str]:
    """A note where a model is compared with itself or with a copy: perhaps another file was meant."""
    same = [found.condition_a for found in matched if found.condition_a == found.condition_b]
    if (a.model, a.seed) == (b.model, b.seed) and same:
        yield (
            f"A and B are the same bytes, {a.model} under {', '.join(same)} in {a.file} and {b.file}; if "
            "others were meant, give another file, or --model-b, --condition-b or --seed-b"
        )


def _ids(found: Matched) -> str:
    return _listed((*found.only_a_ids, *found.only_b_ids), found.only_a + found.only_b)


def _listed(ids: Sequence[str], count: int) -> str:
    return f": {', '.join(ids)}{', …' if count > len(ids) else ''}"


def caption_notes(notes: Sequence[str], metric: str | None) -> Iterator[str]:
    """The notes on captions; for metrics in Java that were not requested, how to request them."""
    unasked = [note for note in notes if any(command in note for command in _IN_JAVA)]
    others = [note for note in notes if note not in unasked]
    yield from (note for note in others if metric is None or "not measured" not in note)
    if unasked and metric is None:
        names = ", ".join(JAVA_METRICS)
        yield f"{names} run in Java and are compared one at a time: --metric {JAVA_METRICS[0]}"
