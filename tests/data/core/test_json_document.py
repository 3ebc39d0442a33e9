"""JSON documents say everything once, and their hash is of what they say."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_data.core.json_document import DocumentError, content_sha256, document_of, json_fault, read_document

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
        (b'{"a": NaN}', "^NaN is not JSON; write null for a missing number$"),
        ('{"a": 1}'.encode("utf-16"), "^starts with a UTF-16 byte order mark; save it as UTF-8 without one$"),
        ('{"a": 1}'.encode("utf-16-le"), "^holds NUL bytes, as UTF-16 does; save it as UTF-8$"),
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


def test_a_mark_of_utf_8_is_skipped() -> None:
    assert read_document(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("word", ["NaN", "-Infinity", "Infinity", "nan", "-inf"])
@pytest.mark.parametrize(
    "text",
    ['{"a": %s}', "[1, %s]", '{"a": [0.5, %s, 2]}', '["NaN Infinity", {"b": %s}]', '{"a": 1,\n"b": %s}'],
)
def test_a_number_that_json_lacks_is_named_where_it_is(text: str, word: str) -> None:
    data = (text % word).encode()
    for kind in (dict[str, msgspec.Raw], list[msgspec.Raw], object):
        with pytest.raises(msgspec.DecodeError) as caught:
            msgspec.json.decode(data, type=kind)
        if not isinstance(caught.value, msgspec.ValidationError):
            line = " (line 2)" if b"\n" in data else ""
            assert (
                json_fault(data, caught.value) == f"{word} is not JSON; write null for a missing number{line}"
            )


def test_another_fault_is_said_as_it_was() -> None:
    for data in (b'{"NaN": }', b'{"a": nothing}', b'{"a": "NaN", }'):
        with pytest.raises(msgspec.DecodeError) as caught:
            msgspec.json.decode(data)
        assert json_fault(data, caught.value) == str(caught.value)
