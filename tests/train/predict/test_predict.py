"""Predict: the runner's rows, all conditions of a batch at once, the same in every run."""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from tiny_models import SHORT, wake
from two_encoders import LoudEncoder

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_data.encoders.encoder import ENCODERS
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.media.sound import resample
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_eval.models.model import Answer, Input
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions, select
from safe_eval.runner.asker import Asker
from safe_eval.runner.output import run_file
from safe_eval.runner.run import run
from safe_train.base.backbone import Backbone
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.prompts import Picture, Prompts
from safe_train.checkpoint import Checkpoint
from safe_train.cli import main
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.predict.predict import predict_dataset, predictions, wanted_encoders
from safe_train.predict.sounds import WantedEncoder
from safe_train.settings.pathway import PathwayConfig
from safe_train.settings.predict import PredictConfig

CONDITIONS = ("full", "mute_audio", "swap_audio", "gate_off", "noise_audio", "mute_vision")


def ask(
    model: SafeModel,
    backbone: Backbone,
    checkpoint: Checkpoint,
    dataset: ShardDataset,
    conditions: Sequence[str] = CONDITIONS,
    batch_size: int = 20,
) -> list[Prediction]:
    encoders = wanted_encoders(checkpoint)
    asked = {"asking": SHORT, "batch_size": batch_size}
    return list(predictions(model, backbone, dataset, encoders, conditions, **asked))


@pytest.fixture
def rows(
    model: SafeModel, backbone: Backbone, checkpoint: Checkpoint, test_split: ShardDataset
) -> list[Prediction]:
    return ask(model, backbone, checkpoint, test_split)


class PlainSafe:
    """SAFE as a model of the runner: it decodes and embeds every sound, and asks the base by pixels."""

    def __init__(self, model: SafeModel, backbone: Backbone, name: str) -> None:
        self.name = name
        self._model = model
        self._dialogue = Dialogue(backbone.model, backbone.processor, Prompts(backbone.processor, SHORT))

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        questions = [
            Question(
                given.example.prompt,
                Picture(f"{given.image.tobytes()!r}", given.image.copy),
                given.example.choices,
            )
            for given in inputs
            if given.image is not None
        ]
        if self.name == "base":
            return self._dialogue.answer(questions)
        samples = [resample(given.audio, given.sample_rate_hz, 8000) for given in inputs]
        audio = torch.from_numpy(np.float32(LogMelEncoder().encode(samples)))
        with self._model.fuse(audio=audio, gate=[given.gate for given in inputs]):
            return self._dialogue.answer(questions)


def test_the_rows_are_those_of_the_runner(
    rows: list[Prediction], model: SafeModel, backbone: Backbone, test_split: ShardDataset
) -> None:
    expected = [
        *run(PlainSafe(model, backbone, "base"), test_split, ["full"], seed=0),
        *run(PlainSafe(model, backbone, "safe"), test_split, CONDITIONS, seed=0),
    ]
    ours = {(row.model, row.condition, row.example_id): row for row in rows}
    assert len(ours) == len(rows) == len(expected)
    own = (
        "confidence",
        "choice_probabilities",
        "latency_ms",
        "consulted",
        "audio_tokens",
        "gate_score",
        "metadata",
    )
    for theirs in expected:
        mine = ours[theirs.model, theirs.condition, theirs.example_id]
        assert mine.confidence == pytest.approx(theirs.confidence, rel=1e-3)
        assert mine.choice_probabilities == pytest.approx(theirs.choice_probabilities, rel=1e-3)
        neither = dict.fromkeys(own)
        assert msgspec.structs.replace(mine, **neither) == msgspec.structs.replace(theirs, **neither)
        if mine.model == "safe":
            assert {**mine.metadata, "batch": theirs.metadata["batch"]} == theirs.metadata
    assert len({row.answer for row in rows}) > 20


