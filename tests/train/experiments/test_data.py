"""The data audit: the suites decide, and sampling is judged on what training itself would draw."""

from pathlib import Path

import pytest
from tiny_plans import by_name, small_work

from safe_data.audit.rule_results import RuleResult
from safe_data.core.errors import InputError
from safe_train.experiments import data
from safe_train.experiments.data import EXPERIMENT, named_findings, sampling_results, suite_findings
from safe_train.experiments.experiment import Finding, Material, Work
from safe_train.experiments.training import training_of

SUITES = ("load", "leakage")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, shards: Path, untaught: Path) -> Work:
    return small_work(EXPERIMENT, tmp_path_factory.mktemp("audit") / "data", shards, untaught, suites=SUITES)


@pytest.fixture(scope="module")
def findings(work: Work) -> dict[str, Finding]:
    return by_name(EXPERIMENT.run(work))


def test_each_suite_is_a_finding_and_so_is_each_rule_that_the_plan_names(
    work: Work, findings: dict[str, Finding]
) -> None:
    assert {name: one.decision for name, one in findings.items()} == dict.fromkeys(
        ["suite_load", "suite_leakage", "suite_sampling", "load_rate", "sounds_in_two_splits", "ratio_error"],
        "go",
    )
    assert findings["suite_load"].evidence.startswith("3 of 3 critical rules hold")
    assert (findings["load_rate"].value, findings["load_rate"].bound) == (1.0, "≥ 0.95")
    assert all((work.folder / one.file).is_file() for one in findings.values())


def test_it_prints_nothing_and_judges_once(
    work: Work,
    findings: dict[str, Finding],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delattr(data, "judge_datasets")
    assert by_name(EXPERIMENT.run(work)) == findings
    assert capsys.readouterr() == ("", "")


def test_a_suite_that_is_none_is_refused(tmp_path: Path, shards: Path, untaught: Path) -> None:
    work = small_work(EXPERIMENT, tmp_path, shards, untaught, suites=("lod",))
    with pytest.raises(InputError, match="did you mean 'load'"):
        EXPERIMENT.run(work)


def rule(name: str, success: bool | None, *, severity: str = "critical", applies: bool = True) -> RuleResult:
    return RuleResult(
        suite="load",
        expectation="expect",
        columns=(name,),
        description="why",
        severity=severity,  # type: ignore[arg-type]
        bound="≥ 0.95",
        success=success,
        observed=None if success is None else 0.5,
        among=None if success is None else 10,
        exception=None if success is not None else "nobody knows",
        applies=applies,
    )


@pytest.mark.parametrize(
    ("rules", "decision", "evidence"),
    [
        (
            [rule("a", True), rule("b", False), rule("c", None)],
            "no-go",
            "1 of 3 critical rules hold; first: b 0.5 of 10 (≥ 0.95): why",
        ),
        (
            [rule("a", True), rule("c", None)],
            "not measured",
            "1 of 2 critical rules hold; first: c - (≥ 0.95): nobody knows",
        ),
        (
            [rule("a", True), rule("b", False, severity="warning")],
            "go",
            "1 of 1 critical rules hold; 1 warn, first: b 0.5 of 10 (≥ 0.95): why",
        ),
        (
            [rule("a", True), rule("c", None, applies=False)],
            "go",
            "1 of 1 critical rules hold; 1 do not apply",
        ),
        (
            [rule("c", None, applies=False)],
            "not measured",
            "0 of 0 critical rules hold; 1 do not apply; first: c - (≥ 0.95): nobody knows",
        ),
    ],
)
def test_what_fails_outweighs_what_nobody_knows(
    rules: list[RuleResult], decision: str, evidence: str
) -> None:
    (found,) = suite_findings(rules, "f")
    assert (found.decision, found.evidence) == (decision, evidence)


def test_a_named_rule_that_does_not_apply_decides_nothing() -> None:
    rules = [rule("a", False), rule("b", None, applies=False), rule("other", True)]
    found = {one.name: (one.decision, one.severity) for one in named_findings(rules, ("a", "b"), "f")}
    assert found == {"a": ("no-go", "critical"), "b": ("not measured", "warning")}


def test_a_stage_that_training_cannot_draw_fails_its_suite(
    work: Work, tmp_path: Path, shards: Path, untaught: Path
) -> None:
    file = tmp_path / "curriculum.yaml"
    file.write_text(
        "stages:\n"
        "  - {name: one, weights: {audio: 1}, until: {steps: 3}}\n"
        "  - {name: two, weights: {audio: 1, vl: 1}, difficulty: {audio: [hardest]}}\n"
    )
    material = Material(0, (shards,), str(untaught))
    training = training_of(work.plan, material, tmp_path, seed=0, quiet=True, curriculum=file)
    results = {one.name: one for one in sampling_results(training)}
    assert results["undrawable_stages"].label == "FAIL"
    assert "stage 'two'" in results["undrawable_stages"].reasons[1]
    assert results["ratio_error"].label == "ok"
