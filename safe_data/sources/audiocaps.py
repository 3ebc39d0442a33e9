"""AudioCaps: 10 s clips of AudioSet, described by people.

- Paper: Kim et al., "AudioCaps: Generating Captions for Audios in The Wild", NAACL-HLT 2019.
- Get: https://github.com/cdjkim/audiocaps, `dataset/` (51,308 clips) or `dataset2.0/` (98,606 captions); the
  sounds through the form there, or from YouTube.
- Licence: the captions "free to use for academic purposes only" (README; the repository's file says MIT); the
  sounds are their uploaders'. Size: 136 h, about 43 GB as 32 kHz FLAC.

Expected under ROOT (one split is enough; x is wav, flac, mp3 or another suffix of docs/data.md):

    {train,val,test}.csv                         audiocap_id,youtube_id,start_time,caption
    audio/{split}/{youtube_id}_{start_time}.x    the clip cut out; also in {split}/, audio/ or its subfolders
    audio/{split}/{audiocap_id}.x                the same, named by a caption's id; also in {split}/ or audio/
    video/{youtube_id}.x                         the whole video; the 10 s from start_time are used

`clip_files` lists the other names that the clip and the whole video may have, such as
Y{youtube_id}_30.000_40.000.wav, and tells a clip from a whole video where the name does not.

A clip is one record with all its captions as references: one in train, five in val and test, on separate
rows. `group` is the YouTube id. A clip that was cut out as a video also has a picture. Of a whole video only
the sound is used, as its middle may be outside the clip.

Faults: many videos are gone from YouTube, so most copies lack a few percent of each split; these become
rejected rows. So do rows of train 2.0 in which the rest of a caption stands where `audiocap_id` should. Some
captions of train are faulty; `train_fixed`, a corrected list, is not read.
"""

from pathlib import Path
from typing import Annotated

import msgspec

from safe_data.media.paths import media_root
from safe_data.records import Audio, Example, Record, Records, Rejected
from safe_data.sources.annotations import TEXT, csv_rows, find_annotations
from safe_data.sources.clip_files import Clip, ClipFiles, Part, clip_files, several_clips, with_subfolders
from safe_data.sources.faulty_row import Fault, by_record
from safe_data.sources.ids import clip_id
from safe_data.sources.media_files import (
    SOUNDS,
    VIDEOS,
    MediaFiles,
    is_video,
    list_folders,
    list_media,
    media_among,
)

DATASET = "audiocaps"
GET = "https://github.com/cdjkim/audiocaps (dataset/ or dataset2.0/)"
FILES = {split: (f"{split}.csv",) for split in ("train", "val", "test")}
PROMPT = "Describe the sound."
CLIP_SECONDS = 10.0
YOUTUBE_ID_LENGTH = 11


class Caption(msgspec.Struct, gc=False):
    audiocap_id: int
    youtube_id: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{11}\Z")]
    start_time: Annotated[float, msgspec.Meta(ge=0, lt=1e6)]
    caption: Annotated[str, TEXT]


def read(root: Path, trust_links: Path | None = None) -> Records:
    """Yield the clips of each split in the order of their first captions, and the faulty rows.

    Raises:
        InputError: all CSV files are missing, or one is not of AudioCaps.
    """
    files = find_annotations(root, FILES, GET)
    lists = {
        split: by_record(csv_rows(file, Caption, "audiocap_id", unique=True), _clip_of)
        for split, file in files.items()
    }
    clips = [rows for rows_of_split in lists.values() for rows in rows_of_split.values()]
    several = several_clips(_clip_of(rows[0]) for rows in clips if not isinstance(rows, Fault))
    documented = [*(f"audio/{split}" for split in files), *files, "audio"]
    below = [folder for folder in with_subfolders(root, ("audio",), 2) if folder not in documented]
    media = media_root(root, trust_links)
    folders, suffixes = (*documented, *below), SOUNDS + VIDEOS
    listed = list_folders(root, folders, suffixes)
    cut = clip_files(media, media_among(listed, folders, suffixes), CLIP_SECONDS)
    whole = list_media(root, with_subfolders(root, ("video", "videos"), 2), VIDEOS)
    videos = clip_files(media, whole, CLIP_SECONDS)
    for split, rows_of_clips in lists.items():
        named = media_among(listed, (f"audio/{split}", split, "audio"), suffixes)
        for captions in rows_of_clips.values():
            if isinstance(captions, Fault):
                yield captions.rejected(dataset=DATASET, split=split)
                continue
            first = captions[0]
            only = first.youtube_id not in several
            clip = Clip(first.youtube_id, first.start_time, CLIP_SECONDS, only)
            yield _clip(split, captions, clip, named, cut, videos)


def _clip_of(row: Caption) -> tuple[str, float]:
    return row.youtube_id, row.start_time


def _clip(
    split: str, captions: list[Caption], clip: Clip, named: MediaFiles, cut: ClipFiles, videos: ClipFiles
) -> Record | Rejected:
    media = cut.named(clip) or _by_caption(captions, named) or videos.named(clip)
    if media is not None:
        return _record(split, captions, Audio(path=media), image=media if is_video(media) else None)
    unclear = None
    for files in (videos, cut):
        part = files.find(clip)
        if isinstance(part, Part):
            image = part.path if part.is_clip and is_video(part.path) else None
            return _record(split, captions, part.audio, image)
        unclear = unclear or part
    name = f"{clip.youtube_id}_{clip.start_seconds:.15g}"
    return Rejected(
        id=clip_id(clip.youtube_id, clip.start_seconds),
        dataset=DATASET,
        split=split,
        group=clip.youtube_id,
        reason=unclear or named.missing(name),
        path=named.looked_for(name),
    )


def _by_caption(captions: list[Caption], named: MediaFiles) -> str | None:
    """The file that is named by a caption's id, unless a YouTube id may look like it."""
    for row in captions:
        name = str(row.audiocap_id)
        if len(name) < YOUTUBE_ID_LENGTH and name in named.paths:
            return named.paths[name]
    return None


def _record(split: str, captions: list[Caption], audio: Audio, image: str | None) -> Record:
    first = captions[0]
    record_id = clip_id(first.youtube_id, first.start_time)
    example = Example(
        id=record_id,
        task="caption",
        prompt=PROMPT,
        references=tuple(row.caption for row in captions),
        question_type="caption",
        needs_audio=True,
    )
    return Record(
        id=record_id,
        dataset=DATASET,
        split=split,
        group=first.youtube_id,
        audio=audio,
        image=image,
        examples=(example,),
        metadata={"start_time": first.start_time, "audiocap_ids": [row.audiocap_id for row in captions]},
    )
