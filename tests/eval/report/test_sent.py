"""What a page plays and shows under a condition is what was sent, or it says why it does not."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from safe_data.shards.dataset import ShardDataset
from safe_eval.arms.arm import ArmKey
from safe_eval.prediction import Prediction
from safe_eval.report import sent
from safe_eval.report.media import Media, collect
from safe_eval.report.selection import Answered, Item
from safe_eval.report.sent import collect_sent, media_left
from safe_eval.runner.conditions import Media as Own
from safe_eval.runner.conditions import apply_condition
from safe_eval.runner.media import StoredMedia
from safe_eval.runner.row import hear
from safe_eval.runner.shelves import open_shards


@pytest.fixture(scope="module")
def dataset(shards: Path) -> ShardDataset:
    return ShardDataset(shards, "test")


def row(dataset: ShardDataset, condition: str, note: dict[str, str], **fields: Any) -> Prediction:
    record = dataset.record(0)
    example = record.examples[0]
    about = {"record_id": record.id, "split": "test", "prompt": example.prompt, "condition": condition}
    said = {"example_id": example.id, "references": ("a",), "answer": "a", "metadata": {"sent": note}}
    return Prediction(**about | said | fields)


def page_media(shards: Path, *rows: Prediction) -> Media:
    answers = tuple(Answered(ArmKey(None, r.seed, r.model, r.condition), r, 1.0) for r in rows)
    item = Item("rest", rows[0], answers)
    shelves = open_shards([rows[0].split], shards)
    own = collect([rows[0]], shelves)
    (found,) = collect_sent([item], own, shelves, media_left(own))
    return found


def played(uri: str | None) -> np.ndarray:
    assert uri is not None
    samples, _ = soundfile.read(io.BytesIO(base64.b64decode(uri.partition("base64,")[2])), dtype="float32")
    return samples


def sent_by_runner(dataset: ShardDataset, condition: str, seed: int = 0) -> Any:
    record = dataset.record(0)
    own = Own(*StoredMedia(dataset).reading(0, record))
    return apply_condition(condition, record, seed, own)


def test_a_changed_sound_is_played_as_it_was_sent(shards: Path, dataset: ShardDataset) -> None:
    sound = sent_by_runner(dataset, "snr_0db", seed=3).sound()
    note = {"sound": "own:snr_0db", "picture": "own"}
    asked = row(dataset, "snr_0db", note, seed=3, audio_sha256=hear(sound).sha256)
    (one,) = page_media(shards, asked).changed
    assert one.said == "its sound, changed"
    np.testing.assert_allclose(played(one.sound), np.clip(sound.samples, -1, 1), atol=2e-4)


def test_a_sound_with_another_hash_is_not_played(shards: Path, dataset: ShardDataset) -> None:
    note = {"sound": "own:snr_0db", "picture": "own"}
    (one,) = page_media(shards, row(dataset, "snr_0db", note, audio_sha256="00")).changed
    assert one.sound is None
    assert "these shards give another sound than was sent" in one.said


def test_the_sound_of_another_is_the_one_that_the_row_names(shards: Path, dataset: ShardDataset) -> None:
    other = dataset.record(5)
    note = {"sound": f"of:{other.id}", "picture": "own"}
    sha256 = dataset.value(5, "pcm_sha256")
    (one,) = page_media(shards, row(dataset, "swap_audio", note, audio_sha256=sha256)).changed
    assert one.said == f"sound of {other.id}"
    np.testing.assert_allclose(played(one.sound), dataset.audio(5).samples, atol=2e-4)
    (gone,) = page_media(shards, row(dataset, "swap_audio", note | {"sound": "of:nobody"})).changed
    assert (gone.sound, "these shards do not hold the record 'nobody'" in gone.said) == (None, True)


def test_pictures_are_shown_and_what_has_nothing_to_show_is_said(shards: Path, dataset: ShardDataset) -> None:
    rows = [
        row(dataset, "full", {"sound": "own", "picture": "own"}),
        row(dataset, "blur", {"sound": "own", "picture": "own:blur"}),
        row(dataset, "mute_vision", {"sound": "own", "picture": "grey"}),
        row(dataset, "mute_audio", {"sound": "silence", "picture": "own"}),
        row(dataset, "text_only", {"sound": "left out", "picture": "left out"}),
        row(dataset, "blur", {"sound": "own", "picture": "own:blur"}, model="another"),
    ]
    found = page_media(shards, *rows)
    assert [(one.condition, one.said) for one in found.changed] == [
        ("blur", "its picture, changed"),
        ("mute_vision", "grey"),
        ("mute_audio", "silence"),
        ("text_only", "no sound, no picture"),
    ]
    shown = found.changed[0].picture
    assert shown is not None
    picture = Image.open(io.BytesIO(base64.b64decode(shown.partition("base64,")[2])))
    assert picture.tobytes() == sent_by_runner(dataset, "blur").picture().convert("RGB").tobytes()
    assert [one.picture or one.sound for one in found.changed[1:]] == [None] * 3


def test_a_picture_with_another_hash_is_not_shown(shards: Path, dataset: ShardDataset) -> None:
    note = {"sound": "own", "picture": "own:blur", "picture_sha256": "00"}
    (one,) = page_media(shards, row(dataset, "blur", note)).changed
    assert one.picture is None
    assert "these shards give another picture than was sent" in one.said


def test_what_no_row_tells_is_not_guessed(shards: Path, dataset: ShardDataset) -> None:
    untold = row(dataset, "swap_audio", {}, metadata=None)
    assert page_media(shards, untold).changed == ()


def test_the_page_is_not_filled_above_its_limit(
    shards: Path, dataset: ShardDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = {"sound": "own:reverb", "picture": "own"}
    own = page_media(shards, row(dataset, "full", {"sound": "own", "picture": "own"}))
    monkeypatch.setattr(sent, "MAX_TOTAL_BYTES", own.bytes + 100)
    (one,) = page_media(shards, row(dataset, "reverb", note)).changed
    assert one.sound is None
    assert "The sound is left out: the page holds at most" in one.said
