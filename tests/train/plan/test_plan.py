"""A plan: what runs, what is used again, and what a failure leaves; with experiments that take no time."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_experiments import OWN, Use, made, plan_on

from safe_data.core.errors import InputError
from safe_data.core.options_file import plain
from safe_eval.judging.criteria_file import criteria_path, fill_criteria
from safe_train.experiments import data, listening, retention
from safe_train.experiments.all_experiments import EXPERIMENTS
from safe_train.experiments.experiment import Finding
from safe_train.plan.checklist import Checklist, checklist_of
from safe_train.plan.forecast import forecast
from safe_train.plan.forecast_text import forecast_lines
from safe_train.plan.page import page_html
from safe_train.plan.plan_file import PLANS, read_plan, write_plan
from safe_train.plan.plan_text import checklist_lines, checklist_markdown, status_lines
from safe_train.plan.record import Failure, Record
from safe_train.plan.red_flags import RULES, red_flags
from safe_train.plan.run import run_plan
from safe_train.plan.steps import key_of, longest_first, steps_of
from safe_train.retention.drift import DriftedError
from safe_train.settings.plan import PlanConfig
from safe_train.stages.loss_guard import UnstableError

OURS = [file.stem for file in sorted(PLANS.glob("*.yaml"))]


def told(found: Checklist) -> dict[str, str]:
    return {one.name: f"{one.decision} {one.why}".strip() for one in found.experiments}


def test_what_is_unchanged_is_used_again(
    tmp_path: Path, shards: Path, untaught: Path, use: Use, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    use(made("one", ("stage-a-0",), ran), made("other", ("one",), ran))
    plan, out = plan_on(shards, untaught, conditions=("full",)), tmp_path / "plan"
    first = run_plan(plan, out, quiet=True)
    assert ran == ["one", "other"]
    assert told(checklist_of(first)) == {"one": "go", "other": "go"}
    assert run_plan(plan, out, quiet=True).outcomes == first.outcomes
    assert ran == ["one", "other"]

    capsys.readouterr()
    heavier = plan_on(shards, untaught, conditions=("full",), experiments={"other": {"weight": 2}})
    run_plan(heavier, out, quiet=True)
    assert ran == ["one", "other", "other"]
    assert "other: begins: options.weight: 1 there, 2 here" in capsys.readouterr().out

    run = run_plan(plan, out, quiet=True)  # the earlier result is still there
    assert ran == ["one", "other", "other"]
    assert "Of an earlier plan" in "\n".join(status_lines(run, out))

    next(out.glob("one-*/evidence.txt")).write_text("touched")
    run_plan(plan, out, quiet=True)
    assert ran == ["one", "other", "other", "one"]


def test_another_version_of_an_experiment_runs_again(
    tmp_path: Path, plan: PlanConfig, use: Use, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    for version in (1, 2, 2):
        use(made("one", ("seed-0",), ran, version=version), made("other", ("one",), ran))
        run_plan(plan, tmp_path / "plan", only=("other",), quiet=True)
    assert ran == ["one", "other"] * 2
    assert "one: begins: version: 1 there, 2 here" in capsys.readouterr().out


def test_what_other_packages_made_is_used_again_and_said(
    tmp_path: Path, plan: PlanConfig, use: Use, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    use(made("one", ("seed-0",), ran))
    run_plan(plan, tmp_path / "plan", only=("one",), quiet=True)
    (file,) = (tmp_path / "plan").glob("one-*/step.json")
    record = msgspec.json.decode(file.read_bytes())
    installed = record["versions"]["torch"]
    record["versions"]["torch"] = "1.13"
    file.write_bytes(msgspec.json.encode(record))
    run = run_plan(plan, tmp_path / "plan", only=("one",), quiet=True)
    assert ran == ["one"]
    said = f"torch 1.13, not {installed}"
    assert f"one: unchanged: go (made by {said})" in capsys.readouterr().out
    assert f"; made by {said}" in "\n".join(status_lines(run, tmp_path / "plan"))
    found = checklist_of(run)
    assert found.made_by == {"one": said}
    assert f"one by {said}." in page_html(found)
    assert said in checklist_markdown(found)
    assert f"one: {said}" in "\n".join(checklist_lines(found))


def test_a_failure_leaves_what_needs_it_unmeasured_and_others_run(
    tmp_path: Path, plan: PlanConfig, use: Use, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    broken: list[BaseException | None] = [InputError("no such file: mend it")]
    use(
        made("one", ("seed-0",), ran, broken),
        made("other", ("one",), ran),
        made("third", ("seed-0",), ran),
    )
    run = run_plan(plan, tmp_path / "plan", only=("other", "third"), quiet=True)
    assert ran == ["one", "third"]
    (folder,) = (tmp_path / "plan").glob("one-*")
    failed, how_to_go_on = capsys.readouterr().err.splitlines()
    assert failed == "2/4 one: failed: no such file: mend it"
    go_on = f"safe-train plan resume {tmp_path / 'plan'} --only one"
    assert how_to_go_on == f"  in {folder}; once it is mended, this goes on: {go_on}"
    assert isinstance(run.outcomes["one"], Failure)
    found = checklist_of(run)
    assert told(found) == {
        "one": "not measured failed: no such file: mend it",
        "other": "not measured needs one, which did not finish (one: no such file: mend it)",
        "third": "go",
    }
    assert found.decision == "not measured"

    broken[0] = ZeroDivisionError("ours")
    run = run_plan(plan, tmp_path / "plan", only=("one",), quiet=True)
    assert told(checklist_of(run))["one"] == "not measured a defect: ZeroDivisionError: ours"

    broken[0] = None
    run = run_plan(plan, tmp_path / "plan", only=("other",), quiet=True)
    assert isinstance(run.outcomes["other"], Record)


def test_a_run_that_was_stopped_goes_on(tmp_path: Path, plan: PlanConfig, use: Use) -> None:
    ran: list[str] = []
    broken: list[BaseException | None] = [KeyboardInterrupt()]
    use(made("one", ("seed-0",), ran), made("other", ("one",), ran, broken))
    with pytest.raises(KeyboardInterrupt):
        run_plan(plan, tmp_path / "plan", only=("other",), quiet=True)
    broken[0] = None
    run = run_plan(plan, tmp_path / "plan", only=("other",), quiet=True)
    assert ran == ["one", "other", "other"]
    assert isinstance(run.outcomes["other"], Record)


def test_the_page_escapes_and_says_what_was_left_out(
    tmp_path: Path, shards: Path, untaught: Path, use: Use
) -> None:
    use(made("one", ("seed-0",), []), made("other", ("one",), []), made("third", ("other",), []))
    plan = plan_on(shards, untaught, leave_out=("other",))
    found = checklist_of(run_plan(plan, tmp_path / "plan", only=("one",), quiet=True))
    html = page_html(found)
    assert "weighs &lt;b&gt;" in html
    assert "<b>" not in html
    assert "The plan leaves it out." in html
    assert "The plan leaves what it needs out." in html
    assert "a \\| b" in checklist_markdown(found)
    assert all(len(line) <= 80 for line in checklist_lines(found))


@pytest.mark.parametrize("name", OURS)
def test_a_plan_that_comes_with_safe_is_read_shown_and_written(name: str, tmp_path: Path) -> None:
    plan = read_plan(name)
    write_plan(plan, tmp_path)
    assert read_plan(tmp_path / "plan.yaml") == plan
    shown = steps_of(plan, is_dry=True)
    assert {one.name for one in shown if one.experiment} == set(EXPERIMENTS)
    assert all(len(line) <= 80 for line in forecast_lines(forecast(plan, shown)))


def test_a_plan_on_your_own_data_is_written_and_read_with_its_paths(plan: PlanConfig, tmp_path: Path) -> None:
    write_plan(plan, tmp_path)
    assert read_plan(tmp_path / "plan.yaml") == plan_on(*plan.shards, plan.backbone, options=plain(OWN))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("world: hard\nclipz: 3\n", "clipz: is no option"),
        ("world: hard\nexperiments: {pilto: {}}\n", "did you mean 'pilot'"),
        ("world: hard\nexperiments: {pilot: {timed: 3}}\n", "pilot.timed: is no option"),
        ("clips: 3\n", "name a synthetic world"),
        ("- 1\n", "is no plan"),
    ],
)
def test_a_faulty_plan_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "plan.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_plan(tmp_path / "plan.yaml")


@pytest.mark.parametrize(
    ("value", "decision", "raised"),
    [(0.02, "no-go", True), (0.05, "go", False), (None, "not measured", None)],
)
def test_a_flag_is_raised_by_numbers_and_never_by_silence(
    value: float | None, decision: str, raised: bool | None
) -> None:
    about = {"bound": ">= 0.03", "evidence": "", "judged_by": "", "file": ""}
    finding = Finding(name="hearing_gains", decision=decision, value=value, **about)
    flags = {one.name: one.raised for one in red_flags({"pilot": [finding]})}
    assert flags["audio gain"] is raised
    assert flags["files fail"] is None


VALUES = st.one_of(st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=3))
INPUTS = st.dictionaries(st.text(min_size=1, max_size=5), VALUES, min_size=1, max_size=4)
NEEDS = st.dictionaries(st.text(max_size=4), st.text(max_size=5), max_size=3)


@given(inputs=INPUTS, needs=NEEDS)
def test_a_key_changes_with_every_input_and_with_no_order(
    inputs: dict[str, object], needs: dict[str, str]
) -> None:
    key = key_of("step", inputs, needs)
    assert key == key_of("step", dict(reversed(inputs.items())), dict(reversed(needs.items())))
    for name in inputs:
        assert key != key_of("step", {**inputs, name: "something else"}, needs)
    assert key != key_of("step", inputs, {**needs, "more!": "x"})
    assert key != key_of("another", inputs, needs)


@pytest.mark.parametrize(
    ("error", "flag"),
    [
        (UnstableError("step 3: the loss is nan"), "losses diverge"),
        (DriftedError("lost 2 points"), "seeing lost"),
    ],
)
def test_a_training_that_stopped_itself_is_no_go(
    error: Exception, flag: str, tmp_path: Path, plan: PlanConfig, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stops(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("safe_train.stages.stage_a.stage_a", stops)
    use(made("one", ("stage-a-0",), []))
    found = checklist_of(run_plan(plan, tmp_path / "plan", quiet=True))
    assert {one.name for one in found.flags if one.raised} == {flag}
    assert found.decision == "no-go"
    assert not found.has_defect
    assert told(found) == {"one": f"not measured needs stage-a-0, which did not finish (stage-a-0: {error})"}


@pytest.mark.parametrize("name", OURS)
def test_workers_take_first_what_most_waits_for(name: str) -> None:
    steps = longest_first(steps_of(read_plan(name), is_dry=True))
    names = [one.name for one in steps]
    assert all(names.index(need) < at for at, one in enumerate(steps) for need in one.needs)
    assert names.index("gates") < names.index("pilot") < names.index("data")  # experiments wait for gates


def test_a_seed_more_leaves_what_trains_with_the_first_alone(shards: Path, untaught: Path, use: Use) -> None:
    use(made("one", ("seed-0",), []), made("all", ("stage-a-0", "stage-a-1"), []))
    both = {one.name: one.key for one in steps_of(plan_on(shards, untaught, seeds=(0, 1)))}
    use(made("one", ("seed-0",), []), made("all", ("stage-a-0", "stage-a-1", "stage-a-2"), []))
    more = {one.name: one.key for one in steps_of(plan_on(shards, untaught, seeds=(0, 1, 2)))}
    assert {name for name, key in both.items() if more[name] != key} == {"all"}


def names_of(criteria: str) -> list[str]:
    """The criteria of a file of safe_eval."""
    return [one.name for one in fill_criteria(criteria_path(criteria), ()).criteria]


def test_every_flag_looks_at_findings_that_experiments_make() -> None:
    made_by = {
        "pilot": [*names_of("pilot"), "no_divergence_seed_0"],
        "listening": [
            f"{file}: {name}" for file in (listening.LOMO, listening.IRRELEVANCE) for name in names_of(file)
        ],
        "variance": names_of("variance"),
        "overfit": ["no_divergence"],
        "retention": [f"{retention.SEEING_IS_KEPT}{name}" for name in retention.DISTILLED],
        "sweep": ["no_divergence_demo"],
        "data": [*data.NAMED, "suite_load"],
    }
    for rule in RULES:
        for experiment, beginning in rule.told_by:
            assert any(name.startswith(beginning) for name in made_by[experiment]), (rule.name, beginning)
