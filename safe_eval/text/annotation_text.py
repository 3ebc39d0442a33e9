"""What annotate and agreement print."""

from collections.abc import Iterator
from pathlib import Path

from safe_eval.annotation.annotate import LabelAgreement
from safe_eval.annotation.labels import Key, key_path


def sample_lines(table: Path, key: Key) -> list[str]:
    """Where a table to label and its key are, and what to do with them."""
    noted = sum(not item.drawn for item in key.items)
    beside = f", {noted} of them for their notes alone, which agreement leaves out" if noted else ""
    return [
        f"wrote {table}: {len(key.items)} of {key.population} answers{beside}; write right, wrong or ? under "
        "'label'",
        f"wrote {key_path(table)}: what the scorer says; keep it from whoever labels",
        f"then: safe-eval agreement {table}",
    ]


def agreement_lines(found: LabelAgreement) -> Iterator[str]:
    """How far labels and scorer agree, and the items on which they differ."""
    key, labels, judged = found.key, found.labels, found.agreement
    drawn = {item.item for item in key.items if item.drawn}
    unsure = sum(label is None for name, label in labels.items() if name in drawn)
    yield f"{judged.n} of {len(drawn)} items labelled, {unsure} more unsure; {judged.clusters} clusters"
    if len(drawn) < len(key.items):
        yield f"{len(key.items) - len(drawn)} noted answers were not drawn, and are left out here"
    yield f"agreement  {_figure(judged.agreement, judged.agreement_low, judged.agreement_high)}"
    yield f"kappa      {_figure(judged.kappa, judged.kappa_low, judged.kappa_high)}"
    yield (
        f"right by both {judged.both_right}, by the scorer alone {judged.scorer_only}, "
        f"by the person alone {judged.person_only}, by neither {judged.both_wrong}"
    )
    for item in key.items:
        if labels.get(item.item) not in (None, item.score >= key.right_from):
            yield f"  {item.item}: scorer {item.score:.2f}, example {item.example_id!r}"


def _figure(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "not measured: both gave one label only"
    return f"{value:.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else "")
