"""COCO Captions: captions grouped by picture, one year at a time; and the real val2014."""

import gzip
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from corpora import real, rejected, touch, usable, write_json

from safe_data.core.errors import InputError
from safe_data.records import Rejected
from safe_data.sources.coco_captions import read


def captions(
    *pairs: tuple[int, str], images: tuple[int, ...] = (1, 2), year: str = "val2014"
) -> dict[str, Any]:
    prefix = f"COCO_{year}_" if year.endswith("2014") else ""
    return {
        "info": {"year": 2014},
        "images": [{"id": image, "file_name": f"{prefix}{image:012d}.jpg", "license": 3} for image in images],
        "annotations": [
            {"id": number, "image_id": image, "caption": text} for number, (image, text) in enumerate(pairs)
        ],
    }


def test_a_picture_is_one_record_with_all_its_captions(tmp_path: Path) -> None:
    content = captions((2, "a cat"), (1, "a dog "), (2, "the cat"), (1, "one dog"))
    write_json(tmp_path / "annotations/captions_val2014.json", content)
    write_json(tmp_path / "captions_train2014.json.gz", captions((3, "b"), images=(3,), year="train2014"))
    touch(tmp_path, "val2014/COCO_val2014_000000000001.jpg", "images/val2014/COCO_val2014_000000000002.jpg")
    touch(tmp_path, "images/COCO_train2014_000000000003.jpg")
    three, one, two = usable(read(tmp_path))
    assert (three.split, three.image) == ("train", "images/COCO_train2014_000000000003.jpg")
    assert (one.id, one.dataset, one.split, one.group) == ("1", "coco_captions", "val", "1")
    assert one.image == "val2014/COCO_val2014_000000000001.jpg"
    (example,) = one.examples
    assert (example.references, example.task, example.needs_audio) == (
        ("a dog ", "one dog"),
        "caption",
        False,
    )
    assert two.examples[0].references == ("a cat", "the cat")


def test_2017_has_other_file_names(tmp_path: Path) -> None:
    write_json(
        tmp_path / "annotations/captions_val2017.json", captions((9, "a"), images=(9,), year="val2017")
    )
    touch(tmp_path, "val2017/000000000009.jpg")
    (nine,) = usable(read(tmp_path))
    assert (nine.image, nine.split) == ("val2017/000000000009.jpg", "val")


def test_what_cannot_be_used_has_a_reason(tmp_path: Path) -> None:
    write_json(tmp_path / "captions_val2014.json", captions((1, "a dog")))
    touch(tmp_path, "val2014/COCO_val2014_000000000002.jpg")
    no_picture, no_captions = rejected(read(tmp_path))
    assert no_picture.reason.startswith("no such file: COCO_val2014_000000000001.jpg in val2014 or")
    assert no_picture.path == "val2014/COCO_val2014_000000000001.jpg"
    assert (no_captions.id, no_captions.reason) == ("2", "no captions: the file has none for it")


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"holds none of annotations/captions_train2014\.json, .*cocodataset"
    ):
        list(read(tmp_path))
    content = captions((1, "a"), (7, "b"))
    content["annotations"] += [
        {"id": 5, "image_id": 1, "caption": None},
        {"id": 0, "image_id": 1, "caption": "again"},
        {"id": 6, "image_id": 8, "caption": "of a picture that is rejected"},
    ]
    content["images"] += [{"id": 8}, {"id": 1, "file_name": "other.jpg"}]
    write_json(tmp_path / "captions_val2014.json", content)
    touch(tmp_path, "val2014/COCO_val2014_000000000001.jpg", "val2014/COCO_val2014_000000000002.jpg")
    one, no_captions, no_name, twice, *rest = read(tmp_path)
    assert (one.id, no_captions.id) == ("1", "2")
    place = "faulty row: captions_val2014.json"
    assert [entry.reason for entry in (no_name, twice, *rest) if isinstance(entry, Rejected)] == [
        f"{place}[2] 8: has no 'file_name'; an official row has id, file_name",
        f"{place}[3] 1: id names one row each, and this one is taken by captions_val2014.json[0]",
        f"{place}[1] 1: is of image 7, which the file does not list",
        f"{place}[2] 5: caption: expected `str`, got `null`; an official row has id, image_id, caption",
        f"{place}[3] 0: id names one row each, and this one is taken by captions_val2014.json[0]",
    ]
    write_json(tmp_path / "captions_val2017.json", captions(year="val2017"))
    with pytest.raises(InputError, match=r"holds captions of 2014 and 2017 .*; leave one year"):
        list(read(tmp_path))


def test_the_real_val2014(tmp_path: Path) -> None:
    file = real("coco/captions_val2014.json.gz")
    (tmp_path / "annotations").mkdir()
    shutil.copy(file, tmp_path / "annotations" / "captions_val2014.json.gz")
    given = json.loads(gzip.decompress(file.read_bytes()))
    touch(tmp_path, *(f"val2014/{image['file_name']}" for image in given["images"]))
    pictures = usable(read(tmp_path))
    assert len({picture.id for picture in pictures}) == len(pictures) == 40504
    counts = Counter(len(picture.examples[0].references) for picture in pictures)
    assert counts == {5: 40373, 6: 128, 7: 3}
    assert sum(size * number for size, number in counts.items()) == len(given["annotations"]) == 202654
