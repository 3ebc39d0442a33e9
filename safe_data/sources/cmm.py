"""CMM: did you see it, did you hear it? Asked where one modality, or a habit, suggests the wrong answer.

- Paper: Leng et al., "The Curse of Multi-Modalities: Evaluating Hallucinations of Large Multimodal Models
  across Language, Visual, and Audio", arXiv:2410.12787.
- Get: https://github.com/DAMO-NLP-SG/CMM (where to find the questions and reorg_raw_files). Licence: for
  academic research only, and not to be distributed without approval; the videos are their owners'.
  Size: 2,400 questions about 1,200 videos, sounds and pairs of both.

Expected under ROOT, as the archive unpacks:

    all_data_final_reorg.json         see `Question` for the fields of a row; a JSON object a line is read too
    reorg_raw_files/...               the files that `video_path` and `audio_path` name

A video, a sound or a pair is one record with its questions, in the split `test`. Its id is the sub-category
and the file's name, its `group` the file's name. The ids of examples are `{record id}-{row}`, with the place
of the row in its file. `question_type` is the sub-category, by which scores are published, and `metadata` has
the other official fields of each example. `needs_audio` is true where the question asks what was heard.

Faults: a missing path is null or the text "None". A row without `audio_path` is asked about the picture
alone, so its record has no sound, even if the video's file does. Each of the six sub-categories has 200
samples, with one question whose answer is yes and one whose answer is no.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import msgspec

from safe_data.records import Audio, Example, Record, Records, Rejected
from safe_data.sources.annotations import TEXT, find_annotations, json_rows
from safe_data.sources.faulty_row import Fault, by_record, some_good
from safe_data.sources.ids import id_of
from safe_data.sources.media_files import SOUNDS, VIDEOS, Listed, list_folders

DATASET = "cmm"
SPLIT = "test"
GET = "https://github.com/DAMO-NLP-SG/CMM"
FILES = {SPLIT: ("all_data_final_reorg.json", "all_data_final_reorg.jsonl")}
MISSING = "None"
LONGEST_PATH = 200  # characters; a longer one is damage, and some file systems refuse to look for it
# Below the root, no part hidden: `../` and absolute paths lead elsewhere.
MediaPath = Annotated[
    str, msgspec.Meta(pattern=r"\A(\./)?(\w[\w .()&-]*/)*\w[\w .()&-]*\Z", max_length=LONGEST_PATH)
]
_HEAR = re.compile(r"\bhear", re.IGNORECASE)


class Question(msgspec.Struct):
    category: str
    sub_category: Annotated[str, TEXT]
    modality: str
    question: Annotated[str, TEXT]
    answer: Literal["yes", "no"]
    video_path: MediaPath | None = None
    audio_path: MediaPath | None = None
    granularity: str | None = None
    correlation_type: str | None = None


Asked = tuple[int, Question]  # the place in its file, and what is asked


def read(root: Path) -> Records:
    """Yield the samples in the order of their first questions, and the faulty rows.

    Raises:
        InputError: the question file is missing, or is not of CMM.
    """
    for file in find_annotations(root, FILES, GET).values():
        samples = by_record(some_good(file, _questions(file)), lambda found: _sample(found[1]))
        listed = _listed(root, samples.values())
        for rows in samples.values():
            if isinstance(rows, Fault):
                yield rows.rejected(dataset=DATASET, split=SPLIT)
            else:
                yield _record(rows, listed)


def _questions(file: Path) -> Iterator[tuple[str, Asked] | Fault]:
    for place, found in enumerate(json_rows(file, Question, "question", lines=True)):
        if isinstance(found, Fault):
            yield found
        elif not any(_paths(found[1])):
            yield Fault(found[0], "has neither video_path nor audio_path")
        else:
            yield found[0], (place, found[1])


def _paths(row: Question) -> tuple[str | None, str | None]:
    """The video and the sound of a row, relative to the root.

    >>> _paths(Question("c", "s", "audio", "q", "no", video_path="None", audio_path="./raw/a.wav"))
    (None, 'raw/a.wav')
    """
    return _path(row.video_path), _path(row.audio_path)


def _path(named: str | None) -> str | None:
    return None if named is None or named == MISSING else named.removeprefix("./")


def _sample(row: Question) -> tuple[str, str | None, str | None]:
    return row.sub_category, *_paths(row)


def _listed(root: Path, samples: Iterable[list[Asked] | Fault]) -> Listed:
    """The media in the folders that the rows name."""
    named = {path for rows in samples if not isinstance(rows, Fault) for path in _paths(rows[0][1]) if path}
    return list_folders(root, sorted({_folder(path) for path in named}), (*VIDEOS, *SOUNDS))


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _record(rows: list[Asked], listed: Listed) -> Record | Rejected:
    first = rows[0][1]
    video, audio = _paths(first)
    name = PurePosixPath(video or audio or "").stem
    record_id = id_of(f"{first.sub_category}-{name}")
    about: dict[str, Any] = {"id": record_id, "dataset": DATASET, "split": SPLIT, "group": name}
    about["examples"] = tuple(_example(_id(record_id, place), row) for place, row in rows)
    for path in (video, audio):
        if path and path.rpartition("/")[2] not in listed.get(_folder(path), ()):
            return Rejected(**about, reason=f"no such file: {path}", path=path)
    return Record(
        **about,
        image=video,
        audio=None if audio is None else Audio(path=audio),
        metadata={"questions": {_id(record_id, place): _facts(row) for place, row in rows}},
    )


def _id(record_id: str, place: int) -> str:
    return f"{record_id}-{place}"


def _example(example_id: str, row: Question) -> Example:
    return Example(
        id=example_id,
        task="vqa",
        prompt=row.question,
        references=(row.answer,),
        question_type=row.sub_category,
        needs_audio=_HEAR.search(row.question) is not None,
    )


def _facts(row: Question) -> dict[str, str]:
    names = ("category", "modality", "granularity", "correlation_type")
    return {name: value for name in names if (value := getattr(row, name)) is not None}
