"""The freeze: the audit's and parity's own checks as findings, on a real base."""

from pathlib import Path

import msgspec
import pytest
from tiny_plans import by_name, small_work

from safe_train.audit.audit import run_audit
from safe_train.experiments import freeze
from safe_train.experiments.experiment import Finding, Work, decision_of
from safe_train.experiments.freeze import (
    EXPERIMENT,
    FreezeSettings,
    audit_config,
    audit_findings,
    parity_findings,
)
from safe_train.experiments.training import training_of
from safe_train.parity.parity import ParityReport


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, shards: Path, untaught: Path) -> Work:
    folder = tmp_path_factory.mktemp("frozen") / "freeze"
    settings = {"samples": 12, "repeats": 8, "time_limit": 50.0, "least_trainable": 1000}
    return small_work(EXPERIMENT, folder, shards, untaught, **settings)


@pytest.fixture(scope="module")
def findings(work: Work) -> dict[str, Finding]:
    return by_name(EXPERIMENT.run(work))


@pytest.fixture
def report(work: Work, findings: dict[str, Finding]) -> ParityReport:
    assert findings
    return msgspec.json.decode((work.folder / "parity.json").read_bytes(), type=ParityReport)


def test_every_check_of_audit_and_parity_is_a_finding(work: Work, findings: dict[str, Finding]) -> None:
    decided = {name: one.decision for name, one in findings.items() if one.severity == "critical"}
    assert decided == dict.fromkeys(
        [
            "only_the_pathway_is_trained",
            "most_trainable",
            "least_trainable",
            "logits",
            "control",
            "generations",
            "checksums",
            "weights",
            "time_forward",
            "time_generation",
        ],
        "go",
    )
    assert findings["most_share"].decision == "not measured"  # no budget, and it decides nothing
    assert decision_of(list(findings.values())) == "go"
    assert (findings["logits"].value, findings["logits"].bound) == (
        0.0,
        "no logit differs by more than 1e-05",
    )
    assert findings["time_forward"].ci_low is not None
    assert findings["generations"].evidence == "24 of 24 have the base's tokens"


def test_parity_is_proved_once(
    work: Work, findings: dict[str, Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(freeze, "check_parity")
    assert by_name(EXPERIMENT.run(work)) == findings


def test_a_toy_claims_no_budget_and_a_model_of_yours_does(work: Work) -> None:
    training = training_of(work.plan, work.material, work.folder / "adapter", seed=0, quiet=True)
    budgets = {toy: audit_config(training, FreezeSettings(), toy=toy).audit for toy in (True, False)}
    assert (budgets[True].least_trainable, budgets[True].most_trainable) == (None, None)
    assert (budgets[False].least_trainable, budgets[False].most_trainable) == (10_000_000, 50_000_000)
    small = by_name(audit_findings(run_audit(audit_config(training, FreezeSettings(), toy=False))))
    assert (small["least_trainable"].decision, small["most_trainable"].decision) == ("no-go", "go")


def test_a_time_that_is_not_shown_is_not_measured(report: ParityReport) -> None:
    found = by_name(parity_findings(with_decisions(report, {"time, forward": "not shown"}), 1.01))
    assert found["time_forward"].decision == "not measured"
    assert found["time_forward"].evidence.startswith("not shown: ")
    assert found["time_forward"].bound == "<= 1.01 times the base, by the interval"


def test_what_does_not_hold_is_a_no_go(report: ParityReport) -> None:
    found = by_name(parity_findings(with_decisions(report, {"weights": "does not hold"}), 1.01))
    assert found["weights"].decision == "no-go"


def with_decisions(report: ParityReport, decisions: dict[str, str]) -> ParityReport:
    changed = tuple(
        msgspec.structs.replace(one, decision=decisions.get(one.name, one.decision))
        for one in report.findings
    )
    return msgspec.structs.replace(report, findings=changed)
