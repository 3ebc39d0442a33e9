"""Student: a gate as one small safetensors file that says what it is, read and run with NumPy alone.

    gate = read_student(Path("student.safetensors"))
    gate.decide(states).tokens

The header's metadata hold one JSON text under `safe_gate`: the format version, the kind, the features in the
order of the weights, the clamp and the budgets. The tensors are those of `Network`. Features are standardised
by `mean` and `deviation` and clamped; a layer `first` with ReLU may follow; `last` has one output per budget,
of which the largest is chosen.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from safe_data.core.errors import InputError
from safe_data.core.files import write_bytes
from safe_train.gates.features import CLAMP, FEATURES
from safe_train.gates.gate import are_budgets
from safe_train.gates.learned import BudgetGate
from safe_train.gates.network import FIRST, network_from

FORMAT_VERSION = 1
HEADER = "safe_gate"
_AGAIN = "export it again with `safe-train stage-c`"


def write_student(path: Path, gate: BudgetGate) -> Path:
    """Write a gate that chooses among budgets as one file."""
    from safetensors.numpy import save

    about = {
        "format_version": FORMAT_VERSION,
        "kind": gate.kind,
        "features": list(gate.features),
        "clamp": CLAMP,
        "budgets": list(gate.budgets),
    }
    tensors = {name: np.ascontiguousarray(array) for name, array in gate.network.weights.items()}
    return write_bytes(path, save(tensors, {HEADER: json.dumps(about, sort_keys=True)}))


def read_student(path: Path) -> BudgetGate:
    """Read what `write_student` wrote. Nothing but NumPy decides.

    Raises:
        InputError: the file is missing, damaged, of another version or no gate, or its tensors do not fit.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {})[HEADER])
            tensors = {name: np.array(file.get_tensor(name), np.float64) for name in list(file.keys())}
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputError(f"{path}: is no gate in one file ({error}); {_AGAIN}") from None
    if not isinstance(about, dict) or about.get("format_version") != FORMAT_VERSION:
        raise InputError(f"{path}: is not of format {FORMAT_VERSION}, which this version reads; {_AGAIN}")
    _check(path, about)
    for name, array in tensors.items():
        if not np.isfinite(array).all():
            raise InputError(f"{path}: {name} is not all finite numbers; {_AGAIN}")
    budgets = tuple(about["budgets"])
    try:
        network = network_from(tensors, hidden=FIRST in tensors, outputs=len(budgets))
    except InputError as error:
        raise InputError(f"{path}: {error}; {_AGAIN}") from None
    return BudgetGate(about["kind"], tuple(about["features"]), network, budgets)


def weights_of(gate: BudgetGate) -> int:
    """How many numbers the file of a gate holds."""
    return sum(array.size for array in gate.network.weights.values())


def _check(path: Path, about: dict[str, Any]) -> None:
    """Refuse a description that no gate has."""
    features, budgets = about.get("features"), about.get("budgets")
    if not isinstance(features, list) or not features or not set(map(str, features)) <= set(FEATURES):
        raise InputError(f"{path}: features {features} are not all of {', '.join(FEATURES)}; {_AGAIN}")
    if not isinstance(budgets, list) or not are_budgets(budgets):
        raise InputError(f"{path}: budgets {budgets} are not whole numbers, 0 or more, ascending; {_AGAIN}")
    if about.get("clamp") != CLAMP:
        raise InputError(f"{path}: clamps features to ± {about.get('clamp')}, this version to ± {CLAMP:g}")
    if not isinstance(about.get("kind"), str):
        raise InputError(f"{path}: names no kind of gate; {_AGAIN}")
