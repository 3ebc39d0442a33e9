"""Whether a WAV or an Ogg was cut off: libsndfile reads what is left as a shorter sound, without a word."""

import struct

from safe_data.errors import MediaError


def check_whole(data: bytes) -> None:
    """Raise for a WAV or an Ogg that is not all there; the decoders of FLAC and MP3 see it themselves.

    Raises:
        MediaError: it was cut off, or its header promises more than there is.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        _check_riff_is_whole(data)
    elif data[:4] == b"OggS":
        _check_ogg_is_whole(data)


def _check_riff_is_whole(data: bytes) -> None:
    """Every chunk up to the samples lies within the file."""
    offset = 12
    for _ in range(64):  # chunks before the samples; more than that is no sound we know
        if offset + 8 > len(data):
            return
        (size,) = struct.unpack_from("<I", data, offset + 4)
        if data[offset : offset + 4] == b"data":
            if offset + 8 + size > len(data):
                there = len(data) - offset - 8
                raise MediaError(f"truncated sound: the header promises {size} bytes, {there} are there")
            return
        offset += 8 + size + size % 2


def _check_ogg_is_whole(data: bytes) -> None:
    """The last page is complete and says that it ends the stream.

    Source: RFC 3533, section 6: header_type_flag, page_segments and segment_table.
    """
    page = data.rfind(b"OggS")
    header = data[page : page + 27]
    sizes = data[page + 27 : page + 27 + header[26]] if len(header) == 27 else b""
    end = page + 27 + len(sizes) + sum(sizes)
    if len(header) < 27 or len(sizes) < header[26] or end > len(data) or not header[5] & 0x04:
        raise MediaError("truncated sound: its last page does not end the stream")
