"""COCO Captions: photographs of everyday scenes, described by five people or more.

- Paper: Chen et al., "Microsoft COCO Captions: Data Collection and Evaluation Server", arXiv:1504.00325.
- Get: https://cocodataset.org/#download (annotations, pictures). Licence: CC BY 4.0 for the captions; the
  pictures are under their Flickr licences.
  Size: 82,783 + 40,504 pictures, 414,113 + 202,654 captions, 19 GB; in 2017 the same, 118,287 + 5,000.

Expected under ROOT, as the archives unpack (one split is enough; the pictures also in images/):

    annotations/captions_{train,val}{2014,2017}.json     also beside annotations/; see `Picture` and `Caption`
    {train,val}{2014,2017}/{file_name}

A picture is one record; its id and `group` are the image id, `references` its captions in the order of the
file.

Faults: most pictures have five captions, some six or seven (131 of val2014); captions may begin or end with
blanks, which are not removed. 2014 and 2017 split the same pictures differently, so ROOT holds one of the
two. The "Karpathy" split of most papers is a third one, and is not read.
"""

from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.errors import InputError, raise_row_errors
from safe_data.records import Example, Record, Records, Rejected
from safe_data.sources.annotations import find_annotations, json_rows
from safe_data.sources.media_files import PICTURES, list_media

DATASET = "coco_captions"
GET = "https://cocodataset.org/#download"
PARTS = ("train2014", "val2014", "train2017", "val2017")
FILES = {part: (f"annotations/captions_{part}.json", f"captions_{part}.json") for part in PARTS}
PROMPT = "Describe the picture."


class Picture(msgspec.Struct, gc=False):
    id: int
    file_name: str


class Caption(msgspec.Struct, gc=False):
    id: int
    image_id: int
    caption: str


def read(root: Path) -> Records:
    """Yield the pictures of each split in the order of the file's list of images.

    Raises:
        InputError: there are no caption files, or of both years, or rows are faulty (all of them).
    """
    files = find_annotations(root, FILES, GET)
    if len({part[-4:] for part in files}) > 1:
        raise InputError(f"{root}: holds captions of 2014 and 2017 for the same pictures; leave one year")
    for part, file in files.items():
        yield from _pictures(root, part, file)


def _pictures(root: Path, part: str, file: Path) -> Records:
    errors: list[str] = []
    images = [row for _, row in json_rows(file, Picture, "id", errors, under="images", unique=True)]
    captions: dict[int, list[str]] = {image.id: [] for image in images}
    for where, row in json_rows(file, Caption, "id", errors, under="annotations", unique=True):
        if row.image_id in captions:
            captions[row.image_id].append(row.caption)
        else:
            errors.append(f"{where}: is of image {row.image_id}, which the file does not list")
    raise_row_errors(errors, str(root))
    pictures = list_media(root, (part, f"images/{part}", "images"), PICTURES)
    for image in images:
        image_id = str(image.id)
        about: dict[str, Any] = {"id": image_id, "dataset": DATASET, "split": part[:-4], "group": image_id}
        name = Path(image.file_name).stem
        path = pictures.find(name)
        if path is None or not captions[image.id]:
            reason = pictures.missing(name) if path is None else "no captions: the file has none for it"
            yield Rejected(**about, reason=reason)
            continue
        example = Example(
            id=image_id,
            task="caption",
            prompt=PROMPT,
            references=tuple(captions[image.id]),
            question_type="caption",
            needs_audio=False,
        )
        yield Record(**about, image=path, examples=(example,))
