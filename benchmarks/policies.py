"""What policies of each method earn on a table of outcomes, with the clipped surrogate of PPO beside them.

`python -m benchmarks.policies` makes a planted table; `--outcomes FILE` reads one that `safe-train gate fit`
or `stage-b` wrote. One JSON line per method: mean and standard deviation over policy seeds of the reward out
of fold, beside that of an oracle and of the best constant budget; then how widely values told from a log
scatter.
PPO is measured here and is no option of stage B: it must first earn more than what is one.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, stdev
from time import perf_counter

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from benchmarks.machine import describe
from benchmarks.timing import print_line
from safe_eval.statistics.folds import Rows, folds_by_group, out_of_fold
from safe_train.gates.features import features_of, standardised_on
from safe_train.gates.front import chosen_by
from safe_train.gates.learned import SEEN
from safe_train.gates.network import Network
from safe_train.gates.off_policy import draw_log, off_policy_values
from safe_train.gates.outcomes import Outcomes, read_outcomes
from safe_train.gates.policy import AudioPolicyNetwork, step
from safe_train.gates.policy_fit import (
    Learning,
    chances_out_of_fold,
    layers_of,
    log_for,
    predictions_out_of_fold,
)
from safe_train.gates.policy_fit import chances_of as chances_by
from safe_train.gates.policy_values import of_rows
from safe_train.gates.reward import Reward, rewards
from safe_train.gates.states import States

QUESTIONS, BUDGETS, WIDTH, FOLDS = 4000, (0, 4, 8, 12), 64, 5
SEEDS, LOGS = (0, 1, 2), 200
METHODS = ("full_information", "reinforce", "doubly_robust", "ips")
_DRAWN, _ROUNDS, _EPOCHS, _CLIP, _RATE = 1024, 500, 4, 0.2, 0.003  # of PPO; as many draws as REINFORCE has

Table = Float64[ndarray, "questions budgets"]


def main() -> None:
    """Measure on the planted table of seed 0."""
    measure(planted(), SEEDS)


def command(words: Sequence[str]) -> int:
    """Measure on a planted table, or on one from a file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policies", description=__doc__)
    parser.add_argument("--outcomes", type=Path)
    parser.add_argument("--planted-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--method", nargs="+", default=[*METHODS, "ppo", "logs"])
    given = parser.parse_args(words)
    outcomes = read_outcomes(given.outcomes) if given.outcomes else planted(given.planted_seed)
    measure(outcomes, given.seeds, given.method)
    return 0


def measure(
    outcomes: Outcomes, seeds: Sequence[int], methods: Sequence[str] = (*METHODS, "ppo", "logs")
) -> None:
    """Print one line for each method."""
    import torch

    torch.set_num_threads(1)
    reward = Reward()
    paid = rewards(outcomes, reward)
    constants = zip(outcomes.budgets, paid.mean(axis=0).tolist(), strict=True)
    print_line(
        benchmark="policies",
        questions=len(outcomes),
        oracle=float(paid.max(axis=1).mean()),
        constants={str(tokens): round(value, 4) for tokens, value in constants},
        **describe(),
    )
    for method in methods:
        if method == "logs":
            _print_logs(outcomes, reward)
            continue
        chances_of: Callable[[int], Table]
        if method == "ppo":
            chances_of = lambda seed: _ppo_out_of_fold(outcomes, reward, seed)  # noqa: E731
        else:
            chances_of = lambda seed, own=method: _out_of_fold(outcomes, reward, own, seed)  # noqa: E731
        started, found = perf_counter(), []
        for seed in seeds:
            tokens = chosen_by(outcomes, chances_of(seed)).tokens
            found.append(_told(outcomes, paid, outcomes.columns(tokens)))
        spent = (perf_counter() - started) / len(seeds)
        print_line(method=method, seconds=spent, **_over(found))


def _out_of_fold(outcomes: Outcomes, reward: Reward, method: str, seed: int) -> Table:
    learning = Learning(method=method, folds=FOLDS)  # type: ignore[arg-type]
    log = log_for(outcomes, learning, None, seed=seed)
    return chances_out_of_fold(outcomes, reward, learning, log, seed=seed)


def _told(outcomes: Outcomes, paid: Table, columns: ndarray) -> dict[str, float]:
    rows, audio = np.arange(len(outcomes)), outcomes.needs_audio
    listens = np.asarray(outcomes.budgets)[columns] > 0
    lost = outcomes.scores[:, -1] - outcomes.scores[rows, columns]
    return {
        "reward": float(paid[rows, columns].mean()),
        "skips_audio": float(1 - listens[audio].mean()),
        "drop_audio": float(lost[audio].mean()),
        "false_consultation": float(listens[~audio].mean()),
    }


def _over(found: Sequence[dict[str, float]]) -> dict[str, float]:
    line: dict[str, float] = {}
    for name in found[0]:
        values = [one[name] for one in found]
        line[name] = mean(values)
        if len(values) > 1:
            line[f"{name}_sd"] = stdev(values)
    return line


