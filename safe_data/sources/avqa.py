"""AVQA: multiple-choice questions about everyday videos, made to need both eyes and ears.

- Paper: Yang et al., "AVQA: A Dataset for Audio-Visual Question Answering on Videos", ACM MM 2022.
- Get: https://github.com/AlyssaYoung/AVQA (data/annotation/) and https://mn.cs.tsinghua.edu.cn/avqa; the
  clips are VGGSound's. Licence: none is stated with the annotations; the videos are their uploaders'.
  Size: 57,335 questions about 57,015 clips of 10 s.

Expected under ROOT, the repository's `data` folder (one split is enough):

    {train,val}_qa.json               also in annotation/; see `Question` for the fields of a row
    video/{video_name}.mp4            or another suffix of docs/data.md; also in videos/
    audio/{video_name}.wav            its extracted sound, optional; it is preferred to the video's

A video's name is its YouTube id and the start of the clip, as in VGGSound. Whatever names of clips and of
their folders `vggsound` reads, this source reads too.

A clip of a split is one record, `{split}-{video_name}`, with all its questions. `group` is the YouTube id,
the first eleven characters of the video's name. `needs_audio` is false where `question_relation` is "View",
and true otherwise; `metadata` has the `question_relation` of each example. `question_type` is one of eight:
Which, Come From, Happening, Where, Why, Before Next, When, Used For.

Faults: there is no test split, so val is used as one; a choice may be null (like the official code, we read
it as "null"); the questions are translated into English.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import msgspec

from safe_data.media.paths import media_root
from safe_data.records import Example, Record, Records, Rejected
from safe_data.sources.annotations import find_annotations, json_rows
from safe_data.sources.clip_files import (
    Clip,
    ClipFiles,
    clip_files,
    clip_media,
    with_subfolders,
)
from safe_data.sources.faulty_row import Fault, by_record, some_good
from safe_data.sources.media_files import SOUNDS, VIDEOS, list_media
from safe_data.sources.vggsound import CLIP_SECONDS, video_folders

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


def read(root: Path, trust_links: Path | None = None) -> Records:
    """Yield the clips of each split in the order of their first questions, and the faulty rows.

    Raises:
        InputError: all annotation files are missing, or one is not of AVQA.
    """
    files = find_annotations(root, FILES, GET)
    lists = {
        split: by_record(some_good(file, _questions(file)), lambda row: row.video_name)
        for split, file in files.items()
    }
    media = media_root(root, trust_links)
    videos = clip_files(media, list_media(root, video_folders(root), VIDEOS), CLIP_SECONDS)
    sounds = clip_files(media, list_media(root, with_subfolders(root, ("audio",), 2), SOUNDS), CLIP_SECONDS)
    for split, clips in lists.items():
        for questions in clips.values():
            if isinstance(questions, Fault):
                yield questions.rejected(dataset=DATASET, split=split)
            else:
                yield _record(split, questions, _clip_of(questions[0].video_name), sounds, videos)


def _questions(file: Path) -> Iterator[tuple[str, Question] | Fault]:
    for found in json_rows(file, Question, "id", unique=True):
        if not isinstance(found, Fault):
            where, row = found
            if row.answer >= len(row.multi_choice):
                yield Fault(where, f"answer {row.answer} is none of its {len(row.multi_choice)} choices")
                continue
        yield found


def _clip_of(video_name: str) -> Clip:
    """The clip of a video's name; VGGSound may have another of the same video.

    >>> _clip_of("-HG3Omg_89c_000030")
    Clip(youtube_id='-HG3Omg_89c', start_seconds=30.0, seconds=10.0, only=False)
    """
    return Clip(video_name[:11], float(video_name[12:]), CLIP_SECONDS, only=False)


def _record(
    split: str, questions: list[Question], clip: Clip, sounds: ClipFiles, videos: ClipFiles
) -> Record | Rejected:
    name = questions[0].video_name
    about: dict[str, Any] = {
        "id": f"{split}-{name}",
        "dataset": DATASET,
        "split": split,
        "group": clip.youtube_id,
        "examples": tuple(_example(split, row) for row in questions),
    }
    sound, video, unclear = clip_media(sounds, videos, clip)
    if sound is None or video is None:
        shown = replace(videos.media, folders=VIDEO_FOLDERS)
        return Rejected(**about, reason=unclear or shown.missing(name), path=shown.looked_for(name))
    return Record(
        **about,
        audio=sound.audio,
        image=video.path,
        metadata={"questions": {_id(split, row): _facts(row) for row in questions}},
    )


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
