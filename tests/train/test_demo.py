"""The demo from end to end, small: every step is the real one, and what it claims is in its files."""

import json
from collections import Counter
from pathlib import Path

import pytest

from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_eval.predictions import read_predictions, select
from safe_train.base.backbone import load_backbone
from safe_train.checkpoint import attach_checkpoint, read_checkpoint
from safe_train.demo import DemoConfig, run_demo
from safe_train.gates.gate_files import read_gate
from safe_train.predict.predict import predictions, wanted_encoders
from safe_train.toy.recipe import Recipe

SMALL = DemoConfig(
    clips=240,
    recipe=Recipe(
        world="hard", guessed_rows=20, pictures=600, vision_steps=60, language_steps=60, held_out_questions=50
    ),
    stage_a_steps=60,
    gate="entropy",
    gate_bound=0.3,  # so few groups show no much smaller loss
    timed_questions=40,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; its exit code is in the file `code`."""
    out = tmp_path_factory.mktemp("run") / "demo"
    code = run_demo(out, seed=0, config=SMALL)
    (out / "code").write_text(str(code))
    return out


def test_everything_is_there_and_the_exit_code_is_the_verdict(run: Path) -> None:
    verdict = json.loads((run / "verdict.json").read_text())
    assert {"go": 0, "no-go": 1, "not measured": 2}[verdict["decision"]] == int((run / "code").read_text())
    assert verdict["decision"] != "not measured"
    assert verdict["expected"]["missing"] == 0  # of what its shards ask
    names = {path.name for path in run.iterdir()}
    assert names >= {
        "world",
        "shards",
        "backbone",
        "adapter",
        "predictions.jsonl",
        "scores.json",
        "report.html",
    }
    assert "seed: 0" in (run / "options.yaml").read_text()


def test_the_base_is_what_it_was(run: Path) -> None:
    freeze = json.loads((run / "freeze.json").read_text())
    assert freeze["base_weights_sha256_before"] == freeze["base_weights_sha256_after"]
    assert freeze["trainable_base_parameters"] == 0
    gate_off = freeze["gate_off"]
    assert gate_off["identical_batches"] == gate_off["batches"] > 0
    assert gate_off["largest_difference"] == 0


def test_every_question_is_answered_under_all_conditions(run: Path) -> None:
    rows = read_predictions(run / "predictions.jsonl")
    asked = {row.example_id for row in rows}
    sampled = {row.example_id for row in select(rows, condition="snr_0db")}
    assert len(rows) == 7 * len(asked) + 3 * len(sampled)  # the base, always on, SAFE under five, and noise
    assert not [row for row in rows if row.error]
    base = {row.example_id: row.answer for row in select(rows, model="base", condition="full")}
    off = {row.example_id: row.answer for row in select(rows, model="safe", condition="gate_off")}
    assert off == base
    assert {row.audio_sha256 for row in select(rows, model="base")} == {None}
    assert {row.audio_rms_db for row in select(rows, condition="mute_audio")} == {-120.0}


def test_what_the_gate_skips_is_answered_as_by_the_base_and_else_as_always_on(run: Path) -> None:
    rows = read_predictions(run / "predictions.jsonl")
    full = {
        name: {row.example_id: row for row in select(rows, model=name, condition="full")}
        for name in ("base", "safe", "safe_always_on")
    }
    assert {row.consulted for row in full["safe_always_on"].values()} == {True}
    assert {row.consulted for row in full["safe"].values()} == {True, False}
    for name, row in full["safe"].items():
        other = full["safe_always_on" if row.consulted else "base"][name]
        assert (row.answer, row.consulted) == (other.answer, bool(other.consulted))
        assert (row.audio_tokens == 0) == (row.consulted is False)


def test_a_sample_is_asked_alone_so_that_a_skip_is_seen_in_its_time(run: Path) -> None:
    rows = select(read_predictions(run / "predictions.jsonl"), condition="full")
    for model in ("base", "safe", "safe_always_on"):
        timed = [row for row in rows if row.model == model and row.latency_ms is not None]
        assert 0 < len(timed) <= SMALL.timed_questions
        assert {(row.metadata or {})["batch"] for row in timed} == {1}
    scores = json.loads((run / "scores.json").read_text())
    measures = {row["measure"] for row in scores["gates"] if row["value"] is not None}
    assert measures >= {"skipped", "drop", "false_consultation", "latency_p50", "latency_p95"}


def test_the_report_shows_what_goes_without_the_sound_and_in_noise(run: Path) -> None:
    scores = json.loads((run / "scores.json").read_text())
    assert scores["lomo"]
    assert scores["irrelevance"]
    assert {row["level"] for row in scores["noise_curve"] if row["kind"] == "snr"} >= {10.0, 0.0, -10.0}
    page = (run / "report.html").read_text()
    sections = ("hearing", "gates", "frontiers", "curves", "hurts")
    assert all(f'<section id="{name}"' in page for name in sections)


def test_sound_already_helps(run: Path) -> None:
    metrics = json.loads((run / "scores.json").read_text())["metrics"]
    heard = [m for m in metrics if (m["metric"], m["slice"]) == ("accuracy", "audio")]
    audio = {(m["model"], m["condition"]): m["value"] for m in heard}
    assert audio["safe_always_on", "full"] > audio["base", "full"] + 0.2


def test_a_trained_answer_does_not_depend_on_its_batch(run: Path) -> None:
    checkpoint = read_checkpoint(run / "adapter")
    backbone = load_backbone(run / "backbone")
    model = attach_checkpoint(checkpoint, backbone)
    dataset = ShardDataset(run / "shards", "test")
    encoders = wanted_encoders(checkpoint)
    gate = read_gate(run / "adapter")
    alone = predictions(model, backbone, dataset, encoders, ["full"], gate=gate, batch_size=1)
    said = {(row.model, row.example_id): row.answer for row in alone}
    rows = read_predictions(run / "predictions.jsonl")
    together = {
        (row.model, row.example_id): row.answer
        for row in select(rows, condition="full")
        if row.model in ("base", "safe")
    }
    assert said == together


def test_a_second_run_uses_what_is_there_and_ends_the_same(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = {name: (run / name).stat().st_mtime_ns for name in ("world", "backbone")}
    before = (run / "adapter" / "adapter.safetensors").read_bytes(), (run / "scores.json").read_bytes()
    code = run_demo(run, seed=0, config=SMALL)
    assert code == int((run / "code").read_text())
    assert made == {name: (run / name).stat().st_mtime_ns for name in made}
    assert before[0] == (run / "adapter" / "adapter.safetensors").read_bytes()
    printed = capsys.readouterr().out
    assert [line[:3] for line in printed.splitlines()[:8]] == [f"{step}/8" for step in range(1, 9)]
    header = next(line for line in printed.splitlines() if line.startswith("accuracy (%) [95% interval]"))
    assert header.split("  ")[-1] == "gate off"
    assert "logits bit-identical in" in printed
    assert f"report: {run / 'report.html'}" in printed


def test_another_seed_does_not_overwrite_the_run(run: Path) -> None:
    with pytest.raises(InputError, match="holds something else"):
        run_demo(run, seed=1, config=SMALL)


def test_shards_that_fail_their_check_are_not_trained_on(tmp_path: Path) -> None:
    write_world(tmp_path / "world", clips=SMALL.clips, seed=0, world=SMALL.world)
    metadata = tmp_path / "world" / "metadata.jsonl"
    rows = [json.loads(line) for line in metadata.read_text().splitlines()]
    groups = Counter(row["group"] for row in rows if row["split"] == "test")
    tested = next(row for row in rows if groups[row["group"]] > 1)
    tested["split"] = "train"  # the rest of its group stays in the test split
    metadata.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError, match=r"(?s)FAIL.*failed its check; nothing is trained on such data"):
        run_demo(tmp_path, seed=0, config=SMALL)
    assert not (tmp_path / "backbone").exists()
    assert not (tmp_path / "verdict.json").exists()
