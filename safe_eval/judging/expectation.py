"""Expectation: whether a run answers what it should have answered, and those questions as they were asked.

An answer that contradicts what was expected is refused, since no number about it would be about the examples.
An answer that is missing is counted: what it would have been could go either way.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.errors import InputError, first_errors
from safe_data.core.json_document import content_sha256
from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import Arm
from safe_eval.arms.coverage import ArmCoverage, coverage_by_condition
from safe_eval.condition import changes_sound
from safe_eval.judging.expected_examples import (
    FACTS,
    ExpectedExample,
    ExpectedExamples,
    Wanted,
    read_expected,
)
from safe_eval.judging.sampled import judged_cells
from safe_eval.judging.scope import EVERYTHING, Scope
from safe_eval.prediction import BASE, Prediction, quoted
from safe_eval.scoring.scores import PredictionsFile, Scores, named_file

_MAY_BE_UNSTATED = ("record_id", "split")  # they change no number
_NOTED = "prompt"  # other words may ask the same; a note counts them


class Expected(msgspec.Struct, frozen=True):
    """How many examples of a dataset were expected of each of its arms."""

    dataset: str | None
    examples: int


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What a run should have answered, and which of these answers it does not have."""

    sources: tuple[PredictionsFile, ...]
    content_sha256: str  # of the examples that were compared
    datasets: tuple[Expected, ...]
    answers: int  # expected, over all arms
    missing: int
    named: tuple[str, ...] = ()  # the first of the missing
    notes: tuple[str, ...] = ()


def check_expected(wanted: Sequence[Wanted], arms: Arms, run: Path, scope: Scope = EVERYTHING) -> Expectation:
    """Compare a run's answers with what it should have answered.

    Nothing is missing under a condition that `scope` leaves out: there, a sample is enough.

    Raises:
        InputError: see `read_expected`; no answer is of a source; or answers contradict what was expected:
            other examples, or other references, tasks, datasets, labels, groups, choices or sounds.
    """
    rows = [(arm, row) for arm in arms.arms for row in arm.rows]
    sources = [_asked(read_expected(one), rows) for one in dict.fromkeys(wanted)]
    by_id = _by_id(sources, {arm.key.dataset for arm in arms.arms})
    pairs = [(arm, row, _match(by_id.get(row.example_id, []), row)) for arm, row in rows]
    faults = list(
        dict.fromkeys(
            f"{quoted(row.example_id)}: {fault}"
            for _, row, example in pairs
            for fault in _contradictions(example, row)
        )
    )
    if faults:
        names = ", ".join(str(source.wanted.source) for source in sources)
        places = "1 place" if len(faults) == 1 else f"{len(faults)} places"
        lines = [f"{run}: contradicts what {names} expects in {places}", *first_errors(faults)]
        raise InputError(*lines, "answer the examples as they are expected, and score again")
    return _expectation(sources, by_id, arms, run, tuple(_notes(pairs)), scope)


def with_expected(scores: Scores, expectation: Expectation | None, scope: Scope = EVERYTHING) -> Scores:
    """The scores with coverage that counts what was expected, and an arm for a dataset without any answer.

    Answers under a condition that `scope` leaves out are none.
    """
    if expectation is None:
        return scores
    cells = []
    counts = {one.dataset: one.examples for one in expectation.datasets}
    for cell in scores.cells:
        cells.append(msgspec.structs.replace(cell, expected=counts.get(cell.dataset, cell.expected)))
    answered = {(cell.dataset, cell.model, cell.seed) for cell in judged_cells(scores.cells, scope)}
    for dataset, examples in counts.items():
        for model, seed in dict.fromkeys((cell.model, cell.seed) for cell in scores.cells):
            if (dataset, model, seed) not in answered:
                about: dict[str, Any] = {
                    "dataset": dataset,
                    "seed": seed,
                    "model": model,
                    "condition": "full",
                }
                cells.append(ArmCoverage(examples, 0, 0, 0, 0, **about))
    return msgspec.structs.replace(scores, cells=tuple(cells), coverage=coverage_by_condition(cells))


def _notes(pairs: Sequence[tuple[Arm, Prediction, ExpectedExample | None]]) -> Iterator[str]:
    """What is worth a word and contradicts nothing."""
    reworded: dict[str, None] = {}
    unheard = 0
    for arm, row, example in pairs:
        if example is None:
            continue
        asked = example.facts.get(_NOTED)
        if asked is not None and row.prompt not in (None, asked):
            reworded[row.example_id] = None
        silent = arm.key.model == BASE or row.error is not None or changes_sound(arm.key.condition)
        unheard += bool(example.sounds) and not silent and row.audio_sha256 is None
    if reworded:
        are = "1 example was" if len(reworded) == 1 else f"{len(reworded)} examples were"
        yield f"{are} asked in other words than expected, the first {quoted(next(iter(reworded)))}"
    if unheard:
        yield f"{unheard} answers do not say which sound was sent: they have no 'audio_sha256'"


