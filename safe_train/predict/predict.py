"""predict: have a checkpoint and its base answer a split, each batch of questions in every arm at once."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import torch

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_data.core.interruption import interrupted_by_sigterm
from safe_data.core.only_writer import only_writer
from safe_data.core.options_file import TRAIN, installed_versions
from safe_data.core.progress import Progress
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.files import base_files
from safe_eval.prediction import BASE, Prediction
from safe_eval.runner.asker import Asker, Latency
from safe_eval.runner.output import (
    Finished,
    Identity,
    Part,
    Tally,
    begin,
    check_writable,
    find_run,
    join,
    part_file,
)
from safe_eval.runner.plan import Arm, Choose, Plan, make_plan
from safe_train.base.backbone import Backbone, backbone_folder, load_backbone
from safe_train.base.loading import check_processes, place
from safe_train.base.prompts import check_pictures
from safe_train.checkpoint import CONFIG, Checkpoint, attach_checkpoint, check_dataset, read_checkpoint
from safe_train.gates.gate import Gate
from safe_train.pathway.model import SafeModel
from safe_train.predict.chosen_gate import ChosenGate, chosen_gate
from safe_train.predict.predictor import Predictor
from safe_train.predict.sounds import Sounds, WantedEncoder
from safe_train.settings.backbone import AskingConfig
from safe_train.settings.predict import CONDITIONS, SAFE, PredictConfig

if TYPE_CHECKING:
    from accelerate import PartialState

FORMAT_VERSION = 3
_PATIENCE = timedelta(days=7)  # one process may finish long before another


class Predicted(NamedTuple):
    """A finished predictions file, and whether it was finished before."""

    finished: Finished
    was_there: bool


@interrupted_by_sigterm()
def predict_dataset(
    checkpoint: Path, shards: Path, *, backbone: str | Path, out: Path, config: PredictConfig | None = None
) -> Predicted | None:
    """Have a checkpoint answer a split under each condition, and its base once; write predictions to `out`.

    A call that was interrupted goes on where it stopped when it is made again, and the file then has the same
    bytes. Of several processes, each answers every so many batches, and the first joins them; the others
    return None. If an example fails, its prediction holds the error. `backbone` is a directory or a hub id.

    Raises:
        InputError: the checkpoint does not fit the backbone, encoders or dataset, a condition cannot be run,
            `out` is of another run, or a model fails on every row.
        KeyboardInterrupt: the run was stopped by Ctrl-C or SIGTERM.
    """
    from accelerate import PartialState

    config = config or PredictConfig()
    check_writable(out)
    read = read_checkpoint(checkpoint)
    dataset = ShardDataset(shards, config.split)
    check_dataset(read, dataset, allow_other=config.allow_other_dataset)
    loading = config.loading(read.config.loading)
    check_pictures(config.asking(read.config.asking), [dataset])
    encoders = wanted_encoders(read, config.encoders)
    gate_of(read, config)  # which finds out early that it cannot be used
    Sounds(dataset, encoders)  # which finds out early that an embedding is missing
    arms = arms_of(config.name, config.conditions, without_base=config.without_base)
    plan = make_plan(dataset, arms, seed=config.seed, batch_size=config.batch_size, choose=_choose(config))
    # On a machine without an accelerator, accelerate must be told so before it lets processes work together.
    state = PartialState(cpu=not torch.accelerator.is_available(), timeout=_PATIENCE)
    check_processes(loading, state.num_processes)
    part = part_file(out, state.process_index, state.num_processes)
    with only_writer(part):
        facts = facts_of_run(read, backbone_folder(backbone), config, state)
        identity = _identity(facts, dataset, config, state)
        found = False if config.force else find_run(out, identity)
        if isinstance(found, Finished):
            return Predicted(found, was_there=True) if state.is_main_process else None
        predictor = load_predictor(read, load_backbone(backbone, loading), encoders, config, state)
        predictor.prepare(dataset, config.conditions)
        latency: Latency = "each" if config.latency else "no"
        asker = Asker([predictor, predictor.base], dataset, plan, seed=config.seed, latency=latency)
        state.wait_for_everyone()  # before anything is written, so that all have found the same
        if not found and state.is_main_process:
            begin(out, identity)
        state.wait_for_everyone()
        _answer(asker, plan, part, config, state)
        state.wait_for_everyone()
        return Predicted(join(out, identity, plan.rows), was_there=False) if state.is_main_process else None


def predictions(
    model: SafeModel,
    backbone: Backbone,
    dataset: ShardDataset,
    encoders: Sequence[WantedEncoder],
    conditions: Sequence[str] = CONDITIONS,
    *,
    name: str = SAFE,
    asking: AskingConfig | None = None,
    gate: Gate | None = None,
    influence: bool = False,
    seed: int = 0,
    batch_size: int = 32,
    choose: Choose | None = None,
    without_base: bool = False,
    quiet: bool = False,
) -> Iterator[Prediction]:
    """Yield what `predict_dataset` writes, from models in memory.

    `gate` decides which questions hear (default: all), and `choose` which are asked.

    `backbone` may share its model with `model`: outside SAFE's requests it is the plain base.

    Raises:
        InputError: see `predict_dataset`.
    """
    arms = arms_of(name, conditions, without_base=without_base)
    plan = make_plan(dataset, arms, seed=seed, batch_size=batch_size, choose=choose)
    asking = asking or AskingConfig()
    predictor = Predictor(
        model,
        backbone,
        encoders,
        name=name,
        asking=asking,
        batch_size=batch_size,
        gate=gate,
        influence=influence,
    )
    predictor.prepare(dataset, ())
    asker = Asker([predictor, predictor.base], dataset, plan, seed=seed)
    tally = Tally()
    with Progress("predicting", sum(plan.rows), unit="row", quiet=quiet) as progress:
        for batch, count in enumerate(plan.rows):
            rows = asker.rows(batch)
            tally.count(rows)
            progress.update(count)
            yield from rows
    tally.check()


def arms_of(name: str, conditions: Sequence[str], *, without_base: bool = False) -> list[Arm]:
    """The base under `full`, and the checkpoint's model under each condition."""
    return [Arm(BASE, "full"), *(Arm(name, condition) for condition in conditions)][without_base:]


