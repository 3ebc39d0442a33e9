"""Run a model under every condition: its answers and its failures become predictions."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_listener import Listener, ToneDataset

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.media.sound import Sound
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_eval.models.model import Answer, Input
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions, select, write_predictions
from safe_eval.runner.media import pixel_hash
from safe_eval.runner.run import run

DATASET = ToneDataset(30)
CONDITIONS = ["full", "mute_audio", "swap_audio", "noise_audio", "snr_20db", "mute_vision", "gate_off"]


def rows(conditions: Sequence[str] = CONDITIONS, **options: object) -> list[Prediction]:
    return list(run(Listener(), DATASET, conditions, **{"seed": 0, "batch_size": 8} | options))


@pytest.fixture(scope="module")
def all_rows() -> list[Prediction]:
    return rows()


def share_right(predictions: list[Prediction], condition: str, kind: str) -> float:
    chosen = select(predictions, condition=condition, question_type=kind)
    assert len(chosen) == (30 if kind == "colour" else 24)
    return float(np.mean([p.answer == p.references[0] for p in chosen]))


def test_every_example_is_asked_under_every_condition(all_rows: list[Prediction], tmp_path: Path) -> None:
    assert len(all_rows) == len(CONDITIONS) * (30 + 24)
    assert [p.condition for p in all_rows] == [c for c in CONDITIONS for _ in range(54)]
    write_predictions(tmp_path / "p.jsonl", all_rows)
    assert read_predictions(tmp_path / "p.jsonl") == all_rows


def test_a_listener_shows_what_each_condition_takes_away(all_rows: list[Prediction]) -> None:
    tones = {condition: share_right(all_rows, condition, "tone") for condition in CONDITIONS}
    colours = {condition: share_right(all_rows, condition, "colour") for condition in CONDITIONS}
    assert tones["full"] == tones["snr_20db"] == tones["mute_vision"] == 1.0
    assert tones["mute_audio"] == tones["gate_off"] == tones["swap_audio"] == 0.0
    assert tones["noise_audio"] < 0.7
    assert colours.pop("mute_vision") < 0.7
    assert set(colours.values()) == {1.0}


def test_rows_carry_all_that_a_score_needs(all_rows: list[Prediction]) -> None:
    first = select(all_rows, example_id="r0-tone", condition="full")[0]
    assert (first.record_id, first.group, first.dataset, first.split) == ("r0", "g0", "tones", "test")
    assert (first.task, first.needs_audio, first.prompt) == ("vqa", True, "which tone ?")
    assert (first.confidence, first.audio_tokens, first.seed, first.model) == (0.9, 1, 0, "listener")
    assert first.choice_probabilities == {first.answer: 0.9}
    assert 0 < first.latency_ms < 1000


def test_what_was_sent_is_on_record(all_rows: list[Prediction]) -> None:
    sent = {c: select(all_rows, example_id="r0-tone", condition=c)[0] for c in CONDITIONS}
    samples = DATASET.audio(0).samples
    header = b"8000 Hz 1 channels float32\n"
    assert sent["full"].audio_sha256 == hashlib.sha256(header + samples.tobytes()).hexdigest()
    assert sent["full"].audio_sha256 == sent["gate_off"].audio_sha256 == sent["mute_vision"].audio_sha256
    assert len({sent[c].audio_sha256 for c in CONDITIONS}) == 5
    level_db = 20 * np.log10(np.sqrt(np.mean(samples.astype(float) ** 2)))
    assert sent["full"].audio_rms_db == pytest.approx(level_db, abs=0.001)
    assert sent["noise_audio"].audio_rms_db == pytest.approx(level_db, abs=0.01)
    assert sent["mute_audio"].audio_rms_db == -120.0
    assert [sent[c].metadata["sent"]["sound"] for c in ("full", "mute_audio", "snr_20db")] == [
        "own",
        "silence",
        "own:snr_20db",
    ]
    assert sent["gate_off"].metadata["sent"] == {
        "sound": "own",
        "picture": "own",
        "gate": 0.0,
        "sound_seconds": 0.1,
        "picture_sha256": pixel_hash(DATASET.image(0)),
        "prompt_sha256": hashlib.sha256(b"which tone ?").hexdigest(),
    }
    source = sent["swap_audio"].metadata["sound_of"]
    assert sent["swap_audio"].metadata["sent"]["sound"] == f"of:{source}"
    assert source != "r0"
    assert (
        select(all_rows, record_id=source, condition="full")[0].audio_sha256
        == sent["swap_audio"].audio_sha256
    )
    without = select(all_rows, example_id="r4-colour", condition="mute_audio")[0]
    assert (without.audio_sha256, without.audio_rms_db) == (None, None)


def strip(predictions: list[Prediction]) -> list[tuple[object, ...]]:
    return [(p.example_id, p.condition, p.answer, p.audio_sha256) for p in predictions]


def test_batches_seeds_and_models(all_rows: list[Prediction]) -> None:
    assert strip(rows(batch_size=1000)) == strip(rows(batch_size=1)) == strip(all_rows)
    assert strip(rows(["swap_audio"], seed=1)) != strip(rows(["swap_audio"]))
    other = list(run(Listener("other"), DATASET, ["swap_audio", "noise_audio"], seed=0))
    alone = [p for p in all_rows if p.condition in ("swap_audio", "noise_audio")]
    assert [p[3] for p in strip(other)] == [p[3] for p in strip(alone)]


def test_the_base_model_is_given_no_sound() -> None:
    base = list(run(Listener("base"), DATASET, ["full", "mute_vision"], seed=0))
    assert {p.audio_sha256 for p in base} == {None}
    assert {p.answer for p in select(base, question_type="tone")} == {"silence"}


class Failing(Listener):
    """Fails on one example, and with it the whole batch that holds it."""

    def answer(self, inputs: Sequence[Input]) -> Sequence[Answer]:
        if any(given.example.id == "r3-tone" for given in inputs):
            raise RuntimeError("CUDA out\nof memory")
        return super().answer(inputs)


def test_a_failing_batch_costs_one_example() -> None:
    answered = list(run(Failing(), DATASET, ["full"], seed=0, batch_size=16))
    failed = [p for p in answered if p.error is not None]
    assert [(p.example_id, p.answer, p.error) for p in failed] == [
        ("r3-tone", None, "RuntimeError: CUDA out of memory")
    ]
    assert len(answered) == 54
    assert all(p.answer == p.references[0] for p in answered if p.error is None)


class TooFew(Listener):
    def answer(self, inputs: Sequence[Input]) -> Sequence[Answer]:
        return list(super().answer(inputs))[: 1 if len(inputs) == 1 else len(inputs) - 1]


def test_too_few_answers_are_never_shifted_onto_other_examples() -> None:
    answered = list(run(TooFew(), DATASET, ["full"], seed=0, batch_size=4))
    assert all(p.answer == p.references[0] for p in answered)


class Unsound(Listener):
    """Gives a logit for a confidence, or no text."""

    def _answer(self, given: Input) -> Answer:
        return Answer("x", confidence=7.0) if given.example.question_type == "tone" else Answer(text=None)


def test_an_answer_that_no_file_may_hold_is_an_error() -> None:
    class Half(Unsound):
        def _answer(self, given: Input) -> Answer:
            return Answer("ok") if given.example.id == "r0-colour" else super()._answer(given)

    answered = list(run(Half(), DATASET, ["full"], seed=0))
    errors = {p.example_id: p.error for p in answered}
    assert errors["r0-colour"] is None
    assert "confidence 7.0 is outside [0, 1]" in errors["r0-tone"]
    assert "text is a NoneType, not a str" in errors["r1-colour"]


def test_broken_media_are_an_error_of_their_record() -> None:
    class Broken(ToneDataset):
        def audio(self, index: int) -> Sound | None:
            if index == 2:
                raise ValueError("cannot decode")
            return super().audio(index)

    model = Listener()
    answered = list(run(model, Broken(30), ["full"], seed=0))
    assert {p.record_id for p in answered if p.error} == {"r2"}
    assert {p.error for p in answered if p.error} == {"ValueError: cannot decode"}
    assert sum(model.batches) == 52


def test_a_model_that_always_fails_raises_at_the_end() -> None:
    class Dead(Listener):
        def answer(self, inputs: Sequence[Input]) -> Sequence[Answer]:
            raise RuntimeError("no weights")

    answered = []
    with pytest.raises(
        InputError, match="model 'listener' failed on all 54 examples; the first: RuntimeError: no w"
    ):
        answered.extend(run(Dead(), DATASET, ["full"], seed=0))


def test_an_interrupt_is_not_an_answer() -> None:
    class Interrupted(Listener):
        def answer(self, inputs: Sequence[Input]) -> Sequence[Answer]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run(Interrupted(), DATASET, ["full"], seed=0))


@pytest.mark.parametrize(
    ("dataset", "conditions", "name", "words"),
    [
        (ToneDataset(0), ["full"], "m", "0 records ask nothing"),
        (DATASET, [], "m", "give at least one"),
        (DATASET, ["full", "full"], "m", "none twice"),
        (DATASET, ["loud"], "m", "unknown condition 'loud'"),
        (DATASET, ["mute_audio"], "base", "the model base is given no sound"),
    ],
)
def test_what_cannot_be_run_is_refused_before_the_model_is_asked(
    dataset: ToneDataset, conditions: list[str], name: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        run(Listener(name), dataset, conditions, seed=0)  # without taking a single row


def test_a_dataset_without_sounds_or_pictures_has_none_to_mute() -> None:
    silent = ToneDataset(5)
    silent.items = silent.items[4:]
    with pytest.raises(InputError, match="mute_audio: no record has a sound"):
        run(Listener(), silent, ["mute_audio"], seed=0)
    blind = ToneDataset(5)
    blind.items = [replace(c, record=c.record.model_copy(update={"image": None})) for c in blind.items]
    with pytest.raises(InputError, match="mute_vision: no record has a picture"):
        run(Listener(), blind, ["mute_vision"], seed=0)
    with pytest.raises(InputError, match="batch_size 0"):
        run(Listener(), DATASET, ["full"], seed=0, batch_size=0)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_world(folder / "world", clips=40, seed=0)
    build_dataset(folder / "world", folder / "shards")
    return folder / "shards"


def test_real_shards_send_the_very_sounds_of_the_manifest(shards: Path) -> None:
    dataset = ShardDataset(shards, "train")
    answered = list(run(Silent(), dataset, ["full", "swap_audio"], seed=0))
    manifest = {row["id"]: row["pcm_sha256"] for row in dataset.manifest.to_pylist()}
    assert len(answered) == 2 * sum(len(dataset.record(i).examples) for i in range(len(dataset)))
    for p in answered:
        heard = p.metadata["sound_of"] if p.condition == "swap_audio" else p.record_id
        assert p.audio_sha256 == manifest[heard]
        assert (heard == p.record_id) == (p.condition == "full")


class Silent(Listener):
    def _answer(self, given: Input) -> Answer:
        return Answer("nothing")


class Blind(Listener):
    sees = False


def test_a_blind_model_is_refused_conditions_of_pictures_alone() -> None:
    for condition in ("blur", "mute_vision", "swap_vision"):
        with pytest.raises(InputError, match=f"{condition}: the model listener is given no picture"):
            run(Blind(), DATASET, [condition], seed=0)
    assert {row.metadata["sent"]["picture"] for row in run(Blind(), DATASET, ["drop_50"], seed=0)} == {None}
