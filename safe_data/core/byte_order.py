"""Byte order mark: the bytes with which some programs begin a text file, to say its encoding.

That of UTF-8 says nothing new, and is skipped. Any other encoding than UTF-8 is refused by its name.
"""

import codecs
from typing import TypeVar

# The mark of UTF-32 in this order begins with that of UTF-16.
_OTHER = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_LOOKED_AT_BYTES = 64

Bytes = TypeVar("Bytes", bytes, bytearray)


def without_mark(data: Bytes) -> Bytes:
    """The bytes without the mark of UTF-8.

    >>> without_mark(b"\\xef\\xbb\\xbf{}")
    b'{}'
    """
    return data[len(codecs.BOM_UTF8) :] if data.startswith(codecs.BOM_UTF8) else data


def encoding_fault(data: bytes | bytearray) -> str | None:
    """What is wrong with bytes that begin in another encoding than UTF-8; None for any other bytes.

    >>> encoding_fault('{"a": 1}'.encode("utf-16"))
    'starts with a UTF-16 byte order mark; save it as UTF-8 without one'
    >>> encoding_fault(b"{}") is None
    True
    """
    for mark, name in _OTHER.items():
        if data.startswith(mark):
            return f"starts with a {name} byte order mark; save it as UTF-8 without one"
    if b"\0" in data[:_LOOKED_AT_BYTES]:
        return "holds NUL bytes, as UTF-16 does; save it as UTF-8"
    return None
