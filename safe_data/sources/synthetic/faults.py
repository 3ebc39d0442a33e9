"""Faults that are planted in a written synthetic world, and its key, so that an audit can be tested.

Each fault has clips of its own, chosen by the seed; what is not named in the key stays as it was. A clip in
which nothing is heard gets none.
"""

import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from safe_data.core.errors import InputError, did_you_mean
from safe_data.records import Event
from safe_data.sources.synthetic.faults_key import FORMAT_VERSION, Key, Planted, write_key
from safe_data.sources.synthetic.hints import stated
from safe_data.sources.synthetic.sounds import CLIP_SECONDS, SAMPLE_RATE_HZ, SOUNDS, mix
from safe_data.sources.synthetic.transforms import TRANSFORMS, disguise, fits, moved, wav

COPIES = ("leakage", "near_leakage", "duplicate", "near_duplicate", "label_conflict", "answer_conflict")
KINDS = (*COPIES, "mismatch", "silent", "corrupt", "ungrouped", "shared_group", "imbalance")
WRITE = f"write leakage=3,near_duplicate=5 and so on, of {', '.join(KINDS)}"
# The synthetic world is at 8 kHz, so that a copy at 8 kHz would be no disguise.
_DISGUISES = tuple(one for one in TRANSFORMS if one != "resample_8k")

_Row = dict[str, Any]
_Test = Callable[[_Row], bool]


def parse_faults(text: str) -> dict[str, int]:
    """Read `KIND=NUMBER,KIND=NUMBER`; the number of `imbalance` is a ratio, the others are counts.

    Raises:
        InputError: a kind is unknown or given twice, or a number is none.
    """
    faults: dict[str, int] = {}
    for item in text.split(","):
        kind, _, number = (part.strip() for part in item.partition("="))
        if kind not in KINDS:
            raise InputError(f"--faults {item!r}: no such fault; {did_you_mean(kind, KINDS, WRITE)}")
        if kind in faults:
            raise InputError(f"--faults: {kind} is given twice; give it once")
        least = 2 if kind == "imbalance" else 1
        if not number.isascii() or not number.isdecimal() or len(number) > 9 or int(number) < least:
            raise InputError(f"--faults {item!r}: not a whole number from {least}; {WRITE}")
        faults[kind] = int(number)
    return faults


