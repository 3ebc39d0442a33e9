"""Listening evidence: what a criterion asks for about a gate, an irrelevant sound, or a contradicting one."""

from collections.abc import Iterator
from dataclasses import replace

from safe_data.core import numerals
from safe_eval.judging.criterion import Criterion
from safe_eval.judging.metric_names import FOLLOWED, GATE_METRICS
from safe_eval.judging.row_evidence import Evidence, Place, with_interval
from safe_eval.results.contradiction import ContradictionRow
from safe_eval.results.gate_row import AT_LEAST, GateRow
from safe_eval.results.irrelevance import IrrelevanceRow
from safe_eval.results.sound_kinds import ALL
from safe_eval.scoring.scores import Scores


def listening_evidence(criterion: Criterion, scores: Scores, *, over_seeds: bool) -> Iterator[Evidence]:
    """The rows of one metric of `LISTENING`, of each seed or over all of them; only gates have the latter."""
    metric, name, against = criterion.metric, criterion.condition, criterion.against
    if metric in GATE_METRICS:
        for gate in scores.gates:
            is_slice = gate.slice == criterion.slice or gate.value is None
            is_asked = gate.measure == metric and is_slice and against in (None, gate.against)
            if is_asked and (f"{gate.model}/{gate.condition}", gate.seed is None) == (name, over_seeds):
                yield of_gate(gate)
    elif metric in FOLLOWED and not over_seeds:
        for followed in scores.contradiction:
            of_slice = (followed.follows, followed.slice) == (FOLLOWED[metric], criterion.slice)
            if of_slice and f"{followed.model}/{followed.condition}" == name:
                yield of_contradiction(followed)
    elif not over_seeds:
        for beside in scores.irrelevance:
            of_all = (beside.measure, beside.sound, beside.against) == (metric, ALL, against)
            if of_all and f"{beside.model}/{beside.condition}" == name:
                yield of_irrelevance(beside)


def of_gate(row: GateRow) -> Evidence:
    """One number of the table of gates; nothing where answers are missing from it."""
    sides = f"{row.model}/{row.condition}" + (f" against {row.against}" if row.against else "")
    text, place = f"{sides} on {row.slice}", Place(row.dataset, row.seed)
    if row.value is None:
        return Evidence(f"{text}: {row.why_not}", place)
    text += f" by {row.by}" if row.by else ""
    text += f", n {row.n} in {numerals.clusters(row.clusters, row.effective_clusters)} clusters"
    if row.unsaid or row.only_one:
        lacking = f"{row.unsaid} failed or do not say, {row.only_one} were answered by one side only"
        return Evidence(f"{text}; {lacking}", place)
    if row.one_by_one is False:
        text += ", of batches (no metadata.batch of 1)"
    if row.seed is None:
        each = ", ".join(map(numerals.fraction, row.of_each_seed))
        text += f", seeds {list(row.seeds)}: {each}"
    if row.limit is not None:
        end = "at least" if row.measure in AT_LEAST else "at most"
        text += f", one-sided {end} {numerals.fraction(row.limit)}"
    found = with_interval(text, place, row.value, row) if row.interval else Evidence(text, place, row.value)
    by_seed = tuple(zip(row.seeds, row.of_each_seed, strict=True)) if row.seed is None else ()
    seeds = len(row.seeds) if row.seed is None else None
    return replace(found, limit=row.limit, n=row.n, clusters=row.clusters, seeds=seeds, by_seed=by_seed)


def of_irrelevance(row: IrrelevanceRow) -> Evidence:
    """The share of answers that another sound changed; nothing where one side alone answered."""
    text = f"{row.model}/{row.condition} beside {row.against} on vl"
    place = Place(row.dataset, row.seed)
    if row.value is None or row.only_one:
        return Evidence(f"{text}: {row.why_not or f'{row.only_one} answered by one side only'}", place)
    text += f", n {row.n} in {numerals.clusters(row.clusters, row.effective_clusters)} clusters"
    return replace(with_interval(text, place, row.value, row), limit=row.limit)


def of_contradiction(row: ContradictionRow) -> Evidence:
    """The share of answers that follow one side; nothing where questions could not be judged."""
    text = f"{row.count} of {row.n} answers of {row.model}/{row.condition} on {row.slice}"
    place = Place(row.dataset, row.seed)
    if row.value is None:
        return Evidence(f"{text}: {row.why_not}", place)
    if row.unsaid or row.unscorable:
        lacking = f"{row.unsaid} more do not say 'contradicts', {row.unscorable} lack the sound's answer"
        return Evidence(f"{text}; {lacking}", place)
    return with_interval(text, place, row.value, row)
