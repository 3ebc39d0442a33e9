"""A copy of a picture is found at another size or quality, and another picture is not."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import corpus_of, row
from PIL import Image

from safe_data.audit.alike import pictures
from safe_data.audit.alike.all_alike import alike
from safe_data.audit.alike.pictures import MOST_BITS, near_hashes, near_pictures, thumbnail
from safe_data.audit.corpus import Corpus, open_corpus
from safe_data.build.build import build_dataset
from safe_data.shards import manifest
from safe_data.sources.synthetic.faults_key import false_pairs, read_key, recall
from safe_data.sources.synthetic.world import write_world

UINT64 = st.integers(0, 2**64 - 1)


def photo(seed: int, side: int = 96) -> Image.Image:
    """Something like a photograph: coarse noise, made large."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def encoded(picture: Image.Image, **how: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, **{"format": "PNG", **how})  # type: ignore[arg-type]
    return file.getvalue()


def shown(root: Path, *files: bytes) -> Corpus:
    """A dataset of pictures, built as any other."""
    root.mkdir()
    rows = []
    for number, data in enumerate(files):
        (root / f"{number}.png").write_bytes(data)
        rows.append({"id": f"p{number}", "split": "train", "image_file_name": f"{number}.png"})
    (root / "metadata.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    build_dataset(root, str(root / "shards"), encoders=(), quiet=True)
    return open_corpus([str(root / "shards")])


def pairs(corpus: Corpus) -> list[tuple[str, ...]]:
    ids = corpus.manifest["id"].to_pylist()
    return sorted(tuple(sorted((ids[one], ids[other]))) for one, other in near_pictures(corpus).pairs)


def test_a_copy_is_found_and_another_picture_is_not(tmp_path: Path) -> None:
    one = photo(1)
    transparent = one.convert("RGBA")
    transparent.putpixel((0, 0), (0, 0, 0, 0))
    copies = [
        encoded(one, format="JPEG", quality=60),
        encoded(one.resize((40, 48))),
        encoded(one.point(lambda value: min(255, value * 11 // 10))),
        encoded(transparent),
    ]
    corpus = shown(tmp_path / "x", encoded(one), *copies, encoded(photo(2)), encoded(photo(3)))
    found = pairs(corpus)
    assert {("p0", f"p{number}") for number in range(1, 5)} <= set(found)
    assert not {"p5", "p6"} & {name for pair in found for name in pair}


def test_a_page_of_one_colour_is_like_nothing_and_a_drawing_on_white_only_like_itself(tmp_path: Path) -> None:
    drawings = []
    for place in ((8, 8), (60, 60)):
        page = Image.new("RGB", (96, 96), "white")
        page.paste((20, 20, 20), (*place, place[0] + 24, place[1] + 24))
        drawings.append(encoded(page))
    flat = [encoded(Image.new("RGB", (96, 96), colour)) for colour in ("white", "#fefefe", "grey")]
    assert pairs(shown(tmp_path / "x", *drawings, *flat)) == []
    assert not thumbnail(Image.new("RGB", (8, 8), "red").convert("L").convert("RGB")).any()


def test_a_damaged_picture_is_counted_and_the_others_are_compared(tmp_path: Path) -> None:
    one = photo(1)
    corpus = shown(tmp_path / "x", encoded(one), encoded(one.resize((64, 64))), encoded(one.resize((48, 48))))
    with corpus.tar(0).open("r+b") as file:
        file.seek(corpus.manifest["image_offset"][0].as_py() + 40)
        file.write(bytes(64))
    found = near_pictures(corpus)
    assert found.unread == (0,)
    assert found.pairs.tolist() == [[1, 2]]


def test_without_hashes_pictures_are_not_compared() -> None:
    found = alike(
        corpus_of(manifest.table([row(0, image_dhash=None), row(1, image_dhash=None)])), "near_picture"
    )
    assert found.why_not == "2 of 2 pictures have no image_dhash; it was never written"


@settings(deadline=None, max_examples=30)
@given(
    st.lists(UINT64, min_size=1, max_size=6), st.lists(st.sets(st.integers(0, 63), max_size=6), max_size=6)
)
def test_hashes_of_few_different_bits_are_found_among_many_too(
    hashes: list[int], flips: list[set[int]]
) -> None:
    given = [*hashes, *(hashes[0] ^ sum(1 << bit for bit in bits) for bits in flips)]
    array = np.array(given, np.uint64)
    expected = {
        (one, other)
        for other in range(len(given))
        for one in range(other)
        if (given[one] ^ given[other]).bit_count() <= MOST_BITS
    }
    assert set(zip(*(part.tolist() for part in near_hashes(array)), strict=True)) == expected
    numbers = [found for block in pictures._by_two_bytes(array) for found in block.tolist()]
    among_many = {divmod(number, len(given)) for number in numbers}
    assert among_many <= expected
    near = {pair for pair in expected if (given[pair[0]] ^ given[pair[1]]).bit_count() <= 6}
    assert near <= among_many


def test_planted_copies_are_found_and_nothing_else(tmp_path: Path) -> None:
    write_world(tmp_path / "world", clips=120, seed=5, faults={"near_duplicate": 12})
    build_dataset(tmp_path / "world", str(tmp_path / "shards"), encoders=(), quiet=True)
    found = pairs(open_corpus([str(tmp_path / "shards")]))
    key = read_key(tmp_path / "world")
    assert {one.rate for one in recall(key, found).values()} == {1.0}
    assert false_pairs(key, found) == []


@pytest.mark.slow
def test_no_two_pictures_of_a_clean_world_are_alike(tmp_path: Path) -> None:
    write_world(tmp_path / "world", clips=2_000, seed=21)
    build_dataset(tmp_path / "world", str(tmp_path / "shards"), encoders=(), quiet=True)
    assert pairs(open_corpus([str(tmp_path / "shards")])) == []
