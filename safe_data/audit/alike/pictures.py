"""Near-identical pictures: one picture that was encoded anew, resized, or made a little brighter.

The manifest has a hash of what each picture looks like. Pictures whose hashes differ in few bits are
candidates; of these, small copies are compared in colour. A hash alone over-fires: most pictures of a thing
on a white page have almost the same.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32, Int, UInt64
from numpy import ndarray
from PIL import Image

from safe_data.audit.alike.exact import loaded_rows
from safe_data.audit.alike.likeness import Likeness, from_pairs
from safe_data.audit.corpus import Corpus
from safe_data.core.cores import cores
from safe_data.core.errors import InputError, MediaError
from safe_data.media.picture import decode_image

KIND, EVIDENCE = "near_picture", "small copies of both match in colour"
# In worlds of 2,000 noisy pictures of 32 × 32 pixels, which JPEG changes most, copies differed in 12 bits or
# fewer and correlated at 0.93 or more; of 6 million pairs of other pictures, those with as few bits were at
# 0.88 or less. In the stamps, copies of half the size were at 0.94 and others at 0.80.
MOST_BITS = 12  # of 64 in which hashes of candidates may differ
MOST_BITS_OF_MANY = 10  # among a million hashes, chance alone gives 50,000 pairs in 12 bits and 4,000 in 10
SAME_PICTURE = 0.93  # correlation of the small copies
SIDE = 16  # pixels of a small copy

_COMPARED = 20_000  # hashes of which all pairs are compared, in seconds
_BLOCK = 256
_MOST_IN_A_WINDOW = 500  # hashes; more have bytes without any information, such as a white border
_LEAST_CONTRAST = 2.0  # grey levels; below it a picture is of one colour
_KEPT = 4_096  # small copies

Thumbnail = Float32[ndarray, "768"]


def near_pictures(corpus: Corpus) -> Likeness:
    """Pairs of pictures that are one; of pictures with the same pixels, only the first is looked at.

    Raises:
        ValueError: a picture has no hash of what it looks like.
    """
    rows, hashes = _different_pictures(corpus)
    left, right = near_hashes(hashes)
    unread: set[int] = set()

    @lru_cache(_KEPT)
    def small(row: int) -> Thumbnail | None:
        try:
            data = corpus.member(row, "image")
            return None if data is None else thumbnail(decode_image(data))
        except (InputError, MediaError):
            unread.add(row)
            return None

    pairs = []
    for one, other in zip(rows[left].tolist(), rows[right].tolist(), strict=True):
        first, second = small(one), small(other)
        if first is not None and second is not None and (score := float(first @ second)) >= SAME_PICTURE:
            pairs.append((one, other, min(score, 1.0)))
    return from_pairs(KIND, pairs, EVIDENCE, unread=tuple(sorted(unread)))


def thumbnail(picture: Image.Image) -> Thumbnail:
    """A small copy without its mean, of length 1; zeros for a picture of one colour."""
    small = np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    centred = small.ravel() - small.mean()
    if centred.std() < _LEAST_CONTRAST:
        return np.zeros(centred.size, np.float32)
    scaled: Thumbnail = centred / np.linalg.norm(centred)
    return scaled


def near_hashes(hashes: UInt64[ndarray, " pictures"]) -> tuple[ndarray, ndarray]:
    """Numbers of hashes that differ in at most 12 bits, as pairs with `left < right`.

    All pairs are compared, or, of more than 20,000 hashes, those that have two of their eight bytes in
    common and differ in at most 10 bits: that is all that differ in six or fewer, and most of the others.
    """
    blocks = _in_blocks(hashes) if len(hashes) <= _COMPARED else _by_two_bytes(hashes)
    pairs = np.unique(np.concatenate([np.zeros(0, np.int64), *blocks]))
    return pairs // max(len(hashes), 1), pairs % max(len(hashes), 1)


def _in_blocks(hashes: UInt64[ndarray, " pictures"]) -> Iterator[Int[ndarray, " pairs"]]:
    """Pairs, each as one number, of each block of hashes with itself and with all later ones."""
    for top in range(0, len(hashes), _BLOCK):
        near = np.bitwise_count(hashes[top : top + _BLOCK, None] ^ hashes[top:]) <= MOST_BITS
        one, other = np.nonzero(near)
        later = one < other
        yield (one[later] + top) * len(hashes) + other[later] + top


def _by_two_bytes(hashes: UInt64[ndarray, " pictures"]) -> Iterator[Int[ndarray, " pairs"]]:
    """Pairs, each as one number, of hashes with two bytes in common; bytes that many share say nothing."""
    with ThreadPoolExecutor(cores()) as pool:  # NumPy lets other threads work
        yield from pool.map(lambda shifts: _of_bytes(hashes, *shifts), combinations(range(0, 64, 8), 2))


def _of_bytes(hashes: UInt64[ndarray, " pictures"], one: int, other: int) -> Int[ndarray, " pairs"]:
    """Pairs of hashes whose bytes at these two places are equal."""
    first, second = (hashes >> np.uint64(shift) & np.uint64(0xFF) for shift in (one, other))
    window = (first << np.uint64(8) | second).astype(np.uint16)
    members = np.argsort(window, kind="stable")
    sizes = np.bincount(window, minlength=2**16)[window[members]]
    members = members[sizes <= _MOST_IN_A_WINDOW]
    kept, keys = hashes[members], window[members]
    places = np.arange(len(members) - 1)
    pairs = [np.zeros(0, np.int64)]
    for further in range(1, _MOST_IN_A_WINDOW):  # each with the next, then with the one after that, …
        places = places[: np.searchsorted(places, len(members) - further)]
        places = places[keys[places] == keys[places + further]]
        if not len(places):
            break
        near = np.bitwise_count(kept[places] ^ kept[places + further]) <= MOST_BITS_OF_MANY
        found = members[places[near]], members[places[near] + further]
        pairs.append(np.minimum(*found) * len(hashes) + np.maximum(*found))
    return np.concatenate(pairs)


def _different_pictures(corpus: Corpus) -> tuple[Int[ndarray, " pictures"], UInt64[ndarray, " pictures"]]:
    """The rows and hashes of pictures that are not of one colour, the first of those with the same pixels.

    Raises:
        ValueError: a picture has no hash of what it looks like.
    """
    rows = loaded_rows(corpus, "has_image")
    chosen = corpus.manifest.select(["pixel_sha256", "image_dhash"]).take(pa.array(rows))
    known = pc.match_substring_regex(pc.fill_null(chosen["image_dhash"], ""), "^[0-9a-f]{16}$")
    if missing := len(rows) - (pc.sum(known).as_py() or 0):
        raise ValueError(f"{missing} of {len(rows)} pictures have no image_dhash; it was never written")
    pixels = np.asarray(
        pc.dictionary_encode(pc.fill_null(chosen["pixel_sha256"], "")).combine_chunks().indices
    )
    _, firsts = np.unique(pixels, return_index=True)
    texts = chosen["image_dhash"].take(pa.array(firsts)).to_pylist()
    hashes = np.frombuffer(bytes.fromhex("".join(texts)), ">u8").astype(np.uint64)
    informative = hashes != 0
    return rows[firsts][informative], hashes[informative]
