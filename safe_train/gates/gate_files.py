"""Gate files: a gate as CHECKPOINT/gate, with the facts of its fitting and the outcomes it was fitted on.

gate/gate.json           how it decides, what it was made for, and what was found (`GateFacts`)
gate/gate.safetensors    its weights; a heuristic has none
gate/outcomes.parquet    the table it was fitted on
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.core.files import committing_folder, file_sha256, write_bytes, write_json
from safe_train.checkpoint import CONFIG, CheckpointConfig, read_config
from safe_train.gates.all_gates import GATES, Recipe, make_gate
from safe_train.gates.features import CLAMP, FEATURES
from safe_train.gates.gate import Decisions, Gate, are_budgets
from safe_train.gates.gate_facts import FORMAT_VERSION, GateFacts, MadeFor
from safe_train.gates.network import Weights
from safe_train.gates.outcomes import OUTCOMES, Outcomes, write_outcomes
from safe_train.gates.states import States

FOLDER, FACTS, WEIGHTS = "gate", "gate.json", "gate.safetensors"
ASIDE = "gate.old"  # the gate that is being replaced, until the new one has its name
AGAIN = "fit it again with `safe-train gate fit`"


@dataclass(frozen=True)
class FittedGate:
    """A gate with the facts of its fitting; `weights` are empty for a heuristic."""

    gate: Gate
    facts: GateFacts
    weights: Weights

    @property
    def kind(self) -> str:
        return self.gate.kind

    @property
    def needs_state(self) -> bool:
        return self.gate.needs_state

    def decide(self, states: States) -> Decisions:
        """Decide for each question; see `Gate`."""
        return self.gate.decide(states)


def fitted_gate(facts: GateFacts, weights: Weights) -> FittedGate:
    """The gate that these facts and weights describe.

    Raises:
        InputError: there is no such kind, or its weights do not fit.
    """
    recipe = Recipe(facts.kind, facts.features, facts.threshold, facts.tokens, facts.budgets)
    return FittedGate(make_gate(recipe, weights), facts, weights)


def made_for(config: CheckpointConfig) -> MadeFor:
    """The hashes of a checkpoint's weights, with what was trained of its base, and of its base's weights."""
    adapter = config.weights_sha256
    if config.adapted is not None:
        of_base = msgspec.json.encode(config.adapted.files, order="deterministic")
        adapter = hashlib.sha256(adapter.encode() + of_base).hexdigest()
    return MadeFor(adapter_sha256=adapter, base_sha256=config.base.weights_sha256)


def write_gate(checkpoint: Path, gate: FittedGate, outcomes: Outcomes, *, force: bool = False) -> list[Path]:
    """Write a gate and the outcomes it was fitted on into a checkpoint, whole or not at all.

    A gate that it replaces is there until the new one is. A run that is killed between the two renames leaves
    it aside, where `read_gate` finds it: a checkpoint never loses its gate without a word.

    Raises:
        InputError: the checkpoint has a gate, and `force` is not set; or the disk is full or protected.
    """
    from safetensors.numpy import save

    folder = checkpoint / FOLDER
    check_no_gate(checkpoint, force=force)
    facts = gate.facts
    with committing_folder(folder, aside=checkpoint / ASIDE) as part:
        write_outcomes(part / OUTCOMES, outcomes)
        if gate.weights:
            data = save({name: np.ascontiguousarray(array) for name, array in gate.weights.items()})
            write_bytes(part / WEIGHTS, data)
            facts = msgspec.structs.replace(facts, weights_sha256=hashlib.sha256(data).hexdigest())
        write_json(part / FACTS, facts)
    return [folder / FACTS, *([folder / WEIGHTS] if gate.weights else []), folder / OUTCOMES]


def check_no_gate(checkpoint: Path, *, force: bool) -> None:
    """Refuse a checkpoint that has a gate, before a new one is fitted.

    Raises:
        InputError: it has one, and `force` is not set.
    """
    folder = checkpoint / FOLDER
    if (folder.exists() or (checkpoint / ASIDE).exists()) and not force:
        raise InputError(f"{folder}: this checkpoint has a gate already; add --force to replace it")


def no_gate(checkpoint: Path) -> str:
    """What to say where no gate is written: one that was there before goes on deciding."""
    stays = ", and the one that is there stays" if (checkpoint / FOLDER).exists() else ""
    return f"no gate is written{stays}"


def read_gate(checkpoint: Path) -> FittedGate | None:
    """The gate of a checkpoint, or None where it has none.

    Raises:
        InputError: the gate is damaged, of another format or version, or was fitted for other weights; or the
            run that replaced it was killed.
    """
    folder, aside = checkpoint / FOLDER, checkpoint / ASIDE
    if not folder.exists():
        if aside.exists():
            raise InputError(
                f"{folder}: the run that replaced it was stopped; rename {aside} to {FOLDER}, or {AGAIN}, "
                "with --force"
            )
        return None
    facts = _read_facts(folder / FACTS)
    _check_made_for(folder / FACTS, facts.made_for, made_for(read_config(checkpoint / CONFIG)))
    try:
        _check_facts(facts)
        weights = _read_weights(folder / WEIGHTS, facts.weights_sha256)
        return fitted_gate(facts, weights)
    except InputError as error:
        raise InputError(f"{folder / FACTS}: {error}; {AGAIN}") from None


def _read_facts(path: Path) -> GateFacts:
    try:
        found = msgspec.json.decode(path.read_bytes())
        version = found.get("format_version") if isinstance(found, dict) else None
        if isinstance(version, int) and version != FORMAT_VERSION:
            raise InputError(f"{path}: is of format {version}; this version reads {FORMAT_VERSION}; {AGAIN}")
        return msgspec.convert(found, GateFacts)
    except FileNotFoundError:
        raise InputError(f"{path}: is not there, but its folder is; {AGAIN}, with --force") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: is not the description of a gate: {error}; {AGAIN}") from None


def _check_made_for(path: Path, stated: MadeFor, wanted: MadeFor) -> None:
    """Refuse a gate of another checkpoint: what it decides by would be another's states."""
    pairs = {
        "adapter": (stated.adapter_sha256, wanted.adapter_sha256),
        "base": (stated.base_sha256, wanted.base_sha256),
    }
    for name, (gate, checkpoint) in pairs.items():
        if gate != checkpoint:
            raise InputError(
                f"{path}: was fitted for the {name} {gate[:12]}…, this checkpoint's is {checkpoint[:12]}…; "
                f"{AGAIN}, with --force"
            )


