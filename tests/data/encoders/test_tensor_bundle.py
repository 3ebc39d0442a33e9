"""TensorBundle: what was written is read; whatever is cut off, damaged or hostile is refused in one line."""

import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensor_bundles import block, bundle_entries, message, sealed, table, varint, write_bundle

from safe_data.core.errors import InputError
from safe_data.encoders import sstable
from safe_data.encoders.sstable import MOST_BYTES, read_sstable
from safe_data.encoders.tensor_bundle import DATA, INDEX, TensorBundle, open_tensor_bundle

TENSORS = {
    "layer/beta": np.arange(3, dtype=np.float32),
    "layer/beta/m": np.float32([[1.5, -2]]),
    "layer/kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 1, 4),
    "scalar": np.array(7, np.float32),
    "steps": np.array([5], np.int64),
}
# Tests of a hypothesis rewrite the same files.
in_one_folder = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read_all(directory: Path) -> dict[str, bytes]:
    bundle = open_tensor_bundle(directory)
    return {name: bundle.read(name).tobytes() for name, tensor in bundle.tensors.items() if tensor.dtype == 1}


def opened(directory: Path, entries: dict[bytes, bytes], data: bytes = bytes(16)) -> TensorBundle:
    (directory / INDEX).write_bytes(table(block(entries)))
    (directory / DATA).write_bytes(data)
    return open_tensor_bundle(directory)


def test_tensors_are_read_as_they_were_written(tmp_path: Path) -> None:
    more = {f"many/{number:03}": np.float32([number]) for number in range(40)}
    bundle = open_tensor_bundle(write_bundle(tmp_path, TENSORS | more))
    assert set(bundle.tensors) == set(TENSORS | more)
    for name, expected in (TENSORS | more).items():
        assert bundle.tensors[name].shape == expected.shape
        if name != "steps":
            found = bundle.read(name)
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, expected, strict=True)
    found[...] = 0  # a copy, not the file


def test_what_is_not_float32_or_not_there_is_refused_when_it_is_wanted(tmp_path: Path) -> None:
    bundle = open_tensor_bundle(write_bundle(tmp_path, TENSORS))
    with pytest.raises(InputError, match=r"variables.index: 'steps' has the data type 9; only whole tensors"):
        bundle.read("steps")
    with pytest.raises(InputError, match=r"variables.index: has no variable 'gamma'"):
        bundle.read("gamma")


def test_files_that_are_cut_off_anywhere_are_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path, TENSORS)
    for name in (INDEX, DATA):
        whole = (tmp_path / name).read_bytes()
        for length in range(len(whole)):
            (tmp_path / name).write_bytes(whole[:length])
            with pytest.raises(InputError, match=re.escape(str(tmp_path))):
                read_all(tmp_path)
        (tmp_path / name).write_bytes(whole)
    assert len(read_all(tmp_path)) == 4


def test_no_damaged_byte_changes_a_number_unseen(tmp_path: Path) -> None:
    write_bundle(tmp_path, TENSORS)
    expected, refused = read_all(tmp_path), 0
    for name in (INDEX, DATA):
        whole = (tmp_path / name).read_bytes()
        for place in range(len(whole)):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << place % 8
            (tmp_path / name).write_bytes(damaged)
            try:
                assert read_all(tmp_path) == expected, f"byte {place} of {name}"
            except InputError:
                refused += 1
        (tmp_path / name).write_bytes(whole)
    assert refused > 200  # the others are filters, filling and the tensor of int64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no table of LevelDB, or cut off"),
        (b"PK\3\4" + bytes(100), "no table of LevelDB, or cut off"),
        (table(block({b"": b""}, kind=1)), "compressed by snappy, and only uncompressed"),
        (table(block({b"": b""}, kind=4)), "compressed by method 4"),
        (table(block({b"b": b"", b"a": b""})), "keys are not in order"),
        (table(block({b"a": b""}), block({b"a": b""})), "keys are not in order"),
        (table(sealed(varint(2) + varint(0) + varint(0) + bytes(4))), "shares more than the key before"),
        (table(sealed(varint(0) + varint(9) + varint(0) + bytes(4))), "longer than what it is a part of"),
        (table(sealed(varint(0) + varint(2**40) + varint(0) + bytes(4))), "a key has more than 1024 bytes"),
        (table(sealed(varint(0) + varint(0) + varint(2**63) + bytes(4))), "longer than what it is a part of"),
        (table(sealed(b"\xff" * 11 + bytes(4))), "more than 64 bits"),
        (table(sealed(b"\xff" * 4)), "list of restarts is longer than its block"),
        (table(sealed(b"")), "list of restarts is longer than its block"),
        (table(block({})), "no header of a tensor bundle"),
        (table(block({b"": message(f1=2)})), "several data files"),
        (table(block({b"": message(f1=1, f2=1)})), "big-endian"),
        (table(block({b"": message(f1=1), b"\xff": b""})), "name of a variable is not UTF-8"),
        (table(block({b"": message(f1=1), b"a": b"\x0b"})), "of the unknown kind 3"),
        (table(block({b"": message(f1=1), b"a": b"\x08"})), "longer than what it is a part of"),
        (table(block({b"": message(f1=1), b"a": message(f1=b"x")})), "field 1 is no number"),
        (table(block({b"": message(f1=1), b"a": message(f2=3)})), "field 2 is no message"),
        (table(block({b"": message(f1=1), b"a": message(f3=1)})), "data file of which there is none"),
        (table(block({b"": message(f1=1), b"a": message(f2=message(f2=message(f1=2**63)))})), "impossible"),
        (table(block({b"": message(f1=1), b"a": message(f2=message(f2=b"") * 9)})), "impossible"),
        (
            table(block({b"": message(f1=1), b"a": message(f5=2**62)})),
            "it has 0 of 46116860184",
        ),
    ],
)
def test_a_faulty_index_is_refused_with_its_fault(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / INDEX).write_bytes(content)
    (tmp_path / DATA).write_bytes(b"")
    with pytest.raises(InputError, match=message):
        open_tensor_bundle(tmp_path)


