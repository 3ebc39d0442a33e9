"""The commands that run experiments: retention, sweep, plan."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from safe_data.core.command import DEFECT, HOLDS
from safe_data.core.errors import InputError
from safe_data.core.terminal import say, wrote
from safe_train.settings.sweep import SweepConfig

if TYPE_CHECKING:
    from safe_train.plan.steps import Step
    from safe_train.settings.plan import PlanConfig


def retention(
    *,
    out: Path,
    seed: tuple[int, ...] = (0, 1, 2),
    mechanism: tuple[str, ...] = ("no_retention", "kl", "fisher", "nullspace", "all_retention"),
    quiet: bool = False,
) -> int:
    """Compare what keeps the base's answers, on the demo's world; exit code 0 go, 1 no-go, 2 not measured.

    Args:
        out: folder of the experiment; what it already holds is used again
        seed: seed of a world, its backbone and its training, 0 or more; one seed alone cannot be judged
        mechanism: preset that says what keeps the base's answers: no_retention, kl, fisher, nullspace or
            all_retention
        quiet: show no progress

    Examples:
        safe-train retention --out runs/retention --seed 0 --seed 1
    """
    from safe_train.experiments.retention_mechanisms import TABLE
    from safe_train.experiments.retention_worlds import exit_code, run_retention

    result = run_retention(out, seeds=seed, mechanisms=mechanism, quiet=quiet)
    say(["", *(out / TABLE).read_text("utf-8").split("\n")])
    wrote([out / "retention.json", out / TABLE])
    return exit_code(result)


def sweep(config: SweepConfig) -> int:
    """Train every point of a grid on several seeds, and choose by rules; exit code 0 go, 1 no-go, 2 neither.

    A point is named only where the evidence carries it; otherwise the results say what would.

    Examples:
        safe-train sweep demo --out runs/sweep
        safe-train sweep tokens --shards runs/mine/shards --backbone runs/base --out runs/tokens
        safe-train sweep rank --dry-run --audit llava-hf/llava-1.5-13b-hf
    """
    from safe_eval.judging.verdict import EXIT_CODES
    from safe_train.sweeps.sweep import run_sweep
    from safe_train.sweeps.sweep_text import dry_run_lines, sweep_lines

    if config.dry_run:
        say(dry_run_lines(config))
        return HOLDS
    result = run_sweep(config)
    say(sweep_lines(result))
    wrote(result.files)
    return EXIT_CODES[result.decision]


def plan(
    action: Literal["show", "run", "status", "resume"],
    plan: str,
    *,
    out: Path | None = None,
    only: tuple[str, ...] = (),
    workers: int = 1,
    profile: Path | None = None,
    audit: str | None = None,
    dry_run: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> int:
    """Run the twelve experiments to a launch checklist; exit code 0 go, 1 no-go, 2 something not measured.

    What is there and unchanged is used again, so a run that was stopped or killed goes on.

    Args:
        action: show tells the steps and what they will take; run runs them; status tells how those of a
            folder stand; resume runs what is left of it
        plan: a plan that comes with SAFE (demo, pilot or paper) or a YAML file; for status and resume, the
            folder of a run
        out: folder of the run; for show, of an earlier run, whose times are shown
        only: names or numbers of experiments to run, with what they need, such as 4,gates (default: all)
        workers: steps to run at once, each in a process
        profile: profile.json of the machine that will run it, from `safe-train profile`; tells the time
        audit: model whose memory is told, by its config alone: a folder, a config.json or a hub id (default:
            the plan's backbone)
        dry_run: show what would run, and stop
        force: run the steps named by --only again though they are unchanged, or all if none is named
        quiet: show no progress of steps

    Examples:
        safe-train plan show demo
        safe-train plan show paper --profile runs/profile/profile.json
        safe-train plan run demo --out runs/plan --workers 2
        safe-train plan resume runs/plan --only 4,gates
    """
    from safe_train.plan.page import write_page
    from safe_train.plan.plan_file import PLAN_FILE, read_plan
    from safe_train.plan.plan_text import checklist_lines, status_lines
    from safe_train.plan.run import PlanRun, found_outcomes, run_plan
    from safe_train.plan.steps import chosen, steps_of

    is_folder = action in ("status", "resume")
    if action == "run" and out is None and not dry_run:
        raise InputError("run writes to a folder: name it with --out")
    if is_folder and out is not None:
        raise InputError(f"{action} reads and writes the folder of a run: leave out --out")
    asked = read_plan(Path(plan) / PLAN_FILE if is_folder else plan)
    if action == "show" or dry_run:
        steps = chosen(steps_of(asked, is_dry=True), only)
        say(_forecast_lines(asked, steps, profile, audit, out if action == "show" else None, quiet))
        return HOLDS
    if profile is not None or audit is not None:
        raise InputError("--profile and --audit tell what a plan will take: use them with show or --dry-run")
    folder = Path(plan) if is_folder else out or Path()
    if action == "status":
        steps = steps_of(asked)
        say(status_lines(PlanRun(asked, steps, found_outcomes(folder, steps)), folder))
        return HOLDS
    run = run_plan(asked, folder, only=only, workers=workers, force=force, quiet=quiet)
    found, files = write_page(run, folder)
    say(["", *checklist_lines(found)])
    wrote(files)
    from safe_eval.judging.verdict import EXIT_CODES

    return DEFECT if found.has_defect else EXIT_CODES[found.decision]


def _forecast_lines(
    asked: "PlanConfig",
    steps: "Sequence[Step]",
    profile: Path | None,
    audit: str | None,
    earlier: Path | None,
    quiet: bool,
) -> list[str]:
    """What these steps will take."""
    from safe_data.core.phases import Phases
    from safe_train.plan.forecast import forecast
    from safe_train.plan.forecast_text import forecast_lines
    from safe_train.profiling.result import read_profile

    if profile is not None and not profile.is_file():
        raise InputError(f"{profile}: is no file; give the profile.json that `safe-train profile` wrote")
    measured = None if profile is None else read_profile(profile.read_bytes(), str(profile))
    with Phases("what the plan will take", quiet=quiet):
        found = forecast(asked, steps, profile=measured, audit=audit, earlier=earlier)
    return forecast_lines(found)