def test_with_its_gate_closed_safe_is_the_base_to_the_last_bit(rows: list[Prediction]) -> None:
    base, off = select(rows, model="base"), select(rows, condition="gate_off")
    full = select(rows, model="safe", condition="full")
    said = [[(r.answer, r.confidence, r.choice_probabilities) for r in arm] for arm in (base, off, full)]
    assert said[0] == said[1] != said[2]


def test_rows_say_how_far_the_gate_was_open_and_what_it_let_in(
    rows: list[Prediction], model: SafeModel
) -> None:
    tokens = model.pathway.config.tokens

    def of(model: str, condition: str) -> set[tuple[object, ...]]:
        arm = select(rows, model=model, condition=condition)
        return {(row.gate_score, row.consulted, row.audio_tokens) for row in arm}

    assert of("base", "full") == {(None, False, 0)}
    assert of("safe", "gate_off") == {(0.0, False, 0)}
    for condition in ("full", "mute_audio", "swap_audio", "noise_audio", "mute_vision"):
        assert of("safe", condition) == {(1.0, True, tokens)}
    assert {row.latency_ms for row in rows} == {None}
    assert not [row.error for row in rows if row.error]


def test_other_conditions_and_batches_change_no_answer(
    rows: list[Prediction],
    model: SafeModel,
    backbone: Backbone,
    checkpoint: Checkpoint,
    test_split: ShardDataset,
) -> None:
    alone = ask(model, backbone, checkpoint, test_split, ["swap_audio"])
    together = [row for row in rows if row.model == "base" or row.condition == "swap_audio"]
    assert alone == together  # every bit of it
    others = ask(model, backbone, checkpoint, test_split, ["swap_audio"], batch_size=1)
    said = {(row.model, row.example_id): row.answer for row in others}
    assert said == {(row.model, row.example_id): row.answer for row in alone}


