"""Near-identical pictures: one picture that was encoded anew, resized, or made a little brighter.

The manifest has a hash of what each picture looks like. Pictures whose hashes differ in few bits are
candidates; of these, small copies are compared in colour. A hash alone over-fires: most pictures of a thing
on a white page have almost the same.
"""

from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32, Int, UInt64
from numpy import ndarray
from PIL import Image

from safe_data.audit.alike.exact import loaded_rows
from safe_data.audit.alike.likeness import Likeness, from_pairs
from safe_data.audit.corpus import Corpus
from safe_data.core.errors import InputError, MediaError
from safe_data.media.picture import decode_image

KIND, EVIDENCE = "near_picture", "small copies of both match in colour"
MOST_BITS = 10  # of 64 in which hashes of candidates may differ
SAME_PICTURE = 0.985  # correlation of the small copies
SIDE = 16  # pixels of a small copy

_WINDOWS = range(0, 64, 8)  # where the windows of 16 bits begin, of which one must be equal
_MOST_IN_A_WINDOW = 2_000  # hashes; more have a window without any information, such as a white border
_LEAST_CONTRAST = 2.0  # grey levels; below it a picture is of one colour
_KEPT = 4_096  # small copies

Thumbnail = Float32[ndarray, "768"]


def near_pictures(corpus: Corpus) -> Likeness:
    """Pairs of pictures that are one; of pictures with the same pixels, only the first is looked at."""
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
    """Numbers of hashes that differ in few bits, as pairs with `left < right`.

    Pairs are found that have one of eight windows of 16 bits in common: all that differ in three bits or
    fewer, and most of the others.
    """
    found = [np.zeros(0, np.int64)]
    for start in _WINDOWS:
        turned = (hashes >> np.uint64(start)) | (hashes << np.uint64((64 - start) % 64))
        window = turned & np.uint64(0xFFFF)
        order = np.argsort(window, kind="stable")
        bounds = np.flatnonzero(np.diff(window[order])) + 1
        for members in np.split(order, bounds):
            if 1 < len(members) <= _MOST_IN_A_WINDOW:
                distance = np.bitwise_count(hashes[members][:, None] ^ hashes[members])
                one, other = np.nonzero(np.triu(distance <= MOST_BITS, 1))
                low = np.minimum(members[one], members[other])
                found.append(low * len(hashes) + np.maximum(members[one], members[other]))
    pairs = np.unique(np.concatenate(found))
    return pairs // max(len(hashes), 1), pairs % max(len(hashes), 1)


def _different_pictures(corpus: Corpus) -> tuple[Int[ndarray, " pictures"], UInt64[ndarray, " pictures"]]:
    """The rows and hashes of pictures that are not of one colour, the first of those with the same pixels."""
    rows = loaded_rows(corpus, "has_image")
    chosen = corpus.manifest.select(["pixel_sha256", "image_dhash"]).take(pa.array(rows))
    known = np.asarray(pc.equal(pc.utf8_length(pc.fill_null(chosen["image_dhash"], "")), 16))
    rows, chosen = rows[known], chosen.filter(pa.array(known))
    pixels = np.asarray(
        pc.dictionary_encode(pc.fill_null(chosen["pixel_sha256"], "")).combine_chunks().indices
    )
    _, firsts = np.unique(pixels, return_index=True)
    texts = chosen["image_dhash"].take(pa.array(firsts)).to_pylist()
    hashes = np.frombuffer(bytes.fromhex("".join(texts)), ">u8").astype(np.uint64)
    informative = hashes != 0
    return rows[firsts][informative], hashes[informative]
