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
from typing import Annotated, Any

import msgspec

from safe_data.core.errors import InputError
from safe_data.records import Example, Record, Records, Rejected
from safe_data.sources.annotations import TEXT, find_annotations, json_rows
from safe_data.sources.faulty_row import Fault
from safe_data.sources.media_files import PICTURES, MediaFiles, list_media

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
    caption: Annotated[str, TEXT]


def read(root: Path) -> Records:
    """Yield the pictures of each split in the order of the file's list of images, then the faulty captions.

    Raises:
        InputError: there are no caption files, or of both years, or one is not of COCO.
    """
    files = find_annotations(root, FILES, GET)
    if len({part[-4:] for part in files}) > 1:
        raise InputError(f"{root}: holds captions of 2014 and 2017 for the same pictures; leave one year")
    for part, file in files.items():
        yield from _pictures(root, part, file)


def _pictures(root: Path, part: str, file: Path) -> Records:
    images = list(json_rows(file, Picture, "id", under="images", unique=True))
    captions: dict[int, list[str]] = {image[1].id: [] for image in images if not isinstance(image, Fault)}
    rejected = {image.row_id for image in images if isinstance(image, Fault) and image.row_id is not None}
    faults = _add_captions(captions, file, rejected)
    pictures = list_media(root, (part, f"images/{part}", "images"), PICTURES)
    for image in images:
        if isinstance(image, Fault):
            yield image.rejected(dataset=DATASET, split=part[:-4])
        else:
            yield _record(image[1], captions[image[1].id], part[:-4], pictures)
    for fault in faults:
        yield fault.rejected(dataset=DATASET, split=part[:-4])


def _add_captions(captions: dict[int, list[str]], file: Path, rejected: set[object]) -> list[Fault]:
    """Add the captions to their pictures; return the faulty ones. Those of a rejected picture go with it."""
    faults = []
    for found in json_rows(file, Caption, "id", under="annotations", unique=True):
        if isinstance(found, Fault):
            faults.append(found)
            continue
        where, row = found
        if row.image_id in captions:
            captions[row.image_id].append(row.caption)
        elif row.image_id not in rejected:
            faults.append(Fault(where, f"is of image {row.image_id}, which the file does not list"))
    return faults


def _record(image: Picture, captions: list[str], split: str, pictures: MediaFiles) -> Record | Rejected:
    about: dict[str, Any] = {
        "id": str(image.id),
        "dataset": DATASET,
        "split": split,
        "group": str(image.id),
    }
    name = Path(image.file_name).stem
    path = pictures.find(name)
    if path is None:
        return Rejected(**about, reason=pictures.missing(name), path=pictures.looked_for(name))
    if not captions:
        return Rejected(**about, reason="no captions: the file has none for it", path=path)
    example = Example(
        id=about["id"],
        task="caption",
        prompt=PROMPT,
        references=tuple(captions),
        question_type="caption",
        needs_audio=False,
    )
    return Record(**about, image=path, examples=(example,))
