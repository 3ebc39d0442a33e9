"""Explain: what a checkpoint's answers rest on, how it attends, and whether these maps can be believed.

    OUT/explain.json      all that was found (`safe_eval.report.explanation`)
    OUT/explain.md        the tables, with the charts
    OUT/items.csv         one line for each question
    OUT/*.svg             where the extra `report` is installed
    OUT/explained.jsonl   what was found of each question, from which a run that was stopped goes on
    OUT/options.yaml      what ran

No weight is trained or kept changed: gradients are of embeddings alone, and shuffled weights are put back.
"""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch
from accelerate import PartialState

from safe_data.core.errors import InputError, require_extra
from safe_data.core.files import file_sha256, json_bytes, write_bytes
from safe_data.core.interruption import interrupted_by_sigterm
from safe_data.core.only_writer import only_writer
from safe_data.core.options_file import TRAIN, installed_versions, options_of, write_options
from safe_data.core.overwriting import check_free
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.files import base_files
from safe_eval.options import Sampling
from safe_eval.report.explanation import EXPLAIN_FILE, NOT_SHOWN, Explanation
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.loading import place
from safe_train.base.prompts import check_pictures
from safe_train.checkpoint import CONFIG, Checkpoint, attach_checkpoint, check_dataset, read_checkpoint
from safe_train.explain.asked import Asked, Outcome, ask, chosen_questions
from safe_train.explain.associations import associations, seen_beside_sounds
from safe_train.explain.checking import check_maps
from safe_train.explain.checks import checks_of, curve_rows, shuffled_rows
from safe_train.explain.embedded import Embedder
from safe_train.explain.explain_text import explanation_markdown, items_csv
from safe_train.explain.explained import EXPLAINED, Explained, Explainer, explain_all
from safe_train.explain.parts import parting
from safe_train.explain.summary import (
    attention_rows,
    attribution_rows,
    completeness_rows,
    group_rows,
    influence_rows,
    mode_rows,
    parts_rows,
    prediction_rows,
    sliced,
    table_of,
)
from safe_train.gates.front_view import can_draw
from safe_train.gates.gate_files import FittedGate, read_gate
from safe_train.pathway.model import SafeModel
from safe_train.predict.predict import wanted_encoders
from safe_train.predict.sounds import Sounds, WantedEncoder
from safe_train.settings.explain import ExplainConfig

TABLES, ITEMS = "explain.md", "items.csv"
_ONLY_DRAWN = ("confidence", "checked", "random_orders", "stages", "most_similar", "delta", "quiet", "force")


class Subject(NamedTuple):
    """What is explained."""

    checkpoint: Checkpoint
    dataset: ShardDataset
    backbone: Backbone
    model: SafeModel
    gate: FittedGate | None
    tokens: int
    encoders: tuple[WantedEncoder, ...]
    sounds: Sounds
    asked: Asked


class Written(NamedTuple):
    """An explanation, and the files that hold it."""

    found: Explanation
    files: list[Path]


@interrupted_by_sigterm()
def explain_checkpoint(
    checkpoint: Path, shards: Path, *, backbone: str | Path, out: Path, config: ExplainConfig | None = None
) -> Written:
    """Explain a checkpoint's answers to questions of a split, and write what was found to `out`.

    A call that was stopped goes on with the questions that are left when it is made again. `backbone` is a
    directory or a hub id.

    Raises:
        InputError: there is an explanation and no `force`; or the checkpoint, base or dataset cannot be read,
            do not fit, or have no question to explain.
        KeyboardInterrupt: stopped by Ctrl-C or SIGTERM.
    """
    require_extra("explain", "explain", "captum")
    config = config or ExplainConfig()
    check_free(out / EXPLAIN_FILE, force=config.force)
    state = PartialState(cpu=not torch.accelerator.is_available())
    if state.num_processes > 1:
        raise InputError("explain: runs in one process on one device; start it without a launcher")
    started = time.process_time()
    out.mkdir(parents=True, exist_ok=True)
    with only_writer(out):
        subject = _subject(checkpoint, shards, backbone, config, state)
        found, outcomes, explained = _explained(subject, out, config, started)
        return Written(found, _write(out, config, found, outcomes, explained))


def _subject(
    folder: Path, shards: Path, backbone: str | Path, config: ExplainConfig, state: PartialState
) -> Subject:
    checkpoint = read_checkpoint(folder)
    facts, dataset = checkpoint.config, ShardDataset(shards, config.split)
    check_dataset(checkpoint, dataset, allow_other=config.allow_other_dataset)
    check_pictures(facts.asking, [dataset])
    encoders = wanted_encoders(checkpoint, config.encoders)
    sounds = Sounds(dataset, encoders)
    sounds.prepare(("mute_audio",))  # which finds out early that there is no silence
    gate = read_gate(folder)
    asked = chosen_questions(dataset, most=config.questions, seed=config.seed)
    loaded = load_backbone(backbone, config.loading(facts.loading))
    place(loaded.model, config.loading(facts.loading), state.device)
    model = attach_checkpoint(checkpoint, loaded)
    for weight in model.parameters():
        weight.requires_grad_(False)  # gradients are of embeddings, and none is kept of a weight
    tokens = facts.pathway.most_tokens if gate is None else gate.facts.tokens or facts.pathway.most_tokens
    return Subject(checkpoint, dataset, loaded, model, gate, tokens, encoders, sounds, asked)


