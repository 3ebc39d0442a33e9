"""Delivery: whether the sound that reached the model fits its condition."""

from collections.abc import Iterator, Mapping, Sequence, Set

import msgspec

from safe_eval.arms.arm import Arm
from safe_eval.condition import changes_sound, snr_db
from safe_eval.prediction import Prediction

_SILENCE_DB = -119.0  # digital silence is written as −120

Untouched = Mapping[tuple[str | None, int], Prediction]  # by dataset and example: what was sent under full


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What an arm whose condition changes the sound says about the sounds that were sent.

    Failed rows, and sounds that were silent before they were changed, are not counted.
    """

    dataset: str | None
    seed: int
    model: str
    condition: str
    sounds: int  # rows that say what was sent
    as_full: int  # of these, the ones sent as under full
    too_loud: int  # under mute_audio, sounds that were not silent
    too_quiet: int  # with noise, sounds that were silent
    unsaid: int  # rows that do not say it, though the sound of their example is known under full
    uncompared: int = 0  # sounds with a hash, of examples for which the model's own row under full has none

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the condition cannot be relied on; empty if nothing speaks against it."""
        said = {
            f"{self.as_full} of {self.sounds} sounds were sent as under full: the condition did not reach "
            "the model": self.as_full,
            f"{self.too_loud} of {self.sounds} sounds were not silent": self.too_loud,
            f"{self.too_quiet} of {self.sounds} sounds were silent": self.too_quiet,
            f"{self.unsaid} rows do not say which sound was sent; under full they do": self.unsaid,
            f"{self.uncompared} rows say which sound was sent; under full they do not": self.uncompared,
        }
        return tuple(text for text, count in said.items() if count)


def deliveries(arms: Sequence[Arm]) -> Iterator[Delivery]:
    """One row for each arm whose condition changes the sound, if any row says what was sent.

    Where no row states `audio_sha256` or `audio_rms_db`, nothing is known, and there is no row.

    >>> from safe_eval.arms.arm import make_arms
    >>> rows = [Prediction(example_id="q", references=("a",), answer="a", audio_sha256="00", condition=c)
    ...         for c in ("full", "mute_audio")]
    >>> [(row.condition, row.as_full, row.sounds) for row in deliveries(make_arms(rows))]
    [('mute_audio', 1, 1)]
    """
    untouched = {
        (arm.key.dataset, number): row
        for arm in arms
        if arm.key.condition == "full"
        for number, row in zip(arm.examples.tolist(), arm.rows, strict=True)
        if _is_said(row) and not row.error
    }
    unsaid = {
        (arm.key.dataset, arm.key.model, number)
        for arm in arms
        if arm.key.condition == "full"
        for number, row in zip(arm.examples.tolist(), arm.rows, strict=True)
        if not (_is_said(row) or row.error)
    }
    for arm in arms:
        if changes_sound(arm.key.condition):
            found = _delivery(arm, untouched, unsaid)
            if found.sounds or found.unsaid:
                yield found


def delivery_notes(arms: Sequence[Arm]) -> Iterator[str]:
    """One line for each way in which the sounds that an arm was sent contradict its condition."""
    several = len({arm.key.dataset for arm in arms}) > 1
    for row in deliveries(arms):
        where = f" on {row.dataset or 'unnamed'}" if several else ""
        for fault in row.faults:
            yield f"{row.model}/{row.condition}{where}, seed {row.seed}: {fault}"


def _delivery(arm: Arm, untouched: Untouched, unsaid_full: Set[tuple[str | None, str, int]]) -> Delivery:
    condition = arm.key.condition
    muted, noisy = condition == "mute_audio", condition == "noise_audio" or snr_db(condition) is not None
    sounds = as_full = needed = as_silent = too_loud = too_quiet = unsaid = uncompared = 0
    for number, sent in zip(arm.examples.tolist(), arm.rows, strict=True):
        before = untouched.get((arm.key.dataset, number))
        had_sound = before is not None and not _is_silent(before)
        if sent.error is not None or (before is not None and not had_sound and not muted):
            continue
        if not _is_said(sent):
            unsaid += had_sound
            continue
        sounds += 1
        sha256 = None if before is None else before.audio_sha256
        is_same = sha256 is not None and _same_hash(sha256, sent.audio_sha256)
        as_full += is_same and had_sound
        if sent.needs_audio:
            needed, as_silent = needed + 1, as_silent + (is_same and not had_sound)
        known = sent.audio_rms_db is not None
        if before is None and not (muted and known) and sent.audio_sha256 is not None:
            uncompared += (arm.key.dataset, arm.key.model, number) in unsaid_full
        too_loud += muted and known and not _is_silent(sent)
        too_quiet += noisy and known and _is_silent(sent)
    return Delivery(
        **arm.key._asdict(),
        sounds=sounds,
        # A silent sound may stay as it is. Where all that were needed were silent, muting has shown nothing.
        as_full=as_full + as_silent * (as_silent == needed),
        too_loud=too_loud,
        too_quiet=too_quiet,
        unsaid=unsaid,
        uncompared=uncompared,
    )


def _same_hash(one: str, other: str | None) -> bool:
    """Whether two hashes are the same, however they are spelled."""
    return other is not None and one.strip().lower() == other.strip().lower()


def _is_said(row: Prediction) -> bool:
    return row.audio_sha256 is not None or row.audio_rms_db is not None


def _is_silent(row: Prediction) -> bool:
    return row.audio_rms_db is not None and row.audio_rms_db <= _SILENCE_DB
