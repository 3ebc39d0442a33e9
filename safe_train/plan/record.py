"""Record: what a finished step leaves in its folder, so that the next run can tell whether it still holds."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.cores import cores
from safe_data.core.differences import differences
from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256, write_json
from safe_data.core.options_file import TRAIN, installed_versions
from safe_train.experiments.experiment import Finding
from safe_train.plan.steps import Done, Step
from safe_train.profiling.machine import processor

RECORD, FAILURE = "step.json", "failed.json"
DRIFT, UNSTABLE, INPUT, DEFECT = "drift", "unstable", "input", "defect"
FORMAT_VERSION = 1


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The content of step.json, which is written last. `files` are hashes of what the findings rest on."""

    format_version: int = FORMAT_VERSION
    name: str
    key: str
    inputs: dict[str, Any]
    needs: dict[str, str]
    findings: tuple[Finding, ...]
    files: dict[str, str]
    started: str  # in UTC
    seconds: float  # of the run that finished it
    processor: str
    cores: int
    versions: dict[str, str]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The content of failed.json: why a step ended without a result.

    `kind` is drift or unstable where a training stopped itself, defect for a fault of ours, and else input.
    """

    reason: str
    kind: str
    started: str


def now() -> str:
    """The time, as records write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_record(folder: Path, step: Step, needs: Mapping[str, str], done: Done, begun: float) -> Record:
    """Write what a step ended in; `begun` is `time.time()` at its start."""
    record = Record(
        name=step.name,
        key=step.key,
        inputs=dict(step.inputs),
        needs=dict(needs),
        findings=done.findings,
        files={name: file_sha256(folder / name) for name in done.files},
        started=datetime.fromtimestamp(begun, UTC).isoformat(timespec="seconds"),
        seconds=round(time.time() - begun, 1),
        processor=processor(),
        cores=cores(),
        versions=installed_versions(TRAIN),
    )
    (folder / FAILURE).unlink(missing_ok=True)
    write_json(folder / RECORD, record)
    return record


def read_record(folder: Path, key: str) -> Record | None:
    """What a finished step with this key left, or None; a file that cannot be read is no record.

    A record whose files are missing or changed is none either, and the step runs again.
    """
    record: Record | None = _decoded(folder / RECORD, Record)
    if record is None or record.format_version != FORMAT_VERSION or record.key != key:
        return None
    for name, sha256 in record.files.items():
        file = folder / name
        if not file.is_file() or file_sha256(file) != sha256:
            return None
    return record


def read_failure(folder: Path) -> Failure | None:
    """Why a step failed the last time, or None."""
    failure: Failure | None = _decoded(folder / FAILURE, Failure)
    return failure


def write_failure(folder: Path, error: Exception) -> Failure:
    """Write why a step failed; a defect's reason has its type."""
    kind = kind_of(error)
    reason = f"{type(error).__name__}: {error}" if kind == DEFECT else str(error)
    failure = Failure(reason=" ".join(reason.split()), kind=kind, started=now())
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / FAILURE, failure)
    return failure


def kind_of(error: Exception) -> str:
    """What kind of failure an error is; a full disk is no defect."""
    from safe_train.retention.drift import DriftedError
    from safe_train.stages.loss_guard import UnstableError

    if isinstance(error, DriftedError):
        return DRIFT
    if isinstance(error, UnstableError):
        return UNSTABLE
    return INPUT if isinstance(error, InputError | OSError) else DEFECT


def what_changed(out: Path, step: Step) -> list[str]:
    """How the inputs of a step differ from those of its latest record in OUT; empty if there is none."""
    same = [one for one in _records(out, step.name) if one.key != step.key]
    if not same:
        return []
    latest = max(same, key=lambda one: one.started)
    lines = differences(latest.inputs, msgspec.to_builtins(dict(step.inputs), enc_hook=str))
    return lines or ["what it needs has changed"]


def latest_record(out: Path, name: str) -> Record | None:
    """What the last finished step of this name left in OUT, whatever its key."""
    return max(_records(out, name), key=lambda one: one.started, default=None)


def _records(out: Path, name: str) -> list[Record]:
    found: list[Record | None] = [_decoded(file, Record) for file in out.glob(f"{name}-*/{RECORD}")]
    return [one for one in found if one is not None and one.name == name]


def other_versions(record: Record) -> str:
    """The packages that made a result in other versions than are installed; empty if there are none.

    Such a result is used again all the same: most versions change no finding, and a reader can judge.
    """
    here = installed_versions(TRAIN)
    return ", ".join(
        f"{name} {record.versions.get(name, 'of no version')}, not {number}"
        for name, number in here.items()
        if record.versions.get(name) != number
    )


def old_folders(out: Path, steps: Sequence[Step]) -> list[str]:
    """The folders of steps that this plan does not have: of an earlier one."""
    current = {one.folder for one in steps}
    return sorted(file.parent.name for file in out.glob(f"*/{RECORD}") if file.parent.name not in current)


def _decoded(file: Path, kind: Any) -> Any:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
