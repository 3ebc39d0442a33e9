"""Retention as an experiment of a plan: seeds share one world, and one dataset has no sounds."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tiny_corpora import Row, build_corpus, only_seen
from tiny_plans import by_name, small_work

from safe_data.core.errors import InputError
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.predictions import read_predictions, write_predictions
from safe_eval.scoring.score import read_arms, score_files
from safe_train.experiments import retention, retention_mechanisms
from safe_train.experiments.experiment import Finding, Work
from safe_train.experiments.retention import RetentionSettings, seeds_of, training_for
from safe_train.experiments.retention_result import RetentionResult, kept_rows, vl_losses, vl_metrics
from safe_train.experiments.retention_text import retention_markdown
from safe_train.plan.red_flags import red_flags

TWO = ("no_retention", "kl")
FINDINGS = (
    "kl_halves_the_drift",
    "nullspace_keeps_or_improves",
    "all_keeps_or_improves",
    "seeing_is_kept_by_kl",
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, shards: Path, untaught: Path) -> Work:
    """A plan of one seed, which retention makes two, on two datasets."""
    folder = tmp_path_factory.mktemp("retention")
    options = {"answer_tokens": 2, "eval_steps": 0}
    made = small_work(retention.EXPERIMENT, folder, shards, untaught, options=options, steps=4, resamples=200)
    seen = build_corpus(tmp_path_factory.mktemp("seen"), "seen", _seen_alone)
    return replace(made, material=replace(made.material, shards=(shards, seen)))


def _seen_alone(row: Row) -> Row:
    """A picture and its questions under other ids, since answers to all datasets share one file."""
    row = only_seen(row)
    examples = [one | {"id": f"seen-{one['id']}"} for one in row["examples"]]
    return row | {"dataset": "seen", "examples": examples}


@pytest.fixture(scope="module")
def ran(work: Work) -> dict[str, Finding]:
    return by_name(retention.EXPERIMENT.run(work))


def test_all_mechanisms_and_seeds_answer_the_same_questions(work: Work, ran: dict[str, Finding]) -> None:
    assert tuple(ran) == FINDINGS
    asked = []
    for seed in (0, 1):
        rows = read_predictions(work.folder / f"seed-{seed}" / "predictions.jsonl")
        assert {row.model for row in rows} == {"base", *TWO}
        assert {row.seed for row in rows} == {seed}
        asked.append({(row.dataset, row.example_id) for row in rows})
    assert asked[0] == asked[1]
    assert "seen" in {dataset for dataset, _ in asked[0]}
    beside = {row.dataset for row in rows if row.condition == "swap_audio"}
    assert len(beside) == 1  # the other has no sounds, and so nothing that its answers could drift beside
    lines = _lines(work)
    pairs = [(line["seed"], line["mechanism"]) for line in lines]
    assert pairs == [(seed, name) for seed in (0, 1) for name in TWO]
    assert "dataset" not in lines[0]


def test_each_dataset_has_lines_and_all_their_questions_are_judged(
    work: Work, ran: dict[str, Finding], tmp_path: Path
) -> None:
    together = read_predictions(work.folder / "seed-0/predictions.jsonl")
    rows = [row for row in together if row.dataset != "seen"]
    other = [
        msgspec.structs.replace(row, dataset="other", example_id=f"other-{row.example_id}")
        for row in rows
        if row.needs_audio is False
    ]
    write_predictions(tmp_path / "both.jsonl", [*rows, *other])
    scores = score_files([tmp_path / "both.jsonl"], Sampling(resamples=200))
    lines = kept_rows(scores, 0, "kl", None)
    assert [line.dataset for line in lines] == ["other", rows[0].dataset]
    assert lines[0].audio_accuracy is None
    assert lines[1].audio_accuracy is not None
    assert lines[0].drift == lines[1].drift
    text = retention_markdown(RetentionResult(rows=tuple(lines), judged=(), confidence=0.95, resamples=200))
    assert "| other: kl " in text
    arms, _ = read_arms([tmp_path / "both.jsonl"], ScoreOptions())
    lost = vl_losses(arms, TWO, vl_metrics(scores), seed=0, world=0)
    assert len(lost.clusters) == len(lost.losses["kl"]) == 2 * lines[0].vl_questions


def test_findings_say_what_was_judged(work: Work, ran: dict[str, Finding]) -> None:
    halves, alone, together, kept = (ran[name] for name in FINDINGS)
    assert halves.severity == "critical"
    assert {one.severity for one in (alone, together, kept)} == {"warning"}
    assert halves.value is not None
    lost = [line for line in _lines(work) if line["mechanism"] == "kl"]  # with two seeds
    asked = sum(line["vl_questions"] for line in lost)
    assert f"{asked // 2} questions in" in halves.evidence
    assert halves.evidence.count("with 2 seeds") == 1  # and not a group for each seed
    assert "add nullspace" in alone.evidence
    drift = sum(line["drift"] * line["vl_questions"] for line in lost)
    assert kept.value == pytest.approx(-drift / asked)


def _lines(work: Work) -> list[dict[str, Any]]:
    return list(json.loads((work.folder / "retention.json").read_text())["rows"])


def test_a_run_that_was_stopped_goes_on(
    work: Work, ran: dict[str, Finding], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    weights = {file: file.stat().st_mtime_ns for file in work.folder.rglob("adapter.safetensors")}
    assert len(weights) == 4
    before = (work.folder / "retention.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(retention_mechanisms, "score_files", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            retention.EXPERIMENT.run(work)
    assert not (work.folder / "retention.json").exists()
    capfd.readouterr()
    assert by_name(retention.EXPERIMENT.run(work)) == ran
    assert capfd.readouterr().out == ""
    assert (work.folder / "retention.json").read_bytes() == before
    assert weights == {file: file.stat().st_mtime_ns for file in weights}


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_mechanism_wins_over_the_plan_and_leaves_the_rest(work: Work) -> None:
    options = {**work.plan.options, "kl_weight": 7.0, "drift_stop": 0.01}
    plan = replace(work.plan, presets=("demo", "all_retention"), options=options)
    trainings = {name: training_for(replace(work, plan=plan), 1, name) for name in (*TWO, "fisher")}
    losses = {name: one.loss for name, one in trainings.items()}
    kept = {name: (one.kl_weight, one.fisher_weight, one.null_space_energy) for name, one in losses.items()}
    assert kept == {"no_retention": (0, 0, None), "kl": (3, 0, None), "fisher": (0, 10, None)}
    for training in trainings.values():
        assert training.run.drift_stop is None
        assert training.pathway.bottleneck == plan.options["bottleneck"]
        assert (training.optim.steps, training.run.seed) == (4, 1)
    longer = replace(work, plan=plan, settings=RetentionSettings(steps=None))
    assert training_for(longer, 0, "kl").optim.steps == plan.options["steps"]
    short = replace(work, plan=plan, settings=RetentionSettings(options={"bottleneck": 16}))
    assert training_for(short, 0, "kl").pathway.bottleneck == 16


def test_seeds_are_those_of_the_plan_and_two_at_least(work: Work) -> None:
    assert seeds_of(replace(work.plan, seeds=(4,)), RetentionSettings()) == (4, 5)
    assert seeds_of(replace(work.plan, seeds=(4, 2, 3)), RetentionSettings()) == (4, 2, 3)
    assert seeds_of(work.plan, RetentionSettings(seeds=(7,))) == (7,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mechanisms": ("klm",)}, "mechanism='klm': is no choice; did you mean 'kl'?"),
        ({"mechanisms": ()}, "name at least one mechanism"),
        ({"seeds": (1, 1)}, r"seed=\[1, 1\]: name at least one seed, and each once"),
        ({"steps": 0}, "steps=0"),
        ({"resamples": 5}, "resamples 5 is too few"),
        ({"options": {"kl_weight": 1.0}}, "options: kl_weight: is what the mechanisms set; leave it out"),
    ],
)
def test_faulty_settings_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RetentionSettings(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("lost", "raised"), [(0.02, True), (0.001, False), (None, None)])
def test_a_point_that_distillation_loses_is_a_red_flag(lost: float | None, raised: bool | None) -> None:
    about = {"bound": "", "evidence": "", "judged_by": "", "file": "", "decision": "not measured"}
    other = Finding(name="kl_halves_the_drift", value=-0.4, **about)  # which is no loss
    kept = Finding(name=f"{retention.SEEING_IS_KEPT}kl", value=None if lost is None else -lost, **about)
    flags = {one.name: one.raised for one in red_flags({"retention": [other, kept]})}
    assert flags["seeing lost"] is raised