def test_blocks_that_overlap_are_refused(tmp_path: Path) -> None:
    """A small file with a hundred thousand handles of one block would be read for hours."""
    one = block({b"a": b""})
    places = block({bytes([index]): varint(0) + varint(len(one) - 5) for index in range(2)})
    footer = varint(0) + varint(0) + varint(len(one)) + varint(len(places) - 5)
    (tmp_path / INDEX).write_bytes(one + places + footer.ljust(40, b"\0") + table()[-8:])
    with pytest.raises(InputError, match="its blocks overlap"):
        read_sstable(tmp_path / INDEX)


def test_files_that_are_missing_or_too_large_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"variables.index: cannot be read \(No such file"):
        open_tensor_bundle(tmp_path)
    write_bundle(tmp_path, TENSORS)
    (tmp_path / DATA).unlink()
    with pytest.raises(InputError, match=r"has no variables.data-00000-of-00001"):
        open_tensor_bundle(tmp_path)
    with (tmp_path / INDEX).open("r+b") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(InputError, match="it has more than 16 MiB"):
        open_tensor_bundle(tmp_path)


def test_a_shape_that_does_not_fit_its_bytes_and_a_sliced_tensor_are_refused(tmp_path: Path) -> None:
    shape = message(f2=message(f1=2**30)) + message(f2=message(f1=2**30))
    header = {b"": message(f1=1)}
    bundle = opened(tmp_path, {**header, b"a": message(f1=1, f2=shape, f5=16)})
    with pytest.raises(InputError, match=r"'a' has 16 bytes, and its shape \(1073741824, 1073741824\) takes"):
        bundle.read("a")
    bundle = opened(tmp_path, {**header, b"a": message(f1=1, f5=16, f7=b"")})
    with pytest.raises(InputError, match="'a' is stored in slices"):
        bundle.read("a")


@in_one_folder
@given(st.dictionaries(st.binary(max_size=8), st.binary(max_size=24), max_size=4))
def test_no_entry_does_more_than_be_refused(tmp_path: Path, entries: dict[bytes, bytes]) -> None:
    try:
        bundle = opened(tmp_path, {b"": message(f1=1), **dict(sorted(entries.items()))})
    except InputError:
        return
    for name in bundle.tensors:
        with suppress(InputError):
            assert bundle.read(name).nbytes <= 16


@in_one_folder
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_no_content_of_a_block_does_more_than_be_refused(tmp_path: Path, content: bytes, tail: bytes) -> None:
    for made in (table(sealed(content + bytes(4))), content + tail.ljust(40, b"\0") + table()[-8:]):
        (tmp_path / INDEX).write_bytes(made)
        with suppress(InputError):
            assert all(len(key) + len(value) <= 40 for key, value in read_sstable(tmp_path / INDEX).items())


def test_the_writer_of_these_tests_shares_the_beginnings_of_keys() -> None:
    entries, _ = bundle_entries(TENSORS)
    assert b"layer/kernel" not in block(entries)
    assert b"layer/kernel" in block(entries, restart_every=1)


def test_an_index_of_more_keys_than_any_model_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bundle(tmp_path, TENSORS)
    monkeypatch.setattr(sstable, "MOST_ENTRIES", len(TENSORS) + 1)  # the header is one
    open_tensor_bundle(tmp_path)
    monkeypatch.setattr(sstable, "MOST_ENTRIES", len(TENSORS))
    with pytest.raises(InputError, match="it has more than 5 keys"):
        open_tensor_bundle(tmp_path)
