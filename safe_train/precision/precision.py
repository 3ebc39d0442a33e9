"""Precision: the same questions answered at every precision that runs here, and what each of them costs.

    OUT/precision.json     all that was measured (`Precisions`)
    OUT/precision.md       the tables
    OUT/precision.csv      a row per precision, every number in full
    OUT/options.yaml       what ran

The first precision stays loaded beside each other one, so that both are timed in turns; the others come one
after another.
"""

import time
from pathlib import Path

import torch

from safe_data.core.files import json_bytes, write_bytes
from safe_data.core.interruption import interrupted_by_sigterm
from safe_data.core.options_file import TRAIN, options_of, write_options
from safe_data.core.overwriting import check_free
from safe_data.core.phases import Phases
from safe_eval.options import Sampling
from safe_train.base.backbone import backbone_folder
from safe_train.checkpoint import read_checkpoint
from safe_train.precision.asked import read_questionnaire
from safe_train.precision.measured import Place, Ready, let_go, measure, planned, prepare, why_not
from safe_train.precision.precision_text import csv_of, precision_markdown
from safe_train.precision.result import PRECISION, Measured, Precisions
from safe_train.predict.chosen_gate import chosen_gate
from safe_train.profiling.gauge import NOT_COUNTED, counted_by
from safe_train.profiling.machine import describe, load
from safe_train.settings.precision import PrecisionConfig

TABLES, CSV = "precision.md", "precision.csv"


@interrupted_by_sigterm()
def compare_precisions(
    checkpoint: Path, shards: Path, *, backbone: str | Path, out: Path, config: PrecisionConfig | None = None
) -> Precisions:
    """Measure a checkpoint at each precision, and write what was found to `out`.

    A precision that this machine cannot run has a row that says why. `backbone` is a directory or a hub id.

    Raises:
        InputError: there is a measurement and no `force`; the checkpoint, its gate or the dataset cannot be
            read; or they do not fit.
        KeyboardInterrupt: stopped by Ctrl-C or SIGTERM; nothing is written.
    """
    config = config or PrecisionConfig()
    check_free(out / PRECISION, force=config.force)
    read = read_checkpoint(checkpoint)
    questionnaire = read_questionnaire(read, shards, config)
    gate = chosen_gate(checkpoint, read.config.pathway, config.gate, None).gate
    folder = backbone_folder(backbone)
    device = torch.accelerator.current_accelerator() or torch.device("cpu")
    where = Place(read, shards, folder, config, questionnaire, gate, device)
    started, before = time.monotonic(), load()
    with Phases("precision", quiet=config.quiet) as at:
        rows, architecture = _rows(where, at)
    counted = counted_by(device)
    found = Precisions(
        backbone=folder.resolve().name,
        architecture=architecture,
        dataset=questionnaire.dataset.name,
        split=questionnaire.dataset.split,
        fingerprint=questionnaire.dataset.fingerprint,
        checkpoint=read.config.weights_sha256,
        gate=gate.kind,
        metrics=questionnaire.metrics,
        left_out=questionnaire.left_out,
        confidence=Sampling().confidence,
        seed=config.seed,
        repeats=config.repeats,
        machine=describe(str(device), (*before, *load())),
        memory_counted=counted,
        not_counted=NOT_COUNTED[counted],
        rows=rows,
        seconds=time.monotonic() - started,
    )
    for name in (PRECISION, TABLES, CSV):
        (out / name).unlink(missing_ok=True)
    write_options(out, "safe-train precision", _options(checkpoint, shards, backbone, out, config), TRAIN)
    write_bytes(out / TABLES, precision_markdown(found).encode())
    write_bytes(out / CSV, csv_of(found).encode())
    write_bytes(out / PRECISION, json_bytes(found))  # last: where it is, all of it is
    return found


def _rows(where: Place, at: Phases) -> tuple[tuple[Measured, ...], str]:
    """Each precision, and the architecture of the base; without the first one, none can be compared."""
    first: Ready | None = None
    rows: list[Measured] = []
    reference = where.config.precisions[0]
    for name in where.config.precisions:
        if name != reference and first is None:
            why = f"{reference}, which it is compared with, did not run; name another one first"
            rows.append(planned(where.config, name, why))
            continue
        ready, row = _tried(where, name, first, at)
        rows.append(row)
        if name == reference:
            first = ready
        elif ready is not None:
            let_go(ready)
    if first is None:
        return tuple(rows), where.checkpoint.config.base.architecture
    let_go(first)
    return tuple(rows), first.architecture


def _tried(where: Place, name: str, first: Ready | None, at: Phases) -> tuple[Ready | None, Measured]:
    """A precision and what it costs, or why it does not run on this machine."""
    ready: Ready | None = None
    try:
        ready = prepare(where, name, at)
        return ready, measure(where, ready, first or ready, at)
    except Exception as error:
        why = why_not(error)
        if why is None:
            raise
    if ready is not None:
        let_go(ready)
    return None, planned(where.config, name, why)


def _options(
    checkpoint: Path, shards: Path, backbone: str | Path, out: Path, config: PrecisionConfig
) -> dict[str, object]:
    asked = {"checkpoint": checkpoint, "shards": shards, "backbone": str(backbone), "out": out}
    return {**asked, **options_of(config)}
