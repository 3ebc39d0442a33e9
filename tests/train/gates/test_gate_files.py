"""Gate files: a gate comes back as it was, and one that is damaged or of another checkpoint is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_gates import stated_outcomes
from safetensors.numpy import load_file, save_file

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_train.gates.fitting import fit_on
from safe_train.gates.gate_files import FittedGate, read_gate, write_gate
from safe_train.gates.outcomes import Outcomes, read_outcomes
from safe_train.settings.gate import GateConfig


@pytest.fixture(scope="module")
def table(adapter: Path) -> Outcomes:
    return stated_outcomes(1600, checkpoint=adapter)


@pytest.fixture(scope="module")
def linear(table: Outcomes) -> FittedGate:
    return fit_on(table, GateConfig(kind="linear"))


@pytest.fixture
def checkpoint(adapter: Path, table: Outcomes, linear: FittedGate, tmp_path: Path) -> Path:
    """A checkpoint with a linear gate."""
    shutil.copytree(adapter, tmp_path / "adapter")
    write_gate(tmp_path / "adapter", linear, table)
    return tmp_path / "adapter"


def test_a_gate_comes_back_and_decides_the_same(
    checkpoint: Path, linear: FittedGate, table: Outcomes
) -> None:
    read = read_gate(checkpoint)
    assert read is not None
    assert (read.kind, read.needs_state) == ("linear", True)
    assert {**json.loads((checkpoint / "gate/gate.json").read_text())}["weights_sha256"] == file_sha256(
        checkpoint / "gate/gate.safetensors"
    )
    for name in ("tokens", "scores"):
        wanted, found = (getattr(gate.decide(table.states), name) for gate in (linear, read))
        assert wanted.tobytes() == found.tobytes()
    assert read.facts.found == linear.facts.found
    assert read.facts.made_for == linear.facts.made_for
    assert read_outcomes(checkpoint / "gate/outcomes.parquet").facts == table.facts
    assert sorted(path.name for path in checkpoint.iterdir()) == [
        "adapter.safetensors",
        "config.json",
        "gate",
    ]


def test_a_heuristic_has_no_weights(checkpoint: Path, table: Outcomes) -> None:
    written = write_gate(checkpoint, fit_on(table, GateConfig(kind="margin")), table, force=True)
    assert [path.name for path in written] == ["gate.json", "outcomes.parquet"]
    assert sorted(path.name for path in (checkpoint / "gate").iterdir()) == ["gate.json", "outcomes.parquet"]
    read = read_gate(checkpoint)
    assert read is not None
    assert read.weights == {}


def test_a_checkpoint_without_a_gate_has_none(adapter: Path) -> None:
    assert read_gate(adapter) is None


def test_only_force_replaces_a_gate(checkpoint: Path, linear: FittedGate, table: Outcomes) -> None:
    with pytest.raises(
        InputError, match=r"gate: this checkpoint has a gate already; add --force to replace it"
    ):
        write_gate(checkpoint, linear, table)


def test_a_write_that_fails_leaves_the_old_gate(
    checkpoint: Path, linear: FittedGate, table: Outcomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in (checkpoint / "gate").iterdir()}

    def fails(*_: object) -> None:
        raise RuntimeError("no more")

    monkeypatch.setattr("safe_train.gates.gate_files.write_json", fails)
    with pytest.raises(RuntimeError):
        write_gate(checkpoint, linear, table, force=True)
    assert {path.name: path.read_bytes() for path in (checkpoint / "gate").iterdir()} == before
    assert not list(checkpoint.glob("*.tmp"))


def test_a_gate_that_was_set_aside_by_a_killed_run_is_not_lost(
    checkpoint: Path, linear: FittedGate, table: Outcomes
) -> None:
    (checkpoint / "gate").rename(checkpoint / "gate.old")
    with pytest.raises(InputError, match=r"gate: the run that replaced it was stopped; rename .*gate\.old"):
        read_gate(checkpoint)
    with pytest.raises(InputError, match="has a gate already"):
        write_gate(checkpoint, linear, table)
    write_gate(checkpoint, linear, table, force=True)
    assert read_gate(checkpoint) is not None
    assert not (checkpoint / "gate.old").exists()


def test_the_old_gate_is_put_back_where_the_new_one_cannot_take_its_place(
    checkpoint: Path, linear: FittedGate, table: Outcomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (checkpoint / "gate/gate.json").read_bytes()
    replace = Path.replace

    def fails(path: Path, target: Path) -> Path:
        if path.name == "gate.tmp":
            raise OSError("no more")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="no more"):
        write_gate(checkpoint, linear, table, force=True)
    assert (checkpoint / "gate/gate.json").read_bytes() == before
    assert not (checkpoint / "gate.old").exists()


def changed(name: str, value: object) -> Callable[[Path], None]:
    """A change of gate.json; a dotted name is of a part."""

    def change(folder: Path) -> None:
        content = json.loads((folder / "gate.json").read_text())
        *parts, last = name.split(".")
        inner = content
        for part in parts:
            inner = inner[part]
        inner[last] = value
        (folder / "gate.json").write_text(json.dumps(content))

    return change


def reweighed(change: Callable[[dict[str, np.ndarray]], None]) -> Callable[[Path], None]:
    """A change of the weights that gate.json knows of."""

    def apply(folder: Path) -> None:
        weights = load_file(folder / "gate.safetensors")
        change(weights)
        save_file(weights, folder / "gate.safetensors")
        changed("weights_sha256", file_sha256(folder / "gate.safetensors"))(folder)

    return apply


def cut(folder: Path) -> None:
    whole = (folder / "gate.safetensors").read_bytes()
    (folder / "gate.safetensors").write_bytes(whole[:-8])


def no_tensors(folder: Path) -> None:
    (folder / "gate.safetensors").write_bytes(b"nothing")
    changed("weights_sha256", file_sha256(folder / "gate.safetensors"))(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed("format_version", 9), r"gate\.json: is of format 9; this version reads 1; fit it again"),
        (changed("kind", "oracle"), "kind='oracle': is no gate of this version"),
        (changed("surprise", 1), r"is not the description of a gate: .*`surprise`"),
        (changed("threshold", None), "kind='linear': has no threshold"),
        (changed("threshold", -1.0), "threshold=-1.0: expected a number from 0 to 1"),
        (changed("tokens", 0), "tokens=0: expected 1 or more"),
        (changed("budgets", [4, 0]), r"budgets=\[4, 0\]: expected whole numbers"),
        (changed("budgets", [0, 8]), r"tokens=4: is none of the budgets \[0, 8\]"),
        (changed("features", ["smell"]), "'smell' is none of entropy, confidence, margin, hidden"),
        (changed("features", []), "kind='linear': names no features"),
        (changed("holds", True), "holds=True: the drops beside it are not shown to keep"),
        (changed("clamp", 3.0), "clamp=3.0: this version clamps features to ± 6"),
        (changed("weights_sha256", None), "kind='linear' and weights_sha256=None do not fit"),
        (
            changed("made_for.adapter_sha256", "0" * 64),
            "was fitted for the adapter 000000000000…, this check",
        ),
        (
            changed("made_for.base_sha256", "0" * 64),
            "was fitted for the base 000000000000…, this checkpoint's",
        ),
        (cut, r"gate\.safetensors has sha256 .*it was changed or cut off; fit it again"),
        (no_tensors, r"gate\.safetensors is not a safetensors file"),
        (
            lambda folder: (folder / "gate.safetensors").unlink(),
            r"gate\.safetensors is not there; fit it again",
        ),
        (lambda folder: (folder / "gate.json").unlink(), r"gate\.json: is not there, but its folder is"),
        (lambda folder: (folder / "gate.json").write_text("["), "is not the description of a gate"),
        (
            reweighed(lambda w: w["mean"].__setitem__(0, np.nan)),
            r"mean \(float64\) is not all finite numbers",
        ),
        (reweighed(lambda w: w.update(mean=w["mean"][1:])), r"deviation has the shape \[9\], expected \[8\]"),
        (reweighed(lambda w: w.pop("last.bias")), r"expected mean, deviation, last\.weight, last\.bias"),
        (reweighed(lambda w: w["deviation"].__setitem__(0, 0.0)), "deviation is not above 0 everywhere"),
    ],
)
def test_a_gate_that_cannot_be_trusted_is_refused(
    checkpoint: Path, change: Callable[[Path], None], message: str
) -> None:
    change(checkpoint / "gate")
    with pytest.raises(InputError, match=message) as refused:
        read_gate(checkpoint)
    assert str(refused.value).startswith(str(checkpoint / "gate/gate.json"))
