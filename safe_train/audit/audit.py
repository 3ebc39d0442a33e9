"""Audit: count what a planned training would train, compare with its budgets, and estimate its memory.

All of it follows from the base's config and the settings of the run; no weights and no shards are needed.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch

from safe_data.core.errors import InputError
from safe_data.core.files import write_json
from safe_data.core.overwriting import check_free
from safe_data.sampling.mixture import exact_shares
from safe_train.audit.blueprint import blueprint, read_model_config, stored_precision
from safe_train.audit.counts import Component, components, freeze_faults
from safe_train.audit.memory import Memory, Sizes, largest, measure
from safe_train.corpora import Corpora
from safe_train.pathway.model import SafeModel
from safe_train.settings.audit import AuditConfig

AUDIT = "audit.json"
FORMAT_VERSION = 1
GB = 10**9

_WORDS = 44  # positions of a question and its template; the plan's 620 are 576 of a picture and these
_TILES = ("image_grid_pinpoints", "scale_factor", "downsample_ratio", "max_num_tiles")  # a picture is cut
_PICTURE_SIZES = ("image_seq_length", "mm_tokens_per_image", "num_query_tokens")


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A budget: `holds` is null where none was stated."""

    name: str
    found: str
    bound: str
    holds: bool | None


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most rows of a forward pass that fit a card, with the headroom left free; null if not one does.

    `rows_checkpointing` is the same with activation checkpointing. More rows than a batch has are not tried.
    """

    card_gb: float
    headroom: float
    rows: int | None
    rows_checkpointing: int | None


class Audit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of audit.json. Memory is in bytes, without and with activation checkpointing."""

    format_version: int = FORMAT_VERSION
    backbone: str
    architecture: str
    precision: str
    embeddings: tuple[tuple[int, ...], ...]
    embeddings_from: str
    parameters: int
    trainable: int
    components: tuple[Component, ...]
    freeze_faults: tuple[str, ...]
    checks: tuple[Check, ...]
    positions: int
    positions_from: str
    answer_positions: int
    memory: tuple[Memory, ...]
    card: Card | None

    @property
    def holds(self) -> bool:
        """Whether the freeze and all stated budgets hold."""
        return not self.freeze_faults and all(check.holds is not False for check in self.checks)


def run_audit(config: AuditConfig) -> Audit:
    """Audit a planned training.

    Raises:
        InputError: the config of the base cannot be read, a layer does not exist, or the shards do not fit.
    """
    model_config = read_model_config(config.backbone.source)
    precision = precision_of(config, model_config)
    shapes, shapes_from = _shapes(config)
    make = partial(blueprint, model_config, config.pathway, shapes, precision)
    model = make()
    parts = components(model)
    faults = freeze_faults(model, config.optim)
    if config.adaptation.base != "frozen":
        faults += (f"base={config.adaptation.base}: the base itself is trained, which is not counted here",)
    positions, positions_from = positions_of(config, model_config)

    def memory(rows: int, *, checkpointing: bool) -> Memory:
        return memory_of(make(), config, rows=rows, positions=positions, checkpointing=checkpointing)

    planned = planned_rows(config)
    measured = tuple(memory(planned, checkpointing=checkpointing) for checkpointing in (False, True))
    card = None
    if config.audit.card_gb is not None:
        card = _card(
            config, [partial(memory, checkpointing=checkpointing) for checkpointing in (False, True)]
        )
    return Audit(
        backbone=config.backbone.name,
        architecture=type(model.base).__name__,
        precision=str(precision).removeprefix("torch."),
        embeddings=shapes,
        embeddings_from=shapes_from,
        parameters=sum(part.parameters for part in parts),
        trainable=sum(part.trainable for part in parts),
        components=parts,
        freeze_faults=faults,
        checks=_checks(config, parts, planned, card),
        positions=positions,
        positions_from=positions_from,
        answer_positions=config.audit.answer_positions,
        memory=measured,
        card=card,
    )


def precision_of(config: AuditConfig, model_config: Any) -> torch.dtype:
    """The precision of the base: the one that is asked for, or that it was saved in."""
    wanted = config.loading.dtype
    found: torch.dtype = stored_precision(model_config) if wanted == "auto" else getattr(torch, wanted)
    return found


def planned_rows(config: AuditConfig) -> int:
    """The rows of a forward pass."""
    return min(config.optim.rows_per_forward, config.optim.batch_size)


