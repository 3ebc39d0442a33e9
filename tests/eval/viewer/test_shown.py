"""What is played and shown of an arm is what it was sent, or a note says why nothing is."""

import io
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from made_sent_run import EVERY, SentRun, made_sent_run
from PIL import Image

from safe_data.media.sound import Sound
from safe_eval.prediction import Prediction
from safe_eval.runner.media import pixel_hash
from safe_eval.runner.row import hear
from safe_eval.viewer import shown
from safe_eval.viewer.shown import Sent, media_of, sent_media
from safe_eval.viewer.viewed import Viewed, open_runs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> SentRun:
    return made_sent_run(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def viewed(run: SentRun) -> Viewed:
    return run.open()


def arm_of(viewed: Viewed, model: str, condition: str) -> int:
    return next(one.arm for one in viewed.arms if (one.model, one.condition) == (model, condition))


def row_of(run: SentRun, condition: str, model: str = "safe") -> Prediction:
    return next(row for row in run.rows if (row.model, row.condition) == (model, condition))


@pytest.mark.parametrize("condition", EVERY)
def test_what_is_made_again_is_what_the_model_was_sent(run: SentRun, viewed: Viewed, condition: str) -> None:
    arm, compared = arm_of(viewed, "safe", condition), 0
    for item in range(viewed.items):
        row = viewed.rows_of(item)[arm]
        if row.error is not None:  # no sound contradicts it
            assert not any(media_of(viewed, item, arm).facts().notes[1:])
            continue
        sent = media_of(viewed, item, arm)
        sound, picture = sent.heard.medium, sent.seen.medium
        found = (
            None if sound is None else hear(sound).sha256,
            None if picture is None else pixel_hash(picture),
        )
        assert found == run.heard["safe", condition, row.example_id]
        assert sent.checked is (None if found == (None, None) else True)
        compared += 1
    assert compared > 3


def test_the_bytes_are_of_the_same_sound_and_picture(viewed: Viewed) -> None:
    sent = media_of(viewed, 0, arm_of(viewed, "safe", "snr_10db"))
    sound, picture, spectrogram = sent.sound(), sent.picture(), sent.spectrogram()
    assert sound is not None
    assert picture is not None
    assert spectrogram is not None
    samples, rate = soundfile.read(io.BytesIO(sound), dtype="float32")
    assert soundfile.info(io.BytesIO(sound)).subtype == "PCM_16"
    assert rate == sent.heard.medium.sample_rate_hz
    np.testing.assert_allclose(samples, np.clip(sent.heard.medium.samples, -1, 1), atol=1e-4)
    assert Image.open(io.BytesIO(picture)).tobytes() == sent.seen.medium.tobytes()
    assert Image.open(io.BytesIO(spectrogram)).size == (600, 128)


def test_facts_have_addresses_peaks_and_words(viewed: Viewed) -> None:
    arm = arm_of(viewed, "safe", "mute_audio")
    facts = media_of(viewed, 2, arm).facts()
    assert (facts.said, facts.sound) == ("silence", f"media/2/{arm}/sound.flac")
    assert facts.peaks == [0.0] * 200
    assert (facts.picture, facts.checked, facts.notes) == (f"media/2/{arm}/picture.png", True, [])
    left_out = media_of(viewed, 2, arm_of(viewed, "safe", "text_only")).facts()
    assert (left_out.said, left_out.sound, left_out.picture) == ("no sound, no picture", None, None)
    assert (left_out.spectrogram, left_out.peaks, left_out.checked) == (None, None, None)


def test_the_base_model_is_sent_no_sound_and_that_is_said(viewed: Viewed) -> None:
    sent = media_of(viewed, 0, arm_of(viewed, "base", "full"))
    assert (sent.sound(), sent.spectrogram(), sent.notes) == (None, None, ())
    assert sent.facts().notes == ["This model was sent no sound."]
    assert sent.picture() is not None


def test_what_is_stored_needs_no_predictions(run: SentRun, viewed: Viewed, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run" / "predictions.jsonl").unlink()
    alone = open_runs([tmp_path / "run"], run.shards)
    stored, full = media_of(alone, 1, None), media_of(viewed, 1, arm_of(viewed, "safe", "full"))
    assert stored.facts().sound == "media/1/own/sound.flac"
    assert stored.sound() == full.sound()
    assert stored.picture() == full.picture()
    assert media_of(alone, 1, 1).facts().notes == [shown.NO_ROW]


def changed(viewed: Viewed, row: Prediction, **fields: object) -> Sent:
    """What is shown for a row with other fields, or another note of what was sent."""
    sent = {**row.metadata["sent"], **fields.pop("sent", {})} if row.metadata else {}  # type: ignore[dict-item]
    metadata = {**(row.metadata or {}), "sent": sent}
    return sent_media(viewed, 0, 1, msgspec.structs.replace(row, **{"metadata": metadata} | fields))


def test_a_sound_or_a_picture_with_another_hash_is_not_given(run: SentRun, viewed: Viewed) -> None:
    row = row_of(run, "snr_10db")
    other = changed(viewed, row, audio_sha256="0" * 64)
    assert (other.sound(), other.spectrogram(), other.facts().peaks, other.checked) == (
        None,
        None,
        None,
        False,
    )
    assert other.facts().notes == ["It is not given here: these shards give another sound than was sent."]
    assert other.picture() is not None
    painted = changed(viewed, row_of(run, "blur"), sent={"picture_sha256": "0" * 64})
    assert (painted.picture(), painted.checked) == (None, False)
    assert "these shards give another picture than was sent" in painted.facts().notes[0]
    assert painted.sound() is not None


def test_a_row_without_hashes_is_believed_and_not_called_checked(run: SentRun, viewed: Viewed) -> None:
    row = row_of(run, "full")
    assert changed(viewed, row, audio_sha256=None, sent={"picture_sha256": None}).checked is None
    half = changed(viewed, row, sent={"picture_sha256": None})
    assert half.checked is True
    assert half.facts().notes == ["The row has a hash of its sound alone, so the picture is not checked."]


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"record_id": "nobody"}, "It could not be made again: these shards do not hold this record."),
        ({"split": "nowhere"}, "It could not be made again: these shards do not hold this record."),
        ({"prompt": "who?"}, "the record with this id in these shards asks something else."),
        ({"metadata": None, "audio_sha256": None}, "The row does not say what was sent."),
        ({"sent": {"sound": "of:nobody"}}, "these shards do not hold the record 'nobody'."),
        ({"sent": {"sound": "silence"}}, "swap_audio: it needs the other sound"),
        ({"condition": "noise_audio"}, "noise_audio makes 'noise' of it, and the row says 'of:"),
        ({"sent": {"sound": 7}, "audio_sha256": None}, ""),
    ],
)
def test_what_cannot_be_made_again_is_told(
    run: SentRun, viewed: Viewed, fields: dict[str, object], note: str
) -> None:
    sent = changed(viewed, row_of(run, "swap_audio"), **fields)
    assert sent.sound() is None
    assert sent.checked in (None, True)
    assert any(note in one for one in sent.facts().notes)


