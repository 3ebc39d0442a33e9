"""Unjudged: answers of the model under test that no criterion judges, so that no verdict on them is go.

Each dataset and task must be looked at: a critical criterion takes a number from its scores. How well the
questions about the sound (`audio`), about the picture (`vl`), and those that say neither are answered must be
judged: all of them stand, under `full`, in critical criteria that a fall of their scores alone could break.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import Arm
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.headline import ACCURACY
from safe_eval.judging.judged import NOT_MEASURED, Judged
from safe_eval.judging.metric_names import CHANGED, COVERAGE, SEED_STD
from safe_eval.judging.overlooked import looked_at
from safe_eval.judging.scope import LEAVES_OUT, NEITHER, SIDES, UNJUDGED, Part, Scope, Side
from safe_eval.results.aggregates import OWN_AGGREGATES
from safe_eval.results.gate_row import DROP
from safe_eval.results.lomo import SHARES_LOST
from safe_eval.results.separation import SEPARATION
from safe_eval.scorers.benchmarks import benchmark_of
from safe_eval.scorers.captions.caption_scores import FAILED, MAXIMA
from safe_eval.scorers.scorer import ANSWER_METRICS, judging_metrics

_FALL_WITH_ANSWERS = ("balanced_accuracy", "f1", "accuracy_plus")  # of the aggregates
_LOWER_BREAKS, _HIGHER_BREAKS = (">=", ">", "==", "within"), ("<=", "<", "==", "within")
_SHOWN = 3  # criteria that the evidence names

Rows = Bool[ndarray, " rows"]


class Unjudged(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Answers of one model to a dataset, or to a task or slice of it, that no criterion judges."""

    model: str
    condition: str
    dataset: str | None
    task: str | None = None  # None: all of the dataset
    slice: Side | None = None  # None: all of the task
    items: int
    judged: int = 0  # of these items
    why: tuple[str, ...] = ()  # criteria that look at them without judging them

    @property
    def name(self) -> str:
        """The dataset, task and slice.

        >>> Unjudged(model="safe", condition="full", dataset="gqa", task="vqa", slice="vl", items=9).name
        'gqa, vqa, vl'
        """
        return ", ".join([self.dataset or "unnamed dataset", *filter(None, (self.task, self.slice))])

    @property
    def text(self) -> str:
        """The same with how many answers there are, and whose."""
        return f"{self.name} ({self.items:,} of {self.model}/{self.condition})"


class Claims(msgspec.Struct, frozen=True):
    """What criteria leave open: parts that nothing judges, and what their file leaves out on purpose."""

    unjudged: tuple[Unjudged, ...] = ()
    left_out: tuple[Unjudged, ...] = ()


@dataclass(frozen=True)
class _Asked:
    """The answers of one model to one dataset, and the critical and other criteria that ask for it."""

    model: str  # under test
    dataset: str | None
    own: tuple[Arm, ...]  # its arms, or of the baseline where it has none
    criteria: tuple[Criterion, ...]
    arms: Arms

    @property
    def leading(self) -> tuple[Arm, ...]:
        """The arms under full, or all where there is none."""
        return tuple(arm for arm in self.own if arm.key.condition == "full") or self.own


@dataclass(frozen=True)
class _Side:
    """One side of a task, and how many of its answers criteria judge; `state` says what is to be done."""

    task: str
    name: Side
    items: int
    judged: int
    state: str  # judged, open or left out
    why: tuple[str, ...] = ()


def find_unjudged(criteria: Sequence[Criterion], arms: Arms, scope: Scope) -> Claims:
    """Find the answers of the models under test that no criterion judges.

    The model under test is whose metric a criterion asks for. The baseline is not tested. It stands in where
    the model answered nothing of a dataset: who leaves out a dataset could lose there. Answers under a
    condition that `scope` leaves out are judged by nothing; a dataset cannot be left out by them alone.
    """
    datasets = list(dict.fromkeys(arm.key.dataset for arm in arms.arms))
    found = []
    for model in _tested(criteria, arms):
        for dataset in datasets:
            own = tuple(arm for arm in arms.arms if (arm.key.model, arm.key.dataset) == (model, dataset))
            own = _not_sampled(own, scope) or _of_baseline(arms, dataset) or own
            asking = tuple(one for one in criteria if one.dataset in (None, dataset))
            if own:
                found.append(_Asked(model, dataset, own, asking, arms))
    there = [(asked.dataset, task) for asked in found for task in _tasks(asked)]
    if not all(any(part.holds(*place) for place in there) for part in scope.covers):
        scope = msgspec.structs.replace(scope, covers=())  # a name that nothing has limits nothing
    sides = [(asked, [*_sides(asked, scope)]) for asked in found]
    return Claims(
        tuple(part for asked, own in sides for part in _parts(asked, own, "open")),
        tuple(part for asked, own in sides for part in _parts(asked, own, "left out")),
    )


