"""Pairs of records that are alike: each once, in order, and a star of pairs for equal keys."""

from random import Random

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import corpus_of, rejected, row

from safe_data.audit.alike.all_alike import alike
from safe_data.audit.alike.clusters import cluster_of, clusters, components
from safe_data.audit.alike.likeness import from_keys, from_pairs, joined
from safe_data.audit.corpus import Corpus
from safe_data.shards import manifest


def corpus(*rows: manifest.Row) -> Corpus:
    return corpus_of(manifest.table(rows))


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "", None]), max_size=12))
def test_equal_keys_are_connected_and_missing_ones_are_not(keys: list[str | None]) -> None:
    found = from_keys("sound", np.arange(len(keys)), pa.array(keys, pa.string()))
    numbers = components(len(keys), [found])
    for one, key in enumerate(keys):
        for other in range(one):
            assert (numbers[one] == numbers[other]) == (key == keys[other] and bool(key))
    assert (found.left < found.right).all()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.floats(0, 1)), max_size=10), st.randoms())
def test_the_order_of_pairs_changes_nothing(pairs: list[tuple[int, int, float]], order: Random) -> None:
    shuffled = [(b, a, score) for a, b, score in pairs]
    order.shuffle(shuffled)
    one, other = from_pairs("x", pairs), from_pairs("x", shuffled)
    assert (one.pairs == other.pairs).all()
    assert (one.score == other.score).all()
    assert (joined("x", [one, other]).pairs == one.pairs).all()


def test_what_sounds_the_same_is_one_record_and_silence_is_not() -> None:
    same, silent = {"pcm_sha256": "p"}, {"pcm_sha256": "s", "audio_sha256": "s", "peak": 0.0}
    found = corpus(
        row(0, **same), row(1), row(2, "test", **same), row(3, **silent), row(4, **silent), rejected(5)
    )
    assert cluster_of(found).tolist() == [0, 1, 0, 3, 4, 5]
    (cluster,) = clusters(found)
    assert (cluster.rows, cluster.evidence, cluster.score, cluster.weakest) == ((0, 2), "sound", 1.0, 1.0)


def test_a_picture_joins_records_only_where_one_has_no_sound() -> None:
    shown = {"pixel_sha256": "x", "image_sha256": "i"}
    mute = {"has_audio": False, "audio_sha256": None, "pcm_sha256": None, "peak": None, "rms_db": None}
    with_sounds = corpus(row(0, **shown), row(1, **shown))
    assert clusters(with_sounds) == []
    one_mute = corpus(row(0, **shown), row(1, **{**shown, **mute}))
    assert [(one.rows, one.evidence) for one in clusters(one_mute)] == [((0, 1), "picture_file")]


def test_what_is_no_kind_is_not_looked_for() -> None:
    assert alike(corpus(row(0)), "smell").why_not == "nothing looks for the likeness 'smell'"
