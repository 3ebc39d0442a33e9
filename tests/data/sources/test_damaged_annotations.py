"""However an annotation file is damaged: it is refused, or each row is a record or rejected by itself."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from corpora import touch

from safe_data.core.errors import InputError
from safe_data.records import Rejected
from safe_data.shards.plan import make_plan, record_json
from safe_data.sources.all_sources import SOURCES

IDS = [f"abcdefghij{number}" for number in range(6)]
CAPTIONS = "file_name," + ",".join(f"caption_{number}" for number in range(1, 6))
AVQA = {
    "question_text": "?",
    "multi_choice": ["a", "b"],
    "question_relation": "Both",
    "question_type": "Where",
}
MUSIC = {
    "type": '["Audio", "Counting"]',
    "question_content": "<Object>?",
    "templ_values": '["a"]',
    "anser": "yes",
}
GQA = {"question": "?", "imageId": "7", "answer": "é", "types": {"structural": "query"}, "groups": {}}
CMM = {"category": "c", "sub_category": "s", "modality": "visual", "question": "hear é?", "answer": "no"}
CMM |= {"video_path": "./raw/a.mp4", "audio_path": None}
AVH = {"video_id": "00001", "task": "AV Matching", "text": "é?", "label": "Yes"}
MMAU = {"audio_id": "./a/0.wav", "question": "é?", "choices": ["a", "b"], "answer": "a", "task": "sound"}
POPE = {"image": "COCO_val2014_000000000000.jpg", "text": "é?", "label": "yes"}
FILES: dict[tuple[str, str], Any] = {
    ("audiocaps", "val.csv"): "\n".join(
        ["audiocap_id,youtube_id,start_time,caption", *(f'{i},{IDS[i]},{i},"a, ""b"" é"' for i in range(6))]
    ),
    ("clotho", "clotho_captions_validation.csv"): "\n".join(
        [CAPTIONS, *(f'{i}.wav,"a, b",c,d,e,é' for i in range(6))]
    ),
    ("vggsound", "vggsound.csv"): "\n".join(
        f'{IDS[i]},{i},"a, b",{"test" if i % 3 else "train"}' for i in range(6)
    ),
    ("avqa", "val_qa.json"): [
        {"id": i, "video_name": f"{IDS[0]}_000030", "answer": 1, **AVQA} for i in range(4)
    ],
    ("music_avqa", "avqa-val.json"): [{"question_id": i, "video_id": "00000001", **MUSIC} for i in range(4)],
    ("gqa", "val_balanced_questions.json"): {f"0{i}": GQA for i in range(4)},
    ("vqav2", "v2_OpenEnded_mscoco_val2014_questions.json"): {
        "questions": [{"question_id": i, "image_id": i // 2, "question": "é?"} for i in range(4)]
    },
    ("vqav2", "v2_mscoco_val2014_annotations.json"): {
        "annotations": [
            {
                "question_id": i,
                "question_type": "is",
                "answer_type": "yes/no",
                "answers": [{"answer_id": number, "answer": "no"} for number in range(10)],
            }
            for i in range(4)
        ]
    },
    ("coco_captions", "captions_val2014.json"): {
        "images": [{"id": i, "file_name": f"{i}.jpg"} for i in range(3)],
        "annotations": [{"id": i, "image_id": i % 3, "caption": "é"} for i in range(5)],
    },
    ("pope", "coco_pope_random.json"): "\n".join(
        json.dumps({"question_id": i, **POPE}, ensure_ascii=False) for i in range(6)
    ),
    ("avhbench", "QA.json"): [AVH for _ in range(5)],
    ("cmm", "all_data_final_reorg.json"): [CMM for _ in range(4)],
    ("mmau", "mmau-test-mini.json"): [{"id": str(i), **MMAU} for i in range(4)],
}
PIECES = [b'"', b"\n", b",", b"\xff", b"\0", b"{}", b"[", b"\\ud800", b"\r", b"1e999", b"\xc3", b"null"]
KINDS = {"faulty row", "no such file", "no captions", "ambiguous name"}


def damage(data: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        place = rng.randrange(len(damaged))
        match rng.randrange(5):
            case 0:
                damaged[place] = rng.randrange(256)
            case 1:
                del damaged[place : place + rng.randrange(1, 20)]
            case 2:
                damaged[place:place] = rng.choice(PIECES)
            case 3:
                again = rng.randrange(len(damaged))
                damaged[place:place] = damaged[again : again + rng.randrange(60)]
            case _:
                del damaged[place + 1 :]
        damaged = damaged or bytearray(b" ")
    return bytes(damaged)


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    for (source, name), content in FILES.items():
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        touch(tmp_path / source, name)
        (tmp_path / source / name).write_text(text, encoding="utf-8")
    touch(
        tmp_path,
        *(
            f"{source}/audio/{name}_{i}.wav"
            for source in ("audiocaps", "vggsound")
            for i, name in enumerate(IDS)
        ),
    )
    touch(tmp_path, *(f"clotho/validation/{i}.wav" for i in range(6)), f"avqa/video/{IDS[0]}_000030.mp4")
    touch(tmp_path, "music_avqa/video/00000001.mp4", "gqa/images/7.jpg")
    touch(tmp_path, *(f"vqav2/val2014/COCO_val2014_{i:012d}.jpg" for i in range(2)))
    touch(tmp_path, *(f"coco_captions/val2014/{i}.jpg" for i in range(3)))
    touch(tmp_path, "pope/val2014/COCO_val2014_000000000000.jpg", "avhbench/video/00001.mp4")
    touch(tmp_path, "cmm/raw/a.mp4", "mmau/test-mini-audios/0.wav")
    return tmp_path


@pytest.mark.parametrize("times", [12, pytest.param(500, marks=pytest.mark.slow)])
def test_no_damage_is_a_traceback_or_loses_a_row(corpora: Path, times: int) -> None:
    read = refused = 0
    for (source, name), _ in FILES.items():
        file = corpora / source / name
        good = file.read_bytes()
        assert not [row for row in SOURCES[source](file.parent) if isinstance(row, Rejected)]
        rng = random.Random(name)
        for _ in range(times):
            file.write_bytes(damage(good, rng))
            try:
                rows = list(SOURCES[source](file.parent))
            except InputError:
                refused += 1
                continue
            read += 1
            plan = make_plan(rows, file.parent, name="n", shard_size=100)
            placed = [entry for shard in plan.shards for _, entry in shard.entries]
            assert len({entry.id for entry in placed}) == len(rows)
            assert all(record_json(entry) for entry in placed)
            assert {row.reason.partition(":")[0] for row in rows if isinstance(row, Rejected)} <= KINDS
        file.write_bytes(good)
    assert min(read, refused) > times
