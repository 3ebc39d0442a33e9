"""AVQA: multiple-choice questions about everyday videos, made to need both eyes and ears.

- Paper: Yang et al., "AVQA: A Dataset for Audio-Visual Question Answering on Videos", ACM MM 2022.
- Get: https://github.com/AlyssaYoung/AVQA (data/annotation/) and https://mn.cs.tsinghua.edu.cn/avqa; the
  clips are VGGSound's. Licence: none is stated with the annotations; the videos are their uploaders'.
  Size: 57,335 questions about 57,015 clips of 10 s.

Expected under ROOT, the repository's `data` folder (one split is enough):

    {train,val}_qa.json               also in annotation/; see `Question` for the fields of a row
    video/{video_name}.mp4            or webm, mkv; also in videos/
    audio/{video_name}.wav            its extracted sound, optional; it is preferred to the video's

A clip of a split is one record, `{split}-{video_name}`, with all its questions. `group` is the YouTube id,
the first eleven characters of the video's name. `needs_audio` is false where `question_relation` is "View",
and true otherwise; `metadata` has the `question_relation` of each example. `question_type` is one of eight:
Which, Come From, Happening, Where, Why, Before Next, When, Used For.

Faults: there is no test split, so val is used as one; a choice may be null (like the official code, we read
it as "null"); the questions are translated into English.
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec

from safe_data.core.errors import raise_row_errors
from safe_data.records import Audio, Example, Record, Records, Rejected
from safe_data.sources.annotations import find_annotations, json_rows
from safe_data.sources.media_files import SOUNDS, VIDEOS, list_media

DATASET = "avqa"
GET = "https://github.com/AlyssaYoung/AVQA (data/annotation/)"
FILES = {split: (f"{split}_qa.json", f"annotation/{split}_qa.json") for split in ("train", "val")}
VIDEO_FOLDERS = ("video", "videos")


class Question(msgspec.Struct):
    id: int
    video_name: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{11}_[0-9]{6}\Z")]
    question_text: str
    multi_choice: Annotated[list[str | None], msgspec.Meta(min_length=2)]
    answer: Annotated[int, msgspec.Meta(ge=0)]
    question_relation: str
    question_type: str


def read(root: Path) -> Records:
    """Yield the clips of each split in the order of their first questions.

    Raises:
        InputError: all annotation files are missing, or rows are faulty (all of them, after the last row).
    """
    errors: list[str] = []
    videos = list_media(root, VIDEO_FOLDERS, VIDEOS)
    sounds = list_media(root, ("audio",), SOUNDS)
    for split, file in find_annotations(root, FILES, GET).items():
        clips: dict[str, list[Question]] = {}
        for where, row in json_rows(file, Question, "id", errors, unique=True):
            if row.answer < len(row.multi_choice):
                clips.setdefault(row.video_name, []).append(row)
            else:
                errors.append(f"{where}: answer {row.answer} is none of its {len(row.multi_choice)} choices")
        for name, questions in clips.items():
            about: dict[str, Any] = {
                "id": f"{split}-{name}",
                "dataset": DATASET,
                "split": split,
                "group": name[:11],
            }
            video = videos.find(name)
            if video is None:
                yield Rejected(**about, reason=videos.missing(name))
                continue
            yield Record(
                **about,
                audio=Audio(path=sounds.find(name) or video),
                image=video,
                examples=tuple(_example(split, row) for row in questions),
                metadata={"questions": {_id(split, row): _facts(row) for row in questions}},
            )
    raise_row_errors(errors, str(root))


def _example(split: str, row: Question) -> Example:
    choices = tuple("null" if choice is None else choice for choice in row.multi_choice)
    return Example(
        id=_id(split, row),
        task="vqa",
        prompt=row.question_text,
        references=(choices[row.answer],),
        choices=choices,
        question_type=row.question_type,
        needs_audio=row.question_relation != "View",
    )


def _id(split: str, row: Question) -> str:
    return f"{split}-{row.id}"


def _facts(row: Question) -> dict[str, str]:
    return {"question_relation": row.question_relation}
