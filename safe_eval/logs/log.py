"""Log: what a reader says about one log of another harness, and the rows that it reads from it.

A reader never guesses. A log that may be read in two ways is refused with the option that settles it, and a
row that cannot be a prediction is left out with its reason.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from safe_eval.choice_references import no_choice
from safe_eval.prediction import Prediction, range_error

# How a number of a log follows from the scores of its rows; see own_numbers.py.
Rule = Literal[
    "mean", "mean_of_ids", "mean_by_split", "mme", "circular", "f1", "precision", "recall", "unknown"
]

JUDGED = "judged"  # the task of rows without references, which only another harness's score judges


@dataclass(frozen=True)
class OwnNumber:
    """A number that the log states about all its rows.

    `value` is in the log's own unit. It follows from the scores under `metric` by a rule, times `scale`, over
    the rows of one `category` (a question type; None for all rows). `aggregation` is the harness's name of a
    rule that is not known here.
    """

    name: str
    value: float
    metric: str
    rule: Rule = "mean"
    scale: float = 1.0
    category: str | None = None
    aggregation: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A row of a log that is not written, and why."""

    place: int | str  # line, row number, or the name of a member
    why: str


Rows = Iterator[Prediction | LeftOut]


@dataclass(frozen=True)
class Log:
    """One log: who answered what, what it states about itself, and its rows, which are read when asked for.

    `notes` grows while rows are read.
    """

    path: Path
    harness: str
    read: "Callable[[Log], Rows]"  # the rows of this log
    version: str | None = None
    task: str | None = None
    model: str = "model"
    own: Sequence[OwnNumber] = ()
    expected: int | None = None  # rows that its numbers are about, where it says so
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say something about the log, once."""
        if text not in self.notes:
            self.notes.append(text)


def checked(place: int | str, **fields: Any) -> Prediction | LeftOut:
    """A prediction of these fields, or why it is none.

    A row that another harness scored needs no references: then `task` becomes `judged`, so that no rule here
    scores it, and it has no choices. So it is with references that name none of the choices, as where a
    spreadsheet lost the choice "None".
    """
    if fields.get("choices") and no_choice(fields["references"], fields["choices"]) is not None:
        if not fields.get("scores"):
            return LeftOut(place, "its reference names none of its choices")
        fields |= {"references": ()}
    if not fields["references"]:
        if not fields.get("scores") and fields.get("error") is None:
            return LeftOut(place, "it has neither a reference nor a score")
        if fields.get("error") is None:
            fields |= {"task": JUDGED, "choices": None}
    row = Prediction(**fields)
    fault = range_error(row)
    return row if fault is None else LeftOut(place, fault)


def at_path(content: Any, path: str) -> Any:
    """The value at a dotted path, such as `doc.passage_id`; None where there is none.

    >>> at_path({"doc": {"answers": ["a", "b"]}}, "doc.answers.1")
    'b'
    """
    if isinstance(content, Mapping) and path in content:
        return content[path]
    for key in path.split("."):
        if isinstance(content, Mapping):
            content = content.get(key)
        elif isinstance(content, list) and key.isdigit() and int(key) < len(content):
            content = content[int(key)]
        else:
            return None
    return content
