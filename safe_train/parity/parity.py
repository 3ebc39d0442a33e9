"""Parity: ask an untouched base, attach pathways with closed gates, ask again, and judge the difference."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec
import torch

from safe_data.core.command import DOES_NOT_HOLD, HOLDS, NOT_JUDGED
from safe_data.core.errors import InputError
from safe_data.core.files import write_json
from safe_data.core.options_file import TRAIN, installed_versions
from safe_data.core.overwriting import check_free
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.generation import decoder_start
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.dialogue import Question
from safe_train.base.freeze import FreezeAudit, audit_freeze, weights_sha256
from safe_train.base.loading import place
from safe_train.parity.comparison import (
    Asking,
    Comparison,
    Said,
    all_questions,
    checksum,
    compare,
    gate_closed,
    random_sounds,
)
from safe_train.parity.memory import Memory, bytes_of, peak_bytes
from safe_train.parity.pathways import Tried, asking_of, tried_pathways
from safe_train.parity.timing import TimeRatio, time_ratio
from safe_train.pathway.model import SafeModel
from safe_train.settings.parity import ParityConfig
from safe_train.stages.evaluation import spread

Decision = Literal["holds", "does not hold", "not measured", "not shown", "no limit"]


class PathwayParity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was found with one pathway; `gate_on_difference` is that of the first batch with its gate open."""

    name: str
    gate_off: Comparison
    gate_on_difference: float


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that parity demands, whether it holds, and why."""

    name: str
    decision: Decision
    evidence: str


class ParityReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of parity.json."""

    dataset: str
    split: str
    fingerprint: str
    architecture: str
    parameters: int
    device: str
    dtype: str
    weights_sha256_before: str
    weights_sha256_after: str
    base_checksum: str
    pathways: tuple[PathwayParity, ...]
    forward_time: TimeRatio
    generation_time: TimeRatio
    memory: Memory
    findings: tuple[Finding, ...]
    exit_code: int
    versions: dict[str, str]


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, before it is judged."""

    before: FreezeAudit
    sha256_after: str
    base_checksum: str
    pathways: tuple[PathwayParity, ...]
    forward_time: TimeRatio
    generation_time: TimeRatio
    memory: Memory


def check_parity(config: ParityConfig) -> ParityReport:
    """Prove, or refute, that a base with a closed gate is the base alone; write the report, if asked to.

    Raises:
        InputError: no such dataset, split, base or checkpoint, no VL questions, or a report that is there.
    """
    if config.out:
        check_free(config.out, force=config.force)
    config = replace(config, asking=asking_of(config))
    dataset = ShardDataset(config.data, config.split)
    asked = all_questions(dataset, config.asking, vl_only=True)
    questions = [asked[int(place)] for place in spread(torch.arange(len(asked)).numpy(), config.samples)]
    backbone = load_backbone(config.backbone.source, config.loading)
    place(backbone.model, config.loading, torch.accelerator.current_accelerator() or torch.device("cpu"))
    proof = prove(backbone, questions, tried_pathways(config, backbone, dataset), config)
    findings = judged(proof, config)
    report = ParityReport(
        dataset=dataset.name,
        split=dataset.split,
        fingerprint=dataset.fingerprint,
        architecture=proof.before.architecture,
        parameters=proof.before.parameters,
        device=str(backbone.model.device),
        dtype=str(backbone.model.dtype),
        weights_sha256_before=proof.before.weights_sha256,
        weights_sha256_after=proof.sha256_after,
        base_checksum=proof.base_checksum,
        pathways=proof.pathways,
        forward_time=proof.forward_time,
        generation_time=proof.generation_time,
        memory=proof.memory,
        findings=findings,
        exit_code=exit_code(findings, strict_time=config.strict_time),
        versions=installed_versions(TRAIN),
    )
    if config.out:
        write_json(Path(config.out), report)
    return report


def prove(
    backbone: Backbone, questions: Sequence[Question], pathways: Sequence[Tried], config: ParityConfig
) -> Proof:
    """Ask the base before anything is attached to it, and with each pathway attached in turn."""
    before = audit_freeze(backbone.model)
    asking = Asking(
        backbone, questions, config.batch_size, asking=config.asking, generate=True, quiet=config.quiet
    )
    base = list(asking.said("the base"))
    found, measured = [], None
    for tried in pathways:
        model = tried.attach()
        try:
            found.append(pathway_parity(tried.name, asking, base, model))
            measured = measured or _costs(asking, model, config.repeats)
        finally:
            model.detach()
    if measured is None:
        raise InputError("no pathway was given to compare the base with")
    forward, generation, memory = measured
    return Proof(
        before=before,
        sha256_after=weights_sha256(backbone.model),
        base_checksum=checksum(base),
        pathways=tuple(found),
        forward_time=forward,
        generation_time=generation,
        memory=memory,
    )


def pathway_parity(name: str, asking: Asking, base: Sequence[Said], model: SafeModel) -> PathwayParity:
    """Compare what a base said before a pathway was attached with what it says behind its closed gate."""
    gate_off = compare(base, asking.said(f"{name}, gate off", gate_closed(model)))
    return PathwayParity(name, gate_off, _gate_on_difference(asking, model, base[0]))


def _gate_on_difference(asking: Asking, model: SafeModel, base: Said) -> float:
    """How far the first batch's logits move with an open gate; if not at all, a closed one shows nothing."""
    (heard,) = asking.said("gate on", gate_closed(model, 1.0), first=1)
    return compare([base], [heard]).largest_difference