def _print_logs(outcomes: Outcomes, reward: Reward) -> None:
    """How values told from a log of uniform choices scatter around the true one, over logs."""
    paid = rewards(outcomes, reward)
    learning = Learning(folds=FOLDS)
    chances = chances_out_of_fold(outcomes, reward, learning)
    greedy = np.zeros_like(chances)
    greedy[np.arange(len(outcomes)), chances.argmax(axis=1)] = 1.0
    truth = float((greedy * paid).sum(axis=1).mean())
    groups = np.asarray(outcomes.groups)
    found: dict[str, list[float]] = {}
    model = predictions_out_of_fold(outcomes, reward, draw_log(*paid.shape, seed=10_000), FOLDS)
    for seed in range(LOGS):
        log = draw_log(*paid.shape, seed=seed)
        for one in off_policy_values(greedy, log, paid, model, groups):
            if one.value is not None:
                found.setdefault(one.method, []).append(one.value - truth)
    for method, errors in found.items():
        print_line(value_by=method, truth=truth, bias=mean(errors), sd=stdev(errors), logs=LOGS)


def _ppo_out_of_fold(outcomes: Outcomes, reward: Reward, seed: int) -> Table:
    features = features_of(outcomes.states, SEEN)

    def on_others(fitted: Rows, rows: Rows) -> ndarray:
        own = of_rows(outcomes, fitted)
        standardised = standardised_on(features[fitted])
        inputs = standardised(features[fitted]).astype(np.float32)
        policy = ppo(inputs, rewards(own, reward), own.budgets, seed=seed)
        return chances_by(Network(standardised, *layers_of(policy)), features[rows])

    return np.asarray(out_of_fold(folds_by_group(outcomes.groups, FOLDS), on_others))


def ppo(
    features: Float32[ndarray, "questions features"], paid: Table, budgets: Sequence[int], *, seed: int
) -> AudioPolicyNetwork:
    """Proximal policy optimisation of one choice per question, with the clipped surrogate.

    Source: Schulman et al. 2017, "Proximal Policy Optimization Algorithms", equation 7; the advantage is the
    reward less the mean of the batch, in standard deviations.
    """
    import torch

    policy = AudioPolicyNetwork(features.shape[1], budgets, seed=seed)
    states, worth = torch.from_numpy(features), torch.from_numpy(paid).float()
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(policy.parameters(), _RATE)
    for _ in range(_ROUNDS):
        rows = torch.randint(len(states), (_DRAWN,), generator=generator)
        with torch.no_grad():
            before = policy(states[rows]).log_softmax(-1)
            drawn = torch.multinomial(before.exp(), 1, generator=generator)[:, 0]
        got = worth[rows, drawn]
        advantage = (got - got.mean()) / (got.std() + 1e-8)
        old = before.gather(1, drawn[:, None])[:, 0]
        for _ in range(_EPOCHS):
            now = policy(states[rows]).log_softmax(-1).gather(1, drawn[:, None])[:, 0]
            ratio = (now - old).exp()
            clipped = ratio.clamp(1 - _CLIP, 1 + _CLIP)
            step(optimizer, -torch.minimum(ratio * advantage, clipped * advantage).mean())
    return policy


def planted(seed: int = 0, questions: int = QUESTIONS) -> Outcomes:
    """A table like that of a world with hints: half of the audio questions are answered without the sound.

    One state in twenty misleads. Hearing answers 92 % of audio questions, nearly the same at every budget.
    """
    rng = np.random.default_rng(seed)
    needs = np.arange(questions) % 2 == 1
    knows = rng.random(questions) < np.where(needs, 0.5, 0.998)
    shown = np.where(rng.random(questions) < 0.95, knows, ~knows)
    entropy = np.where(shown, rng.gamma(1.0, 0.15, questions), rng.gamma(4.0, 0.35, questions))
    hidden = rng.standard_normal((questions, WIDTH)).astype(np.float32)
    hidden[:, 0] += np.where(shown, -1.5, 1.5)
    hidden[:, 1] += np.where(needs, 2, -2)
    able, columns = rng.random(questions) < 0.92, [knows]
    for _ in BUDGETS[1:]:
        heard = np.where(rng.random(questions) < 0.98, able, ~able)
        seen = np.where(rng.random(questions) < 0.999, knows, ~knows)
        columns.append(np.where(needs, heard, seen))
    moved = np.where(needs & ~knows, 1.5, 0.01)
    chance = np.exp(-entropy)
    return Outcomes(
        example_ids=tuple(f"q{number:05d}" for number in range(questions)),
        groups=tuple(f"g{number // 4:05d}" for number in range(questions)),
        question_types=tuple("sound" if need else "colour" for need in needs),
        needs_audio=needs,
        budgets=BUDGETS,
        answers=(("a",) * len(BUDGETS),) * questions,
        scores=np.column_stack(columns).astype(np.float64),
        influence_kl=np.column_stack([np.zeros(questions), *[moved] * (len(BUDGETS) - 1)]),
        latency_ms=np.array([10.0, *(13.0 + 0.1 * tokens for tokens in BUDGETS[1:])]),
        states=States(entropy, chance, chance / 2, hidden, float(np.log(60))),
        facts={"planted": seed},
    )


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
