"""The page: what the template shows, rendered with everything escaped except our own markup."""

import base64
import hashlib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.errors import require_extra
from safe_data.shards.layout import read_dataset
from safe_eval.report import accuracy
from safe_eval.report.cards import item_groups, media_sentence, selection_sentence
from safe_eval.report.charts import accuracy_chart, bounds_chart
from safe_eval.report.media import Media, collect
from safe_eval.report.run_folder import Results
from safe_eval.report.score_tables import comparison_tables, other_tables, seed_tables
from safe_eval.report.selection import SHOWN, select_items
from safe_eval.report.verdict_words import coverage_words, criterion_words, verdict_words

PACKAGES = ("jinja2", "altair", "vl_convert")
LIMITS = (
    "VQA accuracy compares normalised words with the reference answers: a right answer in other words counts "
    "as wrong, and a lucky guess counts as right.",
    "The intervals say how the numbers would vary over other items of the same kind. They do not cover "
    "another training seed, another prompt or another kind of picture and sound.",
    "The report shows that nothing was lost for the questions asked here and within the bound given, not for "
    "everything the base model can do.",
)

_LONGEST_FACT = 400  # characters of one provenance entry


def render_page(results: Results, shards: Path | None, summary_name: str) -> str:
    """The whole page as text.

    Raises:
        InputError: a package of the `report` extra is missing, or the shards cannot be opened.
    """
    require_extra("the report", "report", *PACKAGES)
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    style = _resource("page.css")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(_resource("page.html.j2")).render(
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=_csp_hash(style),
        charts=[{**chart, "svg": Markup(chart["svg"])} for chart in _charts(results)],  # noqa: S704 - vl-convert escapes
        summary_name=summary_name,
        selection=_selection(results, shards),
        **_numbers(results),
        provenance=_provenance(results, shards),
        limits=[*results.scores.notes, *LIMITS],
    )
    return page + "\n"


def _numbers(results: Results) -> dict[str, Any]:
    scores, verdict = results.scores, results.verdict
    return {
        "name": results.name,
        "verdict": verdict_words(verdict),
        "criteria": [criterion_words(judged) for judged in verdict.criteria],
        "panels": (panels := accuracy.panels(scores)),
        "scores_title": "Accuracy" if panels else "Scores",
        "coverage": coverage_words(scores),
        "comparisons": comparison_tables(scores),
        "other_metrics": other_tables(scores),
        "over_seeds": seed_tables(scores),
    }


def _charts(results: Results) -> list[dict[str, str]]:
    panels = accuracy.panels(results.scores)
    which = f" {panels[0].title}, the first table above." if len(panels) > 1 else ""
    drawn = [
        {
            "svg": accuracy_chart(panels[0]) if panels else "",
            "title": "Accuracy by condition",
            "caption": f"The lines are the intervals of the table.{which}",
        },
        {
            "svg": bounds_chart(results.verdict.criteria),
            "title": "Criteria and their bounds",
            "caption": "Values in the shaded part meet the bound. Each criterion has its own scale.",
        },
    ]
    return [chart for chart in drawn if chart["svg"]]


def _selection(results: Results, shards: Path | None) -> dict[str, Any]:
    baseline = results.scores.provenance.baseline
    selection = select_items(results.items, baseline)
    shown = [item.prediction for item in selection.items]
    media = collect(shown, shards) if shards is not None else [Media()] * len(shown)
    return {
        "sentence": selection_sentence(selection, SHOWN),
        "media_sentence": media_sentence(media, shards),
        "groups": item_groups(selection, media),
    }


def _provenance(results: Results, shards: Path | None) -> list[tuple[str, str]]:
    """What the numbers come from: file hashes first, then the provenance in scores.json."""
    rows = [(f"sha256 of {name}", sha256) for name, sha256 in results.file_hashes.items()]
    recorded = msgspec.to_builtins(results.scores.provenance)
    recorded.pop("predictions")  # among the hashes above
    criteria = results.verdict.criteria_file
    rows.append((f"sha256 of {criteria.name}", criteria.sha256))
    if shards is not None:
        facts = read_dataset(shards)
        rows.append((f"dataset {facts.name}, shown here", facts.fingerprint))
    for name, text in _flat("", recorded):
        shown = text if len(text) <= _LONGEST_FACT else text[:_LONGEST_FACT] + " …"
        rows.append((name.replace("_", " "), shown))
    return rows


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """Nested JSON as rows of `outer · inner` and text."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{prefix} · {key}" if prefix else str(key), inner)
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for number, inner in enumerate(value, 1):
            yield from _flat(f"{prefix} · {number}", inner)
    elif isinstance(value, list):
        yield prefix, ", ".join(str(inner) for inner in value)
    else:
        yield prefix, "–" if value is None else str(value)


def _resource(name: str) -> str:
    return resources.files("safe_eval.report").joinpath(name).read_text(encoding="utf-8")


def _csp_hash(style: str) -> str:
    """The hash by which the page's security policy allows its own style sheet and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
