"""Annotator rows: one prediction that was written as a row per annotator, each with its own references.

Such rows have the field `annotator`, and differ in it and in `references` alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from safe_eval.prediction import Prediction, quoted

Key = tuple[str | None, str, str, str, int, str | None]  # dataset to seed, and the prompt

_SAME = [name for name in Prediction.__struct_fields__ if name != "references"]
_same = attrgetter(*_SAME)
_key = attrgetter("dataset", "example_id", "model", "condition", "seed", "prompt_id")


class AnnotatorRow(Prediction, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A prediction with the references of one annotator."""

    annotator: int | str | None = None


@dataclass(frozen=True)
class _Group:
    """The rows of one prediction: the first one with its number, and what each annotator gave, and where."""

    first: AnnotatorRow
    number: int
    references: dict[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class AnnotatorRows:
    """The annotator rows of one file, which are added one by one and then made into predictions."""

    file: str
    groups: dict[Key, _Group] = field(default_factory=dict)

    def fault(self, row: AnnotatorRow, number: int) -> str | None:
        """Add a row; what is wrong with it beside the rows of its prediction before it."""
        if row.annotator is None:
            raise ValueError("a row without an annotator is a prediction of its own")
        annotator = str(row.annotator)
        group = self.groups.setdefault(_key(row), _Group(row, number))
        if (earlier := group.numbers.setdefault(annotator, number)) != number:
            return (
                f"{quoted(row.example_id)}: annotator {quoted(annotator)} is already at "
                f"{self.file}:{earlier}; keep one"
            )
        if group.first is not row and _same(row) != _same(group.first):
            name = next(name for name in _SAME if getattr(row, name) != getattr(group.first, name))
            return (
                f"{quoted(row.example_id)}: {name} differs from {self.file}:{group.number}; the rows of one "
                "prediction differ in annotator and references alone"
            )
        group.references[annotator] = row.references
        return None

    def predictions(self) -> Iterator[tuple[int, Prediction | str]]:
        """One prediction per group, with the number of its first row; or what is wrong with the group.

        References stand in the order of the annotators. Examples of one dataset have the same number of them:
        where one has fewer, rows were lost.
        """
        most: dict[str | None, _Group] = {}
        for group in self.groups.values():
            largest = most.setdefault(group.first.dataset, group)
            if len(group.numbers) > len(largest.numbers):
                most[group.first.dataset] = group
        for group in self.groups.values():
            largest, name = most[group.first.dataset], quoted(group.first.example_id)
            if len(group.numbers) < len(largest.numbers):
                other = f"{quoted(largest.first.example_id)} has {len(largest.numbers)}"
                fix = "give each example the same number, or one row with all texts in 'references'"
                yield group.number, f"{name}: has {len(group.numbers)} annotators, but {other}; {fix}"
                continue
            ordered = sorted(group.references, key=_order)
            references = tuple(text for name in ordered for text in group.references[name])
            fields = {name: getattr(group.first, name) for name in _SAME}
            yield group.number, Prediction(references=references, **fields)


def _order(annotator: str) -> tuple[bool, int, str]:
    """Numbers by their value, then names.

    >>> sorted(["10", "9", "anna", "2"], key=_order)
    ['2', '9', '10', 'anna']
    """
    is_number = annotator.isascii() and annotator.isdigit() and len(annotator) < 20
    return not is_number, int(annotator) if is_number else 0, annotator
