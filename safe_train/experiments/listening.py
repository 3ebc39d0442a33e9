"""Listening: whether answers about sounds go without them, and an irrelevant sound changes nothing.

    FOLDER/answers-N.jsonl     the gated checkpoint of seed N, and its twin, under what the criteria need
    FOLDER/lomo                the twin: predictions.jsonl, scores.json and verdict.json
    FOLDER/lomo_corrected      the twin, with what guesses keep taken out of the share that is lost
    FOLDER/lomo_gated          the gated checkpoint
    FOLDER/irrelevance         the gated checkpoint
    FOLDER/again/scores.json   the same rows in another order

It is the plan's experiment 7. The criteria are those of lomo.yaml and irrelevance.yaml. That our metrics give
published scores is shown by the tests (tests/golden, tests/eval/scorers).

`lomo` asks whether right answers about sounds rest on the sound. An answer that a gate skips never rests on
it, so a gate lowers the share that silence takes, the more it skips: with 30 % of skips, silence can take
some 70 %. So the twin decides, which is the same checkpoint with as many tokens and always listens,
and the gated checkpoint only warns. What a gate skips and loses is the question of experiments 5 and 12.
To correct the share for guesses would not mend this: it takes out what chance keeps, not what the gate
withholds. It is shown as a warning, since of questions with four choices silence takes 75 % at most.

`irrelevance` is about the gate, which is to leave irrelevant sounds alone, so the gated checkpoint decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from safe_eval.judging.judged import GO, NO_GO
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions, write_predictions
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import read_scores
from safe_train.experiments.experiment import (
    PREDICTIONS,
    WARNING,
    Estimate,
    Experiment,
    Finding,
    Work,
    by_criteria,
)
from safe_train.experiments.gated import TWIN, gated_answers
from safe_train.experiments.gates import after_gates, answers_of, checkpoint_of
from safe_train.experiments.plan_questions import NO_QUESTIONS, NOT_THERE, questions_of
from safe_train.settings.plan import PlanConfig
from safe_train.settings.predict import SAFE

CONDITIONS = ("full", "mute_audio", "noise_audio", "swap_audio", "snr_10db")
SILENCED = ("full", "mute_audio", "noise_audio")  # what lomo.yaml compares
LOMO, IRRELEVANCE = "lomo", "irrelevance"
CORRECTED = {"share": "share_lost_corrected"}
_SHARE = "hearing_needs_the_sound"  # begins the names of the criteria that the correction changes


@dataclass(frozen=True)
class ListeningSettings:
    """Which gate answers."""

    kind: str = "entropy"
    """kind of the gate, one of those that the experiment gates fits"""


def run(work: Work) -> Sequence[Finding]:
    """Ask every seed under every condition, and judge all seeds together.

    Raises:
        InputError: the experiment gates fitted no gate of this kind; see `score_files` and `by_criteria`.
    """
    rows = [row for seed in work.plan.seeds for row in _answers(work, seed)]
    twin = [row for row in rows if row.model == TWIN and row.condition in SILENCED]
    own = [row for row in rows if row.model == SAFE and row.condition in SILENCED]
    gated = [row for row in rows if row.model != TWIN]
    as_twin = {"model": TWIN}
    corrected = _judged(work, LOMO, "lomo_corrected", twin, as_twin | CORRECTED)
    found = [
        *_named(_judged(work, LOMO, LOMO, twin, as_twin), LOMO),
        *_warnings([one for one in corrected if one.name.startswith(_SHARE)], "lomo, corrected for guesses"),
        *_warnings(_judged(work, LOMO, "lomo_gated", own), "lomo, gated"),
        *_named(_judged(work, IRRELEVANCE, IRRELEVANCE, gated), IRRELEVANCE),
    ]
    return [*found, _stable(work, gated)]


def _answers(work: Work, seed: int) -> list[Prediction]:
    """What a seed's gated checkpoint and its twin answer; what experiment 5 asked is not asked again."""
    gates, kind = work.earlier["gates"], work.settings.kind
    before = answers_of(gates, seed, kind)
    return gated_answers(
        checkpoint_of(gates, seed, kind),
        work.material,
        work.folder / f"answers-{seed}.jsonl",
        seed=seed,
        conditions=CONDITIONS,
        twin_conditions=SILENCED,
        known=read_predictions(before) if before.is_file() else (),
        quiet=work.quiet,
    )


def _judged(
    work: Work,
    criteria: str,
    name: str,
    rows: Sequence[Prediction],
    settings: Mapping[str, object] | None = None,
) -> tuple[Finding, ...]:
    """Score these rows in a folder of this name, and judge them."""
    out = work.folder / name
    out.mkdir(exist_ok=True)
    write_predictions(out / PREDICTIONS, rows)
    score_files([out / PREDICTIONS], Sampling(), out=out, force=True)
    return by_criteria(criteria, out, within=work.folder, settings=settings)


def _named(found: Sequence[Finding], name: str) -> list[Finding]:
    return [replace(one, name=f"{name}: {one.name}") for one in found]


def _warnings(found: Sequence[Finding], name: str) -> list[Finding]:
    return [replace(one, severity=WARNING) for one in _named(found, name)]


def _stable(work: Work, rows: Sequence[Prediction]) -> Finding:
    """Whether the same rows in another order give the same numbers, to the last digit."""
    out = work.folder / "again"
    out.mkdir(exist_ok=True)
    write_predictions(out / PREDICTIONS, rows[::-1])
    score_files([out / PREDICTIONS], Sampling(), out=out, force=True)
    scores, again = read_scores(work.folder / IRRELEVANCE), read_scores(out)
    first, second = (msgspec.structs.replace(one, provenance=scores.provenance) for one in (scores, again))
    same = first == second
    return Finding(
        name="scores_are_stable",
        bound="every table of scores is the same in another order of rows",
        decision=GO if same else NO_GO,
        evidence=f"{len(scores.metrics)} metrics, {len(scores.comparisons)} comparisons, {len(rows)} rows",
        judged_by="this experiment's rule",
        file="again/scores.json",
    )


def _estimate(plan: PlanConfig, _settings: ListeningSettings) -> Estimate:
    found = questions_of(plan, "test")
    arms = len(CONDITIONS) + len(SILENCED) - 2  # the gates asked both under full
    return Estimate(
        answers=len(plan.seeds) * arms * (found or NO_QUESTIONS).all, unknown="" if found else NOT_THERE
    )


EXPERIMENT = Experiment(
    number=7,
    name="listening",
    title="One modality left out, and irrelevant sounds",
    settings=ListeningSettings,
    needs=after_gates,
    run=run,
    estimate=_estimate,
)
