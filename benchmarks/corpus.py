"""Folder datasets of noise for benchmarks: only the length and the storage of clips affect the time."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

SPLIT = "train"


@dataclass(frozen=True)
class Corpus:
    """A number of clips, stored as 16-bit WAV.

    With fewer `files` than clips, clips share files: for benchmarks that do not depend on the sounds.
    Pictures are square JPEGs; without a `picture_side` there are none.
    """

    clips: int
    seconds: float
    sample_rate_hz: int = 44_100
    channels: int = 2
    files: int | None = None
    picture_side: int | None = None

    @property
    def facts(self) -> dict[str, object]:
        """The properties that a benchmark prints."""
        return {
            "clips": self.clips,
            "seconds_a_clip": self.seconds,
            "sample_rate_hz": self.sample_rate_hz,
            "channels": self.channels,
        }

    def write(self, root: Path) -> Path:
        """Write metadata.jsonl, sounds/ and images/ to a new directory."""
        rng = np.random.default_rng(0)
        files = self.files or self.clips
        self._write_sounds(root / "sounds", files, rng)
        if self.picture_side is not None:
            self._write_pictures(root / "images", files, rng)
        with (root / "metadata.jsonl").open("w", encoding="utf-8") as lines:
            for number in range(self.clips):
                lines.write(json.dumps(self._row(number, number % files)) + "\n")
        return root

    def _row(self, number: int, file: int) -> dict[str, str]:
        picture = {} if self.picture_side is None else {"image_file_name": f"images/{file:06d}.jpg"}
        return {
            "id": f"clip-{number:06d}",
            "split": SPLIT,
            "group": f"group-{file:06d}",
            "audio_file_name": f"sounds/{file:06d}.wav",
            **picture,
        }

    def _write_sounds(self, folder: Path, files: int, rng: np.random.Generator) -> None:
        """Write different parts of one noise: drawing new numbers would take longer than writing them."""
        folder.mkdir(parents=True)
        frames = round(self.seconds * self.sample_rate_hz)
        noise = (0.1 * rng.standard_normal((2 * frames, self.channels))).astype(np.float32)
        for number in range(files):
            first = int(rng.integers(frames))
            path = folder / f"{number:06d}.wav"
            soundfile.write(path, noise[first : first + frames], self.sample_rate_hz, subtype="PCM_16")

    def _write_pictures(self, folder: Path, files: int, rng: np.random.Generator) -> None:
        folder.mkdir(parents=True)
        side = self.picture_side
        for number in range(files):
            blocks = Image.fromarray(rng.integers(256, size=(16, 16, 3), dtype=np.uint8))
            blocks.resize((side or 0, side or 0), Image.Resampling.BICUBIC).save(folder / f"{number:06d}.jpg")
