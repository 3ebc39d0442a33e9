"""A gate as one file: it decides as the network that was fitted, with NumPy alone."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made_policies import made_policies
from safetensors.numpy import save_file
from torch import nn

from safe_data.core.errors import InputError
from safe_train.gates.distil import CANDIDATES, Candidate, distil
from safe_train.gates.features import features_of
from safe_train.gates.learned import BudgetGate
from safe_train.gates.outcomes import write_outcomes
from safe_train.gates.student import HEADER, read_student, weights_of, write_student

DECIDING = """
import sys
from pathlib import Path
from safe_train.gates.outcomes import read_outcomes
from safe_train.gates.student import read_student

folder = Path(sys.argv[1])
decided = read_student(folder / "student.safetensors").decide(read_outcomes(folder / "o.parquet").states)
print(decided.tokens.tolist())
print([name for name in ("torch", "transformers", "scipy") if name in sys.modules])
"""


def student_of(candidate: Candidate) -> BudgetGate:
    outcomes = made_policies(300)
    return distil(outcomes, outcomes.scores.argmax(axis=1), candidate)


def as_torch(gate: BudgetGate) -> nn.Sequential:
    """The same network in torch, in float32."""
    layers: list[nn.Module] = []
    for stored in (gate.network.first, gate.network.last):
        if stored is None:
            continue
        outputs, inputs = stored.weight.shape
        layer = nn.Linear(inputs, outputs)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(stored.weight))
            layer.bias.copy_(torch.from_numpy(stored.bias))
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda one: one.name.replace(" ", "_"))
def test_a_file_decides_as_torch_does(candidate: Candidate, tmp_path: Path) -> None:
    gate, outcomes = student_of(candidate), made_policies(500, seed=7)
    path = write_student(tmp_path / "student.safetensors", gate)
    decided = read_student(path).decide(outcomes.states)
    features = gate.network.standardised(features_of(outcomes.states, gate.features))
    chances = as_torch(gate)(torch.from_numpy(features).float()).softmax(-1).detach().numpy()
    assert decided.tokens.tolist() == np.asarray(outcomes.budgets)[chances.argmax(axis=1)].tolist()
    assert decided.scores == pytest.approx(1 - chances[:, 0], abs=1e-5)
    assert len(set(decided.tokens.tolist())) > 1


def test_nothing_but_numpy_decides(tmp_path: Path) -> None:
    gate, outcomes = student_of(CANDIDATES[2]), made_policies(40, seed=7)
    write_student(tmp_path / "student.safetensors", gate)
    write_outcomes(tmp_path / "o.parquet", outcomes)
    command = [sys.executable, "-c", DECIDING, str(tmp_path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0] == str(gate.decide(outcomes.states).tokens.tolist())
    assert lines[1] == "[]"


def test_a_question_is_decided_the_same_alone(tmp_path: Path) -> None:
    gate, states = student_of(CANDIDATES[3]), made_policies(50, seed=7).states
    together = gate.decide(states)
    for row in range(50):
        alone = gate.decide(states.of([row]))
        assert alone.scores[0] == together.scores[row]


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    gate = student_of(CANDIDATES[0])
    path = write_student(tmp_path / "student.safetensors", gate)
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + size])
    about = json.loads(header["__metadata__"][HEADER])
    assert about == {
        "format_version": 1, "kind": "student", "features": ["entropy"], "clamp": 6.0, "budgets": [0, 4, 8]
    }  # fmt: skip
    assert weights_of(gate) == 3 * 1 + 3 + 2
    assert path.stat().st_size < 1000


def test_students_get_larger() -> None:
    sizes = [weights_of(student_of(candidate)) for candidate in CANDIDATES]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"format_version": 2}, "is not of format 1"),
        ({"features": ["loudness"]}, "are not all of entropy, confidence, margin, hidden"),
        ({"budgets": [4, 0]}, "whole numbers, 0 or more, ascending"),
        ({"budgets": [0, 4]}, "last.weight has the shape"),
        ({"clamp": 5.0}, "clamps features to ± 5.0"),
        ({"kind": 3}, "names no kind"),
    ],
)
def test_a_file_that_is_no_gate_is_refused(about: dict[str, object], message: str, tmp_path: Path) -> None:
    gate = student_of(CANDIDATES[0])
    whole = {
        "format_version": 1,
        "kind": "student",
        "features": ["entropy"],
        "clamp": 6.0,
        "budgets": [0, 4, 8],
    }
    path = tmp_path / "student.safetensors"
    tensors = {name: np.ascontiguousarray(array) for name, array in gate.network.weights.items()}
    save_file(tensors, path, {HEADER: json.dumps(whole | about)})
    with pytest.raises(InputError, match=message):
        read_student(path)


def test_a_file_that_is_missing_or_holds_no_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "student.safetensors"
    with pytest.raises(InputError, match="is no gate in one file"):
        read_student(path)
    gate = student_of(CANDIDATES[0])
    gate.network.last.bias[0] = np.nan
    write_student(path, gate)
    with pytest.raises(InputError, match=r"last\.bias is not all finite numbers"):
        read_student(path)