def test_the_sound_of_an_older_row_is_told_by_its_hash_alone(run: SentRun, viewed: Viewed) -> None:
    row = row_of(run, "reverb")
    assert changed(viewed, row, metadata=None).checked is True
    assert changed(viewed, row, metadata=None, condition="snr_10db").checked is False


def test_noise_is_that_of_its_seed_though_media_are_remembered(run: SentRun, viewed: Viewed) -> None:
    row = row_of(run, "noise_audio")
    own, other = (changed(viewed, row, seed=seed, audio_sha256=None) for seed in (row.seed, row.seed + 1))
    assert hear(own.heard.medium).sha256 == row.audio_sha256
    assert hear(other.heard.medium).sha256 != row.audio_sha256
    assert changed(viewed, row, seed=row.seed + 1).checked is False


def test_missing_shards_are_told(run: SentRun, tmp_path: Path) -> None:
    assert media_of(open_runs([run.folder]), 0, 1).facts().notes == [shown.NO_SHARDS]
    gone = media_of(open_runs([run.folder], tmp_path / "gone"), 0, 1)
    assert gone.sound() is None
    assert str(tmp_path / "gone") in gone.facts().notes[0]
    copied = tmp_path / "shards"
    shutil.copytree(run.shards, copied)
    half = open_runs([run.folder], copied)
    assert media_of(half, 0, 1).sound() is not None
    shown._recent = type(shown._recent)(1 << 20)
    shown._shelves.cache_clear()
    for tar in copied.rglob("*.tar"):
        tar.write_bytes(bytes(tar.stat().st_size))
    assert "is not what was stored" in media_of(half, 0, 1).facts().notes[0]


def test_few_bytes_are_remembered(viewed: Viewed, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(shown, "_recent", type(shown._recent)(100_000))
    monkeypatch.setattr(shown, "_made", lambda make, *, has_hash: made.append(1) or shown.Part(make()))
    arm = arm_of(viewed, "safe", "full")
    for item in (0, 0, *range(viewed.items), 0):
        media_of(viewed, item, arm)
    records = {viewed.rows_of(item)[arm].record_id for item in range(viewed.items)}
    assert 2 * len(records) <= len(made) <= 2 * viewed.items + 2
    assert shown._recent._room >= 0


def test_a_loud_sound_is_told() -> None:
    loud = Sound(np.repeat(np.array([2.0, 0.5, -0.5, 1.0], np.float32), 100), 8000, 8000, 1)
    assert shown._loud(loud) == ["25 % of its samples exceed full scale, and are cut off in the player."]
