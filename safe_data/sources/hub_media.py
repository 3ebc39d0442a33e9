"""Where the media of a `datasets` row lie: below the root already, or copied there under their hash."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from safe_data.errors import MediaError
from safe_data.paths import inside

FOLDER = "media"


@dataclass(frozen=True)
class MediaFolder:
    """The media below a root; those in `trusted` folders, where `datasets` keeps its files, are copied in."""

    root: Path
    trusted: tuple[Path, ...]

    def place(self, value: object) -> str | None:
        """The path from the root of an undecoded media value, None for none.

        A value is bytes, a path, or what `datasets` stores of a media feature: {"bytes": ..., "path": ...}.

        Raises:
            MediaError: no such file, one that lies elsewhere, or a value of another kind.
        """
        if isinstance(value, dict) and value.keys() == {"bytes", "path"}:
            data, path = value["bytes"], value["path"]
        else:
            data, path = (value, None) if isinstance(value, bytes) else (None, value)
        if isinstance(data, bytes):
            return self._copy(data, path)
        if path is None:
            return None
        if not isinstance(path, str):
            raise MediaError(f"not a media column: it holds a {type(value).__name__}")
        return self._find(path)

    def _find(self, path: str) -> str:
        try:
            file = Path(path).resolve() if Path(path).is_absolute() else inside(self.root, path)
            if not file.is_file():
                raise MediaError(f"no such file: {path}")
            if file.is_relative_to(self.root.resolve()):
                return str(file.relative_to(self.root.resolve()))
            if not any(file.is_relative_to(folder.resolve()) for folder in self.trusted):
                raise MediaError(f"unreadable file: {path!r} leads out of the root")
            return self._copy(file.read_bytes(), path)
        except MediaError:
            raise
        except (OSError, ValueError, RuntimeError) as error:
            raise MediaError(f"unreadable file: {error}") from None

    def _copy(self, data: bytes, path: object) -> str:
        """Write the bytes under their hash, whole or not at all, once."""
        found = re.search(r"\.[A-Za-z0-9]{1,5}\Z", path) if isinstance(path, str) else None
        name = hashlib.sha256(data).hexdigest()[:32] + (found[0].lower() if found else "")
        target = self.root / FOLDER / name
        if not target.is_file():
            target.parent.mkdir(exist_ok=True)
            part = target.with_name(f".{name}.{os.getpid()}.tmp")
            part.write_bytes(data)
            part.replace(target)
        return f"{FOLDER}/{name}"
