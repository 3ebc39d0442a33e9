"""AudioCaps: 10 s clips of AudioSet, described by people.

- Paper: Kim et al., "AudioCaps: Generating Captions for Audios in The Wild", NAACL-HLT 2019.
- Get: https://github.com/cdjkim/audiocaps, `dataset/` (51,308 clips) or `dataset2.0/` (98,606 captions); the
  sounds through the form there, or from YouTube.
- Licence: the captions "free to use for academic purposes only" (README; the repository's file says MIT); the
  sounds are their uploaders'. Size: 136 h, about 43 GB as 32 kHz FLAC.

Expected under ROOT (one split is enough; x is wav, flac, mp3, m4a, ogg, opus, mp4, webm or mkv):

    {train,val,test}.csv                         audiocap_id,youtube_id,start_time,caption
    audio/{split}/{youtube_id}_{start_time}.x    the clip cut out; also in {split}/ or audio/
    audio/{split}/{audiocap_id}.x                the same, named by any of its caption ids
    video/{youtube_id}.mp4                       or webm, mkv: the whole video; 10 s from start_time are used

A clip is one record with all its captions as references: one in train, five in val and test, on separate
rows. `group` is the YouTube id. A clip that was cut out as a video also has a picture. Of a whole video only
the sound is used, as its middle may be outside the clip.

Faults: many videos are gone from YouTube, so most copies lack a few percent of each split; these become
rejected rows. Some captions of train are faulty; `train_fixed`, a corrected list, is not read.
"""

from pathlib import Path
from typing import Annotated

import msgspec

from safe_data.core.errors import raise_row_errors
from safe_data.records import Audio, Example, Record, Records, Rejected
from safe_data.sources.annotations import csv_rows, find_annotations
from safe_data.sources.ids import clip_id
from safe_data.sources.media_files import SOUNDS, VIDEOS, is_video, list_media

DATASET = "audiocaps"
GET = "https://github.com/cdjkim/audiocaps (dataset/ or dataset2.0/)"
FILES = {split: (f"{split}.csv",) for split in ("train", "val", "test")}
PROMPT = "Describe the sound."
CLIP_SECONDS = 10.0


class Caption(msgspec.Struct):
    audiocap_id: int
    youtube_id: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{11}\Z")]
    start_time: Annotated[float, msgspec.Meta(ge=0, lt=1e6)]
    caption: str


def read(root: Path) -> Records:
    """Yield the clips of each split in the order of their first captions.

    Raises:
        InputError: all CSV files are missing, or rows are faulty (all of them, after the last row).
    """
    errors: list[str] = []
    for split, file in find_annotations(root, FILES, GET).items():
        clips: dict[tuple[str, float], list[Caption]] = {}
        for _, row in csv_rows(file, Caption, "audiocap_id", errors):
            clips.setdefault((row.youtube_id, row.start_time), []).append(row)
        cut = list_media(root, (f"audio/{split}", split, "audio"), SOUNDS + VIDEOS)
        whole = list_media(root, ("video",), VIDEOS)
        for captions in clips.values():
            first = captions[0]
            name = f"{first.youtube_id}_{first.start_time:g}"
            media = cut.find(name, *(str(row.audiocap_id) for row in captions))
            if media is not None:
                yield _record(split, captions, Audio(path=media), image=media if is_video(media) else None)
            elif (video := whole.find(first.youtube_id)) is not None:
                part = Audio(path=video, start_seconds=first.start_time, duration_seconds=CLIP_SECONDS)
                yield _record(split, captions, part, image=None)
            else:
                yield Rejected(
                    id=clip_id(first.youtube_id, first.start_time),
                    dataset=DATASET,
                    split=split,
                    group=first.youtube_id,
                    reason=cut.missing(name),
                )
    raise_row_errors(errors, str(root))


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
