"""Lines: the whole rows of one item, read from predictions files without reading them whole each time.

The first question reads each file once, and remembers where the rows of each example lie. Files in which
several rows make one prediction (`annotator`), and Parquet, are read as `read_predictions` does, once.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec

from safe_data.core.files import file_sha256
from safe_eval.prediction import Prediction
from safe_eval.prediction_row import prediction_of
from safe_eval.predictions import read_predictions
from safe_eval.scoring.scores import Scores

Key = tuple[str | None, str]  # dataset and example id
_REMEMBERED = 64  # items whose rows are kept


class _Named(msgspec.Struct):
    """As much of a row as tells which example it answers."""

    example_id: str
    dataset: str | None = None
    annotator: str | int | None = None


_named = msgspec.json.Decoder(_Named)


@dataclass(frozen=True)
class Lines:
    """The predictions files that some scores were computed from."""

    files: tuple[Path, ...]
    scores: Scores
    lock: threading.Lock = field(default_factory=threading.Lock)
    recent: OrderedDict[Key, list[Prediction]] = field(default_factory=OrderedDict)

    @cached_property
    def usable(self) -> tuple[Path, ...]:
        """The files that are there and are those that were scored."""
        said = {one.sha256 for one in self.scores.provenance.predictions}
        return tuple(file for file in self.files if file.is_file() and file_sha256(file) in said)

    @property
    def missing(self) -> tuple[Path, ...]:
        """The files that are gone, or are others than those that were scored."""
        return tuple(file for file in self.files if file not in self.usable)

    def rows(self, dataset: str | None, example_id: str) -> list[Prediction]:
        """All rows of an example, in the order of the files."""
        key = (dataset, example_id)
        with self.lock:
            if key not in self.recent:
                self.recent[key] = [row for file in self.usable for row in self._read(file, key)]
                if len(self.recent) > _REMEMBERED:
                    self.recent.popitem(last=False)
            return self.recent[key]

    def _read(self, file: Path, key: Key) -> Iterator[Prediction]:
        places = self._places[file]
        if places is None:
            yield from self._whole[file].get(key, ())
            return
        with file.open("rb") as opened:
            for place in places.get(key, ()):
                opened.seek(place)
                row = prediction_of(opened.readline())
                if isinstance(row, Prediction):
                    yield row

    @cached_property
    def _places(self) -> dict[Path, dict[Key, list[int]] | None]:
        """Where the lines of each example begin; None for a file that is read whole."""
        return {file: _places_of(file) for file in self.usable}

    @cached_property
    def _whole(self) -> dict[Path, dict[Key, list[Prediction]]]:
        found: dict[Path, dict[Key, list[Prediction]]] = {}
        partial = self.scores.provenance.partial
        for file in [file for file, places in self._places.items() if places is None]:
            of_file: dict[Key, list[Prediction]] = {}
            for row in read_predictions(file, allow_partial=partial):
                of_file.setdefault((row.dataset, row.example_id), []).append(row)
            found[file] = of_file
        return found


def _places_of(file: Path) -> dict[Key, list[int]] | None:
    found: dict[Key, list[int]] = {}
    place = 0
    with file.open("rb") as opened:
        for line in opened:
            try:
                row = _named.decode(line) if not line.isspace() else None
            except (msgspec.MsgspecError, UnicodeDecodeError):
                return None  # Parquet, or a line that only the whole reader understands
            if row is not None and row.annotator is not None:
                return None
            if row is not None:
                found.setdefault((row.dataset, row.example_id), []).append(place)
            place += len(line)
    return found