def _check_facts(facts: GateFacts) -> None:
    """Refuse numbers that no gate is made of.

    Raises:
        InputError: budgets, tokens, features or threshold are impossible.
    """
    if not are_budgets(facts.budgets):
        raise InputError(f"budgets={list(facts.budgets)}: expected whole numbers, 0 or more, ascending")
    if facts.tokens < 1:
        raise InputError(f"tokens={facts.tokens}: expected 1 or more")
    if facts.tokens not in facts.budgets and facts.threshold is not None:
        raise InputError(f"tokens={facts.tokens}: is none of the budgets {list(facts.budgets)}")
    if facts.threshold is not None and not 0 <= facts.threshold < 1.001:
        raise InputError(f"threshold={facts.threshold}: expected a number from 0 to 1, or just above")
    if facts.clamp not in (None, CLAMP):
        raise InputError(f"clamp={facts.clamp}: this version clamps features to ± {CLAMP:g}")
    if unknown := [name for name in facts.features if name not in FEATURES]:
        raise InputError(f"features={list(facts.features)}: {unknown[0]!r} is none of {', '.join(FEATURES)}")
    if facts.kind in GATES and GATES[facts.kind].learned and not facts.features:
        raise InputError(f"kind={facts.kind!r}: names no features, which a learned gate decides by")
    if facts.holds and not facts.found.keeps_limits:
        raise InputError("holds=True: the drops beside it are not shown to keep their limits")
    if facts.kind in GATES and GATES[facts.kind].learned is not (facts.weights_sha256 is not None):
        raise InputError(f"kind={facts.kind!r} and weights_sha256={facts.weights_sha256!r} do not fit")


def _read_weights(path: Path, sha256: str | None) -> Mapping[str, Float64[ndarray, " *shape"]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if sha256 is None:
        return {}
    if not path.is_file():
        raise InputError(f"{WEIGHTS} is not there")
    if (found := file_sha256(path)) != sha256:
        raise InputError(
            f"{WEIGHTS} has sha256 {found[:12]}…, expected {sha256[:12]}…; it was changed or cut off"
        )
    try:
        tensors = load_file(path)
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{WEIGHTS} is not a safetensors file: {error}") from None
    for name, array in tensors.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise InputError(f"{WEIGHTS}: {name} ({array.dtype}) is not all finite numbers")
    # In a safetensors file, weights lie at any byte.
    return {name: np.array(array, np.float64) for name, array in tensors.items()}
