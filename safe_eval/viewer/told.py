"""Told: what the overview tells of the runs that are shown: their scores together, verdicts and links."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from safe_data.core.errors import InputError
from safe_eval.judging.chain import read_verdict
from safe_eval.judging.verdict import VERDICT_FILE, Verdict
from safe_eval.report.labels import Models, models_of
from safe_eval.report.side_by_side import joined_scores, label_of, one_seed_each
from safe_eval.scoring.scores import Scores
from safe_eval.viewer.links import Links, Place


class SeenRun(Protocol):
    """One of the runs that are shown."""

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def scores(self) -> Scores: ...


class SeenArm(Protocol):
    """One of the arms that are shown, with its number."""

    @property
    def arm(self) -> int: ...
    @property
    def run(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def condition(self) -> str: ...
    @property
    def seed(self) -> int: ...


class Seen(Protocol):
    """What the overview needs of the runs that are shown."""

    @property
    def runs(self) -> Sequence[SeenRun]: ...
    @property
    def arms(self) -> Sequence[SeenArm]: ...
    @property
    def metric_of(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class ToldRun:
    """One run: its verdict, or why there is none to show."""

    name: str
    folder: Path
    scores: Scores
    verdict: Verdict | None
    why_not: str = ""


@dataclass(frozen=True)
class Told:
    """The runs, the rows of their scores as if they were one evaluation, and the links into their items."""

    runs: tuple[ToldRun, ...]
    scores: Scores
    models: Models
    links: Links

    @property
    def is_one(self) -> bool:
        """Whether it is about a single run."""
        return len(self.runs) == 1

    def beside(self, label: str, model: str) -> str:
        """The name of another model of the run to which a model in the rows belongs."""
        if self.is_one:
            return model
        run = next(run.name for run in self.runs if label.startswith(label_of(run.name, "")))
        return label_of(run, model)

    def label(self, run: str, model: str) -> str:
        """The name of a model in the rows of the scores."""
        return model if self.is_one else label_of(run, model)


def tell(seen: Seen) -> Told:
    """The runs that are shown, with their verdicts and the links into their items."""
    runs = tuple(told_run(run.name, run.folder, run.scores) for run in seen.runs)
    arms = {place_of(runs, arm.run, arm.model, arm.condition, arm.seed): arm.arm for arm in seen.arms}
    datasets = dict.fromkeys(cell.dataset or "" for run in runs for cell in run.scores.cells)
    links = Links(arms, dict(seen.metric_of), tuple(datasets))
    return Told(runs, scores_together(runs), models_together(runs), links)


def told_run(name: str, folder: Path, scores: Scores) -> ToldRun:
    """A run with its verdict.json, if there is one that holds for these scores."""
    if not (folder / VERDICT_FILE).is_file():
        return ToldRun(name, folder, scores, None, f"the run has no {VERDICT_FILE}; safe-eval verdict judges")
    try:
        return ToldRun(name, folder, scores, read_verdict(folder, scores))
    except InputError as error:
        return ToldRun(name, folder, scores, None, str(error))


def models_together(runs: Sequence[ToldRun]) -> Models:
    """The models of one run, or those of several: the first run's baseline is that of all."""
    if len(runs) == 1:
        scores = runs[0].scores
        return models_of({cell.model for cell in scores.cells}, scores.provenance.baseline)
    known, tested = set[str](), set[str]()
    for run in runs:
        own = {cell.model for cell in run.scores.cells}
        known |= {label_of(run.name, model) for model in own}
        of_run = models_of(own, run.scores.provenance.baseline).tested
        tested |= {label_of(run.name, model) for model in of_run}
    base = label_of(runs[0].name, str(runs[0].scores.provenance.baseline))
    return models_of(known, base, known - tested - {base})


def scores_together(runs: Sequence[ToldRun]) -> Scores:
    """The scores of one run, or those of several as if they were one evaluation."""
    if len(runs) == 1:
        return runs[0].scores
    return joined_scores([run.name for run in runs], [run.scores for run in runs])


def place_of(runs: Sequence[ToldRun], run: str, model: str, condition: str, seed: int) -> Place:
    """How the rows of the scores together name an arm of a run."""
    if len(runs) == 1:
        return Place(model, condition, seed)
    same = one_seed_each([one.scores for one in runs])
    return Place(label_of(run, model), condition, 0 if same else seed)
