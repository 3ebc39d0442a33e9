"""Side by side: one run, or several as if they were one evaluation of all their models.

Of several runs, the name of the run stands before the name of each model, and the models of the later runs
are compared with those of the first, item by item.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from safe_data.core.errors import InputError, did_you_mean
from safe_eval.comparison.item_pairs import Pair, compare_items
from safe_eval.options import Sampling
from safe_eval.report import numbers
from safe_eval.report.labels import Models, models_of
from safe_eval.report.run_folder import Results
from safe_eval.scoring.scores import Scores

if TYPE_CHECKING:
    import pyarrow as pa

IDS_SHOWN = 10

Named = TypeVar("Named", bound=msgspec.Struct)
Example = tuple[str | None, str]  # dataset and example id


@dataclass(frozen=True)
class Shown:
    """What a page is about: its runs, and the numbers, items and comparisons of all their models."""

    name: str
    runs: tuple[Results, ...]
    scores: Scores
    items: "pa.Table"
    models: Models
    notes: tuple[str, ...] = ()

    @property
    def is_one(self) -> bool:
        """Whether the page is about a single run."""
        return len(self.runs) == 1


def shown(runs: Sequence[Path], results: Sequence[Results], baseline: str | None = None) -> Shown:
    """One run with its baseline, or with another that is named here; or several runs.

    Raises:
        InputError: the baseline is no model of these runs, or a run is given twice.
    """
    if len(results) == 1:
        return _one(results[0], baseline)
    twice = [
        str(run) for number, run in enumerate(runs) if run.resolve() in {r.resolve() for r in runs[:number]}
    ]
    if twice:
        raise InputError(f"{twice[0]}: is given twice; a run needs no comparison with itself")
    named = [replace(one, name=name) for one, name in zip(results, run_names(runs), strict=True)]
    return _several([one.name for one in named], named, baseline)


def _one(results: Results, baseline: str | None) -> Shown:
    names = set(results.items.column("model").unique().to_pylist())
    scores = results.scores
    if baseline is not None and baseline != results.baseline:
        _check_known(baseline, names)
        pairs = [(name, baseline) for name in sorted(names) if name != baseline]
        kept = [row for row in scores.comparisons if _model(row.a) == _model(row.b)]
        found = compare_items(
            results.items, pairs, cluster=scores.provenance.cluster, sampling=_sampling(scores)
        )
        scores = msgspec.structs.replace(
            scores, comparisons=(*kept, *found), seed_comparisons=(), retention=()
        )
    models = models_of(names, baseline or results.baseline)
    return Shown(results.name, (results,), scores, results.items, models)


def _several(names: Sequence[str], results: Sequence[Results], baseline: str | None) -> Shown:
    import pyarrow as pa

    first, items = results[0], []
    differing = _differing_examples(results)
    for place, (name, one) in enumerate(zip(names, results, strict=True)):
        items.append(_renamed_items(_without(one.items, differing.get(place, ())), name))
    joined = pa.concat_tables(items).unify_dictionaries().combine_chunks()
    pairs = list(_pairs(names, results, baseline))
    scores = joined_scores(names, [one.scores for one in results])
    found = compare_items(
        joined, pairs, cluster=first.scores.provenance.cluster, sampling=_sampling(first.scores)
    )
    if one_seed_each([one.scores for one in results]):
        found = (msgspec.structs.replace(row, seed=0) for row in found)
    scores = msgspec.structs.replace(scores, comparisons=tuple(found))
    return Shown(
        name=" and ".join(names) if len(names) == 2 else ", ".join(names),
        runs=tuple(results),
        scores=scores,
        items=joined,
        models=_models(results, pairs[0][1]),
        notes=tuple(_notes(names, results, differing)),
    )


def _models(results: Sequence[Results], reference: str) -> Models:
    """The tested models beside the one they are compared with; the bases of the runs are others."""
    names = {one.name: set(one.items.column("model").unique().to_pylist()) for one in results}
    tested = {
        label_of(one.name, model)
        for one in results
        for model in models_of(names[one.name], one.baseline).tested
    }
    known = {label_of(run, model) for run, models in names.items() for model in models}
    return models_of(known, reference, known - tested - {reference})


def _pairs(names: Sequence[str], results: Sequence[Results], baseline: str | None) -> Iterator[Pair]:
    """Each model of a later run, and the model of the first run that it is compared with.

    That is the baseline named here; else the model of the same name; else the first that is tested there.
    """
    (first, own), *later = zip(names, results, strict=True)
    known = set(own.items.column("model").unique().to_pylist())
    if baseline is not None:
        _check_known(baseline, known, f"in {names[0]}, the first run")
    subject = models_of(known, own.baseline).tested[0]
    tested: list[Pair] = []
    untested: list[Pair] = []
    for name, one in later:
        others = set(one.items.column("model").unique().to_pylist())
        for model in sorted(others):
            against = baseline or (model if model in known else subject)
            is_tested = model in models_of(others, one.baseline).tested
            (tested if is_tested else untested).append((label_of(name, model), label_of(first, against)))
    yield from (*tested, *untested)


def joined_scores(names: Sequence[str], scores: Sequence[Scores]) -> Scores:
    """The rows of all scores, with the run's name before the model's and the provenance of the first run."""
    seeds = one_seed_each(scores)

    def rows(field: str) -> tuple[Any, ...]:
        return tuple(
            _renamed(row, name, seeds)
            for name, one in zip(names, scores, strict=True)
            for row in getattr(one, field)
        )

    notes = tuple(f"{name}: {note}" for name, one in zip(names, scores, strict=True) for note in one.notes)
    return msgspec.structs.replace(
        scores[0],
        cells=rows("cells"),
        metrics=rows("metrics"),
        aggregates=rows("aggregates"),
        deferral=rows("deferral"),
        seeds=rows("seeds"),
        seed_comparisons=(),
        retention=(),
        comparisons=(),
        shrinkage=rows("shrinkage"),
        lomo=rows("lomo"),
        lomo_agreement=rows("lomo_agreement"),
        irrelevance=rows("irrelevance"),
        contradiction=rows("contradiction"),
        noise_curve=rows("noise_curve"),
        half_gain=rows("half_gain"),
        domains=rows("domains"),
        domain_differences=rows("domain_differences"),
        hurts=rows("hurts"),
        gates=rows("gates"),
        typical_errors=rows("typical_errors"),
        telling=rows("telling"),
        frontiers=(),  # the intervals of a frontier hold for the models of one run
        notes=notes,
    )


def one_seed_each(scores: Sequence[Scores]) -> bool:
    """Whether each run has one seed and they differ, so that tables by seed would tear the runs apart.

    The joined rows of such runs have seed 0.
    """
    seeds = [{cell.seed for cell in one.cells} for one in scores]
    return all(len(own) == 1 for own in seeds) and len(set.union(*seeds)) > 1


def _renamed(row: Named, name: str, same_seed: bool) -> Named:
    changed: dict[str, Any] = {"model": label_of(name, row.model)}  # type: ignore[attr-defined]
    if same_seed and hasattr(row, "seed"):
        changed["seed"] = 0
    return msgspec.structs.replace(row, **changed)


def _renamed_items(items: "pa.Table", name: str) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.compute as pc

    models = pc.binary_join_element_wise(f"{name}: ", items["model"].cast(pa.string()), "")
    place = items.column_names.index("model")
    return items.set_column(place, "model", models.dictionary_encode())


def label_of(run: str, model: str) -> str:
    """The name of a model among those of several runs."""
    return f"{run}: {model}"


def run_names(runs: Sequence[Path]) -> list[str]:
    """The names of the folders, with those above them as far as needed to tell them apart."""
    parts = [run.resolve().parts[1:] for run in runs]
    depth = 1
    while len({part[-depth:] for part in parts}) < len(parts) and depth < max(map(len, parts)):
        depth += 1
    return ["/".join(part[-depth:]) or str(run) for part, run in zip(parts, runs, strict=True)]


def _differing_examples(results: Sequence[Results]) -> dict[int, list[Example]]:
    """By the place of a later run: its examples that do not ask what the first run asks under their ids."""
    asked = _asked(results[0].items)
    found = {}
    for place, one in enumerate(results[1:], 1):
        other = _asked(one.items)
        differing = [key for key in asked.keys() & other.keys() if _differ(asked[key], other[key])]
        if differing:
            found[place] = sorted(differing, key=lambda key: (key[0] or "", key[1]))
    return found


def _differ(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether both sides say something about an example and do not agree."""
    return any(a != b for a, b in zip(one, other, strict=True) if a is not None and b is not None)


