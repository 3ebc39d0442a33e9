"""Arm pairs: the arms of the runs that are compared, and how the items of both were answered."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from safe_eval.arms.arm import ArmKey, Places, shared_examples
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.comparison.item_pairs import scored_items
from safe_eval.options import Sampling
from safe_eval.report.labels import models_of
from safe_eval.results.comparisons import Comparison, compare, test_of
from safe_eval.scorers.scorer import RIGHT_FROM
from safe_eval.scoring.items import read_items
from safe_eval.statistics.multiplicity import adjusted_once
from safe_eval.viewer.links import FULL
from safe_eval.viewer.told import SeenRun

if TYPE_CHECKING:
    import pyarrow as pa

MOST_PAIRS = 40  # of arms, on all datasets together
_COLUMNS = (
    *("example_id", "condition", "seed", "metric", "value", "coverage", "model", "dataset", "answer"),
    "needs_audio",
)

Example = tuple[str | None, str]  # dataset and id

_BETWEEN = "\t"  # between the place of a run and the name of a model, in which a tab is no name


class Side(NamedTuple):
    """An arm of one of the runs, under the full input."""

    run: str
    model: str
    seed: int

    @property
    def number_key(self) -> tuple[str, str, str, int]:
        """What tells its number among the arms that are shown."""
        return self.run, self.model, FULL, self.seed


@dataclass(frozen=True)
class Counts:
    """How the items that both arms were asked were answered; right is a score of 0.5 or more."""

    both: int
    right: int
    only_a: int
    only_b: int
    wrong_alike: int  # both wrong, with the same answer
    wrong_apart: int  # both wrong, with other answers, or one without an answer


@dataclass(frozen=True)
class ArmPair:
    """Two arms on one dataset: their counts, A − B, and the items that are scored differently."""

    a: Side
    b: Side
    dataset: str | None
    metric: str
    counts: Counts
    compared: Comparison
    differing: tuple[str, ...]  # ids of examples, in their order
    a_higher: Bool[ndarray, " differing"]


class Joined(NamedTuple):
    """The items of all runs under the full input as arms, and the ids of their examples."""

    arms: Mapping[tuple[str, str | None], Mapping[Side, ScoredArm]]  # by metric and dataset
    ids: "pa.ChunkedArray"


def arm_pairs(
    runs: Sequence[SeenRun], metric_of: Mapping[str, str], kept: Set[Example] | None = None
) -> tuple[ArmPair, ...]:
    """The pairs of each two runs, or of the models of a single one, on every dataset that both answered.

    The p values are adjusted over all of them. With `kept`, only these examples count.

    Raises:
        InputError: see `read_items`.
    """
    joined, made = _joined(runs, kept), runs[0].scores.provenance
    sampling = Sampling(confidence=made.confidence, resamples=made.resamples, seed=made.seed)
    found = []
    for (metric, dataset), arms in joined.arms.items():
        if metric != _shown(metric_of, dataset):
            continue
        for a, b in _sides(runs, arms):
            shared = shared_examples(arms[a].examples, arms[b].examples)
            if len(shared[0]):
                found.append((a, b, dataset, arms[a], arms[b], shared))
    found = found[:MOST_PAIRS]
    rows = [(compare(a, b, "all", at, sampling), test_of(a, b, "all", at)) for *_, a, b, at in found]
    tests = [test for _, test in rows]
    adjusted = adjusted_once([row.p_value for row, _ in rows], tests)
    return tuple(
        _pair(a, b, dataset, (one, other), at, msgspec.structs.replace(row, holm_p=p), joined.ids)
        for (a, b, dataset, one, other, at), (row, _), p in zip(found, rows, adjusted, strict=True)
    )


def numbered_examples(runs: Sequence[SeenRun]) -> list[Example]:
    """The examples of all runs by the numbers of their items: in the order of dataset and id.

    Raises:
        InputError: see `read_items`.
    """
    found = set[Example]()
    for run in runs:
        items = read_items(run.folder, run.scores.provenance.items_sha256, ["dataset", "example_id"])
        unique = items.group_by(["dataset", "example_id"]).aggregate([])
        found |= set(zip(unique["dataset"].to_pylist(), unique["example_id"].to_pylist(), strict=True))
    return sorted(found, key=lambda key: (key[0] or "", key[1]))


def _shown(metric_of: Mapping[str, str], dataset: str | None) -> str | None:
    """The metric that the items of a dataset are shown with."""
    return next(iter(metric_of.values())) if len(metric_of) == 1 else metric_of.get(dataset or "")


def _joined(runs: Sequence[SeenRun], kept: Set[Example] | None) -> Joined:
    import pyarrow as pa
    import pyarrow.compute as pc

    tables = []
    for place, run in enumerate(runs):
        made = run.scores.provenance
        columns = list(dict.fromkeys([*_COLUMNS, made.cluster]))
        items = read_items(run.folder, made.items_sha256, columns)
        items = items.filter(pc.equal(items["condition"].cast("string"), FULL))
        if kept is not None:
            keys = zip(items["dataset"].to_pylist(), items["example_id"].to_pylist(), strict=True)
            items = items.filter(pa.array([key in kept for key in keys], pa.bool_()))
        named = pc.binary_join_element_wise(f"{place}", items["model"].cast(pa.string()), _BETWEEN)
        items = items.set_column(items.column_names.index("model"), "model", named.dictionary_encode())
        clustered = items.append_column("cluster", items[made.cluster].cast(pa.string()))
        tables.append(clustered.select([*_COLUMNS, "cluster"]))
    together = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    arms: dict[tuple[str, str | None], dict[Side, ScoredArm]] = {}
    for metric, scored in scored_items(together, "cluster").items():
        for arm in scored:
            arms.setdefault((metric, arm.key.dataset), {})[_side(runs, arm.key)] = arm
    return Joined(arms, together["example_id"])


def _side(runs: Sequence[SeenRun], key: ArmKey) -> Side:
    place, _, model = key.model.partition(_BETWEEN)
    return Side(runs[int(place)].name, model, key.seed)


def _sides(runs: Sequence[SeenRun], arms: Mapping[Side, ScoredArm]) -> Iterator[tuple[Side, Side]]:
    """Each model of a later run beside the model of an earlier run with its name, or else its tested one."""
    if len(runs) == 1:
        yield from _within(runs[0], list(arms))
    for number, later in enumerate(runs):
        for earlier in runs[:number]:
            of_a, of_b = ([side for side in arms if side.run == run.name] for run in (later, earlier))
            for a in of_a:
                model = _partner(a.model, a.model in _tested(later), of_b, _tested(earlier))
                yield from ((a, b) for b in _same_seed(a, [side for side in of_b if side.model == model]))


def _partner(model: str, is_tested: bool, of_b: Sequence[Side], tested: Sequence[str]) -> str | None:
    """The model of the same name; for one that is tested, else the first that is tested there."""
    names = {side.model for side in of_b}
    if model in names:
        return model
    return next((name for name in tested if name in names), None) if is_tested else None


def _within(run: SeenRun, sides: Sequence[Side]) -> Iterator[tuple[Side, Side]]:
    """Each model of a run beside the baseline; without one, each pair of models."""
    models = models_of({side.model for side in sides}, run.scores.provenance.baseline)
    for number, a in enumerate(sides):
        if models.baseline is not None and a.model != models.baseline:
            yield from ((a, b) for b in _same_seed(a, [s for s in sides if s.model == models.baseline]))
        elif models.baseline is None:
            others = [side for side in sides[:number] if side.model != a.model and side.seed == a.seed]
            yield from ((a, b) for b in others)


def _tested(run: SeenRun) -> tuple[str, ...]:
    made = run.scores.provenance
    return models_of({cell.model for cell in run.scores.cells}, made.baseline).tested


def _same_seed(a: Side, of_b: Sequence[Side]) -> list[Side]:
    """The arm with the same seed, or else the first one."""
    same = [side for side in of_b if side.seed == a.seed]
    return same or list(of_b[:1])


def _pair(
    a: Side,
    b: Side,
    dataset: str | None,
    arms: tuple[ScoredArm, ScoredArm],
    at: tuple[Places, Places],
    compared: Comparison,
    ids: "pa.ChunkedArray",
) -> ArmPair:
    (one, other), (at_a, at_b) = arms, at
    scores_a, scores_b = one.scores[at_a], other.scores[at_b]
    right_a, right_b = scores_a >= RIGHT_FROM, scores_b >= RIGHT_FROM
    said_a, said_b = one.answers[at_a], other.answers[at_b]
    alike = (said_a == said_b) & (said_a >= 0)
    differ = np.abs(scores_a - scores_b) > 1e-9
    places: Int[ndarray, " differing"] = one.arm.places[at_a[differ]]
    return ArmPair(
        a=a,
        b=b,
        dataset=dataset,
        metric=one.metric,
        counts=Counts(
            both=len(at_a),
            right=int((right_a & right_b).sum()),
            only_a=int((right_a & ~right_b).sum()),
            only_b=int((right_b & ~right_a).sum()),
            wrong_alike=int((~right_a & ~right_b & alike).sum()),
            wrong_apart=int((~right_a & ~right_b & ~alike).sum()),
        ),
        compared=compared,
        differing=tuple(ids.take(places).to_pylist()),
        a_higher=(scores_a > scores_b)[differ],
    )
