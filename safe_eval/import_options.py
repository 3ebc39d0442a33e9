"""Import options: how logs of other harnesses are read, where they do not say it themselves.

Like options.py, this file loads nothing. The text below a field is its help.
"""

from dataclasses import dataclass
from typing import Literal

from safe_data.core.errors import InputError

Harness = Literal["auto", "lmms_eval", "lm_eval", "inspect_ai", "vlmevalkit", "mapped"]


@dataclass(frozen=True)
class ImportOptions:
    """How logs of other harnesses are read, where they do not say it themselves."""

    harness: Harness = "auto"
    """who wrote the logs (default: as their names and keys say); mapped is any table or JSON Lines"""
    map: tuple[str, ...] = ()
    """FIELD=COLUMN, where a field of the row stands in a mapped log, such as answer=reply, group=doc.video or
    scores.judge=grade"""
    field: tuple[str, ...] = ()
    """FIELD=KEY, where a field stands in another harness's log instead of where it is looked for, such as
    references=doc.answer or answer=output"""
    filter: str | None = None
    """which filter to read of a log that holds several: its name (lm_eval), or 1, 2, … (lmms_eval)"""
    metric: tuple[str, ...] = ()
    """keep this score of the harness (default: all)"""
    group_field: str | None = None
    """key of what belongs together, such as metadata.speaker or doc.image_id; it becomes the group"""
    question_type_field: str | None = None
    """key of the type of question, such as metadata.subject or doc.category"""
    dataset: str | None = None
    """name of the dataset in all rows (default: the one that the log gives)"""
    model: str | None = None
    """name of the model in all rows (default: the one that the log gives)"""
    without_references: bool = False
    """leave all references out, so that only the harness's own scores judge the rows"""
    allow_partial: bool = False
    """read what is there of a run that failed, was cancelled, or goes on, instead of refusing it"""

    def __post_init__(self) -> None:
        faulty = [one for one in (*self.map, *self.field) if not all(one.partition("=")[::2])]
        if faulty:
            raise InputError(f"{faulty[0]!r}: is not FIELD=COLUMN")
        if self.harness not in ("auto", "mapped") and self.map:
            raise InputError(f"--map: logs of {self.harness} have known fields; name others with --field")

    def place_of(self, field: str) -> str | None:
        """The key that --field names for a field of the row."""
        found = [one.partition("=")[2] for one in self.field if one.partition("=")[0] == field]
        return found[-1] if found else None

    def keeps(self, metric: str) -> bool:
        """Whether a score of the harness stands in the rows."""
        return not self.metric or metric in self.metric