def _explained(
    subject: Subject, out: Path, config: ExplainConfig, started: float
) -> tuple[Explanation, list[Outcome], list[Explained | None]]:
    facts, model = subject.checkpoint.config, subject.model
    outcomes = ask(
        model,
        subject.backbone,
        subject.dataset,
        subject.encoders,
        subject.asked,
        gate=subject.gate,
        tokens=subject.tokens,
        asking=facts.asking,
        batch_size=config.batch_size,
        seed=config.seed,
        quiet=config.quiet,
    )
    parts = parting(subject.sounds, segments=config.segments, tokens=subject.tokens)
    embedder = Embedder(model, subject.backbone, facts.asking, tokens=subject.tokens, rows=config.batch_size)
    explainer = Explainer(embedder, subject.dataset, subject.sounds, parts, facts.asking, config)
    explained = explain_all(
        explainer,
        subject.asked.questions,
        outcomes,
        out / EXPLAINED,
        _identity(subject, config),
        force=config.force,
        quiet=config.quiet,
    )
    sampling = Sampling(confidence=config.confidence, seed=config.seed)
    table, every = table_of(outcomes, explained, sampling), sliced(outcomes, sampling)
    checked = check_maps(explainer, subject.dataset, subject.asked.questions, outcomes, explained, config)
    of_checked = sliced([outcomes[at] for at in checked.places], sampling) if checked.places else None
    shuffled = shuffled_rows(checked.similarities, of_checked) if of_checked else []
    drawn = curve_rows(checked.curves, of_checked) if of_checked else []
    complete = completeness_rows(table)
    seen = seen_beside_sounds(
        model,
        subject.backbone,
        subject.dataset,
        subject.sounds,
        subject.asked.questions,
        tokens=subject.tokens,
        asking=facts.asking,
        config=config,
    )
    layers = facts.pathway.layers
    found = Explanation(
        checkpoint=subject.checkpoint.folder.name,
        checkpoint_sha256=file_sha256(subject.checkpoint.folder / CONFIG),
        dataset=subject.dataset.name,
        fingerprint=subject.dataset.fingerprint,
        split=subject.dataset.split,
        gate=None if subject.gate is None else subject.gate.kind,
        tokens=subject.tokens,
        questions=len(outcomes),
        groups=len({one.group for one in outcomes}),
        checked=len(checked.places),
        left_out=subject.asked.left_out,
        steps=config.steps,
        seed=config.seed,
        confidence=config.confidence,
        checks=checks_of(
            complete,
            shuffled,
            drawn,
            most_similar=config.most_similar,
            delta=config.delta,
            why_not=checked.why_not,
        ),
        attribution=tuple(attribution_rows(table)),
        completeness=tuple(complete),
        parts=tuple(parts_rows(table, parts)),
        attention=tuple(attention_rows(table, layers)),
        predictions=tuple(prediction_rows(table, layers, config.confidence)),
        influence=tuple(influence_rows(outcomes, every)),
        modes=tuple(mode_rows(outcomes, every)),
        associations=tuple(
            associations(seen, {one.example.id: one.example for one in subject.asked.questions}, sampling)
        ),
        association_questions=len({one.example_id for one in seen}),
        by_group=tuple(group_rows(outcomes, every)),
        shuffled=tuple(shuffled),
        curves=tuple(drawn),
        notes=_notes(outcomes, explained),
        not_shown=NOT_SHOWN,
        cpu_seconds=round(time.process_time() - started, 1),
        versions=installed_versions((*TRAIN, "captum")),
    )
    return found, outcomes, explained


def _identity(subject: Subject, config: ExplainConfig) -> dict[str, Any]:
    """What the explanation of a question depends on."""
    base = msgspec.json.encode(base_files(subject.backbone.folder), order="deterministic")
    return {
        "checkpoint": file_sha256(subject.checkpoint.folder / CONFIG),
        "base": hashlib.sha256(base).hexdigest(),
        "dataset": subject.dataset.fingerprint,
        "tokens": subject.tokens,
        "options": {
            name: value
            for name, value in msgspec.to_builtins(config).items()
            if name not in (*_ONLY_DRAWN, "questions", "classes", "allow_other_dataset")
        },
        "versions": installed_versions((*TRAIN, "captum")),
    }


def _notes(outcomes: Sequence[Outcome], explained: Sequence[Explained | None]) -> tuple[str, ...]:
    """What a reader must know of these numbers."""
    without = sum(one is None for one in explained)
    notes = []
    if without:
        notes.append(f"{without} of {len(outcomes)} questions have no answer to explain")
    return tuple(notes)


def _write(
    out: Path,
    config: ExplainConfig,
    found: Explanation,
    outcomes: Sequence[Outcome],
    explained: Sequence[Explained | None],
) -> list[Path]:
    """Write all files, explain.json last: where it is, all of it is."""
    charts: dict[str, str] = {}
    (out / EXPLAIN_FILE).unlink(missing_ok=True)
    if can_draw():
        from safe_eval.report.explanation_charts import explanation_charts

        charts = {chart["file"]: chart["svg"] for chart in explanation_charts(found)}
    write_options(out, "safe-train explain", options_of(config), TRAIN)
    files = {
        ITEMS: items_csv(outcomes, explained),
        **{name: svg.encode() for name, svg in charts.items()},
        TABLES: explanation_markdown(found, list(charts)).encode(),
        EXPLAIN_FILE: json_bytes(found),
    }
    for name, content in files.items():
        write_bytes(out / name, content)
    return [out / EXPLAIN_FILE, out / TABLES, out / ITEMS]
