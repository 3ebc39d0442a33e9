"""MUSIC-AVQA: questions from 33 templates about videos of people making music.

- Paper: Li et al., "Learning to Answer Questions in Dynamic Audio-Visual Scenarios", CVPR 2022.
- Get: https://github.com/GeWu-Lab/MUSIC-AVQA (data/json/, and where to find the videos). Licence: MIT by the
  repository's file, GPL-3.0 by its README; the videos are their uploaders'.
  Size: 45,867 questions about 9,288 videos of a minute, 48 GB.

Expected under ROOT, the repository's `data` folder (one split is enough):

    avqa-{train,val,test}.json        also in json/; see `Question` for the fields of a row
    video/{video_id}.mp4              or another suffix of docs/data.md; also in videos/, and in the folders
                                      MUSIC-AVQA-videos-Real/ and -Synthetic/, here or in one of these two
    audio/{video_id}.wav              its extracted sound, optional; it is preferred to the video's

A video of a split is one record, `{split}-{video_id}`. Slots of a template such as `<Object>` are filled from
`templ_values`, in order. `question_type` is "Audio/Counting" and so on, nine in all; `needs_audio` is false
for Visual ones; `choices` are the benchmark's 42 answers.

Faults, and how they are treated:

- The answer is spelled `anser`; `type` and `templ_values` are JSON within a string.
- A question id may occur twice, with two answers (55 of 9,130 in test, 27 of 4,568 in val). Both become
  examples, as in the official scores: `{split}-{question_id}`, then `{split}-{question_id}-2`.
  `data/json_update/` has each id once and changes about 54 answers; to use it, copy it to json/, and say so.
- The splits divide questions, not videos: 2,296 of the 7,918 videos of val and test are in both.
- Synthetic videos (va, sa, vv, eva, esa, evv before the number) are made from real ones. Videos with an e
  share an instrument with the real video of the same number in 9 of 10 cases, with any other in 2 or 3 of 10.
  So `group` is the number without the letters, which keeps a video and its derivatives together.
- `question_deleted` is 0 in every row of val and test; it is not read.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import msgspec

from safe_data.records import Audio, Example, Record, Records, Rejected
from safe_data.sources.annotations import find_annotations, json_rows
from safe_data.sources.faulty_row import Fault, by_record, some_good
from safe_data.sources.media_files import SOUNDS, VIDEOS, list_media

DATASET = "music_avqa"
GET = "https://github.com/GeWu-Lab/MUSIC-AVQA (data/json/)"
FILES = {split: (f"avqa-{split}.json", f"json/avqa-{split}.json") for split in ("train", "val", "test")}
VIDEO_FOLDERS = ("video", "videos")
ZIPS = ("MUSIC-AVQA-videos-Real", "MUSIC-AVQA-videos-Synthetic")
_ANSWERS = (
    "yes, no, zero, one, two, three, four, five, six, seven, eight, nine, ten, more than ten, "
    "left, middle, right, simultaneously, indoor, outdoor, accordion, acoustic_guitar, bagpipe, banjo, "
    "bassoon, cello, clarinet, congas, drum, electric_bass, erhu, flute, guzheng, piano, pipa, "
    "saxophone, suona, trumpet, tuba, ukulele, violin, xylophone"
)
ANSWERS = tuple(_ANSWERS.split(", "))
_SLOT = re.compile(r"<[A-Za-z]+>")


class Question(msgspec.Struct):
    video_id: Annotated[str, msgspec.Meta(pattern=r"\A[a-z]*[0-9]{8}\Z")]
    question_id: int
    type: str
    question_content: str
    templ_values: str
    anser: str


def read(root: Path) -> Records:
    """Yield the videos of each split in the order of their first questions, and the faulty rows.

    Raises:
        InputError: all annotation files are missing, or one is not of MUSIC-AVQA.
    """
    within = [f"{folder}/{name}" for folder in VIDEO_FOLDERS for name in ZIPS]
    videos = replace(list_media(root, (*VIDEO_FOLDERS, *within, *ZIPS), VIDEOS), folders=VIDEO_FOLDERS)
    sounds = list_media(root, ("audio",), SOUNDS)
    for split, file in find_annotations(root, FILES, GET).items():
        questions = by_record(some_good(file, _questions(split, file)), lambda question: question[0])
        for video_id, asked in questions.items():
            if isinstance(asked, Fault):
                yield asked.rejected(dataset=DATASET, split=split)
                continue
            about: dict[str, Any] = {
                "id": f"{split}-{video_id}",
                "dataset": DATASET,
                "split": split,
                "group": str(video_id)[-8:],
            }
            about["examples"] = tuple(example for _, example in asked)
            video = videos.find(str(video_id))
            if video is None:
                name = str(video_id)
                yield Rejected(**about, reason=videos.missing(name), path=videos.looked_for(name))
                continue
            yield Record(**about, audio=Audio(path=sounds.find(str(video_id)) or video), image=video)


def _questions(split: str, file: Path) -> Iterator[tuple[str, tuple[str, Example]] | Fault]:
    """The questions with the ids of their videos."""
    times_seen: dict[int, int] = {}
    for found in json_rows(file, Question, "question_id"):
        if isinstance(found, Fault):
            yield found
            continue
        where, row = found
        times_seen[row.question_id] = times = times_seen.get(row.question_id, 0) + 1
        example_id = f"{split}-{row.question_id}" + (f"-{times}" if times > 1 else "")
        try:
            yield where, (row.video_id, _example(example_id, row))
        except ValueError as error:
            yield Fault(where, str(error))


def fill(template: str, values: list[str]) -> str:
    """Fill the slots of a template.

    >>> fill("Is the <Object> on the <LR> louder?", ["flute", "left"])
    'Is the flute on the left louder?'

    Raises:
        ValueError: there are fewer values than slots.
    """
    slots = len(_SLOT.findall(template))
    if slots > len(values):
        raise ValueError(f"templ_values has {len(values)} of the {slots} values that {template!r} needs")
    rest = iter(values)
    return _SLOT.sub(lambda _: next(rest), template).strip()


def _example(example_id: str, row: Question) -> Example:
    try:
        modality, kind = msgspec.json.decode(row.type, type=tuple[str, str])
        values = msgspec.json.decode(row.templ_values, type=list[str])
    except msgspec.DecodeError as error:
        found = f"type {row.type!r} or templ_values {row.templ_values!r}"
        raise ValueError(f"{found} is not the JSON it should be: {error}") from None
    return Example(
        id=example_id,
        task="vqa",
        prompt=fill(row.question_content, values),
        references=(row.anser,),
        choices=ANSWERS,
        question_type=f"{modality}/{kind}",
        needs_audio=modality != "Visual",
    )
