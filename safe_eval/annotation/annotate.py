"""Annotate: draw a sample of answers for a person to label, and compare the labels with the scorer.

The person sees question, references and answer in random order, but not the model, the condition or the
score. The scores are in a key file beside the table, so the table can be given away alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_data.core.overwriting import check_not_read
from safe_eval.annotation.labels import Key, KeyItem, key_path, read_labels, write_table
from safe_eval.annotation.notes import Key as NoteKey
from safe_eval.annotation.notes import Note, read_notes
from safe_eval.arms.arm import cluster_field, make_arms
from safe_eval.arms.prompts import refuse_several_prompts
from safe_eval.arms.scored_arm import score_arms
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions
from safe_eval.scorers.scorer import ANSWER_METRICS, RIGHT_FROM
from safe_eval.scoring.run_files import predictions_of, run_protocol
from safe_eval.scoring.scores import SCORES_FILE
from safe_eval.statistics.agreement import Agreement, agreement

TABLE = "annotations.csv"  # in a run folder

Labelled = dict[str, bool | None]  # right or wrong by item; None where the person was unsure


@dataclass(frozen=True)
class LabelAgreement:
    """A labelled table: what the scorer said, what the person said, and how far they agree."""

    key: Key
    labels: Labelled
    agreement: Agreement


class _Scored(msgspec.Struct, frozen=True):
    row: Prediction
    metric: str
    score: float
    cluster: str


def draw_sample(
    run: Path,
    *,
    sample: int = 100,
    seed: int = 0,
    out: Path | None = None,
    notes: Path | None = None,
    allow_partial: bool = False,
    force: bool = False,
) -> tuple[Path, Key]:
    """Draw a stratified sample of answers from a run folder or a predictions file, for a person to label.

    Each different answer to an item of the `notes` comes first, with the note. The draw is the same without
    them, and the agreement is of what was drawn alone: notes are about answers that somebody picked.

    Writes the table to `out` (by default annotations.csv in the run folder, or beside the predictions), and
    its key beside it. A table that is there may hold labels, so only `force` replaces it.

    Returns:
        The path of the table, and its key.

    Raises:
        InputError: there is nothing to label, `sample` is less than 1, the table exists already, no note is
            about an answer of the run, or see `predictions_of` and `read_notes`.
    """
    files = predictions_of(run)
    noted = {} if notes is None else read_notes(notes)
    table = out or (run / TABLE if run.is_dir() else run.with_name(TABLE))
    if sample < 1:
        raise InputError(f"sample {sample} is less than 1")
    read = [*files, run / SCORES_FILE, *([] if notes is None else [notes])]
    check_not_read((table, key_path(table)), read)
    if not force and (table.exists() or key_path(table).exists()):
        raise InputError(
            f"{table}: is there already, perhaps with labels; name another file, or add --force to replace it"
        )
    scored = list(_scored(read_predictions(*files, allow_partial=allow_partial), run_protocol(run)))
    if not scored:
        raise InputError(f"{run}: no answers that are right or wrong; captions cannot be labelled so")
    drawn = _stratified(scored, sample, seed)
    first = _noted(scored, drawn, noted)
    if notes is not None and not first:
        raise InputError(f"{notes}: no note is about an answer of {run} that is right or wrong; leave it out")
    is_first = set(map(_answer, first))
    chosen = [*first, *(item for item in drawn if _answer(item) not in is_first)]
    is_drawn = set(map(_answer, drawn))
    key = Key(
        predictions=_hashes(files),
        population=len(scored),
        seed=seed,
        right_from=RIGHT_FROM,
        items=tuple(
            _key_item(f"item-{place:04d}", item, drawn=_answer(item) in is_drawn)
            for place, item in enumerate(chosen, 1)
        ),
    )
    said = [noted.get((item.row.dataset, item.row.example_id)) for item in chosen]
    write_table(
        table, [item.row for item in chosen], key, [None if note is None else note.text for note in said]
    )
    return table, key


def label_agreement(table: Path, sampling: Sampling | None = None) -> LabelAgreement:
    """How far the labels of a table, or of the table in a run folder, agree with the scorer.

    Only items labelled right or wrong count.

    Raises:
        InputError: see `read_labels`; or the table of a run folder was drawn from other predictions than the
            run has now.
    """
    run, table = (table, table / TABLE) if table.is_dir() else (None, table)
    key, labels = read_labels(table)
    if run is not None:
        _check_drawn_from(key, run)
    return LabelAgreement(key, labels, agreement_with_key(key, labels, sampling or Sampling()))


def agreement_with_key(key: Key, labels: Labelled, sampling: Sampling) -> Agreement:
    """The agreement of a key's scores with a person's labels, on the drawn items labelled right or wrong.

    Raises:
        InputError: no drawn item has such a label.
    """
    labelled = [(item, label) for item in key.items if (label := labels.get(item.item)) is not None]
    judged = [(item, label) for item, label in labelled if item.drawn]
    if labelled and not judged:
        raise InputError(
            "all labels are of noted answers, which somebody picked and nobody drew; label some of the others"
        )
    return agreement(
        np.array([item.score >= key.right_from for item, _ in judged]),
        np.array([label for _, label in judged]),
        np.array([item.cluster for item, _ in judged]),
        sampling,
    )


def _hashes(files: Sequence[Path]) -> dict[str, str]:
    """The hash of each file by its name; by its path where two have one name."""
    names = [file.name for file in files]
    return {
        file.name if names.count(file.name) == 1 else file.as_posix(): file_sha256(file) for file in files
    }


def _check_drawn_from(key: Key, run: Path) -> None:
    now = _hashes(predictions_of(run))
    if sorted(now.values()) != sorted(key.predictions.values()):
        raise InputError(
            f"{run / TABLE}: was drawn from other predictions ({', '.join(key.predictions)}) than the run "
            f"has now ({', '.join(now)}); draw a sample of these: safe-eval annotate {run} --out TABLE.csv"
        )


def _scored(predictions: Sequence[Prediction], protocol: str | None) -> Iterator[_Scored]:
    """Every answer that is right or wrong, with its score by the rules of the run."""
    field, arms = cluster_field(predictions), make_arms(predictions)
    refuse_several_prompts(arms)
    for metric in ANSWER_METRICS:
        for arm in score_arms(metric, arms, protocol=protocol):
            for row, score, answer in zip(arm.rows, arm.scores.tolist(), arm.answers.tolist(), strict=True):
                if answer >= 0:  # neither an error nor the text of a request that failed
                    yield _Scored(row, metric, score, getattr(row, field))


def _stratified(scored: Sequence[_Scored], sample: int, seed: int) -> list[_Scored]:
    """A sample in random order: strata in proportion, and at least one answer of each if they fit."""
    rng = np.random.default_rng(seed)
    strata: dict[tuple[str, str, str], list[_Scored]] = {}
    for item in sorted(scored, key=lambda item: (_stratum(item.row), *_identity(item.row))):
        strata.setdefault(_stratum(item.row), []).append(item)
    sizes = np.array([len(items) for items in strata.values()])
    wanted = sizes * min(1.0, sample / sizes.sum())
    counts = np.floor(wanted).astype(int)
    if sample >= len(sizes):
        counts = np.maximum(counts, 1)
    for place in np.argsort(-(wanted - np.floor(wanted)), kind="stable"):
        if counts.sum() < min(sample, sizes.sum()) and counts[place] < sizes[place]:
            counts[place] += 1
    while counts.sum() > sample:
        counts[np.argmax(counts)] -= 1
    chosen = [
        items[place]
        for items, count in zip(strata.values(), counts, strict=True)
        for place in rng.choice(len(items), size=count, replace=False)
    ]
    return [chosen[place] for place in rng.permutation(len(chosen))]


def _noted(
    scored: Sequence[_Scored], drawn: Sequence[_Scored], noted: Mapping[NoteKey, Note]
) -> list[_Scored]:
    """Each different answer to the noted items, the drawn one where there is one, in the order of the ids."""
    found: dict[tuple[str | None, str, str, str | None], _Scored] = {}
    for item in (*drawn, *sorted(scored, key=lambda item: (_stratum(item.row), *_identity(item.row)))):
        row = item.row
        if (row.dataset, row.example_id) in noted:
            found.setdefault((row.dataset, row.example_id, item.metric, row.answer), item)
    return [found[key] for key in sorted(found, key=lambda key: (key[0] or "", *key[1:3], key[3] or ""))]


def _answer(item: _Scored) -> tuple[tuple[str, str, str], tuple[str, str, int], str]:
    return _stratum(item.row), _identity(item.row), item.metric


def _stratum(row: Prediction) -> tuple[str, str, str]:
    return row.dataset or "", row.condition, row.question_type or ""


def _identity(row: Prediction) -> tuple[str, str, int]:
    return row.example_id, row.model, row.seed


def _key_item(name: str, item: _Scored, *, drawn: bool) -> KeyItem:
    return KeyItem(
        item=name,
        example_id=item.row.example_id,
        dataset=item.row.dataset,
        model=item.row.model,
        condition=item.row.condition,
        seed=item.row.seed,
        metric=item.metric,
        score=item.score,
        cluster=item.cluster,
        drawn=drawn,
    )