def _asked(source: ExpectedExamples, rows: Sequence[tuple[Arm, Prediction]]) -> ExpectedExamples:
    """A source with the splits that were answered, unless splits were named."""
    answered = {row.example_id for _, row in rows}
    found = [example for example in source.examples if example.example_id in answered]
    if not found:
        raise InputError(
            f"{source.wanted.source}: none of its {len(source.examples)} examples is answered; "
            "give what this run was asked"
        )
    return source if source.wanted.splits else source.of_splits({one.facts.get("split") for one in found})


def _by_id(
    sources: Sequence[ExpectedExamples], datasets: set[str | None]
) -> dict[str, list[ExpectedExample]]:
    """The expected examples by id, each with its dataset: the answers' only one if the source names none."""
    by_id: dict[str, list[ExpectedExample]] = {}
    for source in sources:
        for example in source.examples:
            if "dataset" not in example.facts:
                if len(datasets) > 1:
                    raise InputError(
                        f"{source.wanted.source}: names no dataset, and the answers are of "
                        f"{', '.join(sorted(map(str, datasets)))}; give 'dataset' in each row"
                    )
                facts = {**example.facts, "dataset": next(iter(datasets))}
                example = ExpectedExample(example.example_id, facts, example.sounds)
            others = by_id.setdefault(example.example_id, [])
            same = [other for other in others if other.facts["dataset"] == example.facts["dataset"]]
            if any(other.facts != example.facts for other in same):
                raise InputError(f"{quoted(example.example_id)}: the expected sources state it differently")
            if not same:
                others.append(example)
    return by_id


def _match(examples: Sequence[ExpectedExample], row: Prediction) -> ExpectedExample | None:
    same = [example for example in examples if example.facts["dataset"] == row.dataset]
    return next(iter([*same, *examples]), None)


def _contradictions(example: ExpectedExample | None, row: Prediction) -> Iterator[str]:
    if example is None:
        yield "was not expected"
        return
    for field in FACTS:
        if field == _NOTED or field not in example.facts:
            continue
        said, expected = getattr(row, field), example.facts[field]
        if said == expected or (said is None and field in _MAY_BE_UNSTATED):
            continue
        if field == "references" and row.error is not None and not said:
            continue
        yield f"{field} is {_shown(said)}, expected {_shown(expected)}"
    if row.audio_sha256 is None or changes_sound(row.condition) or not example.sounds:
        return
    if row.audio_sha256.strip().lower() not in {sound.strip().lower() for sound in example.sounds}:
        sounds = " or ".join(sound[:12] for sound in sorted(example.sounds))
        yield f"audio_sha256 under {row.condition} is {row.audio_sha256[:12]}, expected {sounds}"


def _expectation(
    sources: Sequence[ExpectedExamples],
    by_id: dict[str, list[ExpectedExample]],
    arms: Arms,
    run: Path,
    notes: tuple[str, ...],
    scope: Scope,
) -> Expectation:
    expected: dict[str | None, set[str]] = {}
    for example in (one for found in by_id.values() for one in found):
        expected.setdefault(example.facts["dataset"], set()).add(example.example_id)
    answers, missing = 0, []
    for dataset, model, condition, seed, answered in _expected_arms(arms, expected, scope):
        asked = expected[dataset] & answered if scope.samples(dataset, condition) else expected[dataset]
        answers += len(asked)
        about = f"{dataset or 'the dataset'} by {model}/{condition}, seed {seed}"
        missing += [f"{quoted(name)} of {about}" for name in sorted(asked - answered)]
    facts = [
        {"example_id": one.example_id, "sounds": sorted(one.sounds), **one.facts}
        for name in sorted(by_id)
        for one in by_id[name]
    ]
    return Expectation(
        sources=tuple(named_file(one.wanted.source, run, one.sha256) for one in sources),
        content_sha256=content_sha256(facts),
        datasets=tuple(Expected(name, len(ids)) for name, ids in expected.items()),
        answers=answers,
        missing=len(missing),
        named=tuple(first_errors(missing)),
        notes=notes,
    )


def _expected_arms(
    arms: Arms, expected: dict[str | None, set[str]], scope: Scope
) -> Iterator[tuple[str | None, str, str, int, set[str]]]:
    """Each arm of an expected dataset with the ids that it answers; `full` where a model has none at all."""
    for dataset in expected:
        for model, seed in dict.fromkeys((arm.key.model, arm.key.seed) for arm in arms.arms):
            found = [arm for arm in arms.arms if (arm.key.model, arm.key.seed) == (model, seed)]
            found = [arm for arm in found if arm.key.dataset == dataset]
            for arm in found:
                yield dataset, model, arm.key.condition, seed, {row.example_id for row in arm.rows}
            if all(scope.samples(dataset, arm.key.condition) for arm in found):
                yield dataset, model, "full", seed, set()


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return quoted(list(value) if isinstance(value, tuple) else value)
