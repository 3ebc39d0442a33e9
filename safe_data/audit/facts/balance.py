"""Balance: how much more often the most frequent label occurs than the rarest, and what guessing scores."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safe_data.audit.corpus import Corpus
from safe_data.audit.examples import examples
from safe_data.audit.facts.fact import MOST_OFFENDERS, Fact, FactKind, Offender, not_applicable

IMBALANCE = "imbalance"
FEWEST_QUESTIONS = 20  # of a type; of fewer, the share of one answer says little


def class_imbalance(corpus: Corpus) -> Fact:
    """The largest ratio of the most frequent label to the rarest, over the splits of all datasets.

    Labels that a split lacks altogether are named, and do not count. A dataset that declares its imbalance is
    left out; if all do, the fact does not apply.
    """
    ratios = _ratios(corpus)
    if not ratios:
        return not_applicable("no loaded record has a label")
    judged = [one for one in ratios if not one[-1]]
    ratio, part, most, least, _ = max(judged or ratios)
    said = f"{part}: {most} : {least}"
    if not judged:
        why = next(d.declared[IMBALANCE] for d in corpus.datasets if IMBALANCE in d.declared)
        return Fact(None, why_not=f"declared in dataset.json ({why}); {ratio:.3g} in {said}", applies=False)
    offenders = tuple(
        Offender(f"{one[0]:.3g} in {one[1]}: {one[2]} : {one[3]}", ())
        for one in sorted(judged, reverse=True)[:MOST_OFFENDERS]
    )
    return Fact(ratio, offenders=offenders, detail=said)


def _ratios(corpus: Corpus) -> list[tuple[float, str, str, str, bool]]:
    """Of each part with labels: its ratio, its name, both labels with counts, and whether it is declared."""
    rows = corpus.manifest.select(["split", "label"]).append_column("dataset", pa.array(corpus.dataset_of))
    rows = rows.filter(pc.equal(corpus.manifest["status"], "ok"))
    rows = rows.filter(pc.fill_null(pc.not_equal(rows["label"], ""), False))
    counts = rows.group_by(["dataset", "split", "label"], use_threads=False).aggregate([([], "count_all")])
    found: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for one in counts.to_pylist():
        found.setdefault((one["dataset"], one["split"]), []).append((one["count_all"], one["label"]))
    ratios = []
    for (dataset, split), labels in found.items():
        (fewest, rare), (most, frequent) = min(labels), max(labels)
        declared = IMBALANCE in corpus.datasets[dataset].declared
        part = f"{corpus.names[dataset]}:{split}" if len(corpus.names) > 1 else split
        ratios.append((most / fewest, part, f"{most} {frequent}", f"{fewest} {rare}", declared))
    return ratios


def answer_prior(corpus: Corpus) -> Fact:
    """The highest accuracy that one constant answer has on a type of question, in a split for evaluation.

    Types with fewer than 20 questions in a split are left out.
    """
    asked = corpus.once(examples)
    asked = asked.filter(pc.equal(asked["task"], "vqa"))
    asked = asked.filter(pc.greater(pc.list_value_length(asked["references"]), 0))
    if not asked.num_rows:
        return not_applicable("no question with an answer is asked")
    shares = [one for one in answer_shares(corpus, asked) if one[1] >= FEWEST_QUESTIONS]
    evaluated = [one for one in shares if not one[2].endswith("train")] or shares
    if not evaluated:
        return not_applicable(f"no type of question is asked {FEWEST_QUESTIONS} times in a split")
    share, questions, part, kind, answer = max(evaluated)
    offenders = tuple(
        Offender(f"{one[0]:.3g} of {one[1]} in {one[2]}, type {one[3]!r}: {one[4]}", ())
        for one in sorted(evaluated, reverse=True)[:MOST_OFFENDERS]
    )
    return Fact(share, questions, offenders, detail=f"{part}, type {kind!r}: always {answer!r}")


def answer_shares(corpus: Corpus, asked: pa.Table) -> list[tuple[float, int, str, str, str]]:
    """Of each part and type of question: share of the most frequent answer, questions, part, type, answer.

    An answer counts for a question if it is the first of its references.
    """
    rows = np.asarray(asked["row"])
    table = pa.table(
        {
            "dataset": corpus.dataset_of[rows],
            "split": corpus.manifest["split"].take(pa.array(rows)),
            "type": pc.fill_null(asked["question_type"], ""),
            "answer": pc.list_element(asked["references"], 0),
        }
    )
    counts = table.group_by(table.schema.names, use_threads=False).aggregate([([], "count_all")])
    found: dict[tuple[int, str, str], list[tuple[int, str]]] = {}
    for one in counts.to_pylist():
        key = (one["dataset"], one["split"], one["type"])
        found.setdefault(key, []).append((one["count_all"], one["answer"]))
    shares = []
    for (dataset, split, kind), answers in found.items():
        total = sum(count for count, _ in answers)
        most, answer = max(answers)
        part = f"{corpus.names[dataset]}:{split}" if len(corpus.names) > 1 else split
        shares.append((most / total, total, part, kind, answer))
    return shares


FACTS: dict[str, FactKind] = {
    "class_imbalance": FactKind(
        class_imbalance, "ratio of the most frequent label to the rarest, in the split where it is largest"
    ),
    "answer_prior": FactKind(
        answer_prior, "accuracy of one constant answer, on the type of question where it is highest"
    ),
}
