"""Real text: what a real run prints: the licences of its packages, and a table of accuracies."""

from collections.abc import Iterable

from safe_eval.baselines.answerers import CHANCE, MAJORITY
from safe_eval.baselines.sound_features import NORMALISED, PROBE, SHORTCUT
from safe_eval.prediction import BASE
from safe_eval.results.metrics import Metric
from safe_eval.scoring.scores import Scores
from safe_train.demo_text import TWIN, columns
from safe_train.real.packages import Package
from safe_train.settings.predict import SAFE

METRIC = "vqa_accuracy"
# What no model of language has a part in, what the base says, and what SAFE says of which input.
_ARMS = {
    "chance": (CHANCE, "full"),
    "majority": (MAJORITY, "full"),
    "shortcut": (SHORTCUT, "full"),
    "at one level": (NORMALISED, "full"),
    "probe": (PROBE, "full"),
    "base": (BASE, "full"),
    "SAFE": (SAFE, "full"),
    "always on": (TWIN, "full"),
    "swapped": (SAFE, "swap_audio"),
    "muted": (SAFE, "mute_audio"),
    "gate off": (SAFE, "gate_off"),
}
_WITH_INTERVAL = ("probe", "SAFE", "swapped")
# By dataset and type of question, the main row first.
_ROWS = {
    "kind of sound, other corpus": ("gcompris", "kind"),
    "kind of sound": ("stamps", "kind"),
    "which voice": ("stamps", "voice"),
    "which digit": ("stamps", "digit"),
    "does the sound fit": ("stamps", "fit"),
    "what is in the picture": ("stamps", "thing"),
}


def licence_lines(packages: Iterable[Package]) -> list[str]:
    """The licence of each package: what is made of them may be passed on only under these."""
    rows = [(package.file, package.licence, package.role) for package in packages]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return [f"    {file:<{widths[0]}}  {licence:<{widths[1]}}  {role}" for file, licence, role in rows]


def table_lines(scores: Scores, baselines: Scores) -> list[str]:
    """A table of accuracies in percent: a line for each kind of question, a column for each arm.

    Of several seeds, the first is shown; the report has all, and the spread between them.
    """
    seed = min(metric.seed for metric in scores.metrics if metric.model == SAFE)
    found = {
        (metric.dataset, metric.slice, metric.model, metric.condition): metric
        for metric in (*scores.metrics, *baselines.metrics)
        if metric.metric == METRIC and metric.seed == (seed if metric.model in (SAFE, TWIN, BASE) else 0)
    }
    lines = [[f"accuracy (%) [{scores.provenance.confidence:.0%} interval]", "n", "groups", *_ARMS]]
    for title, (dataset, kind) in _ROWS.items():
        of_row = {
            name: found.get((dataset, f"type:{kind}", model, condition))
            for name, (model, condition) in _ARMS.items()
        }
        known = of_row["SAFE"] or of_row["base"]
        if known is not None:
            cells = [_percent(metric, interval=name in _WITH_INTERVAL) for name, metric in of_row.items()]
            lines.append([title, str(known.n), str(known.clusters), *cells])
    return columns(lines)


def _percent(metric: Metric | None, *, interval: bool) -> str:
    if metric is None or metric.value is None:
        return "–"
    if not interval or metric.ci_low is None or metric.ci_high is None:
        return f"{100 * metric.value:.1f}"
    return f"{100 * metric.value:.1f} [{100 * metric.ci_low:.0f}, {100 * metric.ci_high:.0f}]"
