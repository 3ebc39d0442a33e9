"""Delivery: whether the sound and the picture that reached the model fit its condition."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from safe_eval.arms.arm import Arm
from safe_eval.condition import changes_picture, changes_sound, condition_parts
from safe_eval.prediction import Prediction

_SILENCE_DB = -119.0  # digital silence is written as −120
_UNLIKELY = 0.001  # that not one of so many records is dropped
_SAMPLE_SECONDS = 0.001  # what a sound may be longer than what was asked for: less than a sample at 1 kHz

Part = Literal["sound", "picture"]
_CHANGES: dict[Part, Callable[[str], bool]] = {"sound": changes_sound, "picture": changes_picture}


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What an arm whose condition changes the sound, or the picture, says about what was sent.

    Failed rows, and sounds that were silent before they were changed, are not counted.
    """

    dataset: str | None
    seed: int
    model: str
    condition: str
    part: Part
    told: int  # rows that say which sound, or picture, was sent
    left_out: int  # rows that were sent none, where the condition leaves some or all out
    as_full: int  # of those told, the ones sent as under full, though the condition would have changed them
    not_left_out: int  # under text_only, those that were sent at all
    too_loud: int  # under mute_audio, sounds that were not silent
    too_quiet: int  # with noise, sounds that were silent
    unsaid: int  # rows that do not say it, though that of their example is known under full
    uncompared: int  # those with a hash, of examples for which the model's own row under full has none

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the condition cannot be relied on; empty if nothing speaks against it."""
        counted = f"of {self.told} {self.part}s were"
        unreached = f"{counted} sent as under full: the condition did not reach the model"
        said = {
            f"{self.as_full} {unreached}": self.as_full,
            f"{self.not_left_out} {counted} sent: the condition leaves them out": self.not_left_out,
            f"{self.too_loud} {counted} not silent": self.too_loud,
            f"{self.too_quiet} {counted} silent": self.too_quiet,
            f"{self.unsaid} rows do not say which {self.part} was sent; under full they do": self.unsaid,
            f"{self.uncompared} rows say which {self.part} was sent; under full they do not": self.uncompared,
        }
        return tuple(text for text, count in said.items() if count)


class _Sent(NamedTuple):
    """What a row says about the sound, or the picture, that was sent; level in dBFS."""

    sha256: str | None
    rms_db: float | None = None

    @property
    def is_silent(self) -> bool:
        return self.rms_db is not None and self.rms_db <= _SILENCE_DB


class _Full(NamedTuple):
    """What was sent under full: by dataset and example, and the rows of which model do not say it."""

    sent: dict[tuple[str | None, int], _Sent]
    unsaid: set[tuple[str | None, str, int]]


def deliveries(arms: Sequence[Arm]) -> Iterator[Delivery]:
    """One row for each arm whose condition changes the sound, if any row says what was sent; so for pictures.

    A row says it in `audio_sha256` or `audio_rms_db`, of the picture in `metadata.sent.picture_sha256`. Where
    no row does, nothing is known, and there is no row.

    >>> from safe_eval.arms.arm import make_arms
    >>> rows = [Prediction(example_id="q", references=("a",), answer="a", audio_sha256="00", condition=c)
    ...         for c in ("full", "mute_audio")]
    >>> [(row.condition, row.part, row.as_full, row.told) for row in deliveries(make_arms(rows))]
    [('mute_audio', 'sound', 1, 1)]
    """
    full = {part: _under_full(arms, part) for part in _CHANGES}
    for arm in arms:
        for part, changes in _CHANGES.items():
            if changes(arm.key.condition):
                found = _delivery(arm, part, full[part])
                if found.told or found.unsaid or found.left_out:
                    yield found


def delivery_notes(arms: Sequence[Arm]) -> Iterator[str]:
    """One line for each way in which what an arm was sent contradicts its condition."""
    several = len({arm.key.dataset for arm in arms}) > 1
    for row in deliveries(arms):
        where = f" on {row.dataset or 'unnamed'}" if several else ""
        for fault in row.faults:
            yield f"{row.model}/{row.condition}{where}, seed {row.seed}: {fault}"


def _under_full(arms: Sequence[Arm], part: Part) -> _Full:
    full = _Full({}, set())
    for arm in arms:
        if arm.key.condition == "full":
            for number, row in zip(arm.examples.tolist(), arm.rows, strict=True):
                if row.error:
                    continue
                if (sent := _sent(row, part)) is not None:
                    full.sent[arm.key.dataset, number] = sent
                else:
                    full.unsaid.add((arm.key.dataset, arm.key.model, number))
    return full


def _delivery(arm: Arm, part: Part, full: _Full) -> Delivery:
    kind, number = condition_parts(arm.key.condition) or (arm.key.condition, None)
    muted, noisy = kind == "mute_audio", kind in ("noise_audio", "snr")
    leaves_out = kind in ("text_only", "drop")
    told = left_out = needed = as_silent = not_left_out = too_loud = too_quiet = unsaid = uncompared = 0
    same: list[Prediction] = []  # rows whose sound, or picture, was sent as under full
    for example, row in zip(arm.examples.tolist(), arm.rows, strict=True):
        before = full.sent.get((arm.key.dataset, example))
        had_any = before is not None and not before.is_silent
        if row.error is not None or (before is not None and not had_any and not muted):
            continue
        sent = _sent(row, part)
        if sent is None:
            left_out, unsaid = left_out + (had_any and leaves_out), unsaid + (had_any and not leaves_out)
            continue
        told += 1
        is_same = before is not None and _same_hash(before.sha256, sent.sha256)
        if is_same and had_any:
            same.append(row)
        if row.needs_audio:
            needed, as_silent = needed + 1, as_silent + (is_same and not had_any)
        known = sent.rms_db is not None
        if before is None and not (muted and known) and sent.sha256 is not None:
            uncompared += (arm.key.dataset, arm.key.model, example) in full.unsaid
        not_left_out += kind == "text_only" and not sent.is_silent
        too_loud += muted and known and not sent.is_silent
        too_quiet += noisy and sent.is_silent
    as_full = len(_undelivered(kind, number or 0.0, same, told))
    if kind == "drop" and not left_out and _should_have_dropped((number or 0.0) / 100, arm.rows):
        as_full = len(same)
    return Delivery(
        **arm.key._asdict(),
        part=part,
        told=told,
        left_out=left_out,
        # A silent sound may stay as it is. Where all that were needed were silent, muting has shown nothing.
        as_full=as_full + as_silent * (as_silent == needed),
        not_left_out=not_left_out,
        too_loud=too_loud,
        too_quiet=too_quiet,
        unsaid=unsaid,
        uncompared=uncompared,
    )


def _undelivered(kind: str, number: float, same: list[Prediction], told: int) -> list[Prediction]:
    """The rows that were sent as under full, and should have been sent something else.

    A sound without high tones passes a low-pass as it is, and a short one is not clipped. Where all stay as
    they are, the condition has shown nothing.
    """
    if kind in ("text_only", "drop"):
        return []
    if len(same) == told or kind not in ("lowpass", "clip"):
        return same
    return [row for row in same if kind == "clip" and _seconds(row) > number + _SAMPLE_SECONDS]


def _should_have_dropped(share: float, rows: Sequence[Prediction]) -> bool:
    """Whether nothing was dropped, though there are so many records that something should have been."""
    records = {row.record_id or row.example_id for row in rows if row.error is None}
    dropped = any("left out" in (_note(row).get("sound"), _note(row).get("picture")) for row in rows)
    return not dropped and (1 - share) ** len(records) < _UNLIKELY


def _same_hash(one: str | None, other: str | None) -> bool:
    """Whether two hashes are the same, however they are spelled."""
    return one is not None and other is not None and one.strip().lower() == other.strip().lower()


def _sent(row: Prediction, part: Part) -> _Sent | None:
    """What a row says about the sound, or the picture, that was sent; None if nothing."""
    if part == "sound":
        known = row.audio_sha256 is not None or row.audio_rms_db is not None
        return _Sent(row.audio_sha256, row.audio_rms_db) if known else None
    sha256 = _note(row).get("picture_sha256")
    return _Sent(sha256) if isinstance(sha256, str) else None


def _seconds(row: Prediction) -> float:
    seconds = _note(row).get("sound_seconds")
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def _note(row: Prediction) -> dict[str, Any]:
    """What the runner wrote about what was sent; empty for rows that it did not write."""
    note = (row.metadata or {}).get("sent")
    return note if isinstance(note, dict) else {}