def row_names(parts: Sequence[Unjudged]) -> list[str]:
    """The names of the rows of unjudged parts; of several models, with the model."""
    several = len({part.model for part in parts}) > 1
    return [f"{UNJUDGED}{part.name}{f' of {part.model}' if several else ''}" for part in parts]


def unjudged_rows(parts: Sequence[Unjudged]) -> tuple[Judged, ...]:
    """Unjudged parts as rows of the verdict: not measured, with what to add to the criteria file."""
    return tuple(_row(name, part) for name, part in zip(row_names(parts), parts, strict=True))


def _row(name: str, part: Unjudged) -> Judged:
    selector = Part(dataset=part.dataset, task=part.task, slice=part.slice)
    judged = f"only {part.judged:,}" if part.judged else "none"
    text = f"criteria judge {judged} of {part.text}" + "".join(f"; {reason}" for reason in part.why)
    metric = "cider_d" if part.task == "caption" else ACCURACY
    where = "" if part.slice in (None, NEITHER) else f", slice: {part.slice}"
    text += (
        f"; add a critical criterion on metric: {metric}{where}, of {part.model}/{part.condition} by itself"
    )
    text += " or against another model"
    if selector != Part():
        text += f"; if they are left out on purpose, write {LEAVES_OUT}: [{selector.yaml}]"
    return Judged(
        name=name,
        value=part.judged / part.items,
        bound="== 1",
        decision=NOT_MEASURED,
        evidence=text,
        use="value",
        severity="critical",
        metric=COVERAGE,
        n=part.items,
    )


def _tested(criteria: Sequence[Criterion], arms: Arms) -> list[str]:
    """The models under test, in the order of the criteria; all models if they name none.

    The baseline is one of them only if there is no other.
    """
    baseline, there = arms.pairing.baseline, dict.fromkeys(arm.key.model for arm in arms.arms)
    asked = [_model(one.condition) for one in criteria]
    turned = [_model(one.against) for one in criteria if _model(one.condition) == baseline]
    tested = [name for name in dict.fromkeys([*asked, *turned]) if name] or list(there)
    found = [name for name in tested if name in there]
    return [name for name in found if name != baseline] or found


def _model(side: str | None) -> str:
    return (side or "").rpartition("/")[0]


def _of_baseline(arms: Arms, dataset: str | None) -> tuple[Arm, ...]:
    place = (arms.pairing.baseline, dataset, "full")
    return tuple(arm for arm in arms.arms if (arm.key.model, arm.key.dataset, arm.key.condition) == place)


def _not_sampled(arms: tuple[Arm, ...], scope: Scope) -> tuple[Arm, ...]:
    return tuple(arm for arm in arms if not scope.samples(arm.key.dataset, arm.key.condition))


def _tasks(asked: _Asked) -> list[str]:
    return sorted({kind.task or "vqa" for arm in asked.own for kind in arm.tasks})


def _of_task(arm: Arm, task: str) -> Rows:
    rows = np.zeros(len(arm.rows), dtype=bool)
    for kind, at in arm.tasks.items():
        rows[at] = (kind.task or "vqa") == task
    return rows


def _sides(asked: _Asked, scope: Scope) -> Iterator[_Side]:
    """Each side of each task, with its state."""
    for task in _tasks(asked):
        is_looked_at = any(_looks_at(one, asked, task) for one in asked.criteria)
        for name in SIDES:
            of_arms = [_of_task(arm, task) & _sides_of(arm)[name] for arm in asked.leading]
            items = sum(int(inside.sum()) for inside in of_arms)
            if not items:
                continue
            judged, why = 0, dict[str, None]()
            for arm, inside in zip(asked.leading, of_arms, strict=True):
                seen, reasons = _judged_of(asked, arm, inside)
                judged += int(seen.sum())
                why |= dict.fromkeys(reasons)
            wanted = scope.wants(asked.dataset, task, name)
            state = "judged" if judged == items else "open"
            if wanted == "nothing" or (wanted == "look" and is_looked_at):
                state = "left out"
            yield _Side(task, name, items, judged, state, tuple(why)[:_SHOWN])


