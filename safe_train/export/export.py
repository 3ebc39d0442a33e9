"""Export: write a checkpoint as a folder that others can load, with all that is known about it."""

import hashlib
from dataclasses import replace
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256, json_bytes
from safe_eval.card.hub_results import hub_results
from safe_eval.card.published import Published, read_published
from safe_eval.options import CardOptions
from safe_eval.scoring.scores import SCORES_FILE
from safe_train.checkpoint import CONFIG, read_checkpoint
from safe_train.export.asked_by import Proof, proof_of
from safe_train.export.card import Told, card_of
from safe_train.export.folder import README, check_out, config_for_others, sources_of, write_folder
from safe_train.gates.gate_files import read_gate
from safe_train.plan.checklist import FORMAT_VERSION, Checklist
from safe_train.settings.export import ExportConfig


def export_checkpoint(checkpoint: Path, out: Path, config: ExportConfig | None = None) -> list[Path]:
    """Write the pathway of a checkpoint for others, and return the files.

    Raises:
        InputError: the checkpoint, its gate, the checklist or the scores cannot be read or do not agree, the
            scores are of another model, or `out` holds something and `force` is not set.
    """
    config = config or ExportConfig()
    check_out(out, checkpoint, force=config.force)
    read, gate = read_checkpoint(checkpoint), read_gate(checkpoint)
    published = None if config.scores is None else _published(config.scores, config)
    proof: Proof = "not recorded" if published is None else proof_of(published, config.model, checkpoint)
    sources, others = sources_of(read, gate), config_for_others(read.config)
    data = json_bytes(others)
    files = [(name, path.stat().st_size, file_sha256(path)) for name, path in sources.items()]
    told = Told(
        title=config.title or out.resolve().name,
        config=others,
        gate=gate,
        checklist=None if config.checklist is None else read_checklist(config.checklist),
        checklist_sha256=None if config.checklist is None else file_sha256(config.checklist),
        published=published,
        proof=proof,
        files=[*files, (CONFIG, len(data), hashlib.sha256(data).hexdigest())],
        settings=config,
    )
    texts = {README: card_of(told).encode()}
    if published is not None:
        texts |= {str(path): content for path, content in hub_results(published, config.model)}
    return write_folder(out, sources, others, texts)


def read_checklist(path: Path) -> Checklist:
    """The checklist of a plan.

    Raises:
        InputError: it is not there, is none, or is of another format.
    """
    try:
        found = msgspec.json.decode(path.read_bytes())
        version = found.get("format_version") if isinstance(found, dict) else None
        if version != FORMAT_VERSION:
            raise InputError(
                f"{path}: is of format {version}, and this version reads {FORMAT_VERSION}; run the plan again"
            )
        return msgspec.convert(found, Checklist)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give the checklist.json of a plan"
        ) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: is no checklist of a plan: {error}") from None


def _published(scores: Path, config: ExportConfig) -> Published:
    run = scores.parent if scores.name == SCORES_FILE else scores
    found = read_published(run, CardOptions(hub=config.hub))
    if config.model not in found.models:
        raise InputError(
            f"model={config.model}: is not in the scores of {run}; there are {', '.join(found.models)}"
        )
    return replace(found, model_ids={config.model: config.repository} if config.repository else {})
