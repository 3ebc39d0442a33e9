"""VGGSound: 10 s clips of YouTube in which the source of the sound is visible, each with one of 309 labels.

- Paper: Chen et al., "VGGSound: A Large-scale Audio-Visual Dataset", ICASSP 2020.
- Get: https://github.com/hche11/VGGSound (data/vggsound.csv); the clips from YouTube, or mirrored at
  https://huggingface.co/datasets/Loie/VGGSound. Licence: CC BY 4.0 for the annotations; the videos are their
  uploaders'. Size: about 200,000 clips, 550 h, 330 GB.

Expected under ROOT (x is mp4, webm or mkv, or for the sound alone wav, flac, mp3, m4a, ogg or opus):

    vggsound.csv                                 no header: YouTube id, start seconds, label, train or test
    video/{youtube_id}_{start as 000030}.x       the clip cut out; also in {split}/; {youtube_id}_{start} too
    audio/{youtube_id}_{start as 000030}.x       its extracted sound, optional; it is preferred to the video's

`group` is the YouTube id. A record has a picture if there is a video. Its only example asks for the label;
`choices` is left out, as the same 309 labels in each of 200,000 records would add nothing.

Faults: there is no val split; each clip has one label, though some have several sounds and some labels
overlap ("people crowd", "people cheering"); some videos are gone from YouTube; some have no sound at all.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from safe_data.core.errors import raise_row_errors
from safe_data.records import Audio, Example, Record, Records, Rejected
from safe_data.sources.annotations import csv_rows, find_annotations
from safe_data.sources.ids import clip_id
from safe_data.sources.media_files import SOUNDS, VIDEOS, list_media

DATASET = "vggsound"
GET = "https://github.com/hche11/VGGSound (data/)"
FILES = {"all": ("vggsound.csv", "data/vggsound.csv")}
PROMPT = "What makes the sound?"


class Clip(msgspec.Struct):
    youtube_id: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{11}\Z")]
    start_seconds: Annotated[int, msgspec.Meta(ge=0)]
    label: str
    split: Literal["train", "test"]


def read(root: Path) -> Records:
    """Yield the clips in the order of their rows.

    Raises:
        InputError: vggsound.csv is missing, or rows are faulty (all of them, after the last row).
    """
    errors: list[str] = []
    file = find_annotations(root, FILES, GET)["all"]
    videos = list_media(root, ("video", "train", "test"), VIDEOS)
    sounds = list_media(root, ("audio", "video", "train", "test"), SOUNDS + VIDEOS)
    columns = Clip.__struct_fields__
    for _, clip in csv_rows(file, Clip, "youtube_id", errors, columns=columns):
        record_id = clip_id(clip.youtube_id, clip.start_seconds)
        names = (f"{clip.youtube_id}_{clip.start_seconds:06d}", f"{clip.youtube_id}_{clip.start_seconds}")
        about: dict[str, Any] = {
            "id": record_id,
            "dataset": DATASET,
            "split": clip.split,
            "group": clip.youtube_id,
        }
        sound = sounds.find(*names)
        if sound is None:
            yield Rejected(**about, reason=sounds.missing(names[0]))
            continue
        example = Example(
            id=record_id,
            task="classify",
            prompt=PROMPT,
            references=(clip.label,),
            question_type="sound",
            needs_audio=True,
        )
        image = videos.find(*names)
        yield Record(**about, label=clip.label, audio=Audio(path=sound), image=image, examples=(example,))
    raise_row_errors(errors, str(root))
