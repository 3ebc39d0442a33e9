"""Find the media of rows that `datasets` loaded, and copy those from elsewhere below the root."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safe_data.core.errors import InputError, MediaError
from safe_data.core.files import write_bytes
from safe_data.media.paths import LinkedRoot, MediaRoot, inside

FOLDER = "media"


@dataclass(frozen=True)
class MediaFolder:
    """The media below a root; files in `trusted` folders, such as the `datasets` cache, are copied there.

    Links below the root or a trusted folder may lead into `links`.
    """

    root: Path
    trusted: tuple[Path, ...] = ()
    links: Path | None = None

    def place(self, value: object) -> str | None:
        """The path of an undecoded media value relative to the root; None for a null.

        A value is bytes, a path, or an undecoded feature of `datasets`: {"bytes": ..., "path": ...}.

        Raises:
            MediaError: the file does not exist or is outside the allowed folders, or the value is not media.
            InputError: a copy cannot be written.
        """
        data, path = _parts(value)
        if isinstance(data, bytes):
            return self._copy(data, path)
        if path is None:
            return None
        if not isinstance(path, str):
            raise MediaError(f"not a media column: it holds a {type(value).__name__}")
        try:
            return self._find(Path(path), path)
        except (MediaError, InputError):
            raise
        except (OSError, ValueError, RuntimeError) as error:
            raise MediaError(f"unreadable file: {error}") from None

    def _find(self, path: Path, name: str) -> str:
        root = self.root.resolve()
        file = path.resolve() if path.is_absolute() else inside(self._with_links(self.root), name)
        if not file.is_file():
            raise MediaError(f"no such file: {name}")
        if file.is_relative_to(root):
            return str(file.relative_to(root))
        if not path.is_absolute():
            return name  # a link that may be followed
        if any(file.is_relative_to(folder.resolve()) for folder in self.trusted):
            return self._copy(file.read_bytes(), name)
        for folder, relative in self._below(path):
            inside(self._with_links(folder), relative)
            return relative if folder == self.root else self._copy(file.read_bytes(), name)
        raise MediaError(f"unreadable file: {name!r} leads out of the root")

    def _with_links(self, folder: Path) -> MediaRoot:
        return folder if self.links is None else LinkedRoot(folder, self.links)

    def _below(self, path: Path) -> Iterator[tuple[Path, str]]:
        """The folders that a path begins with, and what follows; its links are not resolved."""
        for folder in (self.root, *self.trusted):
            for base in (folder.absolute(), folder.resolve()):
                if path.is_relative_to(base):
                    yield folder, str(path.relative_to(base))

    def _copy(self, data: bytes, path: object) -> str:
        """Write the bytes to a file that their hash names, unless it exists."""
        found = re.search(r"\.[A-Za-z0-9]{1,5}\Z", path) if isinstance(path, str) else None
        name = hashlib.sha256(data).hexdigest()[:32] + (found[0].lower() if found else "")
        target = self.root / FOLDER / name
        if not target.is_file():
            write_bytes(target, data)
        return f"{FOLDER}/{name}"


def path_of(value: object) -> str | None:
    """The path in an undecoded media value, if it names one."""
    path = _parts(value)[1]
    return path if isinstance(path, str) else None


def _parts(value: object) -> tuple[object, object]:
    """The bytes and the path of an undecoded media value."""
    if isinstance(value, dict) and value.keys() == {"bytes", "path"}:
        return value["bytes"], value["path"]
    return (value, None) if isinstance(value, bytes) else (None, value)