def _asked(items: "pa.Table") -> dict[Example, tuple[Any, ...]]:
    columns = [
        items[name].to_pylist() for name in ("dataset", "example_id", "prompt", "needs_audio", "references")
    ]
    return {
        (dataset, example): (prompt, needs_audio, sorted(references))
        for dataset, example, prompt, needs_audio, references in zip(*columns, strict=True)
    }


def _without(items: "pa.Table", left_out: Sequence[Example]) -> "pa.Table":
    import pyarrow as pa

    if not left_out:
        return items
    out, keys = set(left_out), zip(items["dataset"].to_pylist(), items["example_id"].to_pylist(), strict=True)
    return items.filter(pa.array([key not in out for key in keys]))


def _notes(
    names: Sequence[str], results: Sequence[Results], differing: dict[int, list[Example]]
) -> Iterator[str]:
    """How the runs differ in what they asked, and in how they were scored."""
    asked = [set(_asked(one.items)) for one in results]
    for place, (name, own) in enumerate(zip(names[1:], asked[1:], strict=True), 1):
        if own != asked[0]:
            shared = numbers.count(len(own & asked[0]), "example")
            alone = numbers.count(len(asked[0] - own)), numbers.count(len(own - asked[0]))
            yield (
                f"{names[0]} and {name} have {shared} in common, and only these are compared; {alone[0]} are "
                f"in {names[0]} alone and {alone[1]} in {name} alone."
            )
        if place in differing:
            ids = ", ".join(example for _, example in differing[place][:IDS_SHOWN])
            more = ", …" if len(differing[place]) > IDS_SHOWN else ""
            yield (
                f"Left out of comparisons and items: {numbers.count(len(differing[place]), 'example')} of "
                f"{name} with another question or other references than {names[0]} has under the same id: "
                f"{ids}{more}."
            )
    drawn = {(one.scores.provenance.confidence, one.scores.provenance.resamples) for one in results}
    if len(drawn) > 1:
        yield f"The runs were scored with other confidence or resamples; comparisons use those of {names[0]}."
    if one_seed_each([one.scores for one in results]):
        seeds = ", ".join(f"{one.name} {one.scores.cells[0].seed}" for one in results)
        yield f"Each run has one training seed, and they differ: {seeds}. The tables call it seed 0."


def _check_known(baseline: str, names: set[str], where: str = "here") -> None:
    if baseline not in names:
        hint = did_you_mean(baseline, sorted(names), f"models are {', '.join(sorted(names))}")
        raise InputError(f"--baseline {baseline}: no model has this name {where}; {hint}")


def _model(arm: str) -> str:
    return arm.rpartition("/")[0]


def _sampling(scores: Scores) -> Sampling:
    made = scores.provenance
    return Sampling(confidence=made.confidence, resamples=made.resamples, seed=made.seed)
