"""Gated: a copy of a checkpoint with a gate of its own, which an experiment fits, and what it answers."""

import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from safe_data.core.errors import InputError
from safe_data.core.files import committing
from safe_data.shards.dataset import ShardDataset
from safe_eval.arms.pairs import ALWAYS_ON
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions, write_predictions
from safe_eval.runner.plan import sample_of_groups
from safe_train.checkpoint import CONFIG, WEIGHTS, read_config
from safe_train.experiments.experiment import Material
from safe_train.experiments.training import load_trained
from safe_train.gates.fit import fit_gate
from safe_train.gates.gate_files import FOLDER, read_gate
from safe_train.gates.outcomes import OUTCOMES
from safe_train.predict.alone import asked_alone, with_times
from safe_train.predict.chosen_gate import always
from safe_train.predict.predict import predictions, wanted_encoders
from safe_train.predict.predictor import Predictor
from safe_train.settings.gate import GateConfig
from safe_train.settings.predict import SAFE

BATCH_SIZE = 64
TWIN = f"{SAFE}{ALWAYS_ON}"  # the same checkpoint without its gate


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
    timed_questions: int = 0,
    quiet: bool = False,
) -> list[Prediction]:
    """What the base, SAFE with its gate, and its twin that always listens answer of the test split.

    They are asked once, and kept in the file. A sample is asked alone, too, in turns, to be timed.

    Raises:
        InputError: the checkpoint has no gate.
    """
    if not file.is_file():
        asked = _ask(checkpoint, material, seed, conditions, timed_questions, quiet)
        write_predictions(file, list(asked))
    return read_predictions(file)


def _ask(
    folder: Path, material: Material, seed: int, conditions: Sequence[str], timed: int, quiet: bool
) -> Iterator[Prediction]:
    gate = read_gate(folder)
    if gate is None:
        raise InputError(f"{folder}: has no gate")
    checkpoint, backbone, model = load_trained(folder, material.backbone)
    wanted, asking = wanted_encoders(checkpoint), checkpoint.config.asking
    twin = always(gate.facts.tokens)
    for shards in material.shards:
        dataset = ShardDataset(shards, "test")
        ask = partial(predictions, model, backbone, dataset, wanted, asking=asking, seed=seed)
        ask = partial(ask, batch_size=BATCH_SIZE, quiet=quiet)
        rows = [*ask(conditions, gate=gate), *ask(("full",), gate=twin, name=TWIN, without_base=True)]
        if timed:
            alone = partial(Predictor, model, backbone, wanted, asking=asking, batch_size=1, latency=True)
            both = (alone(name=SAFE, gate=gate), alone(name=TWIN, gate=twin))
            chosen = sample_of_groups(dataset, most=max(1, timed // len(material.shards)), seed=seed)
            rows = with_times(rows, asked_alone(both, dataset, seed=seed, choose=chosen))
        yield from rows
