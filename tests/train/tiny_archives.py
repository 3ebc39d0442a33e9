"""Wheels and Debian packages of any content, written for tests."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

LINK = b"-> "  # a content that begins so is a symbolic link to what follows


def tarred(files: Mapping[str, bytes], kind: str = "xz") -> bytes:
    """A compressed tar: files, their folders first, and links."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=f"w:{kind}") as archive:  # type: ignore[call-overload]
        for folder in sorted({name.rpartition("/")[0] for name in files if "/" in name}):
            entry = tarfile.TarInfo(folder)
            entry.type = tarfile.DIRTYPE
            archive.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            if content.startswith(LINK):
                entry.type, entry.linkname = tarfile.SYMTYPE, content.removeprefix(LINK).decode()
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def ar(members: Mapping[str, bytes]) -> bytes:
    """An `ar` archive as dpkg writes it: a header of 60 bytes, the content, and a byte that makes it even."""
    written = b"!<arch>\n"
    for name, content in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        written += header + content + b"\n" * (len(content) % 2)
    return written


def debian(files: Mapping[str, bytes], kind: str = "xz") -> bytes:
    """A Debian package; as in a real one, names begin with `./`."""
    control = {"debian-binary": b"2.0\n", "control.tar.xz": tarred({"./control": b"Package: tiny\n"})}
    data = tarred({name if name[0] in "/." else f"./{name}": data for name, data in files.items()}, kind)
    return ar(control | {f"data.tar.{kind}": data})


def wheel(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def placed(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def tree_of(folder: Path) -> dict[str, bytes]:
    """The files below a folder: path and content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
