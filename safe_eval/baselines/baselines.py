"""Baselines: fit answerers on train, ask them the questions of test, and score them as any other model."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from safe_data.core.errors import InputError, check_seed
from safe_data.core.numerals import counted
from safe_data.core.overwriting import check_same
from safe_data.core.phases import Phase, unseen
from safe_eval.baselines.accuracies import Accuracy, accuracies_of
from safe_eval.baselines.answerers import Chance, LinearReader, Majority, Reader, counts_of, fit_reader
from safe_eval.baselines.questions import (
    Corpus,
    Question,
    Type,
    check_apart,
    check_one_encoder,
    read_corpora,
)
from safe_eval.baselines.sound_features import READERS, Table, features_of
from safe_eval.models.model import Model
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.prediction_row import prediction_line
from safe_eval.predictions import write_predictions
from safe_eval.runner.asker import Asker
from safe_eval.runner.plan import Arm, make_plan
from safe_eval.scoring.score import read_arms

_BATCH = 256


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """What a type of question was fitted on, and the C of each regression."""

    question_type: str | None
    n: int
    groups: int
    classes: int
    hears: bool  # whether its questions are about sounds
    strengths: dict[str, float]


class Baselines(msgspec.Struct, frozen=True, kw_only=True):
    """What was fitted, what came of it on test, and what was left out."""

    encoder: str | None
    seed: int
    fitted: tuple[Fitted, ...]
    accuracies: tuple[Accuracy, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """The questions of a corpus that count, and the features of their sounds."""

    corpus: Corpus
    questions: tuple[Question, ...]
    features: dict[str, Table]
    rows: dict[int, int]  # the row of each record's features


def baseline_predictions(
    train: Sequence[Path],
    *,
    on: Sequence[Path],
    out: Path,
    encoder: str | None = None,
    split: str = "train",
    on_split: str = "test",
    seed: int = 0,
    force: bool = False,
    at: Phase = unseen,
) -> Baselines:
    """Fit the baselines on a split of some datasets, and write their answers to a split of others.

    The same inputs and seed give the same bytes. A type of question counts as one about sounds if any of
    training has a sound and does not say that it needs none; then questions without one are left out.

    Args:
        train: folders of built datasets to fit on, all together
        on: folders of the built datasets that are asked
        out: file of predictions to write
        encoder: name of the stored embeddings that the probe reads (default: the only ones)
        split: split to fit on
        on_split: split that is asked
        seed: of the draws of `chance` and of the folds
        force: replace another file
        at: told which phase of the work begins

    Raises:
        InputError: see `read_corpora`, `check_apart` and `check_one_encoder`; no question of test is of a
            type that training has; or `out` is there with other content, and `force` is not set.
    """
    check_seed(seed)
    at("reading questions")
    fitted_on = read_corpora(train, split, encoder, "TRAIN")
    asked = read_corpora(on, on_split, encoder, "--on")
    check_apart(fitted_on, asked)
    check_one_encoder([*fitted_on, *asked])
    heard = _heard(fitted_on)
    notes = list(_left_out(fitted_on, asked, heard))
    at("sounds to fit on")
    parts = [_part(corpus, heard) for corpus in fitted_on]
    known = {question.question_type for part in parts for question in part.questions}
    at("sounds that are asked about")
    tests = [_part(corpus, heard, known) for corpus in asked]
    if not any(part.questions for part in tests):
        raise InputError(f"--on: no question of split {on_split!r} is of a type that training has")
    at("fitting")
    readers, why_not = _readers(parts, heard, seed)
    asked_types = {question.question_type for part in tests for question in part.questions}
    notes += [told for kind, told in why_not if kind in asked_types]
    at("answering")
    counts = counts_of([(one.question_type, one.answer) for part in parts for one in part.questions])
    rows = [
        row
        for part in tests
        for model, types in _models(part, counts, readers, seed)
        for row in _answers(model, types, part, seed)
    ]
    check_same({out: b"".join(map(prediction_line, rows))}, force=force)
    write_predictions(out, rows)
    at("scoring")
    arms, _ = read_arms([out], ScoreOptions())
    encoding = parts[0].corpus.dataset.encoder
    return Baselines(
        encoder=None if encoding is None else encoding["name"],
        seed=seed,
        fitted=tuple(_fitted(parts, heard, readers)),
        accuracies=tuple(accuracies_of(arms, {kind: len(of) for kind, of in counts.items()}, Sampling())),
        notes=tuple(notes),
    )


def _heard(train: Sequence[Corpus]) -> set[Type]:
    """The types of questions about sounds."""
    return {question.question_type for corpus in train for question in corpus.questions if question.hears}


def _left_out(train: Sequence[Corpus], test: Sequence[Corpus], heard: set[Type]) -> Iterator[str]:
    """A note for each kind of question that is not used."""
    known = {question.question_type for corpus in train for question in corpus.questions}
    for side, corpora in (("train", train), ("test", test)):
        for corpus in corpora:
            place = f"{side}, {corpus.dataset.root.name}"
            unheard = sum(one.question_type in heard and not one.hears for one in corpus.questions)
            if unheard:
                told = f"{counted(unheard, 'question')} of a type about sounds"
                yield f"{place}: {told} without a sound, or that need none; left out"
            if corpus.captions:
                yield f"{place}: {counted(corpus.captions, 'caption')}, which are no classes; left out"
    strange = Counter(one.question_type for corpus in test for one in corpus.questions)
    for kind in sorted(strange.keys() - known, key=str):
        yield f"type {kind}: {counted(strange[kind], 'question')} of a type that training lacks; left out"


def _part(corpus: Corpus, heard: set[Type], known: set[Type] | None = None) -> _Part:
    """The questions of the types `known` (None: all) that count, with the features of their sounds."""
    questions = tuple(
        one
        for one in corpus.questions
        if (known is None or one.question_type in known) and (one.hears or one.question_type not in heard)
    )
    records = sorted({one.record for one in questions if one.hears and one.question_type in heard})
    features = features_of(corpus.dataset, records) if records else {}
    return _Part(corpus, questions, features, {record: row for row, record in enumerate(records)})


def _readers(
    parts: Sequence[_Part], heard: set[Type], seed: int
) -> tuple[dict[str, dict[Type, Reader]], list[tuple[Type, str]]]:
    """The regressions by baseline and type of question, and why there is none of a type."""
    found: dict[str, dict[Type, Reader]] = {}
    why_not: list[tuple[Type, str]] = []
    for kind in sorted(heard, key=str):
        for name in READERS:
            having = [part for part in parts if name in part.features]
            own = [[one for one in part.questions if one.question_type == kind] for part in having]
            tables = [
                part.features[name][[part.rows[one.record] for one in ones]]
                for part, ones in zip(having, own, strict=True)
            ]
            together = [one for ones in own for one in ones]
            if not together:
                why_not.append((kind, f"{name}, type {kind}: no embeddings are stored; left out"))
                continue
            answers, groups = [one.answer for one in together], [one.group for one in together]
            fit = fit_reader(np.concatenate(tables), answers, groups, seed=seed)
            if isinstance(fit, str):
                why_not.append((kind, f"{name}, type {kind}: {fit}; left out"))
            else:
                found.setdefault(name, {})[kind] = fit
    return found, why_not


def _models(
    part: _Part, counts: dict[Type, Counter[str]], readers: dict[str, dict[Type, Reader]], seed: int
) -> Iterator[tuple[Model, set[Type]]]:
    """The models that are asked about a corpus, each with the types of questions that it was fitted for."""
    yield Chance(counts, seed), {*counts}
    yield Majority(counts), {*counts}
    for name, of_type in readers.items():
        if name in part.features:
            yield LinearReader(name, of_type, part.features[name], part.rows), {*of_type}


def _answers(model: Model, types: set[Type], part: _Part, seed: int) -> Iterator[Prediction]:
    """The rows of a model, as a run writes them."""
    wanted = {one.id for one in part.questions if one.question_type in types}
    if not wanted:
        return
    dataset, arm = part.corpus.dataset, Arm(model.name, "full")
    plan = make_plan(dataset, [arm], seed=seed, batch_size=_BATCH, choose=lambda one: one.id in wanted)
    asker = Asker([model], dataset, plan, seed=seed)
    for batch in range(len(plan.batches)):
        yield from asker.rows(batch)


def _fitted(
    parts: Sequence[_Part], heard: set[Type], readers: dict[str, dict[Type, Reader]]
) -> Iterator[Fitted]:
    questions = [one for part in parts for one in part.questions]
    for kind in sorted({one.question_type for one in questions}, key=str):
        own = [one for one in questions if one.question_type == kind]
        yield Fitted(
            question_type=kind,
            n=len(own),
            groups=len({one.group for one in own}),
            classes=len({one.answer for one in own}),
            hears=kind in heard,
            strengths={name: of[kind].strength for name, of in readers.items() if kind in of},
        )
