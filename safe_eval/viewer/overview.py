"""Overview: the verdict, and what the scores of the runs say, as a fragment of the page with its charts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from safe_data.core.errors import require_extra
from safe_eval.judging.verdict import Verdict
from safe_eval.report.markup import REPORT, ours, template
from safe_eval.report.page import LIMITS
from safe_eval.report.table import in_parts
from safe_eval.report.verdict_words import (
    coverage_words,
    criteria_table,
    criterion_words,
    headline,
    verdict_words,
)
from safe_eval.results.latency import LATENCY_MS
from safe_eval.viewer.accuracy_charts import accuracy_charts, bounds_charts, frontier_charts, seed_charts
from safe_eval.viewer.chart import Chart
from safe_eval.viewer.confidence_charts import reliability_charts, risk_charts
from safe_eval.viewer.hearing_charts import followed_charts, hurt_charts, lomo_charts, noise_charts
from safe_eval.viewer.reliability import Reliable
from safe_eval.viewer.stated import reliable_arms
from safe_eval.viewer.told import Seen, Told, ToldRun, tell
from safe_eval.viewer.training import charts_of as training_charts_of
from safe_eval.viewer.training import folders_of

PACKAGES = ("jinja2", "altair", "vl_convert")
TEMPLATES = ("safe_eval.viewer", REPORT)


@dataclass(frozen=True)
class Section:
    """A part of the overview: its charts, or in one line each what is not measured and why."""

    title: str
    lead: str
    charts: tuple[Chart, ...]
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Overview:
    """What the overview shows of some runs; each chart is drawn once, when it is first asked for."""

    told: Told
    bounds: tuple[Chart, ...]
    sections: tuple[Section, ...]

    @property
    def charts(self) -> dict[str, Chart]:
        """All charts by name."""
        found = [*self.bounds, *(chart for part in self.sections for chart in part.charts)]
        return {chart.name: chart for chart in found}

    def html(self) -> str:
        """The fragment of HTML, in which all text from outside is escaped.

        Raises:
            InputError: a package of the `report` extra is missing.
        """
        require_extra("the viewer", "view", *PACKAGES)
        return _html(self)


def overview(seen: Seen) -> Overview:
    """The overview of the runs that are shown.

    Raises:
        InputError: see `reliable_arms`.
    """
    told = tell(seen)
    return Overview(told, tuple(bounds_charts(told)), sections(told, reliable_arms(told)))


def overview_html(seen: Seen) -> str:
    """The overview of the runs that are shown, as a fragment of HTML.

    Raises:
        InputError: see `overview` and `Overview.html`.
    """
    return overview(seen).html()


def charts(seen: Seen) -> dict[str, Chart]:
    """All charts of the overview and of the training by name; each is drawn when it is first asked for.

    Raises:
        InputError: see `overview`.
    """
    return overview(seen).charts | training_charts_of(folders_of(seen))


def _html(shown: Overview) -> str:
    told = shown.told
    verdicts = [run.verdict for run in told.runs if run.verdict is not None]
    open_ones = len(told.runs) - len(verdicts)
    return template("overview.html.j2", TEMPLATES).render(
        table_ids="overview-",
        ours=ours,
        runs=[_run(run) for run in told.runs],
        headline=_headline(verdicts, open_ones),
        criteria=[_criteria(run) for run in told.runs if run.verdict is not None and told.is_one],
        compared=_compared(told),
        coverage=coverage_words(told.scores, told.models, () if open_ones else verdicts),
        bounds=shown.bounds,
        sections=shown.sections,
        limits=[*told.scores.notes, *LIMITS],
    )


def sections(told: Told, arms: Sequence[Reliable]) -> tuple[Section, ...]:
    """The parts of the overview, in their order."""
    return (
        _section(
            "Accuracy",
            "How often the answers are right, by what was sent.",
            (
                accuracy_charts,
                "accuracy: no metric of these scores says of single answers how right they are",
            ),
            told=told,
        ),
        _section(
            "Hearing and seeing",
            "What goes without the sound or the picture, and what the sound adds or costs.",
            (lomo_charts, _no_lomo(told)),
            (
                hurt_charts,
                "gains and losses by the sound: they need answers without it, such as under mute_audio",
            ),
            (followed_charts, ""),
            told=told,
        ),
        _section(
            "Noise",
            "What is left of hearing as the sound gets worse.",
            (
                noise_charts,
                "the noise curve: it needs answers at two levels, such as snr_10db and snr_0db",
            ),
            told=told,
        ),
        _section(
            "Confidence",
            "Whether the answers are right as often as they are sure, and how wrong the surest are.",
            (lambda told: reliability_charts(told, arms), _no_confidence("the reliability diagram")),
            (risk_charts, _no_confidence("risk–coverage")),
            told=told,
        ),
        _section(
            "Accuracy against cost",
            "Each point is a model under full input. It is on the Pareto frontier if no other point scores "
            "as much for as little. All intervals of a slice hold at once.",
            (frontier_charts, ""),
            told=told,
            absent=_no_costs(told),
        ),
        _section(
            "Seeds",
            "How far the trained seeds lie apart, and which items every seed gets wrong.",
            (
                seed_charts,
                "the spread over seeds: it needs two seeds that answered the same questions",
            ),
            told=told,
        ),
    )


def _section(
    title: str,
    lead: str,
    *makers: tuple[Callable[[Told], Iterator[Chart]], str],
    told: Told,
    absent: Sequence[str] = (),
) -> Section:
    """A section with what its makers draw; the words of those that draw nothing say what is not measured."""
    drawn, lines = list[Chart](), list(absent)
    for make, why_not in makers:
        own = list(make(told))
        drawn += own
        if not own and why_not:
            lines.append(why_not)
    return Section(title, lead, tuple(drawn), tuple(lines))


def _no_lomo(told: Told) -> str:
    if not told.scores.lomo:
        return (
            "what each modality adds: it needs answers without one, such as under mute_audio or mute_vision"
        )
    return "what each modality adds: it needs questions about sounds and about pictures (needs_audio)"


def _no_confidence(what: str) -> str:
    return f"{what}: no answer states a confidence, or all are equal"


def _no_costs(told: Told) -> tuple[str, ...]:
    """The costs that no frontier has, with what the scores say of it."""
    costs = {row.cost for row in told.scores.frontiers}
    if not told.is_one:
        return ("accuracy against cost: its intervals hold within one run; open one run alone",)
    absent = []
    if LATENCY_MS not in costs:
        said = [note for note in told.scores.notes if LATENCY_MS in note][:1]
        why = said[0] if said else "no two models state latency_ms"
        absent.append(f"accuracy against latency: {why}")
    if "consulted" not in costs:
        absent.append("accuracy against skips: no two models state whether they used the sound (consulted)")
    return tuple(absent)


def _headline(verdicts: Sequence[Verdict], not_judged: int) -> dict[str, str]:
    """The word of all verdicts, and of the runs that have none, which are never green."""
    if not not_judged:
        return headline(verdicts)
    if not verdicts:
        return {"word": "NOT JUDGED", "tone": "unknown"}
    found = headline(verdicts)
    worst = "unknown" if found["tone"] == "good" else found["tone"]
    return {"word": f"{found['word']}, {not_judged} NOT JUDGED", "tone": worst}


def _run(run: ToldRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "verdict": None if run.verdict is None else verdict_words(run.verdict),
        "why_not": run.why_not,
    }


def _criteria(run: ToldRun) -> list[dict[str, Any]]:
    return [] if run.verdict is None else [criterion_words(judged) for judged in run.verdict.criteria]


def _compared(told: Told) -> list[Any]:
    """The criteria of several runs side by side."""
    judged = {run.name: run.verdict for run in told.runs if run.verdict is not None}
    if told.is_one or not judged:
        return []
    table = criteria_table(judged)
    return in_parts(table) if table.rows else []