def memory_of(
    model: SafeModel, config: AuditConfig, *, rows: int, positions: int, checkpointing: bool
) -> Memory:
    """The memory of a pass of so many rows of a model on the meta device, which is changed."""
    sizes = Sizes(rows, kept_rows(config, rows), positions, config.audit.answer_positions)
    return measure(model, sizes, checkpointing=checkpointing, temperature=config.loss.temperature)


def write_audit(audit: Audit, out: Path, *, force: bool) -> Path:
    """Write an audit to a file, or to audit.json of a folder.

    Raises:
        InputError: the file exists and `force` is not set, or it cannot be written.
    """
    file = out / AUDIT if out.is_dir() or not out.suffix else out
    check_free(file, force=force)
    return write_json(file, audit)


def _shapes(config: AuditConfig) -> tuple[tuple[tuple[int, ...], ...], str]:
    """The shapes of the embeddings, and where they are from."""
    budget, data = config.audit, config.data
    if data.shards and not budget.embedding:
        return Corpora(data.shards, data.split, data.encoder).shapes, "the shards"
    return budget.shapes, "--embedding" if budget.embedding else "assumed, as CLAP's"


def positions_of(config: AuditConfig, model_config: Any) -> tuple[int, str]:
    """The positions of the longest sequence, and where they are from.

    Raises:
        InputError: the config does not say how many a picture has.
    """
    if config.audit.positions is not None:
        return config.audit.positions, "--positions"
    described = model_config.to_dict()
    known = [described[name] for name in _PICTURE_SIZES if isinstance(described.get(name), int)]
    vision = described.get("vision_config") or {}
    side, patch = (_side(vision.get(name)) for name in ("image_size", "patch_size"))
    tiled = any(described.get(name) or vision.get(name) for name in _TILES)
    if known and not tiled:
        picture = known[0]
    elif side and patch and not tiled:
        picture = (side // patch) ** 2
    else:
        raise InputError(
            f"{type(model_config).__name__}: does not say how many positions a picture has, which may depend "
            "on its size; give --positions, of picture, question and answer together"
        )
    return picture + _WORDS, f"{picture} of one picture and {_WORDS}; see --positions"


def _side(value: Any) -> int | None:
    """One number of a side, or of the two sides of a square."""
    number = value[0] if isinstance(value, list | tuple) and value else value
    return number if isinstance(number, int) and number > 0 else None


def kept_rows(config: AuditConfig, rows: int) -> int:
    """How many rows of a pass keep the base's answers, rounded up."""
    if not config.loss.kl_weight:
        return 0
    shares = exact_shares(config.data.weights)
    learnt = sum(share for name, share in shares.items() if name.rpartition("/")[2] == "audio")
    return rows - int(rows * learnt)


def _card(config: AuditConfig, measured: Sequence[Any]) -> Card:
    budget, most = config.audit, config.optim.batch_size
    card_gb = budget.card_gb or 0.0
    limit = card_gb * GB * (1 - budget.headroom)
    found = [largest(one, limit, most) for one in measured]
    plain, checkpointing = (memory.rows if memory else None for memory in found)
    return Card(card_gb, budget.headroom, plain, checkpointing)


def _checks(
    config: AuditConfig, parts: Sequence[Component], rows: int, card: Card | None
) -> tuple[Check, ...]:
    """The budgets, stated or not."""
    budget = config.audit
    trainable = sum(part.trainable for part in parts)
    share = trainable / sum(part.parameters for part in parts)
    most, least, highest = budget.most_trainable, budget.least_trainable, budget.most_share
    fits = None
    if card is not None:
        checkpointing = config.optim.activation_checkpointing
        fits = ((card.rows_checkpointing if checkpointing else card.rows) or 0) >= rows
    free = "" if card is None else f"{card.card_gb:g} GB, {100 * card.headroom:g} % free"
    return (
        Check(
            "most trainable",
            f"{trainable:,}",
            "" if most is None else f"<= {most:,}",
            None if most is None else trainable <= most,
        ),
        Check(
            "least trainable",
            f"{trainable:,}",
            "" if least is None else f">= {least:,}",
            None if least is None else trainable >= least,
        ),
        Check(
            "most share",
            f"{100 * share:.2f} %",
            "" if highest is None else f"<= {100 * highest:g} %",
            None if highest is None else share <= highest,
        ),
        Check("card", f"{rows} rows a forward pass", free, fits),
    )
