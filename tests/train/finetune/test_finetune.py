"""Fine-tuning by the command: each seed is trained, calibrated and judged; a killed run goes on."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import Killed

from safe_data.core.errors import InputError
from safe_eval.predictions import read_predictions
from safe_train.checkpoint import read_checkpoint
from safe_train.cli import main
from safe_train.corpora import Corpora
from safe_train.finetune import finetune as module
from safe_train.questions import read_questions
from safe_train.settings.backbone import BackboneConfig
from safe_train.settings.finetune import ClipsConfig, FinetuneConfig, FinetuneRunConfig, LoraConfig

SHORT = [
    "--steps",
    "3",
    "--batch-size",
    "12",
    "--rows-per-forward",
    "12",
    "--bottleneck",
    "16",
    "--tokens",
    "4",
    "--warm-up-steps",
    "0",
    "--quiet",
]
RATES = ("--base-lr", "0.003", "--projector-lr", "0.003")


def run(shards: Path, backbone: Path, out: Path, *words: str) -> int:
    where = ["finetune", str(shards), "--backbone", str(backbone), "--out", str(out)]
    return main([*where, *SHORT, *RATES, "--seed", "1", "--seed", "2", *words])


@pytest.fixture(scope="module")
def tuned(speech: Path, wordy: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    out = tmp_path_factory.mktemp("tuned") / "run"
    return run(speech, wordy, out, "--lora-targets", "attention_mlp", "--lora-rank", "4"), out


def test_each_seed_is_trained_and_judged_at_its_temperature(tuned: tuple[int, Path]) -> None:
    code, out = tuned
    verdict = json.loads((out / "verdict.json").read_text())
    assert code == {"go": 0, "no-go": 1, "not measured": 2}[verdict["decision"]]
    assert {one["name"] for one in verdict["criteria"]} >= {
        "speech_is_found",
        "other_sounds_are_no_speech",
        "confidence_is_honest",
        "seeds_agree",
    }
    fitted = {
        one["seed"]: one["temperature"]
        for one in json.loads((out / "calibration.json").read_text())["choices"]
    }
    assert fitted.keys() == {1, 2}
    answered, judged = read_predictions(out / "test.jsonl"), read_predictions(out / "predictions.jsonl")
    assert len(judged) == len(answered) == 2 * 24
    assert {row.split for row in judged} == {"test"}
    for before, after in zip(answered, judged, strict=True):
        assert after.answer == before.answer
        assert (after.metadata or {})["temperature"] == fitted[after.seed]
        assert (after.metadata or {})["duration_ms"] in (20, 40, 60, 80, 100, 200, 500, 1000)
        assert before.choice_probabilities is not None
        assert after.choice_probabilities is not None
        odds = [
            one["SPEECH"] / one["NONSPEECH"]
            for one in (before.choice_probabilities, after.choice_probabilities)
        ]
        assert odds[1] == pytest.approx(odds[0] ** (1 / fitted[after.seed]))
    assert {row.split for row in read_predictions(out / "dev.jsonl")} == {"dev"}


def test_only_classes_are_trained_and_asked(tuned: tuple[int, Path], speech: Path) -> None:
    _, out = tuned
    assert {row.task for row in read_predictions(out / "predictions.jsonl")} == {"classify"}
    everything = read_questions(Corpora([speech], "train"), quiet=True)
    classes = read_questions(Corpora([speech], "train"), tasks=("classify",), quiet=True)
    assert (len(everything), len(classes)) == (48, 24)
    assert classes.answers == {"SPEECH", "NONSPEECH"}
    with pytest.raises(
        InputError, match="no question of task caption of split 'train' has references and says"
    ):
        read_questions(Corpora([speech], "train"), tasks=("caption",), quiet=True)


def test_the_options_reach_the_run(tuned: tuple[int, Path]) -> None:
    _, out = tuned
    for seed in (1, 2):
        checkpoint = read_checkpoint(out / f"seed-{seed}/adapter").config
        assert checkpoint.seed == seed
        assert checkpoint.step == 3
        assert checkpoint.loss.kl_weight == 0
        assert checkpoint.adapted is not None
        adapted = checkpoint.adapted.settings
        assert (adapted.base, adapted.lora_targets, adapted.lora_rank) == ("lora", "attention_mlp", 4)
    assert "lora_targets: attention_mlp" in (out / "options.yaml").read_text()


def test_a_killed_run_goes_on_and_ends_the_same(
    tuned: tuple[int, Path], speech: Path, wordy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out = tuned
    real, asked = module.predict_dataset, []

    def dies(*args: Any, **options: Any) -> Any:
        asked.append(options["out"].name)
        if len(asked) == 3:
            raise Killed
        return real(*args, **options)

    words = ("--lora-targets", "attention_mlp", "--lora-rank", "4")
    monkeypatch.setattr(module, "predict_dataset", dies)
    with pytest.raises(Killed):
        run(speech, wordy, tmp_path / "run", *words)
    assert not (tmp_path / "run/predictions.jsonl").exists()
    monkeypatch.setattr(module, "predict_dataset", real)
    run(speech, wordy, tmp_path / "run", *words)
    for name in ("dev.jsonl", "test.jsonl", "predictions.jsonl", "calibration.json"):
        assert (tmp_path / "run" / name).read_bytes() == (out / name).read_bytes()


def test_other_options_do_not_replace_a_run(
    tuned: tuple[int, Path], speech: Path, wordy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(speech, wordy, tuned[1], "--lora-rank", "8") == 3
    assert "holds another run; this one differs" in capsys.readouterr().err


def test_a_dataset_without_dev_is_refused_before_training(
    shards: Path, wordy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(shards, wordy, tmp_path / "run") == 3
    said = capsys.readouterr().err
    assert "has no split 'dev', only test, train, val; make it by group with" in said
    assert "--dev .2`, and build with --splits" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"clips": {"dev_split": "test"}}, "one is named twice; name three splits"),
        ({"run": {"seeds": ()}}, r"seed=\[\]: name at least one seed, and each once"),
        ({"run": {"seeds": (1, 1)}}, r"seed=\[1, 1\]: name at least one seed, and each once"),
        ({"lora": {"lora_dropout": 1.0}}, "lora_dropout=1.0: must be at least 0 and below 1"),
        ({"clips": {"freq_mask": -1}}, "freq_mask=-1: must be 0 or more"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        FinetuneConfig(
            clips=ClipsConfig(shards=Path("s"), **change.get("clips", {})),
            backbone=BackboneConfig("b"),
            run=FinetuneRunConfig(out=Path("o"), **change.get("run", {})),
            lora=LoraConfig(**change.get("lora", {})),
        )
