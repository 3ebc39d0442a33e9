"""A checkpoint with two budgets and a gate, and its profile as the command makes it."""

import contextlib
import io
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from made_outcomes import made_outcomes
from tiny_checkpoints import save_random
from tiny_models import SHORT

from safe_train.checkpoint import read_config
from safe_train.cli import main
from safe_train.gates.fitting import fit_on
from safe_train.gates.gate_files import fitted_gate, made_for, write_gate
from safe_train.profiling.result import Profile, read_profile
from safe_train.settings.gate import GateConfig
from safe_train.settings.learning import OptimConfig
from safe_train.settings.pathway import PathwayConfig

NESTED = PathwayConfig(tokens=(2, 4), rank=8, heads=2, bottleneck=32)
QUICK = ("--most-rows=8", "--repeats=8", "--questions=8", "--sounds=8", "--tracker=none", "--quiet")


class Typed(NamedTuple):
    """What a command left: its exit code, its lines, its folder, and the profile in it."""

    code: int
    lines: list[str]
    out: Path
    profile: Profile


def typed(out: Path, *words: str) -> Typed:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main(["profile", *words, "--out", str(out), *QUICK])
    profile = read_profile((out / "profile.json").read_bytes(), "profile.json")
    return Typed(code, said.getvalue().splitlines(), out, profile)


@pytest.fixture(scope="session")
def nested(shards: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with two budgets, and a gate whose entropy threshold lets about all questions listen."""
    folder = tmp_path_factory.mktemp("nested") / "adapter"
    optim = OptimConfig(steps=1, batch_size=12, rows_per_forward=6)
    save_random(folder, NESTED, shards, untaught, optim=optim, asking=SHORT)
    of = made_for(read_config(folder / "config.json"))
    origin = {"dataset": {"name": "made", "fingerprint": "f" * 12}, "split": "gate"}
    table = replace(made_outcomes(), facts={**origin, **msgspec.structs.asdict(of)})
    facts = fit_on(table, GateConfig(kind="entropy")).facts
    chosen = msgspec.structs.replace(facts, threshold=0.001, tokens=4, budgets=(0, 4))
    write_gate(folder, fitted_gate(chosen, {}), table)
    return folder


@pytest.fixture(scope="session")
def profiled(nested: Path, shards: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory) -> Typed:
    """The profile of that checkpoint."""
    out = tmp_path_factory.mktemp("profiled") / "profile"
    words = (str(nested), "--data", str(shards), "--backbone", str(untaught))
    return typed(out, *words, "--samples-per-second=0.001")
