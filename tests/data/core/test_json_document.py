"""JSON documents say everything once, and their hash is of what they say."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_data.core.json_document import DocumentError, content_sha256, document_of, read_document

LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False)
TREES = st.dictionaries(st.text(max_size=3), LEAVES | st.text(max_size=3) | st.lists(LEAVES, max_size=3))


@given(TREES)
def test_a_document_is_read_as_it_was_written_in_any_order_of_its_keys(tree: dict[str, Any]) -> None:
    turned = dict(reversed(tree.items()))
    read = read_document(json.dumps(turned, indent=2).encode())
    assert read == tree
    assert content_sha256(read) == content_sha256(tree)


@given(TREES, TREES)
def test_documents_that_differ_have_other_hashes(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)  # 1, 1.0 and true are three
    assert (content_sha256(one) == content_sha256(other)) == same


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"a": {"b": 1, "b": 1}}', "has the key 'b' twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": ', "Expecting value"),
        (b"\xff", "can't decode byte 0xff"),
        (b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_what_is_no_document_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        read_document(data)


def test_numbers_that_are_not_finite_are_none_as_in_a_file() -> None:
    class Number(msgspec.Struct):
        value: float

    assert document_of(Number(float("nan"))) == {"value": None}