def _sides_of(arm: Arm) -> dict[str, Rows]:
    """The rows about the sound, about the picture, and those that do not say."""
    nothing = np.zeros(len(arm.rows), dtype=bool)
    audio, vl = arm.slices.get("audio", nothing), arm.slices.get("vl", nothing)
    return {"audio": audio, "vl": vl, NEITHER: ~(audio | vl)}


def _looks_at(criterion: Criterion, asked: _Asked, task: str) -> bool:
    """Whether a critical criterion takes a number from the scores of some answers to a task."""
    metric = criterion.metric.removesuffix(SEED_STD)
    on_scores = metric in (*ANSWER_METRICS, *MAXIMA, *OWN_AGGREGATES, *SHARES_LOST, SEPARATION, CHANGED, DROP)
    if criterion.severity != "critical" or not on_scores:
        return False
    return any(
        bool((looked_at(criterion, asked.arms, arm) & _of_task(arm, task)).any())
        for arm in asked.own
        if arm.key.name in (criterion.condition, criterion.against)
    )


def _judged_of(asked: _Asked, arm: Arm, inside: Rows) -> tuple[Rows, list[str]]:
    """Which of these rows criteria judge, and why others that look at them do not."""
    judged, reasons = np.zeros(len(arm.rows), dtype=bool), []
    for criterion in asked.criteria:
        if arm.key.name not in (criterion.condition, criterion.against):
            continue
        seen = looked_at(criterion, asked.arms, arm)
        if not (seen & inside).any():
            continue
        why_not = _why_not(criterion, asked, arm, seen)
        if why_not is None:
            judged |= seen & inside
        else:
            reasons.append(f"{criterion.name} {why_not}")
    return judged, reasons


def _why_not(criterion: Criterion, asked: _Asked, arm: Arm, seen: Rows) -> str | None:
    """Why a fall of the scores of these rows alone could not break a criterion; None if it could."""
    name, operator = arm.key.name, criterion.parsed_bound().operator
    other = criterion.against if name == criterion.condition else criterion.condition
    tested = asked.model if other is None else _model(other)
    if criterion.severity != "critical":
        return "is a warning"
    if not _says_how_good(criterion.metric, asked.dataset):
        return f"is on {criterion.metric}, which does not say how many are right"
    if other is not None and tested == arm.key.model:
        return f"compares {tested} with itself"
    if arm.key.model != asked.model and tested != asked.model:
        return f"says nothing of {asked.model}"
    if criterion.metric == CHANGED:  # a count, in which no gain makes up for a loss
        return None if operator in _HIGHER_BREAKS else "has a bound that no loss breaks"
    # A loss of the model under test lowers its own number, and raises what it drops.
    is_first = (_model(criterion.condition) == asked.model) != (criterion.metric == DROP)
    if criterion.vacuous or operator not in (_LOWER_BREAKS if is_first else _HIGHER_BREAKS):
        return "has a bound that no loss breaks"
    pooled = [side for side, rows in _sides_of(arm).items() if (rows & seen).any()]
    return None if len(pooled) == 1 else f"is on {' and '.join(pooled)} together"


def _says_how_good(metric: str, dataset: str | None) -> bool:
    """Whether a metric falls with the answers to a dataset, by a published rule or one of the user's."""
    if metric in ANSWER_METRICS and metric != ACCURACY:
        benchmark = benchmark_of(dataset)
        return benchmark is None or metric in (*benchmark.rules, *judging_metrics(dataset))
    return metric in (ACCURACY, CHANGED, DROP, *_FALL_WITH_ANSWERS) or (
        metric in MAXIMA and metric not in FAILED
    )


def _parts(asked: _Asked, sides: Sequence[_Side], state: str) -> Iterator[Unjudged]:
    """The sides in one state; whole tasks, and the whole dataset, as one part."""
    groups = [tuple(sides), *(tuple(s for s in sides if s.task == task) for task in _tasks(asked))]
    done: set[_Side] = set()
    for group in (*groups, *((side,) for side in sides)):
        if not group or done & {*group} or {side.state for side in group} != {state}:
            continue
        if len(group) > 1 and state == "open" and any(side.judged for side in group):
            continue
        done |= {*group}
        tasks, names = {side.task for side in group}, {side.name for side in group}
        yield Unjudged(
            model=asked.own[0].key.model,
            condition=asked.leading[0].key.condition,
            dataset=asked.dataset,
            task=None if group == tuple(sides) else tasks.pop(),
            slice=None if group == tuple(sides) or len(names) > 1 else names.pop(),
            items=sum(side.items for side in group),
            judged=sum(side.judged for side in group),
            why=tuple(dict.fromkeys(reason for side in group for reason in side.why))[:_SHOWN],
        )
