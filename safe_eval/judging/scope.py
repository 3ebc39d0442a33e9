"""Scope: the answers that a criteria file makes a claim on, where it says that these are not all of them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from safe_data.core.errors import did_you_mean
from safe_eval.condition import FAMILIES, condition_parts, is_condition, unknown_condition

COVERS, LEAVES_OUT = "covers", "leaves_out"  # the keys of a criteria file
UNJUDGED = "unjudged: "  # begins the name of a row of the verdict

Side = Literal["all", "audio", "vl", "neither"]
Wanted = Literal["judge", "look", "nothing"]  # whether to judge how well these are answered, or any number

NEITHER: Side = "neither"  # the questions that do not say whether they need the sound
SIDES: tuple[Side, ...] = ("audio", "vl", NEITHER)


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Some of the answers: those of a dataset, a task and a slice; a field that is not given means any.

    With a `condition`, they are the answers under it, which may be of a sample of the examples.
    """

    dataset: Annotated[str | None, Meta(description="of one dataset")] = None
    task: Annotated[str | None, Meta(description="of one task, such as vqa, caption or classify")] = None
    slice: Annotated[
        Side | None,
        Meta(
            description="of audio, vl or neither (no row says); to leave out all leaves out how well they "
            "are answered, and some criterion must still look at each dataset"
        ),
    ] = None
    condition: Annotated[
        str | None,
        Meta(
            description="of one condition, such as reverb or snr_10db, or of a family of them, such as snr; "
            "only in leaves_out. Nothing judges such answers, and a sample of the examples may be asked"
        ),
    ] = None

    def holds(self, dataset: str | None, task: str) -> bool:
        """Whether it is about answers of this dataset and task, whatever their condition."""
        return self.condition is None and self.dataset in (None, dataset) and self.task in (None, task)

    def holds_side(self, dataset: str | None, task: str, side: str) -> bool:
        """The same of one side of them: audio, vl or neither."""
        return self.holds(dataset, task) and self.slice in (None, "all", side)

    def holds_condition(self, dataset: str | None, condition: str) -> bool:
        """Whether it is about the answers under this condition, by its name or that of its family.

        >>> Part(condition="snr").holds_condition("gqa", "snr_-5db"), Part().holds_condition("gqa", "full")
        (True, False)
        """
        family, _ = condition_parts(condition) or ("", None)
        return self.condition in (condition, family) and self.dataset in (None, dataset)

    @property
    def yaml(self) -> str:
        """The part as a criteria file writes it.

        >>> Part(dataset="gqa", slice="vl").yaml
        '{dataset: gqa, slice: vl}'
        """
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return f"{{{', '.join(f'{name}: {value}' for name, value in given.items() if value is not None)}}}"


class Scope(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a criteria file is about: what it covers, by default everything, without what it leaves out."""

    covers: tuple[Part, ...] = ()
    leaves_out: tuple[Part, ...] = ()

    def covers_some(self, dataset: str | None, task: str) -> bool:
        """Whether it covers some answers to a dataset and task."""
        return not self.covers or any(part.holds(dataset, task) for part in self.covers)

    def samples(self, dataset: str | None, condition: str) -> bool:
        """Whether nothing judges the answers under a condition, so that a sample of them is enough."""
        return any(part.holds_condition(dataset, condition) for part in self.leaves_out)

    def names(self, dataset: str | None, condition: str) -> bool:
        """The same of some dataset, where none is named."""
        everywhere = (msgspec.structs.replace(part, dataset=None) for part in self.leaves_out)
        parts = everywhere if dataset is None else self.leaves_out
        return any(part.holds_condition(dataset, condition) for part in parts)

    def wants(self, dataset: str | None, task: str, side: str) -> Wanted:
        """What the criteria must do about the answers on one side of a dataset and task.

        >>> Scope(leaves_out=(Part(slice="vl"),)).wants("gqa", "vqa", "vl")
        'nothing'
        """
        if self.covers and not any(part.holds_side(dataset, task, side) for part in self.covers):
            return "nothing"
        left_out = {part.slice for part in self.leaves_out if part.holds_side(dataset, task, side)}
        if left_out - {"all"}:
            return "nothing"
        return "look" if left_out else "judge"


EVERYTHING = Scope()


def parse_parts(key: str, given: Any) -> tuple[Part, ...] | str:
    """The parts below `covers` or `leaves_out`, with parameters filled in; or what is wrong with them."""
    rows: Sequence[Any] = given if isinstance(given, list) else [given]
    fields = Part.__struct_fields__
    parts = []
    for row in rows:
        if not isinstance(row, dict):
            return f"{key}: expected parts such as {{dataset: gqa}} or {{slice: vl}}, found {row!r}"
        for name in row:
            if name not in fields:
                hint = did_you_mean(str(name), fields)
                return f"{key}: unknown field {name!r}{hint and ', '}{hint}; fields are {', '.join(fields)}"
        try:
            part = msgspec.convert(row, Part)
        except msgspec.ValidationError as error:
            return f"{key}: {error}"
        if key == LEAVES_OUT and part == Part():
            return f"{key}: names no dataset, task, slice or condition, and so would leave out everything"
        if part.condition is not None and (fault := _unfit_condition(key, part)):
            return f"{key}: {fault}"
        parts.append(part)
    return () if Part() in parts else tuple(parts)  # what covers everything sets no limit


def _unfit_condition(key: str, part: Part) -> str | None:
    """Why the answers under the condition of a part cannot be left out."""
    name = str(part.condition)
    if key != LEAVES_OUT:
        return f"names the condition {name}; a condition stands in {LEAVES_OUT} alone"
    if (part.task, part.slice) != (None, None):
        return f"{part.yaml} names a condition beside a task or slice; leave out a condition in all of them"
    if name == "full":
        return "full cannot be left out: under it, the answers are judged"
    if name in FAMILIES or is_condition(name):
        return None
    return f"{unknown_condition(name)}; families are {', '.join(FAMILIES)}"