def test_a_failing_batch_costs_one_example(
    model: SafeModel,
    backbone: Backbone,
    checkpoint: Checkpoint,
    test_split: ShardDataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = test_split.record(0).examples[1]
    encode = Dialogue.encode

    def fail(self: Dialogue, questions: Sequence[Question]) -> dict[str, Any]:
        first = test_split.value(0, "image_sha256")
        if any(q.prompt == broken.prompt and q.picture and q.picture.sha256 == first for q in questions):
            raise RuntimeError("CUDA out\nof memory")
        return encode(self, questions)

    monkeypatch.setattr(Dialogue, "encode", fail)
    found = ask(model, backbone, checkpoint, test_split, ["full"])
    failed = [(row.model, row.example_id, row.answer, row.error) for row in found if row.error]
    assert failed == [
        (name, broken.id, None, "RuntimeError: CUDA out of memory") for name in ("base", "safe")
    ]


def test_a_model_that_always_fails_raises(
    model: SafeModel,
    backbone: Backbone,
    checkpoint: Checkpoint,
    test_split: ShardDataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no weights")

    monkeypatch.setattr(SafeModel, "fuse", fail)
    with pytest.raises(
        InputError, match="model 'safe' failed on all 68 examples; the first: RuntimeError: no we"
    ):
        ask(model, backbone, checkpoint, test_split, ["full"])


def test_a_pathway_of_two_encoders_hears_both(
    backbone: Backbone, split: ShardDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENCODERS, "loud", LoudEncoder)
    encoders = [WantedEncoder(e.name, e.fingerprint, None) for e in (LogMelEncoder(), LoudEncoder())]
    config = PathwayConfig(tokens=4, rank=8, heads=2, bottleneck=64)
    pathway = wake(new_pathway(config, backbone.model, [(512,), (8, 64)], seed=0))
    model = SafeModel(backbone.model, pathway)
    conditions = ("full", "swap_audio", "noise_audio", "gate_off")
    rows = list(predictions(model, backbone, split, encoders, conditions, asking=SHORT))
    assert [row.error for row in rows if row.error] == []
    assert len({row.confidence for row in rows}) > 10
    silent = select(rows, record_id="clip-001", model="safe")
    assert {(row.gate_score, row.consulted, row.audio_sha256) for row in silent} == {(0.0, False, None)}
    assert {row.metadata["sent"]["sound"] for row in silent if row.metadata} == {None}
    with torch.no_grad():
        pathway.projector(1).layers[0].weight.zero_()  # as if the second encoder said nothing
    deaf = list(predictions(model, backbone, split, encoders, ("full",), asking=SHORT))
    heard = {row.example_id: row.confidence for row in select(rows, model="safe", condition="full")}
    changed = [row for row in select(deaf, model="safe") if row.confidence != heard[row.example_id]]
    assert {row.record_id for row in changed} == {"clip-000", "clip-002", "clip-003", "clip-004"}


def test_latency_is_that_of_every_question_alone(
    adapter: Path, shards: Path, untaught: Path, tmp_path: Path
) -> None:
    out = tmp_path / "timed.jsonl"
    config = PredictConfig(conditions=("full",), latency=True, quiet=True)
    predict_dataset(adapter, shards, backbone=untaught, out=out, config=config)
    rows = read_predictions(out)
    assert all(0 < row.latency_ms < 60_000 for row in rows if row.latency_ms is not None)
    assert {row.latency_ms is None for row in rows} == {False}
    assert {row.metadata["batch"] for row in rows if row.metadata} == {1}


def test_a_spec_of_an_encoder_that_the_checkpoint_does_not_hear_by(checkpoint: Checkpoint) -> None:
    with pytest.raises(InputError, match=r"--encoder clap:here: .* hears by logmel; name one of these"):
        wanted_encoders(checkpoint, ["clap:here"])
    with pytest.raises(InputError, match=r"--encoder logmel:a --encoder logmel:b: names an encoder twice"):
        wanted_encoders(checkpoint, ["logmel:a", "logmel:b"])
    assert wanted_encoders(checkpoint, ["logmel:there"])[0].source == "logmel:there"
    assert wanted_encoders(checkpoint)[0].source == "logmel"


def test_sigterm_is_heard_from_the_first_moment(
    adapter: Path, shards: Path, untaught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(_: Path) -> None:
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
        raise KeyboardInterrupt

    monkeypatch.setattr("safe_train.predict.predict.check_writable", look)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        predict_dataset(adapter, shards, backbone=untaught, out=tmp_path / "out.jsonl")
    assert signal.getsignal(signal.SIGTERM) is before


# As it is typed


@pytest.fixture
def typed(adapter: Path, shards: Path, untaught: Path, tmp_path: Path) -> list[str]:
    words = ["predict", str(adapter), str(shards), "--backbone", str(untaught), "--batch-size", "20"]
    conditions = ["--condition", "full", "--condition", "noise_audio"]
    return [*words, *conditions, "--out", str(tmp_path / "predictions.jsonl")]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "predictions.jsonl"


@contextmanager
def stopping(batches: int, number: signal.Signals) -> Iterator[None]:
    """Let the predictor answer some batches, and then send this process a signal."""
    rows, answered = Asker.rows, 0

    def stop(self: Asker, batch: int) -> list[Prediction]:
        nonlocal answered
        if answered == batches:
            os.kill(os.getpid(), number)
        answered += 1
        return rows(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Asker, "rows", stop)
        yield


def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(
    typed: list[str], out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = out.with_name("whole.jsonl")
    assert main([*typed, "--out", str(whole), "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    part = out.with_name("predictions.jsonl.part")
    for number, done in ((signal.SIGTERM, 1), (signal.SIGINT, 2)):
        with stopping(1, number):
            assert main(typed) == 2
        said = capsys.readouterr().err
        assert said == "safe-train predict: interrupted; run the same command again\n"
        assert part.read_bytes() == b"".join(lines(whole)[: 60 * done])
        part.write_bytes(part.read_bytes() + b'{"example_id": "cut o')
        assert not out.exists()
    assert main(typed) == 0
    assert out.read_bytes() == whole.read_bytes()
    assert capsys.readouterr().out == f"{out}: 204 predictions, 0 errors\n"


def lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True)


def test_a_finished_run_is_left_alone_and_another_is_refused(
    typed: list[str], out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(typed) == 0
    capsys.readouterr()
    monkeypatch.setattr("safe_train.predict.predict.load_backbone", None)
    before = out.stat().st_mtime_ns
    assert main(typed) == 0
    said = f"{out}: 204 predictions, 0 errors; it was finished before, and nothing was done\n"
    assert capsys.readouterr().out == said
    assert out.stat().st_mtime_ns == before
    assert main([*typed, "--seed", "1"]) == 3
    error = capsys.readouterr().err
    assert (
        "is of another run, which differs:\n  seed: 0 there, 1 here\nname another file, or add --force"
        in error
    )
    monkeypatch.undo()
    assert main([*typed, "--seed", "1", "--force"]) == 0
    assert {row.seed for row in read_predictions(out)} == {1}


def test_what_the_rows_depend_on_is_beside_them(typed: list[str], out: Path, checkpoint: Checkpoint) -> None:
    assert main(typed) == 0
    written = json.loads(run_file(out).read_text())
    identity = written["identity"]
    assert identity["checkpoint"] == file_sha256(checkpoint.folder / "config.json")
    assert (identity["split"], identity["seed"], identity["batch_size"]) == ("test", 0, 20)
    assert identity["conditions"] == ["full", "noise_audio"]
    assert identity["encoders"] == {"logmel": LogMelEncoder().fingerprint}
    assert identity["device"].startswith("cpu, ")
    assert identity["versions"]["torch"] == torch.__version__
    assert written["finished"]["rows"] == len(read_predictions(out)) == 204


def test_errors_are_exit_2_with_the_first(
    typed: list[str], out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = ShardDataset.audio
    broken = []

    def fail_once(self: ShardDataset, index: int, *rest: object) -> object:
        if index == 1:
            broken.append(self.value(index, "id"))
            raise ValueError("cannot decode")
        return audio(self, index, *rest)

    monkeypatch.setattr(ShardDataset, "audio", fail_once)
    assert main(typed) == 2
    shown = capsys.readouterr()
    assert shown.out == f"{out}: 204 predictions, 4 errors\n"
    assert shown.err.startswith(f"the first: '{broken[0]}-")
    assert shown.err.endswith("': ValueError: cannot decode\n")
    assert {row.condition for row in read_predictions(out) if row.error} == {"noise_audio"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--condition", "loud"], "unknown condition 'loud'"),
        (["--split", "dev"], "no split 'dev'; it has"),
        (["--seed", "-1"], "seed=-1: a seed is 0 or more"),
        (["--batch-size", "0"], "batch_size=0: must be at least 1"),
        (["--encoder", "clap:x"], "--encoder clap:x: "),
        (["--encoder", "logmel:x"], "logmel has no weights to load"),
        (["--backbone", "nowhere"], "'nowhere' is not a directory"),
        (["--out", "OUT/file/p.jsonl"], "a file is where a directory must be"),
        (["--out", "OUT"], "is a folder; name a predictions file"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    typed: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    (tmp_path / "file").touch()
    assert main([*typed, *(word.replace("OUT", str(tmp_path)) for word in options)]) == 3
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_another_dataset_is_refused_unless_meant(
    typed: list[str], out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_world(tmp_path / "world", clips=24, seed=5)
    build_dataset(tmp_path / "world", tmp_path / "other")
    elsewhere = [typed[0], typed[1], str(tmp_path / "other"), *typed[3:]]
    assert main(elsewhere) == 3
    assert "add --allow-other-dataset to answer it anyway" in capsys.readouterr().err
    assert not run_file(out).exists()
    assert main([*elsewhere, "--allow-other-dataset"]) == 0
    assert {row.split for row in read_predictions(out)} == {"test"}


def test_a_base_that_the_checkpoint_was_not_trained_for(
    typed: list[str], out: Path, untaught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in untaught.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "comment": "changed"}))
    assert main([*typed, "--backbone", str(other)]) == 3
    assert "its config.json is another file" in capsys.readouterr().err
    assert not run_file(out).exists()
