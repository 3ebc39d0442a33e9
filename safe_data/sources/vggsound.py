"""VGGSound: 10 s clips of YouTube in which the source of the sound is visible, each with one of 309 labels.

- Paper: Chen et al., "VGGSound: A Large-scale Audio-Visual Dataset", ICASSP 2020.
- Get: https://github.com/hche11/VGGSound (data/vggsound.csv); the clips from YouTube, or mirrored at
  https://huggingface.co/datasets/Loie/VGGSound. Licence: CC BY 4.0 for the annotations; the videos are their
  uploaders'. Size: about 200,000 clips, 550 h, 330 GB.

Expected under ROOT (x is mp4 or another suffix of a video; for the sound alone wav or another of a sound; see
docs/data.md):

    vggsound.csv                                 no header: YouTube id, start seconds, label, train or test
    video/{youtube_id}_{start as 000030}.x       the clip cut out; also in videos/, clips/, {split}/
    video/{youtube_id}.x                         the whole video; its 10 s from the start are used
    audio/{youtube_id}_{start as 000030}.x       its extracted sound, optional; it is preferred to the video's

All these folders may have subfolders for splits and labels. The folders that the mirror's archives unpack to
are read too: scratch/shared/beegfs/hchen/train_data/VGGSound_final/{video,audio}/, also below vggsound_*/.
`clip_files` lists the other names that a clip may have, such as {youtube_id}_30000_40000.mp4.

`group` is the YouTube id. A record has a picture if there is a video. Its only example asks for the label;
`choices` is left out, as the same 309 labels in each of 200,000 records would add nothing.

Faults: there is no val split; some videos have two clips; each clip has one label, though some have several
sounds and some labels overlap ("people crowd", "people cheering"); some videos are gone from YouTube; some
have no sound at all.
"""

from array import array
from dataclasses import replace
from pathlib import Path
from sys import intern
from typing import Annotated, Any, Literal

import msgspec

from safe_data.media.paths import media_root
from safe_data.records import Audio, Example, Record, Records, Rejected
from safe_data.sources.annotations import csv_rows, find_annotations
from safe_data.sources.clip_files import (
    Clip,
    clip_files,
    clip_media,
    with_subfolders,
)
from safe_data.sources.faulty_row import Fault, splits_of
from safe_data.sources.ids import clip_id
from safe_data.sources.media_files import SOUNDS, VIDEOS, list_media

DATASET = "vggsound"
GET = "https://github.com/hche11/VGGSound (data/)"
FILES = {"all": ("vggsound.csv", "data/vggsound.csv")}
PROMPT = "What makes the sound?"
CLIP_SECONDS = 10.0
MIRROR = "scratch/shared/beegfs/hchen/train_data/VGGSound_final"


class Row(msgspec.Struct, gc=False):
    youtube_id: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{11}\Z")]
    start_seconds: Annotated[int, msgspec.Meta(ge=0)]
    label: str
    split: Literal["train", "test"]


def read(root: Path, trust_links: Path | None = None) -> Records:
    """Yield the clips in the order of their rows, and the faulty rows.

    Raises:
        InputError: vggsound.csv is missing, or is not VGGSound's.
    """
    file = find_annotations(root, FILES, GET)["all"]
    rows, several = _rows(file)
    media = media_root(root, trust_links)
    videos = clip_files(media, list_media(root, video_folders(root, "train", "test"), VIDEOS), CLIP_SECONDS)
    places = with_subfolders(root, ("audio",), 2) + _mirrors(root, "audio") + list(videos.media.folders)
    sounds = clip_files(media, list_media(root, places, SOUNDS + VIDEOS), CLIP_SECONDS)
    shown = replace(sounds.media, folders=("audio", "video", "train", "test"))
    for row, split in zip(rows, splits_of(rows), strict=True):
        if isinstance(row, Fault):
            yield row.rejected(dataset=DATASET, split=split)
            continue
        about: dict[str, Any] = {
            "id": clip_id(row.youtube_id, row.start_seconds),
            "dataset": DATASET,
            "split": split,
            "group": row.youtube_id,
        }
        clip = Clip(row.youtube_id, row.start_seconds, CLIP_SECONDS, row.youtube_id not in several)
        sound, video, unclear = clip_media(sounds, videos, clip)
        if sound is None:
            name = f"{row.youtube_id}_{row.start_seconds:06d}"
            reason, looked_for = unclear or shown.missing(name), shown.looked_for(name)
            yield Rejected(**about, reason=reason, path=looked_for)
        else:
            yield _record(about, row.label, sound.audio, video.path if video else None)


def video_folders(root: Path, *more: str) -> list[str]:
    """The folders of clips: the documented ones with their subfolders, then those of the mirror."""
    return with_subfolders(root, ("video", *more, "videos", "clips"), 2) + _mirrors(root, "video")


def _mirrors(root: Path, kind: str) -> list[str]:
    found = [root / MIRROR / kind, *sorted(root.glob(f"vggsound_*/{MIRROR}/{kind}"))]
    return [path.relative_to(root).as_posix() for path in found]


def _rows(file: Path) -> tuple[list[Row | Fault], set[str]]:
    """The rows of the list, and the videos with several clips; a clip that is listed twice is a fault."""
    rows: list[Row | Fault] = []
    lines = array("Q")  # of the rows
    several: set[str] = set()
    first: dict[str | tuple[str, int], int] = {}  # rows by video, those of other clips of it by clip
    for number, found in enumerate(csv_rows(file, Row, "youtube_id", columns=Row.__struct_fields__)):
        if isinstance(found, Fault):
            lines.append(0)
            rows.append(found)
            continue
        where, row = found
        row.label = intern(row.label)
        rows.append(row)
        lines.append(int(where.partition(" ")[0].rpartition(":")[2]))
        earlier = first.setdefault(row.youtube_id, number)
        known = rows[earlier]
        if isinstance(known, Row) and known.start_seconds != row.start_seconds:
            several.add(row.youtube_id)
            earlier = first.setdefault((row.youtube_id, row.start_seconds), number)
        if earlier != number:
            fault = f"a row lists one clip, and this one is on {file.name}:{lines[earlier]}"
            rows[number] = Fault(where, fault, splits=(row.split,))
    return rows, several


def _record(about: dict[str, Any], label: str, audio: Audio, image: str | None) -> Record:
    example = Example(
        id=about["id"],
        task="classify",
        prompt=PROMPT,
        references=(label,),
        question_type="sound",
        needs_audio=True,
    )
    return Record(**about, label=label, audio=audio, image=image, examples=(example,))
