"""Qt resource files: every version is read, nothing a file says is believed, and its size bounds the work."""

import struct
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resource_files import COMMON, assembled, node, parts, resource_file, squeezed

from safe_data.core.errors import InputError
from safe_data.sources import qt_resources
from safe_data.sources.qt_resources import (
    FOLDER,
    LARGEST_BYTES,
    ZLIB,
    ZSTANDARD,
    list_resources,
    name_hash,
    read_resource,
)

Found = TypeVar("Found")

FILES = {
    "gcompris/src/core/sounds/win.wav": b"RIFF" * 40,
    "gcompris/src/core/COPYING": b"",
    "gcompris/src/Überblick 東": bytes(range(256)),
    "qmldir": b"module core\n",
}


def contents(file: Path) -> dict[str, bytes]:
    return {name: read_resource(file, resource) for name, resource in list_resources(file).items()}


def written(folder: Path, data: bytes) -> Path:
    file = folder / "core.rcc"
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_version_is_read(tmp_path: Path, version: int, compressed: bool) -> None:
    file = written(tmp_path, resource_file(FILES, version, compressed=compressed))
    assert contents(file) == FILES


def test_a_file_as_the_compiler_writes_it(tmp_path: Path) -> None:
    # As `rcc --binary --format-version 1` lays out the file a.txt with "hi" in the folder /b.
    file = written(
        tmp_path,
        bytes.fromhex(
            "71726573 00000001 00000032 00000014 0000001a"  # qres, version, tree, data, names
            "00000002 6869"  # 2 bytes
            "0001 00000062 0062"  # b
            "0005 00645bf4 0061 002e 0074 0078 0074"  # a.txt
            "00000000 0002 00000001 00000001"
            "00000000 0002 00000001 00000002"
            "00000008 0000 0000 0001 00000000"
        ),
    )
    assert contents(file) == {"b/a.txt": b"hi"}


def test_listing_reads_no_data(tmp_path: Path) -> None:
    nodes, names, data = parts({"a": squeezed(b"a")[:4] + b"not zlib", "b": squeezed(b"fine")}, 3, ZLIB)
    file = written(tmp_path, assembled(nodes, names, data))
    listed = list_resources(file)
    assert list(listed) == ["a", "b"]
    assert read_resource(file, listed["b"]) == b"fine"
    with pytest.raises(InputError, match=r"core\.rcc: compressed data cannot be read"):
        read_resource(file, listed["a"])


def test_of_variants_for_locales_the_common_one_is_listed(tmp_path: Path) -> None:
    _, names, data = parts({"a": b"", "b": b"one", "c": b"two"}, 3, 0)
    german, english = 0x0052002A, 0x00E1001F
    leaves = [node(0, 0, german, 4), node(0, 0, COMMON, 11), node(0, 0, english, 4)]
    file = written(tmp_path, assembled([node(0, FOLDER, 3, 1), *leaves], names, data))
    assert contents(file) == {"a": b"two"}
    file = written(tmp_path, assembled([node(0, FOLDER, 2, 1), leaves[0], leaves[0]], names, data))
    with pytest.raises(InputError, match="holds 'a' twice"):
        list_resources(file)


def tree(*nodes: bytes, names: bytes = parts({"a": b"x"}, 3, 0)[1]) -> bytes:
    return assembled(list(nodes), names, struct.pack(">I", 1) + b"x")


