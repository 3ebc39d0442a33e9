"""AVHBench: does what is heard make a model see things, and what is seen make it hear things?

- Paper: Sung-Bin et al., "AVHBench: A Cross-Modal Hallucination Benchmark for Audio-Visual Large Language
  Models", ICLR 2025.
- Get: https://github.com/kaist-ami/AVHBench (where to find the archives). Licence: none is stated; the videos
  are VALOR's and AudioCaps'.
  Size: 5,302 questions and 1,106 captions about 2,136 videos.

Expected under ROOT, as the archives unpack:

    QA.json                           all questions; also qa.json, and in json/. Or, as in AVHBench_v0,
    json/{video_id}.json              the questions of each video; see `Question` for the fields of a row
    video/{video_id}.mp4              or another suffix of docs/data.md; also in videos/
    audio/{video_id}.wav              its extracted sound, optional; also in audios/; preferred to the video's

A video is one record with all its questions, in the split `test`; `group` is the video's id without `_swap`,
which marks a video with the sound of another. The ids of examples are `{video_id}-{row}`, with the place of
the row in its file, as the questions have none. `question_type` is the official task. `needs_audio` is false
for Audio-driven Video Hallucination, which asks what is visible, and true for the other three. AV Captioning
is a task `caption`; the others are answered by Yes or No.

Faults: seven questions are asked twice about a video, two of them with both answers; all are kept, as in the
official file. In 938 videos sound and picture do not match, and QA.json does not say from which videos they
were made. The training questions of AVHBench-Align-FT have other names of tasks, and are not read.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from safe_data.core.errors import InputError
from safe_data.records import ID_PATTERN, Audio, Example, Record, Records, Rejected
from safe_data.sources.annotations import TEXT, find_annotations, json_rows
from safe_data.sources.faulty_row import Fault, by_record
from safe_data.sources.media_files import SOUNDS, VIDEOS, MediaFiles, list_media

DATASET = "avhbench"
SPLIT = "test"
GET = "https://github.com/kaist-ami/AVHBench"
FILES = {SPLIT: ("QA.json", "qa.json", "json/QA.json", "json/qa.json")}
VIDEO_FOLDERS = ("video", "videos")
SOUND_FOLDERS = ("audio", "audios")
CAPTIONING = "AV Captioning"
SEEN = "Audio-driven Video Hallucination"


class Question(msgspec.Struct):
    video_id: Annotated[str, msgspec.Meta(pattern=rf"\A{ID_PATTERN.pattern}\Z")]
    task: Literal[
        "Audio-driven Video Hallucination", "Video-driven Audio Hallucination", "AV Matching", "AV Captioning"
    ]
    text: Annotated[str, TEXT]
    label: Annotated[str, TEXT]


Asked = tuple[str, Question]  # the id of an example, and what is asked


def read(root: Path) -> Records:
    """Yield the videos in the order of their first questions, and the faulty rows.

    Raises:
        InputError: there is no question file, or one is not of AVHBench.
    """
    files = _question_files(root)
    asked = by_record(chain.from_iterable(map(_questions, files)), lambda found: found[1].video_id)
    videos = list_media(root, VIDEO_FOLDERS, VIDEOS)
    sounds = list_media(root, SOUND_FOLDERS, SOUNDS)
    for rows in asked.values():
        if isinstance(rows, Fault):
            yield rows.rejected(dataset=DATASET, split=SPLIT)
        else:
            yield _record(rows, videos, sounds)


def _question_files(root: Path) -> Sequence[Path]:
    """The file of all questions, or those of each video in order of name."""
    try:
        return list(find_annotations(root, FILES, GET).values())
    except InputError:
        of_each = sorted((root / "json").glob("*.json"))
        if not of_each:
            raise
        return of_each


def _questions(file: Path) -> Iterator[tuple[str, Asked] | Fault]:
    """The questions of a file with the ids of their examples."""
    for place, found in enumerate(json_rows(file, Question, "video_id")):
        if isinstance(found, Fault):
            yield found
            continue
        where, row = found
        if row.task != CAPTIONING and row.label.strip().lower() not in ("yes", "no"):
            yield Fault(where, f"label {row.label[:60]!r} of {row.task}: write Yes or No")
        else:
            yield where, (f"{row.video_id}-{place}", row)


def _record(rows: list[Asked], videos: MediaFiles, sounds: MediaFiles) -> Record | Rejected:
    video_id = rows[0][1].video_id
    about: dict[str, Any] = {
        "id": video_id,
        "dataset": DATASET,
        "split": SPLIT,
        "group": video_id.removesuffix("_swap"),
        "examples": tuple(_example(example_id, row) for example_id, row in rows),
    }
    video = videos.find(video_id)
    if video is None:
        return Rejected(**about, reason=videos.missing(video_id), path=videos.looked_for(video_id))
    return Record(**about, audio=Audio(path=sounds.find(video_id) or video), image=video)


def _example(example_id: str, row: Question) -> Example:
    return Example(
        id=example_id,
        task="caption" if row.task == CAPTIONING else "vqa",
        prompt=row.text,
        references=(row.label,),
        question_type=row.task,
        needs_audio=row.task != SEEN,
    )
