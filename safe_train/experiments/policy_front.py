"""Policy front: a policy among all gates, by accuracy against what listening costs, with joint intervals.

    FOLDER/alone-N.jsonl                 a sample of the test split, asked alone with every gate, in turns
    FOLDER/front/predictions.jsonl       the test split by every gate, each as a model of its name
    FOLDER/front/scores.json             its frontiers: audio tokens, and the share that listens
    FOLDER/front/timed/scores.json       that of latency, on the sample
    FOLDER/front/front.csv               all points

The points are never (`base`), always with the tokens of a policy or a heuristic (`always_4`), every heuristic
of the experiment gates (`entropy`), and the policies (`policy`, `policy_on_off`), on the same questions.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from safe_eval.arms.consultation import CONSULTED
from safe_eval.options import Sampling
from safe_eval.prediction import BASE, Prediction
from safe_eval.predictions import read_predictions, write_predictions
from safe_eval.results.frontiers import AUDIO_TOKENS, FrontierRow
from safe_eval.results.latency import LATENCY_MS
from safe_eval.scoring.score import score_files
from safe_train.experiments.experiment import PREDICTIONS, WARNING, Finding, Work
from safe_train.experiments.gated import TWIN, ask_alone, gate_of
from safe_train.experiments.gates import answers_of
from safe_train.experiments.trade_off import front_finding, write_points
from safe_train.gates.gate import Gate
from safe_train.gates.gate_files import FittedGate, read_gate
from safe_train.predict.chosen_gate import always
from safe_train.settings.predict import SAFE

FRONT, POINTS, TIMED = "front", "front.csv", "timed"
BUDGETS, ON_OFF = "budgets", "on_off"  # what a policy chooses from
NAMES = {BUDGETS: "policy", ON_OFF: "policy_on_off"}
# The findings, what each policy pays in them, and whether they decide. The sample that is timed is a small
# one, and of this machine.
COSTS = (
    ("skips", CONSULTED, "critical"),
    ("audio_tokens", AUDIO_TOKENS, "critical"),
    ("latency", LATENCY_MS, WARNING),
)


def policy_of(folder: Path, seed: int, space: str) -> Path:
    """The copy of a seed's checkpoint whose gate is a policy."""
    return folder / f"seed-{seed}" / space


def policy_answers(folder: Path, seed: int, space: str) -> Path:
    """What a policy, its base and its twin answered of the test split."""
    return folder / f"{space}-{seed}.jsonl"


def fronts(work: Work, having: Mapping[str, Sequence[int]]) -> Iterator[Finding]:
    """Whether the policy is on the front of all gates, by each cost.

    Args:
        work: of the experiment
        having: by what policies choose from, the seeds that have one
    """
    points: list[FrontierRow] = []
    if having[BUDGETS]:
        rows = [row for seed in having[BUDGETS] for row in _of_seed(work, seed, having)]
        out = work.folder / FRONT
        timed = [row for seed in having[BUDGETS] for row in alone_of(work, seed, having)]
        points = [*_points(rows, out), *_points(timed, out / TIMED)]
        write_points(out / POINTS, points, {row.model: row.model for row in points})
    yield from front_findings(points, work.plan.seeds)


def front_findings(points: Sequence[FrontierRow], seeds: Sequence[int]) -> Iterator[Finding]:
    """The finding of each cost; a seed without a policy has no point, and then there is no go."""
    for name, cost, severity in COSTS:
        yield front_finding(
            points,
            seeds,
            model=NAMES[BUDGETS],
            cost=cost,
            name=f"the_policy_is_on_the_front_of_{name}",
            file=f"{FRONT}/{POINTS}",
            severity=severity,
        )


def alone_of(work: Work, seed: int, having: Mapping[str, Sequence[int]]) -> list[Prediction]:
    """The sample of a seed, asked alone of the base and with every gate, in turns; it is asked once."""
    file = work.folder / f"alone-{seed}.jsonl"
    if not file.is_file():
        turns: dict[str, Gate] = {}
        gates = {**_heuristics(work, seed), **_policies(work, seed, having)}
        for name, gate in gates.items():
            turns |= {name: gate, _always(gate.facts.tokens): always(gate.facts.tokens)}
        most = work.settings.timed_questions
        asked = ask_alone(work.adapter(seed), work.material, turns, seed=seed, most=most)
        write_predictions(file, asked)
    return read_predictions(file)


def times_of(alone: Iterable[Prediction], space: str, tokens: int) -> list[Prediction]:
    """The rows of a policy, of its twin with so many tokens and of the base, named as its answers are."""
    names = {NAMES[space]: SAFE, _always(tokens): TWIN, BASE: BASE}
    return [replace(row, model=names[row.model]) for row in alone if row.model in names]


def _heuristics(work: Work, seed: int) -> dict[str, FittedGate]:
    """The gates of the experiment gates, by their kind."""
    folders = sorted((work.earlier["gates"] / f"seed-{seed}").iterdir())
    return {one.name: gate for one in folders if (gate := read_gate(one)) is not None}


def _policies(work: Work, seed: int, having: Mapping[str, Sequence[int]]) -> dict[str, FittedGate]:
    """The policies of a seed; where none was learned, the folder holds outcomes and no gate."""
    spaces = [space for space, seeds in having.items() if seed in seeds]
    return {NAMES[space]: gate_of(policy_of(work.folder, seed, space)) for space in spaces}


def _always(tokens: int) -> str:
    return f"always_{tokens}"


def _of_seed(work: Work, seed: int, having: Mapping[str, Sequence[int]]) -> Iterator[Prediction]:
    """The answers of every gate to the test split, each as a model of its name, without times."""
    gates = work.earlier["gates"]
    heuristics = _heuristics(work, seed)
    asked = {kind: answers_of(gates, seed, kind) for kind in heuristics}
    for space, seeds in having.items():
        if seed in seeds:
            asked[NAMES[space]] = policy_answers(work.folder, seed, space)
    gated = {**heuristics, **_policies(work, seed, having)}
    tokens = {name: gate.facts.tokens for name, gate in gated.items()}
    told: set[str] = set()
    for name, file in asked.items():
        names = {SAFE: name, TWIN: _always(tokens[name]), BASE: BASE}
        new = {model: one for model, one in names.items() if one not in told}
        told.update(new.values())
        for row in read_predictions(file):
            if row.condition == "full" and row.model in new:
                yield replace(row, model=new[row.model], latency_ms=None, gate_ms=None)


def _points(rows: Sequence[Prediction], out: Path) -> Sequence[FrontierRow]:
    """Score these rows in a folder; the points of its frontiers."""
    out.mkdir(parents=True, exist_ok=True)
    write_predictions(out / PREDICTIONS, rows)
    found = score_files([out / PREDICTIONS], Sampling(), out=out, force=True)
    wanted = (LATENCY_MS,) if out.name == TIMED else (CONSULTED, AUDIO_TOKENS)
    return [row for row in found.frontiers if row.threshold is None and row.cost in wanted]