def wanted_encoders(checkpoint: Checkpoint, specs: Sequence[str] = ()) -> tuple[WantedEncoder, ...]:
    """The encoders of a checkpoint, and how to load them; `specs` such as `clap:DIR` say it in its place.

    Raises:
        InputError: a spec is of an encoder that the checkpoint does not hear by, or two are of one.
    """
    by_name = {spec.partition(":")[0]: spec for spec in specs}
    if len(by_name) < len(specs):
        raise InputError(f"--encoder {' --encoder '.join(specs)}: names an encoder twice; name each once")
    used = checkpoint.config.encoders
    if unknown := by_name.keys() - {encoder.name for encoder in used}:
        names = ", ".join(encoder.name for encoder in used)
        raise InputError(
            f"--encoder {by_name[min(unknown)]}: {checkpoint.folder} hears by {names}; name one of these"
        )
    return tuple(
        WantedEncoder(e.name, e.fingerprint, by_name.get(e.name, e.source), e.name in by_name) for e in used
    )


def load_predictor(
    checkpoint: Checkpoint,
    backbone: Backbone,
    encoders: Sequence[WantedEncoder],
    config: PredictConfig,
    state: "PartialState",
    facts: dict[str, Any] | None = None,
    *,
    gate_times: bool = False,
    cache_bytes: int | None = None,
) -> Predictor:
    """Put a checkpoint's pathway into its base, on this process's device.

    Raises:
        InputError: the checkpoint does not fit the base.
    """
    place(backbone.model, config.loading(checkpoint.config.loading), state.device)
    return Predictor(
        attach_checkpoint(checkpoint, backbone, config.pathway_precision),
        backbone,
        encoders,
        name=config.name,
        asking=config.asking(checkpoint.config.asking),
        batch_size=config.batch_size,
        gate=gate_of(checkpoint, config).gate,
        latency=config.latency,
        influence=config.influence,
        gate_times=gate_times,
        cache_bytes=cache_bytes,
        facts=facts,
        check=partial(check_dataset, checkpoint, allow_other=config.allow_other_dataset),
    )


def gate_of(checkpoint: Checkpoint, config: PredictConfig) -> ChosenGate:
    """The gate that a checkpoint is asked with.

    Raises:
        InputError: the saved gate cannot be used, or a budget was not trained.
    """
    return chosen_gate(checkpoint.folder, checkpoint.config.pathway, config.gate, config.tokens)


def _answer(asker: Asker, plan: Plan, path: Path, config: PredictConfig, state: "PartialState") -> None:
    """Answer the batches of this process that its part does not hold yet."""
    mine = range(state.process_index, len(plan.batches), state.num_processes)
    rows = [plan.rows[batch] for batch in mine]
    part = Part(path, rows)
    quiet = config.quiet or not state.is_main_process
    done = sum(rows[: part.done])
    progress = Progress("predicting", sum(rows), unit="row", start=done, quiet=quiet)
    with closing(part), progress:
        for batch in mine[part.done :]:
            part.write(asker.rows(batch))
            progress.update(plan.rows[batch])


def facts_of_run(
    checkpoint: Checkpoint, backbone: Path, config: PredictConfig, state: "PartialState"
) -> dict[str, Any]:
    """What the answers depend on beside the questions: weights, precision, wording, device and versions."""
    device, facts = f"{state.device.type}, {torch.get_num_threads()} threads", checkpoint.config
    if state.device.type == "cuda":
        device = torch.cuda.get_device_name(state.device)
    return {
        "checkpoint": file_sha256(checkpoint.folder / CONFIG),  # it holds the hash of the weights
        "base": hashlib.sha256(msgspec.json.encode(base_files(backbone), order="deterministic")).hexdigest(),
        "encoders": {encoder.name: encoder.fingerprint for encoder in facts.encoders},
        "loading": asdict(config.loading(facts.loading)),
        "asking": asdict(config.asking(facts.asking)),
        "gate": gate_of(checkpoint, config).facts,
        "influence": config.influence,
        "latency": config.latency,
        "device": device,
        "versions": installed_versions(TRAIN),
        **({} if config.pathway_precision == "float32" else {"pathway_precision": config.pathway_precision}),
    }


def _choose(config: PredictConfig) -> Choose | None:
    """What tells the questions that are asked; None asks all, and reads no record for it."""
    return (lambda example: example.task in config.tasks) if config.tasks else None


def _identity(
    facts: dict[str, Any], dataset: ShardDataset, config: PredictConfig, state: "PartialState"
) -> Identity:
    return {
        **facts,
        "dataset": dataset.fingerprint,
        "split": dataset.split,
        "conditions": config.conditions,
        "name": config.name,
        "without_base": config.without_base,
        "seed": config.seed,
        "batch_size": config.batch_size,
        "processes": state.num_processes,
        "format_version": FORMAT_VERSION,
        **({"tasks": config.tasks} if config.tasks else {}),
    }
