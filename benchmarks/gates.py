"""What each gate skips and loses in a synthetic world, fitted on one split and judged on another.

`python -m benchmarks.gates --world foggy --seed 1` goes the way of a user: the world, its shards, the toy,
stage A by the preset `demo`; then the splits `gate` and `test` are asked at every budget. Every gate is
fitted on the first and judged on the second: heuristics and classifiers by the upper rule, policies by each
method of stage B and three seeds each, and the student of stage C. A line tells what one of them skips, loses
and earns. With --out, what is made stays there and is used again.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, get_args

import numpy as np

from benchmarks.machine import describe
from benchmarks.timing import print_line
from safe_data.build.build import build_dataset
from safe_data.sources.synthetic.world import write_world
from safe_data.sources.synthetic.worlds import WORLDS
from safe_train.gates.drop import Limits
from safe_train.gates.fit import fit_gate, outcomes_of
from safe_train.gates.fitting import fit_on
from safe_train.gates.gate import Decisions
from safe_train.gates.gate_files import read_gate
from safe_train.gates.learned import SEEN, BudgetGate
from safe_train.gates.outcomes import Outcomes, read_outcomes, write_outcomes
from safe_train.gates.policy_fit import Learning, learned, log_for
from safe_train.gates.policy_values import worth_of
from safe_train.gates.reference import oracle_decisions
from safe_train.gates.reward import Reward
from safe_train.presets import preset_config
from safe_train.settings.gate import GateConfig, GateKind
from safe_train.settings.stage_b import Method, StageBConfig
from safe_train.settings.stage_c import StageCConfig
from safe_train.stages.stage_a import stage_a
from safe_train.stages.stage_b import stage_b
from safe_train.stages.stage_c import stage_c
from safe_train.toy.backbone import pretrain
from safe_train.toy.recipe import recipe_for

CLIPS, BATCH_SIZE, TIMED = 6400, 64, 100
BUDGETS = (4, 8, 12)
LIMITS = Limits()
POLICY_SEEDS = (0, 1, 2)
ALPHAS = (0.05, 0.1, 0.2, 0.3, 0.4)  # what stage B is asked to pay for a sound


def main() -> None:
    """Print the lines of seed 0 of the hard and of the foggy world."""
    for world in ("hard", "foggy"):
        measure(world, seed=0)


def command(words: Sequence[str]) -> int:
    """Measure one world and seed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gates")
    parser.add_argument(
        "--world", choices=[name for name, one in WORLDS.items() if not one.speech], default="hard"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--out", type=Path, help="folder for what is made (default: none is kept)")
    asked = parser.parse_args(words)
    measure(asked.world, seed=asked.seed, clips=asked.clips, out=asked.out)
    return 0


def measure(world: str, *, seed: int, clips: int = CLIPS, out: Path | None = None) -> None:
    """Make everything of a world and print its lines."""
    import torch

    torch.set_num_threads(1)
    about = {"world": world, "seed": seed}
    print_line(benchmark="gates", **about, clips=clips, **describe())
    with tempfile.TemporaryDirectory() as temporary:
        folder = out or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        started = perf_counter()
        _train(folder, world, seed, clips)
        print_line(**about, step="world, toy and stage A", seconds=perf_counter() - started)
        started = perf_counter()
        fitted_on, judged_on = _outcomes(folder)
        print_line(**about, step="every budget, both splits", seconds=perf_counter() - started)
        for line in _lines(folder, fitted_on, judged_on, seed):
            print_line(**about, **line)


def _train(folder: Path, world: str, seed: int, clips: int) -> None:
    write_world(folder / "world", clips=clips, seed=seed, world=world)
    build_dataset(folder / "world", folder / "shards")
    pretrain(folder / "backbone", seed=seed, recipe=recipe_for(world))
    plan = preset_config(
        "demo",
        shards=(folder / "shards",),
        backbone=folder / "backbone",
        out=folder / "adapter",
        tokens=BUDGETS,
        seed=seed,
        drift_stop=None,
    )
    stage_a(plan)


def _outcomes(folder: Path) -> tuple[Outcomes, Outcomes]:
    """The outcomes of the splits `gate` and `test`; the first is kept by a fitted gate."""
    config = GateConfig(latency_questions=TIMED, batch_size=BATCH_SIZE, quiet=True, force=True)
    fit_gate(folder / "adapter", folder / "shards", backbone=folder / "backbone", config=config)
    fitted_on, _ = outcomes_of(folder / "adapter", folder / "shards", backbone=None, config=config)
    kept = folder / "test_outcomes.parquet"
    if kept.is_file():
        known = read_outcomes(kept)
        if known.facts.items() >= {**fitted_on.facts, "split": "test"}.items():
            return fitted_on, known
    adapter, shards, backbone = (folder / name for name in ("adapter", "shards", "backbone"))
    judged_on, _ = outcomes_of(adapter, shards, backbone=backbone, config=replace(config, split="test"))
    write_outcomes(kept, judged_on)
    return fitted_on, judged_on


def _lines(folder: Path, fitted_on: Outcomes, judged_on: Outcomes, seed: int) -> Iterator[dict[str, Any]]:
    for column, tokens in enumerate(judged_on.budgets):
        audio = judged_on.needs_audio
        yield {
            "tokens": tokens,
            "audio": judged_on.scores[audio, column].mean(),
            "vl": judged_on.scores[~audio, column].mean(),
            "latency_ms": judged_on.latency_ms[column],
        }
    yield {"gate": "oracle", **_told(judged_on, oracle_decisions(judged_on), judged_on.budgets[-1])}
    for kind in get_args(GateKind):
        started = perf_counter()
        fitted = fit_on(fitted_on, GateConfig(kind=kind, seed=seed))
        took = perf_counter() - started
        auroc = fitted.facts.calibration and fitted.facts.calibration.auroc
        on_audio = fitted.facts.calibration_audio and fitted.facts.calibration_audio.auroc
        yield {
            "gate": kind,
            **_told(judged_on, fitted.decide(judged_on.states), fitted.facts.tokens),
            "auroc": auroc and auroc.value,
            "auroc_audio": on_audio and on_audio.value,
            "seconds": took,
        }
    yield from _policies(fitted_on, judged_on)
    yield from _stages(folder, judged_on, seed)


def _policies(fitted_on: Outcomes, judged_on: Outcomes) -> Iterator[dict[str, Any]]:
    """The policies of each method, and of several seeds."""
    reward = Reward()
    for method in get_args(Method):
        for seed in POLICY_SEEDS:
            learning = Learning(method=method)
            started = perf_counter()
            log = log_for(fitted_on, learning, None, seed=seed)
            network = learned(fitted_on, reward, learning, log, seed=seed)
            took = perf_counter() - started
            chosen = BudgetGate("policy", SEEN, network, fitted_on.budgets).decide(judged_on.states)
            told = _told(judged_on, chosen, judged_on.budgets[-1])
            yield {"gate": "policy", "method": method, "policy_seed": seed, **told, "seconds": took}


def _stages(folder: Path, judged_on: Outcomes, seed: int) -> Iterator[dict[str, Any]]:
    """The gates that the commands stage-b and stage-c leave in the checkpoint."""
    adapter, quiet = folder / "adapter", {"quiet": True, "force": True}
    for alpha in ALPHAS:
        name, settings = f"stage_b_{alpha:g}", StageBConfig(trackers=("none",), alpha=alpha, **quiet)
        started = perf_counter()
        settings = replace(settings, out=folder / name, seeds=(seed,), scan_alphas=(alpha,))
        learnt = stage_b(adapter, settings)
        if learnt.gate is None:
            yield {"gate": "stage B", "alpha": alpha, "notes": learnt.result.notes}
            continue
        taught = _saved(adapter, judged_on)
        yield {"gate": "stage B", "alpha": alpha, **taught[1], "seconds": perf_counter() - started}
        started = perf_counter()
        student = stage_c(
            adapter, StageCConfig(stage_b=folder / name, out=folder / f"stage_c_{alpha:g}", force=True)
        ).result
        line = {"gate": "stage C", "alpha": alpha, "student": student.chosen, "notes": student.notes}
        if student.chosen is not None:
            decided, told = _saved(adapter, judged_on)
            agreement = float((decided.tokens == taught[0].tokens).mean())
            line |= {
                **told,
                "agreement": agreement,
                "extra_drop_audio": _extra(judged_on, taught[0], decided),
            }
        yield {**line, "seconds": perf_counter() - started}


def _saved(adapter: Path, judged_on: Outcomes) -> tuple[Decisions, dict[str, Any]]:
    """What the gate in a checkpoint decides."""
    gate = read_gate(adapter)
    if gate is None:
        raise ValueError(f"{adapter}: no gate was written")
    decided = gate.decide(judged_on.states)
    return decided, _told(judged_on, decided, judged_on.budgets[-1])


def _extra(outcomes: Outcomes, teacher: Decisions, student: Decisions) -> float:
    """What audio questions lose by the student, beyond what they lose by its teacher."""
    lost = outcomes.under(teacher) - outcomes.under(student)
    return float(lost[outcomes.needs_audio].mean())


def _told(outcomes: Outcomes, decisions: Decisions, tokens: int) -> dict[str, Any]:
    worth = worth_of(outcomes, decisions, Reward(), LIMITS, tokens=tokens)
    found = worth.found
    drops = {"drop_audio": found.drop_audio, "drop_vl": found.drop_vl}
    return {
        "skips": found.skips.value,
        "skips_audio": found.skips_audio and found.skips_audio.value,
        "false_consultation": found.false_consultation and found.false_consultation.value,
        "false_consultation_high": found.false_consultation and found.false_consultation.high,
        **{name: drop and drop.value for name, drop in drops.items()},
        **{f"{name}_bound": drop and drop.high for name, drop in drops.items()},
        "audio": found.audio,
        "vl": found.vl,
        "mean_tokens": found.mean_tokens,
        "reward": worth.reward.value,
        "oracle_reward": worth.oracle,
        "regret": worth.regret.value,
        "best_constant": worth.best_constant,
        "best_constant_reward": worth.best_constant_reward,
        "chosen": {tokens: float(np.round(share, 4)) for tokens, share in worth.chosen.items()},
    }


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