def plant(root: Path, faults: Mapping[str, int], seed: int) -> None:
    """Plant the faults in the world at `root`, and write their key.

    Raises:
        InputError: the world has too few clips for so many.
    """
    lines = (root / "metadata.jsonl").read_text("utf-8").splitlines()
    field = _Field(root, [json.loads(line) for line in lines], faults, np.random.default_rng((seed, 4)))
    for kind in KINDS:
        for number in range(faults.get(kind, 0) if kind != "imbalance" else 0):
            field.plant(kind, number)
    if "imbalance" in faults:
        field.unbalance(faults["imbalance"])
    with (root / "metadata.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row) + "\n" for row in field.rows)
    write_key(root, Key(FORMAT_VERSION, dict(faults), tuple(field.planted)))


class _Field:
    """The rows of a world, those that no fault has taken yet, and the faults so far."""

    def __init__(
        self, root: Path, rows: list[_Row], faults: Mapping[str, int], rng: np.random.Generator
    ) -> None:
        self.root, self.rows, self.faults, self.rng = root, rows, faults, rng
        self.planted: list[Planted] = []
        self.rare = SOUNDS[rng.integers(len(SOUNDS))] if "imbalance" in faults else None
        self.free: list[_Row] = [
            rows[number]
            for number in rng.permutation(len(rows))
            if rows[number]["events"] and not self._rare(rows[number])
        ]

    def plant(self, kind: str, number: int) -> None:
        """Plant one fault; transforms take turns, so that each is planted equally often."""
        if kind not in COPIES:
            place = "test" if kind == "shared_group" else None
            self._spoil(kind, self._take(kind, lambda row: place in (None, row["split"])))
            return
        transform = _DISGUISES[number % len(_DISGUISES)] if kind.startswith("near_") else "same"
        leaks = kind.endswith("leakage")
        original = self._take(kind, lambda row: _can_be_copied(row, transform, train=leaks))

        def fitting(row: _Row) -> bool:
            if leaks:
                return bool(row["split"] == "test")
            return bool(row["split"] == original["split"] and row["group"] != original["group"])

        copy = self._take(kind, fitting)
        self._copy_sound(original, copy, transform)
        picture = None
        if not leaks:
            picture = "same" if transform == "same" else "jpeg"
            self._copy_picture(original, copy, picture)
        if kind == "label_conflict":
            others = [one for one in SOUNDS if one not in (original["label"], self.rare)]
            copy["label"] = others[self.rng.integers(len(others))]
        _state_again(copy)
        if kind == "answer_conflict":
            asked = next(one for one in copy["examples"] if one["question_type"] == "sound")
            others = [one for one in asked["choices"] if one not in asked["references"]]
            asked["references"] = [others[self.rng.integers(len(others))]]
        self._note(
            kind,
            copy,
            copy_of=original["id"],
            copied_split=original["split"],
            transform=transform,
            picture=picture,
        )

    def unbalance(self, ratio: int) -> None:
        """Drop records of train until its most frequent label is there `ratio` times as often as the rarest.

        Raises:
            InputError: there are too few clips of a label for this ratio.
        """
        corrupt = {one.records[0] for one in self.planted if one.kind == "corrupt"}
        train = [
            row for row in self.rows if row["split"] == "train" and row["label"] and row["id"] not in corrupt
        ]
        counts = Counter(row["label"] for row in train)
        fewest = max(counts.values()) // ratio
        if not fewest:
            raise InputError(
                f"--faults imbalance={ratio}: train has at most {max(counts.values())} clips of a label; "
                "ask for more clips, or a smaller ratio"
            )
        free = {row["id"] for row in self.free}
        dropped = []
        for label, count in sorted(counts.items()):
            surplus = count - (fewest if label == self.rare else fewest * ratio)
            can_go = [r for r in train if r["label"] == label and (r["id"] in free or label == self.rare)]
            if surplus > len(can_go):
                raise InputError(
                    f"--faults imbalance={ratio}: other faults hold {count - len(can_go)} of {count} "
                    f"clips of {label!r} in train; ask for more clips, or fewer faults"
                )
            dropped += can_go[len(can_go) - max(surplus, 0) :]
        gone = {row["id"] for row in dropped}
        for row in dropped:
            for medium in ("image_file_name", "audio_file_name"):
                (self.root / row[medium]).unlink()
        self.rows = [row for row in self.rows if row["id"] not in gone]
        self.planted.append(Planted("imbalance", tuple(sorted(gone)), "train"))

    def _rare(self, row: _Row) -> bool:
        """Whether a clip has the label that an imbalance makes rare; no other fault may take it."""
        return bool(row["split"] == "train" and row["label"] == self.rare)

    def _take(self, kind: str, fits: _Test) -> _Row:
        """A free clip that fits.

        Raises:
            InputError: there is none left.
        """
        for row in self.free:
            if fits(row):
                self.free.remove(row)
                return row
        raise InputError(
            f"--faults {kind}={self.faults[kind]}: no clip is left for it among {len(self.rows)}; "
            "ask for more clips, or fewer faults"
        )

    def _note(self, kind: str, row: _Row, **more: str | None) -> None:
        self.planted.append(Planted(kind, (row["id"],), row["split"], **more))

    def _copy_sound(self, original: _Row, copy: _Row, transform: str) -> None:
        """Let a clip sound like another, and have its events, its label and its questions about sound."""
        file, suffix, later = (self.root / original["audio_file_name"]).read_bytes(), ".wav", 0.0
        if transform != "same":
            samples, rate_hz = soundfile.read(io.BytesIO(file))
            file, suffix, later = disguise(samples, rate_hz, transform, self.rng)
        (self.root / copy["audio_file_name"]).unlink()
        copy["audio_file_name"] = f"sounds/{copy['id']}{suffix}"
        (self.root / copy["audio_file_name"]).write_bytes(file)
        events = [Event.model_validate(event) for event in original["events"]]
        copy["events"] = [event.model_dump(mode="json") for event in moved(events, later)]
        copy["label"], copy["difficulty"] = original["label"], original["difficulty"]
        _copy_metadata(original, copy, "murmur", "snr_db")
        _copy_examples(original, copy, needs_audio=True)

    def _copy_picture(self, original: _Row, copy: _Row, how: str) -> None:
        """Let a clip show what another shows, and ask the same about it."""
        source, suffix = self.root / original["image_file_name"], ".png" if how == "same" else ".jpg"
        (self.root / copy["image_file_name"]).unlink()
        copy["image_file_name"] = f"images/{copy['id']}{suffix}"
        target = self.root / copy["image_file_name"]
        if how == "same":
            target.write_bytes(source.read_bytes())
        else:
            with Image.open(source) as picture:
                picture.save(target, format="JPEG", quality=85)
        _copy_metadata(original, copy, "picture_tells", "fog")
        _copy_examples(original, copy, needs_audio=False)

    def _spoil(self, kind: str, row: _Row) -> None:
        """Give a clip another sound than its label says, silence, half a file, no group, or a wrong one."""
        path = self.root / row["audio_file_name"]
        heard = None
        match kind:
            case "mismatch":
                others = [one for one in SOUNDS if one != row["label"]]
                heard = others[self.rng.integers(len(others))]
                murmur = row.get("metadata", {}).get("murmur", False)
                mixed = mix(heard, len(row["events"]), row["difficulty"], self.rng, murmur=murmur)
                path.write_bytes(wav(mixed.samples, SAMPLE_RATE_HZ))
                _state_again(row, snr_db=mixed.snr_db)
            case "silent":  # nothing is heard, so nothing can be asked about it
                samples, rate_hz = soundfile.read(path, dtype="int16")
                path.write_bytes(wav(np.zeros_like(samples), rate_hz))
                row["events"] = []
                row["examples"] = [one for one in row["examples"] if not one["needs_audio"]]
                row.get("metadata", {}).pop("snr_db", None)
                _state_again(row, murmur=False)
            case "corrupt":
                file = path.read_bytes()
                path.write_bytes(file[: len(file) // 2])
            case "ungrouped":
                row["group"] = ""
            case "shared_group":
                row["group"] = self._take(kind, lambda other: bool(other["split"] == "train"))["group"]
        self._note(kind, row, heard=heard)


def _can_be_copied(row: _Row, transform: str, *, train: bool) -> bool:
    events = [Event.model_validate(event) for event in row["events"]]
    return (not train or row["split"] == "train") and (
        transform == "same" or fits(transform, events, seconds=CLIP_SECONDS, rate_hz=SAMPLE_RATE_HZ)
    )


def _copy_examples(original: _Row, copy: _Row, *, needs_audio: bool) -> None:
    """Replace the questions of a clip about its sound, or those about its picture, by another's."""
    asked = [one for one in original["examples"] if one["needs_audio"] == needs_audio]
    kept = [one for one in copy["examples"] if one["needs_audio"] != needs_audio]
    mine = [{**one, "id": f"{copy['id']}-{one['question_type']}"} for one in asked]
    copy["examples"] = kept + mine if needs_audio else mine + kept


def _copy_metadata(original: _Row, copy: _Row, *names: str) -> None:
    """Let a clip's metadata say the same as another's, where worlds have any."""
    if "metadata" in copy:
        copy["metadata"] |= {name: original["metadata"][name] for name in names}


def _state_again(row: _Row, **changed: Any) -> None:
    """State what follows from a clip's metadata once its picture, its sound or its questions have changed."""
    if "metadata" in row:
        row["metadata"] = stated(row, row["metadata"] | changed)