def _costs(asking: Asking, model: SafeModel, repeats: int) -> tuple[TimeRatio, TimeRatio, Memory]:
    """The time and the memory of the first batch, by the base alone and with the gate closed."""
    base, dialogue, part = model.base, asking.dialogue, asking.parts[0]
    inputs, sounds = dialogue.encode(part), random_sounds(model, len(part))

    def forward() -> None:
        with torch.no_grad():
            base(**inputs, **decoder_start(base, len(part)))

    def forward_closed() -> None:
        with model.fuse(audio=sounds, gate=0.0):
            forward()

    def generate() -> None:
        dialogue.generate(inputs)

    def generate_closed() -> None:
        with model.fuse(audio=sounds, gate=0.0):
            generate()

    times = [
        time_ratio(alone, beside, repeats=repeats, before_base=model.detach, before_other=model.attach)
        for alone, beside in ((forward, forward_closed), (generate, generate_closed))
    ]
    model.detach()
    peak, how = peak_bytes(forward, base.device)
    model.attach()
    peak_closed, _ = peak_bytes(forward_closed, base.device)
    return times[0], times[1], Memory(bytes_of(model.pathway), bytes_of(base), peak, peak_closed, how)


def judged(proof: Proof, config: ParityConfig) -> tuple[Finding, ...]:
    """What parity demands, one by one."""
    all_off = [one.gate_off for one in proof.pathways]
    return (
        _logits(all_off, config.bound),
        _control(proof.pathways),
        _generations(all_off),
        _checksums(proof.pathways, proof.base_checksum),
        _weights(proof),
        *(
            Finding(
                f"time, {name}",
                ratio.judged(config.time_limit),
                f"{ratio.ratio:.3f} × the base [{ratio.low:.3f}, {ratio.high:.3f}] "
                f"(at most {config.time_limit:g}; {ratio.pairs} pairs{_more(ratio, config.time_limit)})",
            )
            for name, ratio in (("forward", proof.forward_time), ("generation", proof.generation_time))
        ),
    )


def _more(ratio: TimeRatio, limit: float) -> str:
    """How many pairs would show what these do not."""
    if ratio.judged(limit) != "not shown":
        return ""
    needed = ratio.pairs_that_show(limit)
    return "; no number would show it" if needed is None else f"; about {needed:,} would show it"


def exit_code(findings: Sequence[Finding], *, strict_time: bool) -> int:
    """What the command exits with; a time that is not shown counts only if that is asked for."""
    decisions = {one.decision for one in findings}
    if "does not hold" in decisions:
        return DOES_NOT_HOLD
    return NOT_JUDGED if decisions & {"not measured", *(("not shown",) if strict_time else ())} else HOLDS


def _logits(all_off: Sequence[Comparison], bound: float) -> Finding:
    largest = max(one.largest_difference for one in all_off)
    mean = max(one.mean_difference for one in all_off)
    unseen = sum(one.unseen_batches for one in all_off)
    identical, batches = (sum(getattr(one, n) for one in all_off) for n in ("identical_batches", "batches"))
    evidence = (
        f"differ by {largest:g} at most, {mean:g} on average (at most {bound:g}); "
        f"{identical} of {batches} batches bit-identical"
    )
    if largest > bound:
        return Finding("logits", "does not hold", evidence)
    if unseen:
        more = f"; {unseen} differ before the last {all_off[0].tokens} tokens of a prompt"
        return Finding("logits", "not measured", evidence + more)
    return Finding("logits", "holds", evidence)


def _control(pathways: Sequence[PathwayParity]) -> Finding:
    silent = [one.name for one in pathways if not one.gate_on_difference > 0]
    if silent:
        why = (
            f"with the gate open, {', '.join(silent)} says what the base says, so a closed gate shows nothing"
        )
        return Finding("control", "not measured", why)
    least = min(one.gate_on_difference for one in pathways)
    return Finding("control", "holds", f"with the gate open, logits move by {least:.3g} or more")


def _generations(all_off: Sequence[Comparison]) -> Finding:
    same = sum(one.same_answers or 0 for one in all_off)
    asked = sum(one.questions for one in all_off)
    decision: Decision = "holds" if same == asked else "does not hold"
    return Finding("generations", decision, f"{same:,} of {asked:,} have the base's tokens")


def _checksums(pathways: Sequence[PathwayParity], base: str) -> Finding:
    found = {one.gate_off.checksum for one in pathways}
    of = ", ".join(one.name for one in pathways)
    if len(found) > 1:
        return Finding("checksums", "does not hold", f"{len(found)} different ones, of {of}")
    if found == {base}:
        return Finding("checksums", "holds", f"{base[:12]}… of {of} and the base")
    if len(pathways) == 1:
        return Finding("checksums", "not measured", f"of {of} alone, and not the base's; give another")
    return Finding("checksums", "holds", f"{min(found)[:12]}… of {of}, {base[:12]}… of the base")


def _weights(proof: Proof) -> Finding:
    before, after = proof.before.weights_sha256, proof.sha256_after
    if before == after:
        return Finding("weights", "holds", f"sha256 {before[:12]}… before and after, none of them trainable")
    return Finding("weights", "does not hold", f"sha256 {before[:12]}… before, {after[:12]}… after")
