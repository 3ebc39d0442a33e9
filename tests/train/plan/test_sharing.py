"""One folder, several runs of plans at once, as jobs of a cluster: each step is run once, by one of them."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from made_experiments import Use, made, plan_on

from safe_data.core.files import PART
from safe_data.core.only_writer import only_writer
from safe_train.plan import run as plan_run
from safe_train.plan.checklist import CHECKLIST, checklist_of
from safe_train.plan.claim import RUNNING, claimed, holder_of
from safe_train.plan.page import write_page
from safe_train.plan.plan_text import status_lines
from safe_train.plan.record import RECORD, Record
from safe_train.plan.run import PlanRun, latest, run_plan
from safe_train.plan.steps import steps_of
from safe_train.settings.plan import PlanConfig


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_run, "_POLL_SECONDS", 0.05)


def folder_of(plan: PlanConfig, out: Path, name: str) -> Path:
    return next(out / one.folder for one in steps_of(plan) if one.name == name)


def test_two_runs_share_the_steps_and_both_end_with_all_of_them(
    tmp_path: Path, plan: PlanConfig, use: Use
) -> None:
    ran: list[str] = []
    use(
        made("one", ("seed-0",), ran, seconds=0.3),
        made("two", ("seed-0",), ran, seconds=0.3),
        made("both", ("one", "two"), ran, seconds=0.3),
    )
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(run_plan, plan, tmp_path, only=("both",), quiet=True) for _ in range(2)]
        runs = [job.result(timeout=60) for job in jobs]
    assert sorted(ran) == ["both", "one", "two"]
    for run in runs:
        assert all(isinstance(run.outcomes[name], Record) for name in ("one", "two", "both"))


def test_what_another_run_holds_is_awaited_and_run_if_it_was_killed(
    tmp_path: Path, plan: PlanConfig, use: Use, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    use(made("one", ("seed-0",), ran), made("other", ("seed-0",), ran))
    run_plan(plan, tmp_path, only=("seed-0",), quiet=True)
    folder, let_go = folder_of(plan, tmp_path, "one"), threading.Event()

    def hold() -> None:
        with claimed(folder):
            let_go.wait(60)

    other = threading.Thread(target=hold)
    other.start()
    while not (folder / RUNNING).is_file():
        time.sleep(0.01)
    status = "\n".join(status_lines(PlanRun(plan, steps_of(plan), {}), tmp_path))
    assert f"one: is run by process {os.getpid()} on " in status

    threading.Timer(0.5, let_go.set).start()
    run = run_plan(plan, tmp_path, only=("one", "other"), quiet=True)
    other.join()
    assert ran == ["other", "one"]  # the one that was free first
    assert isinstance(run.outcomes["one"], Record)
    assert f"one: is run by process {os.getpid()} on " in capsys.readouterr().out
    assert holder_of(folder) is None
    assert not (folder / RUNNING).exists()


def test_what_failed_elsewhere_is_not_tried_again(tmp_path: Path, plan: PlanConfig, use: Use) -> None:
    ran: list[str] = []
    use(made("one", ("seed-0",), ran, [ValueError("broken")], seconds=2))
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(run_plan, plan, tmp_path, only=("one",), quiet=True) for _ in range(2)]
        runs = [job.result(timeout=60) for job in jobs]
    assert ran == ["one"]
    assert [getattr(run.outcomes["one"], "reason", "") for run in runs] == ["ValueError: broken"] * 2


def test_the_page_shows_what_other_runs_finished_meanwhile(
    tmp_path: Path, plan: PlanConfig, use: Use
) -> None:
    use(made("one", ("seed-0",), []), made("other", ("seed-0",), []))
    first = run_plan(plan, tmp_path, only=("one",), quiet=True)
    run_plan(plan, tmp_path, only=("other",), quiet=True)
    assert "other" not in first.outcomes
    assert "other" in latest(first, tmp_path).outcomes
    found, _ = write_page(first, tmp_path)
    assert [one.decision for one in found.experiments] == ["go", "go"]


def test_a_page_is_written_by_one_at_a_time(tmp_path: Path, plan: PlanConfig, use: Use) -> None:
    use(made("one", ("seed-0",), []))
    run = run_plan(plan, tmp_path, only=("one",), quiet=True)
    with ThreadPoolExecutor(1) as pool:
        with only_writer(tmp_path / CHECKLIST):
            job = pool.submit(write_page, run, tmp_path)
            time.sleep(0.2)
            assert not (tmp_path / CHECKLIST).exists()
        job.result(timeout=10)
    assert (tmp_path / CHECKLIST).is_file()


def test_two_plans_in_one_folder_keep_their_results_apart(
    tmp_path: Path, shards: Path, untaught: Path, use: Use
) -> None:
    ran: list[str] = []
    use(made("one", ("seed-0",), ran, seconds=0.2))
    plans = [plan_on(shards, untaught, experiments={"one": {"weight": weight}}) for weight in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(run_plan, plan, tmp_path, only=("one",), quiet=True) for plan in plans]
        runs = [job.result(timeout=60) for job in jobs]
    assert ran == ["one", "one"]
    for plan, run, weight in zip(plans, runs, (1, 2), strict=True):
        assert (folder_of(plan, tmp_path, "one") / "evidence.txt").read_text() == f"one {weight}"
        assert checklist_of(run).experiments[0].decision == "go"


def test_force_runs_what_is_named_anew(tmp_path: Path, plan: PlanConfig, use: Use) -> None:
    ran: list[str] = []
    use(made("one", ("seed-0",), ran), made("other", ("one",), ran))
    run_plan(plan, tmp_path, only=("other",), quiet=True)
    left = folder_of(plan, tmp_path, "other") / "left"
    left.mkdir()
    (left / "part.txt").touch()
    run = run_plan(plan, tmp_path, only=("other",), force=True, quiet=True)
    assert ran == ["one", "other", "other"]
    assert not left.exists()
    assert isinstance(run.outcomes["other"], Record)


def test_what_a_kill_left_half_written_is_removed(tmp_path: Path, plan: PlanConfig, use: Use) -> None:
    use(made("one", ("seed-0",), []))
    folder = folder_of(plan, tmp_path, "one")
    folder.mkdir(parents=True)
    half, own = folder / f".answers.jsonl.0123abcd{PART}", folder / ".hidden"
    half.write_text("{")
    own.touch()
    run_plan(plan, tmp_path, only=("one",), quiet=True)
    assert not half.exists()
    assert own.exists()
    assert (folder / RECORD).is_file()
