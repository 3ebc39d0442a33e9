"""Validate: what predictions files hold, which metrics judge them, and what cannot be measured."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError, raise_row_errors
from safe_eval.arms.arm import cluster_field, count_examples, make_arms
from safe_eval.arms.delivery import delivery_notes
from safe_eval.arms.given_arms import GIVEN, given_arms, given_notes
from safe_eval.arms.prompts import by_prompt, prompt_notes
from safe_eval.arms.questions import question_notes
from safe_eval.arms.replies import reply_notes
from safe_eval.choice_references import settled
from safe_eval.prediction import BASE, Prediction
from safe_eval.predictions import partial_notes, read_predictions
from safe_eval.scorers.captions.caption_scores import TASKS as CAPTION_TASKS
from safe_eval.scorers.captions.tokenised import check_rows
from safe_eval.scorers.scorer import metrics_for

# Optional fields, and what follows if no row has them.
_OPTIONAL = {
    "group": "nothing tells which examples belong together",
    "needs_audio": "there are no slices audio and vl",
    "question_type": "there are no slices by type of question",
    "confidence": "calibration is not measured",
    "choice_probabilities": "how far the distributions moved is not measured",
    "consulted": "how often the sound is consulted is not measured",
    "audio_sha256": "nothing shows that a condition reached the model",
}
# Counted, and nothing is said where they lack: a model without a gate has nothing to state.
_OF_GATES = ("gate_score", "gate_ms", "influence_kl", "audio_tokens", "latency_ms")


_Kind = tuple[str | None, str, bool, bool]  # dataset, task, choices, and whether a rule here can score it


class ArmRows(msgspec.Struct, frozen=True, kw_only=True):
    """The number of rows of an arm."""

    dataset: str | None
    seed: int
    model: str
    condition: str
    prompt_id: str | None = None  # the wording, where it has a name
    rows: int
    absent: int  # examples of the dataset without a row in this arm
    errors: int  # rows with an error instead of an answer


class Judging(msgspec.Struct, frozen=True, kw_only=True):
    """The metrics that judge the rows of a dataset and task; rows without a metric are in no score."""

    dataset: str | None
    task: str
    choices: bool  # whether the rows have choices, which makes them multiple choice
    metrics: tuple[str, ...]
    rows: int


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """What predictions files hold."""

    files: tuple[str, ...]
    rows: int
    examples: int
    cluster: str
    clusters: int
    cells: tuple[ArmRows, ...]
    judging: tuple[Judging, ...]
    fields: dict[str, int]  # rows that have each optional field
    notes: tuple[str, ...]


def validate_files(paths: Sequence[Path], *, allow_partial: bool = False) -> Validation:
    """Read predictions files as `score` does, and report what they hold.

    Raises:
        InputError: see `read_predictions`; or the rows cannot be scored together, with all reasons at once.
    """
    predictions = read_predictions(*paths, allow_partial=allow_partial)
    notes = list(partial_notes(paths)) if allow_partial else []
    return validate(predictions, [path.name for path in paths], notes)


def validate(
    predictions: Sequence[Prediction], files: Sequence[str] = (), notes: Sequence[str] = ()
) -> Validation:
    """Report what predictions hold; the notes begin with `notes`.

    Raises:
        InputError: the rows cannot be scored together.
    """
    if not predictions:
        raise InputError("no predictions: an empty set has no score")
    _raise_faults(predictions)
    arms = make_arms(predictions)
    worded = by_prompt(arms)
    expected, field = count_examples(arms), cluster_field(predictions)
    validation = Validation(
        files=tuple(files),
        rows=len(predictions),
        examples=sum(expected.values()),
        cluster=field,
        clusters=len({getattr(row, field) for row in predictions}),
        cells=tuple(
            ArmRows(
                **arm.key._asdict(),
                prompt_id=arm.prompt_id,
                rows=len(arm.rows),
                absent=expected[arm.key.dataset] - len(arm.rows),
                errors=int(arm.failed.sum()),
            )
            for arm in arms
        ),
        judging=tuple(_judging(predictions)),
        fields={
            name: sum(getattr(row, name) is not None for row in predictions)
            for name in (*_OPTIONAL, *_OF_GATES)
        },
        notes=(),
    )
    found = (
        *notes,
        *_notes(validation),
        *prompt_notes(worded),
        *question_notes(worded.main),
        *reply_notes(arms),
        *given_notes(arms, given_arms(arms)),
        *delivery_notes(arms),
    )
    return msgspec.structs.replace(validation, notes=found)


def _raise_faults(predictions: Sequence[Prediction]) -> None:
    faults = settled(predictions, "row {}".format)[1]
    captions: dict[str | None, list[Prediction]] = {}
    for row in predictions:
        if row.task in CAPTION_TASKS and not row.choices and (row.references or row.error is not None):
            captions.setdefault(row.dataset, []).append(row)
    try:
        cluster_field(predictions)
    except InputError as fault:
        faults += fault.lines
    for rows in captions.values():
        try:
            check_rows(rows)
        except InputError as fault:
            faults += fault.lines
    raise_row_errors(faults, "predictions")


def _judging(predictions: Sequence[Prediction]) -> Iterator[Judging]:
    counts, given = Counter[_Kind](), dict[_Kind, dict[str, None]]()
    for row in predictions:
        kind = (row.dataset, row.task or "vqa", bool(row.choices), bool(row.references or row.error))
        counts[kind] += 1
        if row.scores:
            given.setdefault(kind, {}).update(dict.fromkeys(GIVEN + name for name in row.scores))
    for kind in sorted(counts, key=lambda of: (of[0] or "", *of[1:])):
        dataset, task, choices, has_references = kind
        ours = metrics_for(dataset, task, choices) if has_references else ()
        yield Judging(
            dataset=dataset,
            task=task,
            choices=choices,
            metrics=(*ours, *given.get(kind, ())),
            rows=counts[kind],
        )


def _notes(found: Validation) -> Iterator[str]:
    for judging in found.judging:
        if not judging.metrics:
            yield f"{judging.rows} rows of task {judging.task!r} are judged by no metric: they are excluded"
    short = [arm for arm in found.cells if arm.absent]
    if short:
        worst = max(short, key=lambda arm: arm.absent)
        yield (
            f"{len(short)} of {len(found.cells)} arms lack examples that another arm has; {worst.model}/"
            f"{worst.condition} lacks most: {worst.absent}. They count as expected, and in no mean"
        )
    yield from _not_measured(found.cells, found.fields, found.rows)


def _not_measured(arms: Sequence[ArmRows], fields: Mapping[str, int], rows: int) -> Iterator[str]:
    models = list(dict.fromkeys(arm.model for arm in arms))
    if len(models) == 1:
        yield "one model: what hearing adds or costs is not measured"
    elif BASE not in models:
        yield f"no model is called {BASE!r}: name the baseline when you score, --baseline {models[0]}"
    if all(arm.condition == "full" for arm in arms):
        yield "no condition but full: what the sound itself adds is not measured"
    if len({arm.seed for arm in arms}) == 1:
        yield "one seed: the spread over seeds is not measured"
    for name, follows in _OPTIONAL.items():
        if not fields[name]:
            yield f"no row has {name!r}: {follows}"
        elif fields[name] < rows:
            yield f"{rows - fields[name]} of {rows} rows have no {name!r}"