FILE = node(0, 0, COMMON, 0)
WRONG = {
    "empty": (b"", "no Qt resource file"),
    "another": (b"RIFF" + bytes(100), "no Qt resource file"),
    "version": (
        b"qres" + struct.pack(">4I", 4, 0, 0, 0),
        "version 4 of the format is unknown; 1 to 3 are read",
    ),
    "no tree": (tree(), "node 0 of its tree lies outside"),
    "no child": (tree(node(0, FOLDER, 1, 1)), "node 1 of its tree lies outside"),
    "far child": (tree(node(0, FOLDER, 1, 2**32 - 1)), "lies outside"),
    "itself": (tree(node(0, FOLDER, 1, 0)), "node 0 of its tree is in two folders"),
    "circle": (tree(node(0, FOLDER, 1, 1), node(0, FOLDER, 1, 0)), "node 0 of its tree is in two folders"),
    "shared": (tree(node(0, FOLDER, 2, 1), node(0, FOLDER, 1, 2), FILE), "node 2 of its tree is in two"),
    "children": (tree(node(0, FOLDER, 2**32 - 1, 1), FILE), "more than 65536 nodes"),
    "root": (tree(FILE), "node 0 of its tree has the flags 0"),
    "flags": (tree(node(0, FOLDER, 1, 1), node(0, 3, COMMON, 0)), "node 1 of its tree has the flags 3"),
    "name": (tree(node(0, FOLDER, 1, 1), node(2**31, 0, COMMON, 0)), "a name lies outside"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    data, reason = WRONG[kind]
    with pytest.raises(InputError, match=rf"core\.rcc: .*{reason}"):
        list_resources(written(tmp_path, data))


@pytest.mark.parametrize("name", ["..", ".", "/etc", "a\\b", "a\0"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    units = name.encode("utf-16-be")
    names = struct.pack(">HI", len(name), name_hash(name)) + units
    with pytest.raises(InputError, match="would lead out of its folder"):
        list_resources(written(tmp_path, tree(node(0, FOLDER, 1, 1), FILE, names=names)))


def test_a_name_that_is_damaged_is_refused(tmp_path: Path) -> None:
    good = parts({"a": b"x"}, 3, 0)[1]
    for names, reason in {
        good[:-1] + b"b": "the name 'b' does not match its hash",
        good[:-2] + b"\xd8\x00": "a name is not UTF-16",
        bytes(6): "the name '' would lead out",
    }.items():
        with pytest.raises(InputError, match=reason):
            list_resources(written(tmp_path, tree(node(0, FOLDER, 1, 1), FILE, names=names)))


def test_names_are_of_bounded_length(tmp_path: Path) -> None:
    for name in ("/".join(["a" * 100] * 11), "a" * 1025):
        with pytest.raises(InputError, match="more than 1024 characters"):
            list_resources(written(tmp_path, resource_file({name: b""})))
    assert list(list_resources(written(tmp_path, resource_file({"a" * 1024: b""})))) == ["a" * 1024]


def test_what_expands_without_end_costs_no_memory(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(2 * LARGEST_BYTES), 1)
    tracemalloc.start()
    for length in (100, 2**32 - 1, LARGEST_BYTES + 1):
        nodes, names, data = parts({"a": struct.pack(">I", length) + bomb}, 3, ZLIB)
        file = written(tmp_path, assembled(nodes, names, data))
        with pytest.raises(InputError, match=r"do not have their length|at most 67108864 are read"):
            contents(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < LARGEST_BYTES / 8  # the file itself, and no more


@pytest.mark.parametrize(
    "squeeze", [squeezed(b"whole")[:-1], squeezed(b"whole") + b"x", b"abc", b"\0\0\0\4xxxx"]
)
def test_compressed_data_are_whole(tmp_path: Path, squeeze: bytes) -> None:
    nodes, names, data = parts({"a": squeeze}, 3, ZLIB)
    with pytest.raises(InputError, match=r"core\.rcc: compressed data .*copy it again"):
        contents(written(tmp_path, assembled(nodes, names, data)))


def test_zstandard_needs_a_python_that_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes, names, data = parts({"a": zlib.compress(b"zstd, for all we know")}, 3, ZSTANDARD)
    file = written(tmp_path, assembled(nodes, names, data))
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    with pytest.raises(
        InputError, match=r"core\.rcc: compressed by Zstandard, which Python reads from 3\.14 on"
    ):
        contents(file)
    stand_in = SimpleNamespace(ZstdDecompressor=zlib.decompressobj)
    monkeypatch.setitem(sys.modules, "compression", SimpleNamespace(zstd=stand_in))
    monkeypatch.setitem(sys.modules, "compression.zstd", stand_in)
    assert contents(file) == {"a": b"zstd, for all we know"}
    monkeypatch.setattr(qt_resources, "LARGEST_BYTES", 1000)
    nodes, names, data = parts({"a": zlib.compress(bytes(2**16))}, 3, ZSTANDARD)
    with pytest.raises(InputError, match="no more are read"):
        contents(written(tmp_path, assembled(nodes, names, data)))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.rcc: cannot be read: No such file"):
        list_resources(tmp_path / "none.rcc")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.data())
def test_a_file_that_is_cut_off_is_refused(
    tmp_path_factory: pytest.TempPathFactory, version: int, drawn: st.DataObject
) -> None:
    data = resource_file(FILES, version, compressed=drawn.draw(st.booleans()))
    file = written(tmp_path_factory.mktemp("cut"), data[: drawn.draw(st.integers(0, len(data) - 1))])
    with pytest.raises(InputError, match=r"core\.rcc: "):
        list_resources(file)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 3), st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=4)
)
def test_a_damaged_file_gives_its_data_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, version: int, flips: list[tuple[int, int]]
) -> None:
    whole = resource_file(FILES, version, compressed=True)
    damaged = bytearray(whole)
    for place, change in flips:
        damaged[place % len(whole)] ^= change
    file = written(tmp_path_factory.mktemp("flipped"), bytes(damaged))
    for name, resource in refused_or(file, lambda: list_resources(file), {}).items():
        assert not {"", ".", ".."} & {*name.split("/")}
        data = refused_or(file, partial(read_resource, file, resource), b"")
        # Data that are compressed have a checksum; a damaged flag lets them be read as they are.
        assert data in FILES.values() or resource.flags != ZLIB


def refused_or(file: Path, call: Callable[[], Found], nothing: Found) -> Found:
    """What a call gives, or nothing if it refuses the file by name."""
    try:
        return call()
    except InputError as error:
        return nothing if str(file) in str(error) else pytest.fail(str(error))
