"""The records of a shard are stored next to their media, and described as they are stored."""

import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from folders import picture_bytes, sound_bytes
from videos import FPS, number_on, video_bytes

from safe_data.build.pack import load, pack, store
from safe_data.media.decode import decode_audio
from safe_data.media.picture import decode_image
from safe_data.records import Audio, Record, Rejected
from safe_data.shards.manifest import Row
from safe_data.shards.tar import TarWriter

ABOUT = {"dataset": "d", "split": "train", "group": "g"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    (folder / "whole.wav").write_bytes(sound_bytes())
    (folder / "video.mp4").write_bytes(video_bytes(seconds=4))
    (folder / "still.png").write_bytes(picture_bytes())
    (folder / "text.mp4").write_bytes(b"no video" * 99)
    return folder


def entries() -> list[tuple[int, Record | Rejected]]:
    clip = Audio(path="video.mp4", start_seconds=1.0, duration_seconds=2.0)
    records = [
        Record(id="whole", **ABOUT, image="still.png", audio=Audio(path="whole.wav")),
        Record(id="clip", **ABOUT, image="video.mp4", audio=clip, metadata={"kept": 1}),
        Rejected(id="lost", **ABOUT, reason="no such file: lost.wav"),
        Record(id="broken", **ABOUT, audio=Audio(path="text.mp4")),
        Record(id="seen", **ABOUT, image="video.mp4"),
    ]
    return list(enumerate(records))


def packed(root: Path, frames: int = 1) -> tuple[list[Row], bytes]:
    file = io.BytesIO()
    tar = TarWriter(file)
    ticks: list[int] = []
    rows = pack(entries(), root, "d-train-000000", tar, lambda: ticks.append(1), frames)
    tar.close()
    assert len(ticks) == len(rows) == 5
    return rows, file.getvalue()


def test_rows_say_where_the_members_are(root: Path) -> None:
    rows, data = packed(root)
    assert [(row.id, row.status, row.row) for row in rows] == [
        ("whole", "ok", 0),
        ("clip", "ok", 1),
        ("lost", "rejected", None),
        ("broken", "rejected", None),
        ("seen", "ok", 2),
    ]
    assert rows[2].error == "no such file: lost.wav"
    assert rows[3].error == "not a sound: a text file"
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
    assert names == [
        "whole.json",
        "whole.wav",
        "whole.png",
        "clip.json",
        "clip.flac",
        "clip.jpg",
        "seen.json",
        "seen.jpg",
    ]
    clip = rows[1]
    assert (clip.audio_name, clip.duration_seconds, clip.sample_rate_hz) == ("clip.flac", 2.0, 44_100)
    picture = data[clip.image_offset :][: clip.image_size]
    assert number_on(decode_image(picture)) == 2 * FPS
    assert (clip.image_width, clip.image_height, len(clip.image_dhash)) == (60, 60, 16)
    assert number_on(decode_image(data[rows[4].image_offset :][: rows[4].image_size])) == 2 * FPS


def test_the_stored_record_describes_the_stored_clip(root: Path) -> None:
    rows, data = packed(root)
    stored = [
        Record.model_validate_json(data[row.json_offset :][: row.json_size])
        for row in rows
        if row.status == "ok"
    ]
    given = {entry.id: entry for _, entry in entries()}
    assert [stored[0], stored[2]] == [given["whole"], given["seen"]]
    assert stored[1].audio == Audio(path="video.mp4")
    assert stored[1].metadata == {"kept": 1, "clip_of": {"start_seconds": 1.0, "duration_seconds": 2.0}}
    assert stored[1].image == "video.mp4"


def test_a_clip_is_decoded_once_for_the_facts_and_every_encoder(root: Path) -> None:
    file = io.BytesIO()
    tar = TarWriter(file)
    with ThreadPoolExecutor(3) as threads:
        rates = (8_000, 16_000, 44_100, 48_000)
        loaded = threads.map(lambda entry: (entry[0], load(entry[1], root, 1, rates)), entries())
        found = list(store(loaded, "d-train-000000", tar))
    tar.close()
    rows, data = packed(root)
    assert ([one.row for one in found], file.getvalue()) == (rows, data)
    assert [one.heard is not None for one in found] == [True, True, False, False, False]
    for one in found[:2]:
        member = data[one.row.audio_offset :][: one.row.audio_size]
        for rate in rates:
            assert one.heard[rate].tobytes() == decode_audio(member, rate).samples.tobytes()


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # left to chance by webdataset
def test_several_pictures_are_one_sample_of_webdataset(root: Path, tmp_path: Path) -> None:
    import webdataset

    rows, data = packed(root, frames=3)
    (tmp_path / "shard.tar").write_bytes(data)
    samples = list(webdataset.WebDataset(str(tmp_path / "shard.tar"), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == ["whole", "clip", "seen"]
    numbers = [number_on(decode_image(samples[1][f"frame{number}.jpg"])) for number in range(3)]
    assert numbers == [33, 50, 66]
    assert rows[1].image_name == "clip.frame1.jpg"  # the one in the middle
    assert data[rows[1].image_offset :][: rows[1].image_size] == samples[1]["frame1.jpg"]
    assert rows[0].image_name == "whole.png"
