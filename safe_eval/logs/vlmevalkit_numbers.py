"""VLMEvalKit's numbers: what `_acc.csv` and `_score.csv` beside a log state, and the rule of each.

Source: open-compass/VLMEvalKit at e8e78f0, vlmeval/dataset/utils: yorn.py (MME_rating, POPE_rating),
vqa_eval.py and multiple_choice.py (report_acc). Numbers of a split are over its rows.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from safe_data.core.errors import InputError
from safe_eval.logs.literals import number_of
from safe_eval.logs.log import OwnNumber, Rule
from safe_eval.logs.table_rows import table_rows

AGGREGATES = re.compile(r"_(?:acc|score)(?:_all|_fine)?$")

_PERCENT = 100.0
_MME, _POPE = re.compile(r"MME(?!-)"), re.compile(r"POPE")
_CIRCULAR = re.compile(r"MMBench|CCBench")
_POPE_RULES: dict[str, Rule] = {
    "Overall": "f1",
    "acc": "mean_by_split",
    "precision": "precision",
    "recall": "recall",
}
_MME_SUMS = ("perception", "reasoning")
_OVERALL = ("Overall", "overall", "acc")
_ALL = ("none", "overall", "all", "")


def stated_numbers(path: Path, stem: str, dataset: str) -> Iterator[OwnNumber]:
    """The numbers that the files beside a log state."""
    for beside in sorted(path.parent.iterdir()):
        named = beside.stem.startswith(stem) and AGGREGATES.search(beside.stem)
        if named and beside.suffix in (".csv", ".json", ".tsv") and _is_of(beside.stem, stem):
            yield from _of_file(beside, dataset)


def _of_file(path: Path, dataset: str) -> Iterator[OwnNumber]:
    """The numbers of one file; one that is no table states none that can be computed again."""
    try:
        rows = [row for _, row in table_rows(path)]
    except InputError:
        return
    for row in rows:
        label = "" if len(rows) == 1 else next(filter(_is_label, row.values()), "")
        yield from _numbers(row, dataset, str(label))


def _is_label(value: object) -> bool:
    """Whether a cell says what a row is about: a split, or a category."""
    return isinstance(value, str) and number_of(value) is None


def _is_of(named: str, stem: str) -> bool:
    """Whether an aggregate is of a log: TextVQA_VAL_acc is not of a log that ends with TextVQA."""
    rest = AGGREGATES.sub("", named).removeprefix(stem)
    return rest == "" or (rest.startswith("_") and not rest.lstrip("_").isupper())


def _numbers(row: dict[str, object], dataset: str, label: str) -> Iterator[OwnNumber]:
    of = None if label.lower() in _ALL else label
    for name, said in row.items():
        value = number_of(said)
        if value is None or name in ("split", "index"):
            continue
        if _MME.match(dataset):
            yield OwnNumber(name, value, "score", "mme", category=name)
        elif _POPE.match(dataset):
            rule = _POPE_RULES.get(name, "unknown")
            yield OwnNumber(f"{name} {label}".strip(), value, "score", rule, _PERCENT, of, name)
        elif name in _OVERALL:
            rule = "circular" if _CIRCULAR.match(dataset) else "mean"
            metric = "hit" if rule == "circular" or "split" in row else "score"
            scale = _PERCENT if value > 1 else 1.0
            yield OwnNumber(f"{name} {label}".strip(), value, metric, rule, scale, of, name)


def mme_categories(name: str) -> tuple[str, ...] | None:
    """The categories whose scores are added up under a name of MME; None for a category itself."""
    if name not in _MME_SUMS:
        return None
    perception = ("existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark")
    reasoning = ("code_reasoning", "commonsense_reasoning", "numerical_calculation", "text_translation")
    return (*perception, "artwork", "OCR") if name == _MME_SUMS[0] else reasoning
