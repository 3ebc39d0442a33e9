"""Freeze evidence: what in a run folder proves that the base did not change: its hashes, logits, parameters.

The files are as safe-train writes them: freeze.json by its demo, parity.json by `parity`, audit.json by
`audit`. Of each, only what the page shows is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from safe_data.core.errors import InputError
from safe_eval.report import numbers

FREEZE_FILE, PARITY_FILE, AUDIT_FILE = FILES = ("freeze.json", "parity.json", "audit.json")
_LONGEST_NAME = 80


class _Logits(msgspec.Struct, frozen=True, kw_only=True):
    questions: int
    batches: int
    identical_batches: int
    largest_difference: float
    same_answers: int | None = None


class _Freeze(msgspec.Struct, frozen=True, kw_only=True):
    base_weights_sha256_before: str
    base_weights_sha256_after: str
    base_parameters: int
    trainable_base_parameters: int
    trained_parameters: int
    gate_off: _Logits


class _Pathway(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    gate_off: _Logits


class _Parity(msgspec.Struct, frozen=True, kw_only=True):
    weights_sha256_before: str
    weights_sha256_after: str
    parameters: int
    pathways: tuple[_Pathway, ...]


class _Audit(msgspec.Struct, frozen=True, kw_only=True):
    parameters: int
    trainable: int
    freeze_faults: tuple[str, ...]


Content = TypeVar("Content", _Freeze, _Parity, _Audit)


@dataclass(frozen=True)
class Fact:
    """One thing that the freeze demands: what was found, whether it holds (None: a count), and the file."""

    name: str
    found: str
    holds: bool | None
    file: str


@dataclass(frozen=True)
class FreezeEvidence:
    """What the files of a run say about its freeze, and which of these files it does not have."""

    facts: tuple[Fact, ...]
    absent: tuple[str, ...]

    @property
    def faults(self) -> list[str]:
        """What does not hold."""
        return [fact.name for fact in self.facts if fact.holds is False]


def read_freeze_evidence(run: Path) -> FreezeEvidence:
    """Read what a run folder has of the three files.

    Raises:
        InputError: a file is there and is not what safe-train writes.
    """
    facts: list[Fact] = []
    if (freeze := _read(run / FREEZE_FILE, _Freeze)) is not None:
        facts += _of_freeze(freeze)
    if (parity := _read(run / PARITY_FILE, _Parity)) is not None:
        facts += _of_parity(parity)
    if (audit := _read(run / AUDIT_FILE, _Audit)) is not None:
        facts += _of_audit(audit)
    return FreezeEvidence(tuple(facts), tuple(name for name in FILES if not (run / name).is_file()))


def _read(path: Path, kind: type[Content]) -> Content | None:
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: is not what safe-train writes under this name: {error}; write it again, or remove it"
        ) from None


def _of_freeze(freeze: _Freeze) -> Iterator[Fact]:
    yield _weights(freeze.base_weights_sha256_before, freeze.base_weights_sha256_after, FREEZE_FILE)
    frozen = freeze.base_parameters - freeze.trainable_base_parameters
    yield Fact(
        "Parameters of the base",
        f"{numbers.count(frozen)} frozen, {numbers.count(freeze.trainable_base_parameters)} trainable",
        freeze.trainable_base_parameters == 0,
        FREEZE_FILE,
    )
    beside = freeze.trained_parameters
    of_all = numbers.share(beside / (beside + freeze.base_parameters)) if beside else "0 %"
    yield Fact("Parameters trained beside it", f"{numbers.count(beside)}, {of_all} of all", None, FREEZE_FILE)
    yield _logits("Logits with the gate off", freeze.gate_off, FREEZE_FILE)


def _of_parity(parity: _Parity) -> Iterator[Fact]:
    yield _weights(parity.weights_sha256_before, parity.weights_sha256_after, PARITY_FILE)
    for pathway in parity.pathways:
        name = pathway.name if len(pathway.name) <= _LONGEST_NAME else f"{pathway.name[:_LONGEST_NAME]} …"
        yield _logits(f"Logits with the gate off, {name}", pathway.gate_off, PARITY_FILE)
        said = pathway.gate_off
        if said.same_answers is not None:
            yield Fact(
                f"Generated answers with the gate off, {name}",
                f"the same tokens in {numbers.count(said.same_answers)} of {numbers.count(said.questions)}",
                said.same_answers == said.questions > 0,
                PARITY_FILE,
            )


def _of_audit(audit: _Audit) -> Iterator[Fact]:
    frozen = audit.parameters - audit.trainable
    yield Fact(
        "Planned parameters",
        f"{numbers.count(frozen)} frozen, {numbers.count(audit.trainable)} trainable beside the base",
        None,
        AUDIT_FILE,
    )
    faults = "; ".join(audit.freeze_faults)
    yield Fact("Freeze as planned", faults or "no parameter of the base is trained", not faults, AUDIT_FILE)


def _weights(before: str, after: str, file: str) -> Fact:
    same = bool(before) and before == after
    found = f"sha256 {before} before and after" if same else f"sha256 {before} before, {after} after"
    return Fact("Weights of the base", found, same, file)


def _logits(name: str, said: _Logits, file: str) -> Fact:
    identical, batches = said.identical_batches, numbers.count(said.batches, "batch", "batches")
    questions = numbers.count(said.questions, "question")
    found = f"bit-identical in {numbers.count(identical)} of {batches} ({questions})"
    if identical != said.batches:
        found += f"; largest difference {said.largest_difference:.3g}"
    return Fact(name, found, identical == said.batches > 0, file)
