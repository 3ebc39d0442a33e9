"""Expected examples: what a run should have answered, as a built dataset or a file of examples states it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from safe_data.core.errors import InputError, did_you_mean, raise_row_errors
from safe_data.core.files import file_sha256
from safe_data.core.json_document import DocumentError, read_document
from safe_eval.condition import changes_sound
from safe_eval.prediction import Prediction, quoted
from safe_eval.prediction_row import without_lone_surrogates
from safe_eval.predictions import raw_rows

if TYPE_CHECKING:
    from safe_data.shards.dataset import ShardDataset

EXPECTED = "expected"  # the key of a criteria file
EXPECTED_ANSWERS = "expected_answers"  # the row of a verdict that asks whether every expected answer is there
# What an example may state, and an answer to it has to repeat.
FACTS = (
    *("dataset", "split", "group", "record_id", "task", "question_type", "needs_audio"),
    *("references", "choices", "prompt"),
)
_OF_RECORDS = ("dataset", "split", "group")  # facts that a record states once for all its examples
_IGNORED = {field.name for field in msgspec.structs.fields(Prediction)}  # an answer, and what was done to it
_FORMS = "rows have 'example_id' (or 'id') and 'references', as a predictions file has"


@dataclass(frozen=True)
class Wanted:
    """A dataset or a file of what a run should have answered; no splits: those that it answered."""

    source: Path
    splits: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExpectedExample:
    """One example, with the facts that its source states: a fact that is not among them is not known."""

    example_id: str
    facts: Mapping[str, Any]
    sounds: frozenset[str] = frozenset()  # the hashes under which an unchanged sound may be known


@dataclass(frozen=True)
class ExpectedExamples:
    """The examples of one source, of some of its splits."""

    wanted: Wanted
    sha256: str  # of the file, or the fingerprint of the dataset
    examples: tuple[ExpectedExample, ...]

    def of_splits(self, splits: Iterable[str | None]) -> "ExpectedExamples":
        """The examples of these splits."""
        kept = set(splits)
        chosen = tuple(example for example in self.examples if example.facts.get("split") in kept)
        return ExpectedExamples(self.wanted, self.sha256, chosen)


class _Stated(msgspec.Struct, frozen=True):
    """The facts of a row in their types; a field that the row does not have is unset."""

    references: tuple[str, ...]
    dataset: str | msgspec.UnsetType | None = msgspec.UNSET
    split: str | msgspec.UnsetType | None = msgspec.UNSET
    group: str | msgspec.UnsetType | None = msgspec.UNSET
    record_id: str | msgspec.UnsetType | None = msgspec.UNSET
    task: str | msgspec.UnsetType | None = msgspec.UNSET
    question_type: str | msgspec.UnsetType | None = msgspec.UNSET
    needs_audio: bool | msgspec.UnsetType | None = msgspec.UNSET
    choices: tuple[str, ...] | msgspec.UnsetType | None = msgspec.UNSET
    prompt: str | msgspec.UnsetType | None = msgspec.UNSET


def read_wanted(criteria: Path) -> tuple[Wanted, ...]:
    """What a criteria file names under `expected`, with paths relative to the file; often nothing.

    Raises:
        InputError: see `read_yaml`; or it is no path, no mapping with `source` and `splits`, and no list of
            these.
    """
    from safe_data.core.yaml_file import read_yaml

    _, content = read_yaml(criteria)
    named = content.get(EXPECTED, []) if isinstance(content, dict) else []
    return tuple(_wanted(criteria, item) for item in (named if isinstance(named, list) else [named]))


def read_expected(wanted: Wanted) -> ExpectedExamples:
    """Read what a run should have answered.

    The root of a built dataset, or JSON Lines or Parquet with one row per example.

    Raises:
        InputError: there is nothing of that kind, a row is no example, or two rows of one example differ.
    """
    if wanted.source.is_dir():
        from safe_data.shards.layout import read_dataset

        found = read_dataset(wanted.source)
        return ExpectedExamples(wanted, found.fingerprint, _of_shards(wanted, tuple(found.splits)))
    if not wanted.source.is_file():
        raise InputError(f"{wanted.source}: no such dataset or file of expected examples")
    read = ExpectedExamples(wanted, file_sha256(wanted.source), _of_file(wanted.source))
    if not wanted.splits:
        return read
    chosen = read.of_splits(wanted.splits)
    there = {example.facts.get("split") for example in chosen.examples}
    if missing := [name for name in wanted.splits if name not in there]:
        raise InputError(f"{wanted.source}: no example is of the split {', '.join(map(repr, missing))}")
    return chosen


def _wanted(criteria: Path, item: Any) -> Wanted:
    if isinstance(item, str):
        item = {"source": item}
    splits = item.get("splits", []) if isinstance(item, dict) else []
    splits = [splits] if isinstance(splits, str) else splits
    if (
        not isinstance(item, dict)
        or not isinstance(item.get("source"), str)
        or set(item) - {"source", "splits"}
        or not (isinstance(splits, list) and all(isinstance(name, str) for name in splits))
    ):
        raise InputError(
            f"{criteria}: 'expected' is a path, or a mapping with 'source: PATH' and 'splits: [NAME]', or a "
            f"list of these, not {quoted(str(item))}"
        )
    return Wanted(criteria.parent / item["source"], tuple(splits))


def _of_shards(wanted: Wanted, splits: Sequence[str]) -> tuple[ExpectedExample, ...]:
    from safe_data.shards.dataset import ShardDataset

    found = []
    for split in wanted.splits or splits:
        dataset = ShardDataset(wanted.source, split)
        for place in range(len(dataset)):
            record = dataset.record(place)
            shared = {name: getattr(record, name) for name in _OF_RECORDS} | {"record_id": record.id}
            clip = record.audio
            is_whole = clip is not None and clip.start_seconds == 0 and clip.duration_seconds is None
            sounds = (
                {dataset.value(place, "audio_sha256"), _heard_sha256(dataset, place)} if is_whole else set()
            )
            found += [
                ExpectedExample(
                    example.id,
                    shared | {name: getattr(example, name) for name in FACTS if hasattr(example, name)},
                    frozenset(sounds),
                )
                for example in record.examples
            ]
    if not found:
        raise InputError(f"{wanted.source}: its records ask nothing, so nothing is expected")
    return tuple(found)


def _heard_sha256(dataset: "ShardDataset", place: int) -> str:
    """The hash of a sound in the one channel that models hear; the manifest has that of all its channels."""
    if dataset.value(place, "channels") == 1:
        return str(dataset.value(place, "pcm_sha256"))
    from safe_data.media.measure import pcm_hash

    sound = dataset.audio(place)
    if sound is None:
        raise InputError(f"{dataset.root}: {dataset.value(place, 'id')!r} has lost its sound")
    return pcm_hash(sound.samples[:, None], sound.sample_rate_hz)


def _of_file(path: Path) -> tuple[ExpectedExample, ...]:
    """One example per dataset and id; rows of several conditions state it several times."""
    found: dict[tuple[Any, str], ExpectedExample] = {}
    errors = []
    for number, raw in raw_rows(path):
        for row in _rows(raw):
            example = row if isinstance(row, str) else _example(row)
            if isinstance(example, str):
                errors.append(f"{path.name}:{number} {example}")
                continue
            key = (example.facts.get("dataset"), example.example_id)
            first = found.setdefault(key, example)
            if any(first.facts.get(field, value) != value for field, value in example.facts.items()):
                errors.append(f"{path.name}:{number} {quoted(example.example_id)}: stated twice, differently")
            facts, sounds = {**example.facts, **first.facts}, first.sounds | example.sounds
            found[key] = ExpectedExample(first.example_id, facts, sounds)
    raise_row_errors(errors, str(path))
    if not found:
        raise InputError(f"{path}: holds no examples, so nothing is expected")
    return tuple(found.values())


def _rows(raw: bytes | dict[str, Any]) -> Iterator[dict[str, Any] | str]:
    """The examples of a row: itself, or those that a record lists, with the facts of the record."""
    try:
        row = read_document(without_lone_surrogates(raw)) if isinstance(raw, bytes) else raw
    except DocumentError as error:
        yield f"is no JSON object: {error}"
        return
    if not isinstance(row, dict):
        yield "is no JSON object; write one object per line"
    elif isinstance(row.get("examples"), list):
        shared = {name: row[name] for name in _OF_RECORDS if name in row} | {"record_id": row.get("id")}
        for example in row["examples"]:
            yield shared | example if isinstance(example, dict) else "has an example that is no JSON object"
    else:
        yield row


def _example(row: dict[str, Any]) -> ExpectedExample | str:
    """The example of a row, or what is wrong with it."""
    name = row.get("example_id", row.get("id"))
    if not isinstance(name, str) or not name.strip():
        return f"names no example; {_FORMS}"
    for field in row:
        if field not in _IGNORED and field != "id":
            hint = did_you_mean(field, [*FACTS, "example_id"], "put facts of your own under 'metadata'")
            return f"{quoted(name)}: unknown field {quoted(field)}; {hint}"
    try:
        stated = msgspec.convert(row, _Stated)
    except msgspec.ValidationError as error:
        return f"{quoted(name)}: {error}; {_FORMS}"
    facts = {field: getattr(stated, field) for field in FACTS}
    facts = {field: value for field, value in facts.items() if value is not msgspec.UNSET}
    if not stated.references and (row.get("error") is not None or row.get("scores")):
        del facts["references"]  # a failed request may not know them, and a judge's score needs none
    sound = row.get("audio_sha256")
    is_unchanged = not changes_sound(str(row.get("condition", "full")))
    return ExpectedExample(name, facts, frozenset([sound] if isinstance(sound, str) and is_unchanged else []))
