"""Annotations alone can be audited: official splits that share videos are found before a video is there."""

import gzip
import json
from pathlib import Path

import pytest
from corpora import real, touch, write_json

from safe_data.audit.annotated import annotated_corpus, missing_media
from safe_data.audit.corpus import Corpus, Given
from safe_data.audit.leak_kinds import group_labels, path_labels
from safe_data.audit.matrix import leakage_matrix
from safe_data.core.errors import InputError
from safe_data.records import Record


def question(number: int, video: str) -> dict[str, object]:
    return {
        "video_id": video,
        "question_id": number,
        "type": '["Audio", "Counting"]',
        "question_content": "How many <Object> are there?",
        "templ_values": '["flute"]',
        "anser": "two",
    }


def shares(corpus: Corpus) -> dict[tuple[str, str], tuple[int, int]]:
    """Records and questions affected, by kind and part."""
    matrix = leakage_matrix(corpus, {"media_path": path_labels, "group": group_labels})
    return {
        (leak.kind, matrix.parts[leak.part].split): (leak.records, leak.questions) for leak in matrix.leaks
    }


def test_videos_that_two_splits_share_are_found_with_and_without_the_videos(tmp_path: Path) -> None:
    asked = {"val": ["00000001", "00000002"], "test": ["00000001", "00000001", "va00000002", "00000003"]}
    for split, videos in asked.items():
        write_json(tmp_path / f"avqa-{split}.json", [question(*one) for one in enumerate(videos)])
    expected = {
        ("media_path", "test"): (1, 2),
        ("media_path", "val"): (1, 1),
        ("group", "test"): (2, 3),  # a synthetic video is made of the real one of its number
        ("group", "val"): (2, 2),
        ("any", "test"): (2, 3),
        ("any", "val"): (2, 2),
    }
    corpus = annotated_corpus(tmp_path, "music_avqa", Given())
    assert shares(corpus) == expected
    assert missing_media(corpus) == 5
    touch(tmp_path, *(f"video/{name}.mp4" for name in ("00000001", "00000002", "va00000002", "00000003")))
    there = annotated_corpus(tmp_path, "music_avqa", Given())
    assert shares(there) == expected
    assert missing_media(there) == 0


def test_a_record_is_read_whole_and_nothing_else_is_there(tmp_path: Path) -> None:
    write_json(tmp_path / "avqa-val.json", [question(1, "00000001"), {"video_id": "00000002"}])
    corpus = annotated_corpus(tmp_path, "music_avqa", Given())
    assert corpus.manifest["status"].to_pylist() == ["ok", "rejected"]
    record = Record.model_validate_json(corpus.member(0, "json") or b"")
    assert [example.prompt for example in record.examples] == ["How many flute are there?"]
    assert corpus.member(0, "audio") is None
    assert corpus.member(1, "json") is None


def test_an_unknown_source_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^source 'music-avqa' is unknown; did you mean 'music_avqa'\?$"):
        annotated_corpus(tmp_path, "music-avqa", Given())


def test_the_official_splits_of_music_avqa_share_what_a_hand_count_says(tmp_path: Path) -> None:
    videos = {}
    for split in ("val", "test"):
        data = real(f"music_avqa/json_avqa-{split}.json.gz").read_bytes()
        (tmp_path / f"avqa-{split}.json.gz").write_bytes(data)
        videos[split] = [one["video_id"] for one in json.loads(gzip.decompress(data))]
    shared = set(videos["val"]) & set(videos["test"])
    by_hand = (len(shared), sum(video in shared for video in videos["test"]))
    assert by_hand == (2296, 2990)
    assert shares(annotated_corpus(tmp_path, "music_avqa", Given()))["media_path", "test"] == by_hand
