"""Content: what is there to be asked, heard and seen: references, captions, sounds and pictures."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from safe_data.audit.corpus import Corpus
from safe_data.audit.examples import column, examples, word_counts
from safe_data.audit.facts.duplicates import shares_by_split
from safe_data.audit.facts.fact import (
    MOST_OFFENDERS,
    Fact,
    FactKind,
    Offender,
    first_offenders,
    loaded,
    not_applicable,
    of_manifest,
    pictured,
    require_values,
    sounding,
)

SHORTEST_SECONDS = 0.1  # a syllable takes twice as long
MOST_CLIPPED = 0.01  # of the samples
BLANK = "0" * 16  # the hash of a picture that does not change from left to right


def empty_references(corpus: Corpus) -> Fact:
    """Records with an example that has no reference, or one without a letter or digit."""
    asked = corpus.once(examples)
    if not asked.num_rows:
        return not_applicable("nothing is asked about any record")
    words = column(asked, "references")
    parents = np.asarray(pc.list_parent_indices(words))
    empty = np.asarray(pc.invert(pc.match_substring_regex(words.flatten(), r"[\p{L}\p{N}\p{S}]")))
    faulty = np.asarray(pc.equal(pc.list_value_length(words), 0)).copy()
    faulty[parents[empty]] = True
    rows, firsts = np.unique(np.asarray(asked["row"])[faulty], return_index=True)
    prompts = asked["prompt"].filter(pa.array(faulty)).take(pa.array(firsts[:MOST_OFFENDERS])).to_pylist()
    offenders = tuple(
        Offender(f"no reference: {prompt}", (corpus.label(row),))
        for row, prompt in zip(rows[:MOST_OFFENDERS].tolist(), prompts, strict=True)
    )
    among = len(np.unique(np.asarray(asked["row"])))
    return Fact(len(rows), among, offenders, detail=shares_by_split(corpus, rows))


def without_examples(manifest: pa.Table) -> Fact:
    """Loaded records about which nothing is asked."""
    rows = loaded(manifest, "split", "id", "examples")
    none = rows.filter(pc.equal(pc.fill_null(rows["examples"], 0), 0))
    return Fact(none.num_rows, rows.num_rows, first_offenders(none, "examples"))


def caption_words(corpus: Corpus, *, longest: bool) -> Fact:
    """The number of words of the shortest, or the longest, caption."""
    asked = corpus.once(examples)
    captions = asked.filter(pc.equal(asked["task"], "caption"))
    words = captions["references"].combine_chunks()
    texts = words.flatten()
    if not len(texts):
        return not_applicable("there are no captions")
    lengths = word_counts(texts)
    order = np.argsort(-lengths if longest else lengths, kind="stable")[:MOST_OFFENDERS]
    rows = np.asarray(captions["row"])[np.asarray(pc.list_parent_indices(words))[order]]
    offenders = tuple(
        Offender(f"{lengths[place]} words: {texts[place].as_py()}", (corpus.label(int(row)),))
        for place, row in zip(order.tolist(), rows, strict=True)
    )
    return Fact(int(lengths[order[0]]), len(texts), offenders)


def short_sounds(manifest: pa.Table) -> Fact:
    """Sounds shorter than a tenth of a second."""
    sounds = _measured(manifest, "duration_seconds")
    short = sounds.filter(pc.less(sounds["duration_seconds"], SHORTEST_SECONDS))
    return Fact(short.num_rows, sounds.num_rows, first_offenders(short, "duration_seconds"))


def clipped_sounds(manifest: pa.Table) -> Fact:
    """Sounds of which more than one sample in a hundred is at full scale."""
    sounds = _measured(manifest, "clipped_fraction")
    clipped = sounds.filter(pc.greater(sounds["clipped_fraction"], MOST_CLIPPED))
    return Fact(clipped.num_rows, sounds.num_rows, first_offenders(clipped, "clipped_fraction"))


def blank_pictures(manifest: pa.Table) -> Fact:
    """Pictures that do not change from left to right, such as those of one colour."""
    pictures = pictured(manifest, "split", "id", "image_dhash")
    require_values(pictures, "image_dhash")
    blank = pictures.filter(pc.equal(pictures["image_dhash"], BLANK))
    return Fact(blank.num_rows, pictures.num_rows, first_offenders(blank, "image_dhash"))


def _measured(manifest: pa.Table, column: str) -> pa.Table:
    sounds = sounding(manifest, "split", "id", column)
    require_values(sounds, column)
    return sounds


FACTS: dict[str, FactKind] = {
    "empty_references": FactKind(
        empty_references, "records with an example without a reference, or an empty one"
    ),
    "records_without_examples": of_manifest(without_examples, "loaded records about which nothing is asked"),
    "caption_words_min": FactKind(
        lambda corpus: caption_words(corpus, longest=False), "words of the shortest caption"
    ),
    "caption_words_max": FactKind(
        lambda corpus: caption_words(corpus, longest=True), "words of the longest caption"
    ),
    "short_sounds": of_manifest(short_sounds, "sounds shorter than 0.1 s"),
    "clipped_sounds": of_manifest(clipped_sounds, "sounds with more than 1 % of the samples at full scale"),
    "blank_pictures": of_manifest(blank_pictures, "pictures that do not change from left to right"),
}
