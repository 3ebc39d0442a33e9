"""Plan text: the steps of a plan, how they stand, and the checklist in 80 columns and in Markdown."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

from safe_data.core.markdown import plain, table
from safe_eval.judging.judged import GO
from safe_train.experiments.experiment import Finding
from safe_train.plan.checklist import Checklist, Shown
from safe_train.plan.claim import holder_of
from safe_train.plan.record import Failure, Record, old_folders, other_versions, what_changed
from safe_train.plan.run import PlanRun
from safe_train.plan.steps import Step

WIDTH = 80
SMALL_WORLD = (
    "A small synthetic world and a tiny model: what this page shows is that the machinery works, and nothing "
    "about real models."
)
RAISED = {True: "RAISED", False: "no", None: "not known"}


def status_lines(run: PlanRun, out: Path) -> list[str]:
    """How each step stands, and which folders are of an earlier plan."""
    lines = []
    for step in run.steps:
        outcome = run.outcomes.get(step.name)
        lines.append(f"{step.name}: {_standing(step, outcome, out)}")
    if old := old_folders(out, run.steps):
        lines += ["", "Of an earlier plan, and not used by this one:", *(f"  {name}" for name in old)]
    return lines


def checklist_lines(found: Checklist) -> list[str]:
    """The checklist, red flags first."""
    lines = ["Red flags"]
    lines += _indented([f"{RAISED[one.raised]}: {one.rule} ({one.evidence})" for one in found.flags])
    lines += ["", "Launch"]
    lines += [f"  {one.decision:12} {one.name} ({', '.join(one.experiments)})" for one in found.launch]
    lines += ["", "Experiments"]
    for one in found.experiments:
        took = f", {one.seconds:.0f} s" if one.seconds is not None else ""
        lines.append(f"  {one.decision:12} {one.number:2} {one.title}{took}")
        not_met = [row for row in one.findings if row.decision != GO]
        told = [one.why] if one.why else [_finding(row) for row in not_met]
        lines += [f"    {line}" for line in _indented(told)]
    if found.made_by:
        lines += ["", "Made by other versions than are installed, and used again"]
        lines += _indented([f"{name}: {versions}" for name, versions in found.made_by.items()])
    if found.world:
        lines += ["", *wrap(SMALL_WORLD, WIDTH)]
    return [*lines, "", f"launch: {found.decision}"]


def checklist_markdown(found: Checklist) -> str:
    """The checklist as Markdown; cells are escaped."""
    lines = [f"# Launch: {found.decision}", ""]
    lines += [SMALL_WORLD, ""] if found.world else []
    flags = [(flag.rule, RAISED[flag.raised], flag.evidence) for flag in found.flags]
    needed = [(one.name, one.decision, ", ".join(one.experiments)) for one in found.launch]
    lines += ["## Red flags", "", *table(("flag", "raised", "evidence"), flags)]
    lines += ["", "## Launch", "", *table(("needs", "decision", "shown by"), needed)]
    for one in found.experiments:
        lines += ["", f"## {one.number}. {one.title}: {one.decision}", "", *_experiment(one)]
    if found.made_by:
        made_by = [(name, versions) for name, versions in found.made_by.items()]
        lines += ["", "## Made by other versions than are installed, and used again", ""]
        lines += table(("step", "versions"), made_by)
    return "\n".join(lines) + "\n"


def _experiment(one: Shown) -> list[str]:
    if one.why:
        return [plain(one.why)]
    rows = [
        (row.name, row.bound, row.decision, row.evidence, f"{row.judged_by}: {row.file}")
        for row in one.findings
    ]
    columns = ("criterion", "bound", "decision", "evidence", "judged by")
    return [*table(columns, rows), "", f"{one.folder}, {one.started}, {one.seconds:.0f} s"]


def _finding(row: Finding) -> str:
    warning = " (a warning)" if row.severity == "warning" else ""
    return f"{row.decision}{warning}: {row.name} {row.bound}: {row.evidence}"


def _standing(step: Step, outcome: Record | Failure | None, out: Path) -> str:
    if holder := holder_of(out / step.folder):
        return f"is run by {holder}"
    if isinstance(outcome, Record):
        other = other_versions(outcome)
        made_by = f"; made by {other}" if other else ""
        return f"finished {outcome.started}, {outcome.seconds:.0f} s{made_by}"
    if isinstance(outcome, Failure):
        return f"failed {outcome.started}: {outcome.reason}"
    if (out / step.folder).is_dir():
        return "stopped; the same command goes on"
    changed = what_changed(out, step)
    return f"not run: {'; '.join(changed[:3])}" if changed else "not run"


def _indented(texts: Sequence[str]) -> list[str]:
    return [f"  {line}" for text in texts for line in wrap(text, WIDTH - 6, subsequent_indent="  ") or [""]]
