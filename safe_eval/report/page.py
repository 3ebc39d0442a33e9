"""The page: what the template shows, rendered with everything escaped except our own markup."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.errors import require_extra
from safe_data.core.numerals import MISSING
from safe_data.shards.layout import read_dataset
from safe_eval.report import accuracy
from safe_eval.report.cards import item_groups, media_sentence, selection_sentence
from safe_eval.report.chain import chain_words
from safe_eval.report.charts import accuracy_chart, bounds_chart, risk_coverage_chart
from safe_eval.report.comparison_tables import comparison_tables, drift_tables, equivalence_tables
from safe_eval.report.domains import domain_tables, half_gain_tables
from safe_eval.report.explanation_charts import explanation_charts
from safe_eval.report.explanation_tables import explanation_lead, explanation_parts
from safe_eval.report.frontier_chart import frontier_chart
from safe_eval.report.frontiers import frontier_panels, frontier_table
from safe_eval.report.gates import gate_tables
from safe_eval.report.given import given_tables
from safe_eval.report.hearing import hearing_tables
from safe_eval.report.hearing_chart import hearing_charts
from safe_eval.report.hurts import error_tables, hurt_charts, hurt_tables
from safe_eval.report.labels import set_title
from safe_eval.report.markup import ours, resource, template
from safe_eval.report.media import Media, collect
from safe_eval.report.noise_chart import noise_charts
from safe_eval.report.run_folder import Results
from safe_eval.report.score_tables import (
    aggregate_tables,
    deferral_tables,
    other_tables,
    prompt_tables,
    seed_tables,
)
from safe_eval.report.selection import SHOWN, select_items
from safe_eval.report.sent import collect_sent, media_left
from safe_eval.report.side_by_side import Shown
from safe_eval.report.table import in_parts
from safe_eval.report.telling import prediction_of, shown_items, telling_groups, telling_sentence
from safe_eval.report.verdict_words import (
    coverage_words,
    criteria_table,
    criterion_words,
    headline,
    verdict_words,
)
from safe_eval.runner.shelves import open_shards

PACKAGES = ("jinja2", "altair", "vl_convert")
LIMITS = (
    "VQA accuracy compares normalised words with the reference answers: a right answer in other words counts "
    "as wrong, and a lucky guess counts as right.",
    "The intervals say how the numbers would vary over other items of the same kind. They do not cover "
    "another training seed, another prompt or another kind of picture and sound.",
    "The report shows that nothing was lost for the questions asked here and within the bound given, not for "
    "everything the base model can do.",
)

MOST_FRONTIERS = 9  # that are drawn
MOST_CHARTS = 6  # of accuracies: one per metric, dataset and seed
_LONGEST_FACT = 400  # characters of one provenance entry


def render_page(page: Shown, shards: Path | None, summary_name: str) -> str:
    """The whole page as text.

    Raises:
        InputError: a package of the `report` extra is missing, or the shards cannot be opened.
    """
    require_extra("the report", "report", *PACKAGES)
    style = resource("page.css")
    text = template("page.html.j2").render(
        table_ids="t",
        style=ours(style),
        style_hash=_csp_hash(style),
        charts=_drawn(_charts(page)),
        frontier_charts=_drawn(_frontier_charts(page)),
        hearing_charts=_drawn(hearing_charts(page.scores, page.models, MOST_CHARTS)),
        summary_name=summary_name,
        curve_charts=_drawn(noise_charts(page.scores, page.models, MOST_CHARTS)),
        explanations=[_explained(run) for run in page.runs if run.explanation is not None],
        hurt_charts=_drawn(hurt_charts(page.scores, MOST_CHARTS)),
        **_items(page, shards),
        **_numbers(page),
        provenance=[_provenance(run, shards if page.is_one else None) for run in page.runs],
        limits=[*page.scores.notes, *LIMITS],
    )
    return text + "\n"


def _drawn(charts: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    return [{**chart, "svg": ours(chart["svg"])} for chart in charts]


def _explained(run: Results) -> dict[str, Any]:
    """What `safe-train explain` found of a run, part by part, with what it does not show."""
    if run.explanation is None:
        raise ValueError(f"{run.name} has no explanation")
    parts = explanation_parts(run.explanation)
    return {
        "name": run.name,
        "lead": explanation_lead(run.explanation),
        "charts": _drawn(explanation_charts(run.explanation)),
        "parts": [
            {
                "title": part.title,
                "tables": [piece for table in part.tables for piece in in_parts(table)],
                "not_shown": part.not_shown,
            }
            for part in parts
        ],
    }


def _numbers(page: Shown) -> dict[str, Any]:
    scores, models = page.scores, page.models
    panels = accuracy.panels(scores, models)
    conditions: tuple[str, ...] = (
        () if page.is_one else ("full",)
    )  # of several runs, the other conditions in one table only
    others = [
        *seed_tables(scores, models),
        *prompt_tables(scores, models),
        *other_tables(scores, models, conditions=conditions),
        *aggregate_tables(scores, models),
        *deferral_tables(scores, models, conditions=conditions),
    ]
    types = [
        accuracy.slice_table(
            panel, panel.types, [arm for arm in panel.arms if not conditions or arm[1] in conditions]
        )
        for panel in panels
        if panel.types
    ]
    return {
        "name": page.name,
        "runs": [_run(run) for run in page.runs],
        "headline": headline([run.verdict for run in page.runs]),
        "criteria": _criteria(page),
        "accuracies": [part for panel in panels for part in in_parts(accuracy.main_table(panel))],
        "scores_title": "Accuracy" if panels else "Scores",
        "types": [part for table in types for part in in_parts(table)],
        "curves": [*half_gain_tables(scores), *domain_tables(scores)],
        "hurts": [part for table in hurt_tables(scores) for part in in_parts(table)],
        "errors": error_tables(scores),
        "frontiers": [frontier_table(panel) for panel in frontier_panels(scores, models)],
        "gates": [part for table in gate_tables(scores, models) for part in in_parts(table)],
        "given": [part for table in given_tables(scores, models) for part in in_parts(table)],
        "hearing": [part for table in hearing_tables(scores, models) for part in in_parts(table)],
        "coverage": coverage_words(scores, models, [run.verdict for run in page.runs]),
        "comparisons": [part for table in comparison_tables(scores.comparisons) for part in in_parts(table)],
        "equivalence": [part for table in equivalence_tables(scores.comparisons) for part in in_parts(table)],
        "drift": drift_tables(scores.retention),
        "other_metrics": [part for table in others for part in in_parts(table)],
        "notes": page.notes,
    }


def _criteria(page: Shown) -> list[Any]:
    """The criteria with their evidence; of several runs, as tables with a column per run."""
    if page.is_one:
        return [criterion_words(judged) for judged in page.runs[0].verdict.criteria]
    table = criteria_table({run.name: run.verdict for run in page.runs})
    return in_parts(table) if table.rows else []


def _run(run: Results) -> dict[str, Any]:
    return {
        "name": run.name,
        "verdict": verdict_words(run.verdict),
        "freeze": run.freeze,
    }


def _charts(page: Shown) -> list[dict[str, str]]:
    panels = accuracy.panels(page.scores, page.models)
    drawn = [
        {
            "svg": accuracy_chart(panel),
            "title": "Accuracy by condition",
            "caption": f"{panel.title}. The lines are the intervals of the table.",
        }
        for panel in panels[:MOST_CHARTS]
    ]
    drawn += _curves(page)
    drawn += [
        {
            "svg": bounds_chart(run.verdict.criteria),
            "title": "Criteria and their bounds" + ("" if page.is_one else f", {run.name}"),
            "caption": "Values in the shaded part meet the bound. Each criterion has its own scale.",
        }
        for run in page.runs
    ]
    return [chart for chart in drawn if chart["svg"]]


def _frontier_charts(page: Shown) -> list[dict[str, str]]:
    panels = frontier_panels(page.scores, page.models)[:MOST_FRONTIERS]
    return [
        {"svg": frontier_chart(panel), "title": panel.title, "caption": panel.sentence} for panel in panels
    ]


def _curves(page: Shown) -> list[dict[str, str]]:
    """The risk–coverage curves under the untouched input: one chart per dataset and seed."""
    rows = [row for row in page.scores.deferral if row.curve and row.condition == "full"]
    places = list(dict.fromkeys((row.dataset, row.seed) for row in rows))
    return [
        {
            "svg": risk_coverage_chart(
                [row for row in rows if (row.dataset, row.seed) == place], page.models
            ),
            "title": set_title("Risk–coverage", *place),
            "caption": "The mean loss (1 − score) of the surest answers. A band holds along its whole curve.",
        }
        for place in places[:MOST_CHARTS]
    ]


def _items(page: Shown, shards: Path | None) -> dict[str, Any]:
    """The items of both sections, whose media share one budget."""
    selection = select_items(page.items, page.models, protocol=page.scores.provenance.protocol)
    telling = shown_items(page.scores.telling)
    shown = [*(item.prediction for item in selection.items), *map(prediction_of, telling)]
    media, count = [Media()] * len(shown), len(selection.items)
    if shards is not None:
        shelves = open_shards([one.split for one in shown], shards)
        media = collect(shown, shelves)
        media[:count] = collect_sent(selection.items, media[:count], shelves, media_left(media))
    chosen, turned = media[:count], media[count:]
    return {
        "selection": {
            "sentence": selection_sentence(selection, SHOWN),
            "media_sentence": media_sentence(chosen, shards),
            "groups": item_groups(selection, chosen),
        },
        "telling": {
            "sentence": telling_sentence(telling, page.scores.telling),
            "groups": telling_groups(telling, turned, page.models),
        },
    }


def _provenance(run: Results, shards: Path | None) -> dict[str, Any]:
    """What the numbers of a run come from: file hashes first, then the provenance in scores.json."""
    rows = [(f"sha256 of {name}", sha256) for name, sha256 in run.file_hashes.items()]
    recorded = msgspec.to_builtins(run.scores.provenance)
    recorded.pop("predictions")  # among the hashes above
    criteria = run.verdict.criteria_file
    rows.append((f"sha256 of {criteria.name}", criteria.sha256))
    if shards is not None:
        facts = read_dataset(shards)
        rows.append((f"dataset {facts.name}, shown here", facts.fingerprint))
    for name, text in _flat("", recorded):
        shown = text if len(text) <= _LONGEST_FACT else text[:_LONGEST_FACT] + " …"
        rows.append((name.replace("_", " "), shown))
    return {"name": run.name, "chain": chain_words(run.chain, run.verdict), "rows": rows}


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """Nested JSON as rows of `outer · inner` and text."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{prefix} · {key}" if prefix else str(key), inner)
    elif isinstance(value, list | tuple) and any(isinstance(inner, dict | list) for inner in value):
        for number, inner in enumerate(value, 1):
            yield from _flat(f"{prefix} · {number}", inner)
    elif isinstance(value, list | tuple) and value:
        yield prefix, ", ".join(map(_plain, value))
    else:
        yield prefix, _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return MISSING if value in (None, "", (), [], {}) else str(value)


def _csp_hash(style: str) -> str:
    """The hash by which the page's security policy allows its own style sheet and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
