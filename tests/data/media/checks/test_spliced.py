"""Pieces of a file and other bytes read as one file."""

import io

from hypothesis import given
from hypothesis import strategies as st

from safe_data.media.checks.spliced import patched, view_of

DATA = bytes(range(256))
ranges = st.tuples(st.integers(0, 256), st.integers(0, 40)).map(lambda at: range(at[0], min(256, sum(at))))


@given(
    pieces=st.lists(st.one_of(st.binary(max_size=9), ranges), max_size=6),
    reads=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 60)), max_size=6),
)
def test_pieces_read_as_if_they_were_joined(
    pieces: list[bytes | range], reads: list[tuple[int, int]]
) -> None:
    joined = b"".join(DATA[p.start : p.stop] if isinstance(p, range) else p for p in pieces)
    view, plain = view_of(io.BytesIO(DATA), pieces), io.BytesIO(joined)
    assert view.seek(0, io.SEEK_END) == len(joined)
    for offset, length in reads:
        assert view.seek(offset) == plain.seek(offset)
        assert view.read(length) == plain.read(length)
        assert view.tell() == plain.tell()


def test_bytes_are_replaced_and_the_rest_is_left_out() -> None:
    view = patched(io.BytesIO(DATA), {12: b"ab", 5: b"c"}, 20)
    assert view.read() == DATA[:5] + b"c" + DATA[6:12] + b"ab" + DATA[14:20]


def test_a_file_that_became_shorter_ends_early() -> None:
    assert view_of(io.BytesIO(b"abc"), [range(0, 9), b"d"]).read() == b"abc"


def test_two_views_of_one_file_do_not_disturb_each_other() -> None:
    file = io.BytesIO(bytes(100_000) + b"end")
    one, other = view_of(file, [range(0, 100_003)]), view_of(file, [range(99_999, 100_003)])
    assert one.read(5) == bytes(5)
    assert other.read() == b"\0end"
    assert one.read()[-4:] == b"\0end"
