"""Gated: a copy of a checkpoint with a gate of its own, which an experiment fits, and what it answers."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from safe_data.core.errors import InputError
from safe_data.core.files import committing
from safe_data.shards.dataset import ShardDataset
from safe_eval.arms.pairs import ALWAYS_ON
from safe_eval.prediction import BASE, Prediction
from safe_eval.predictions import read_predictions, write_predictions
from safe_eval.runner.plan import sample_of_groups
from safe_train.checkpoint import CONFIG, WEIGHTS, read_config
from safe_train.experiments.experiment import BATCH_SIZE, Material
from safe_train.experiments.training import load_trained
from safe_train.gates.fit import fit_gate
from safe_train.gates.gate import Gate
from safe_train.gates.gate_files import FOLDER, FittedGate, read_gate
from safe_train.gates.outcomes import OUTCOMES
from safe_train.predict.alone import asked_alone, with_times
from safe_train.predict.chosen_gate import always
from safe_train.predict.predict import predictions, wanted_encoders
from safe_train.predict.predictor import Predictor
from safe_train.settings.gate import GateConfig
from safe_train.settings.predict import SAFE

TWIN = f"{SAFE}{ALWAYS_ON}"  # the same checkpoint without its gate

Arm = tuple[str, str]  # a model and its condition


def copy_checkpoint(adapter: Path, folder: Path, outcomes: Path | None = None) -> Path:
    """Copy a checkpoint without its gate, so that the one it came from stays as it is; return the folder.

    `outcomes` is the folder of a checkpoint whose outcomes at every budget are copied, too.

    Raises:
        InputError: the checkpoint trained its base.
    """
    if read_config(adapter / CONFIG).adapted is not None:
        raise InputError(f"{adapter}: trained the base, too, which no gate can leave out; fit none for it")
    pairs = [(adapter / name, folder / name) for name in (CONFIG, WEIGHTS)]
    if outcomes is not None:
        pairs.append((outcomes / FOLDER / OUTCOMES, folder / FOLDER / OUTCOMES))
    for source, copy in pairs:
        if not copy.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            with committing(copy) as file, source.open("rb") as original:  # whole or not at all
                shutil.copyfileobj(original, file)
    return folder


def fit(checkpoint: Path, material: Material, config: GateConfig) -> None:
    """Fit a gate on the first dataset, which needs a split for it.

    Raises:
        InputError: see `fit_gate`.
    """
    fit_gate(checkpoint, material.shards[0], backbone=material.backbone, config=config)


def gated_answers(
    checkpoint: Path,
    material: Material,
    file: Path,
    *,
    seed: int,
    conditions: Sequence[str],
    twin_conditions: Sequence[str] = ("full",),
    known: Sequence[Prediction] = (),
    alone: Sequence[Prediction] = (),
    quiet: bool = False,
) -> list[Prediction]:
    """What the base, SAFE with its gate, and its twin that always listens answer of the test split.

    They are asked once, and kept in the file.

    Args:
        checkpoint: the folder of a checkpoint with its gate
        material: the data and the base
        file: where the answers are kept
        seed: of the conditions
        conditions: those under which the gated checkpoint answers
        twin_conditions: those under which its twin does
        known: what the same base and checkpoint answered before, in whole arms, which is not asked again; of
            SAFE, only what this gate would answer
        alone: answers to a sample that was asked alone, whose times these answers get
        quiet: show no progress

    Raises:
        InputError: the checkpoint has no gate.
    """
    if not file.is_file():
        gate = gate_of(checkpoint)
        wanted = [(SAFE, one) for one in conditions] + [(TWIN, one) for one in twin_conditions]
        kept = _of_arms(known, [(BASE, "full"), *wanted], gate.facts.tokens)
        left = [arm for arm in wanted if arm not in {(row.model, row.condition) for row in kept}]
        asked = _ask(checkpoint, material, gate, seed, left, without_base=bool(kept), quiet=quiet)
        write_predictions(file, with_times([*kept, *asked], alone))
    return read_predictions(file)


def ask_alone(
    adapter: Path, material: Material, gates: Mapping[str, Gate], *, seed: int, most: int
) -> list[Prediction]:
    """A sample of the test split, whole groups of it, asked alone of the base and with each gate, in turns.

    Args:
        adapter: the checkpoint of all these gates
        material: the data and the base
        gates: by the name that its answers get
        seed: of the sample
        most: questions of the sample
    """
    checkpoint, backbone, model = load_trained(adapter, material.backbone)
    alone = partial(Predictor, model, backbone, wanted_encoders(checkpoint), batch_size=1, latency=True)
    models = [alone(name=name, gate=gate, asking=checkpoint.config.asking) for name, gate in gates.items()]
    rows: list[Prediction] = []
    for shards in material.shards:
        dataset = ShardDataset(shards, "test")
        sample = sample_of_groups(dataset, most=max(1, most // len(material.shards)), seed=seed)
        rows += asked_alone(models, dataset, seed=seed, choose=sample)
    return rows


def gate_of(checkpoint: Path) -> FittedGate:
    """The gate of a checkpoint that must have one.

    Raises:
        InputError: it has none.
    """
    gate = read_gate(checkpoint)
    if gate is None:
        raise InputError(f"{checkpoint}: has no gate")
    return gate


def _of_arms(known: Sequence[Prediction], arms: Sequence[Arm], tokens: int) -> list[Prediction]:
    """The rows of these arms, without their times; none at all where the base's are missing.

    The arms of a twin that listened with another number of tokens are left out.
    """
    other = {(row.model, row.condition) for row in known if row.model == TWIN and row.audio_tokens != tokens}
    rows = [row for row in known if (row.model, row.condition) in {*arms} - other]
    if all(row.model != BASE for row in rows):
        return []
    return [replace(row, latency_ms=None, gate_ms=None) for row in rows]


def _ask(
    folder: Path,
    material: Material,
    gate: FittedGate,
    seed: int,
    arms: Sequence[Arm],
    *,
    without_base: bool,
    quiet: bool,
) -> Iterator[Prediction]:
    if not arms and without_base:
        return
    checkpoint, backbone, model = load_trained(folder, material.backbone)
    wanted, asking = wanted_encoders(checkpoint), checkpoint.config.asking
    own, twins = ([condition for model, condition in arms if model == one] for one in (SAFE, TWIN))
    for shards in material.shards:
        dataset = ShardDataset(shards, "test")
        ask = partial(predictions, model, backbone, dataset, wanted, asking=asking, seed=seed)
        ask = partial(ask, batch_size=BATCH_SIZE, quiet=quiet)
        if own or not without_base:
            yield from ask(own, gate=gate, without_base=without_base)
        if twins:
            yield from ask(twins, gate=always(gate.facts.tokens), name=TWIN, without_base=True)
