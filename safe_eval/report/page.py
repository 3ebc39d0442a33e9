"""The page: what the template shows, and its rendering with everything but our own markup escaped."""

import base64
import hashlib
from importlib import resources
from pathlib import Path
from typing import Any

from safe_data.core.errors import require_extra
from safe_eval.report import accuracy
from safe_eval.report.cards import item_groups, media_sentence, selection_sentence
from safe_eval.report.charts import accuracy_chart, bounds_chart
from safe_eval.report.media import Media, collect
from safe_eval.report.provenance import LIMITS, provenance_rows
from safe_eval.report.run_folder import Results
from safe_eval.report.score_tables import comparison_tables, other_tables, seed_tables
from safe_eval.report.selection import SHOWN, select_items
from safe_eval.report.verdict_words import coverage_words, criterion_cells, verdict_words

PACKAGES = ("jinja2", "altair", "vl_convert")


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
        **_numbers(results, shards),
    )
    return page + "\n"


def _numbers(results: Results, shards: Path | None) -> dict[str, Any]:
    scores, verdict = results.scores, results.verdict
    return {
        "name": results.name,
        "verdict": verdict_words(verdict),
        "criteria": [criterion_cells(judged) for judged in verdict.criteria],
        "panels": (panels := accuracy.panels(scores)),
        "scores_title": "Accuracy" if panels else "Scores",
        "coverage": coverage_words(scores),
        "comparisons": comparison_tables(scores),
        "others": other_tables(scores),
        "over_seeds": seed_tables(scores),
        "provenance": provenance_rows(results, shards),
        "limits": [*scores.notes, *LIMITS],
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
            "caption": "The shaded part keeps the bound. Each criterion has its own scale.",
        },
    ]
    return [chart for chart in drawn if chart["svg"]]


def _selection(results: Results, shards: Path | None) -> dict[str, Any]:
    selection = select_items(results.items)
    shown = [item.prediction for item in selection.items]
    media = collect(shown, shards) if shards is not None else [Media()] * len(shown)
    return {
        "sentence": selection_sentence(selection, SHOWN),
        "media_sentence": media_sentence(media, shards),
        "groups": item_groups(selection, media),
    }


def _resource(name: str) -> str:
    return resources.files("safe_eval.report").joinpath(name).read_text(encoding="utf-8")


def _csp_hash(style: str) -> str:
    """The hash by which the page's security policy knows its own style sheet, so that no other one runs."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
