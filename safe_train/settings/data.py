"""The settings of the data that is trained on."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from safe_data.core.errors import InputError, check_at_least_one, check_choices

ROLES = ("audio", "vl", "muted")
HeardSound = Literal["own", "random"]
QuestionTask = Literal["vqa", "caption", "classify"]


@dataclass(frozen=True)
class DataConfig:
    """What is trained on.

    A batch holds questions in three roles: `audio` questions with their own sound (loss: cross-entropy), `vl`
    questions with an unrelated sound or silence, and `muted` audio questions with silence (loss of both: KL
    divergence from the base).

    Raises:
        InputError: a number outside the range that its option names, or no weight above 0.
    """

    shards: tuple[Path, ...] = field(metadata={"positional": True})
    """folders of one or several datasets; each name may occur once"""

    encoder: tuple[str, ...] = ()
    """name of the cached embeddings to hear by; with two names, both are heard (default: the only one)"""

    weights: dict[str, float] = field(default_factory=lambda: {"audio": 0.4, "vl": 0.4, "muted": 0.2})
    """relative share of each role in a batch: audio, vl, muted; NAME/audio and so on name the questions of
    one dataset; ignored if there is a --curriculum"""

    curriculum: Path | None = None
    """YAML file of training stages, each with its own weights; see safe_data/sampling/curriculum_file.py"""

    silent_fraction: float = 0.25
    """share of the vl questions that get silence instead of an unrelated sound, from 0 to 1"""

    heard: HeardSound = "own"
    """what audio questions hear in training: own, their sound; or random, one of another group, which tells
    whether the sound helps or the added weights do; evaluations and predictions give each its own"""

    tasks: tuple[QuestionTask, ...] = field(default=(), metadata={"option": "task"})
    """questions to train on, by task: vqa, caption or classify (default: all)"""

    split: str = "train"
    """split of every dataset to train on"""

    examples: int | None = None
    """questions to train on, drawn by the seed, at least 1, such as 512 to see whether a pathway can learn at
    all; all of them if there are fewer (default: all)"""

    validation_split: str = "val"
    """split that is evaluated during training; datasets without it are left out"""

    validation_questions: int = 200
    """questions of each kind (audio, vl) in an evaluation, at least 1"""

    freq_mask: int = 0
    """most mel bands to mask of an audio question's sound (SpecAugment), 0 or more, such as 5; drawn anew for
    each question of each step; with this, --time-mask or --time-shift-ms, training runs the encoder"""

    time_mask: int = 0
    """most mel frames to mask of an audio question's sound, 0 or more, such as 10"""

    time_shift_ms: float = 0.0
    """most milliseconds to shift an audio question's sound, to either side, 0 or more, such as 50; silence
    takes the place of what is not known"""

    encoder_source: tuple[str, ...] = ()
    """an encoder and where its weights are, such as clap:DIR, only for masks and shifts (default: what the
    dataset says); another version than that of the embeddings is refused"""

    workers: int = 2
    """threads that prepare the next batches, at least 1"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "validation_questions", "workers")
        if self.examples is not None:
            check_at_least_one(self, "examples")
        check_choices(self, heard=get_args(HeardSound))
        if not 0 <= self.silent_fraction <= 1:
            raise InputError(f"silent_fraction={self.silent_fraction}: must be in [0, 1]")
        if len(set(self.encoder)) < len(self.encoder):
            raise InputError(f"encoder={list(self.encoder)}: name each encoder once")
        for name in ("freq_mask", "time_mask", "time_shift_ms"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name}={getattr(self, name)}: must be 0 or more, and finite")
        if self.encoder_source and not (self.freq_mask or self.time_mask or self.time_shift_ms):
            raise InputError(
                f"encoder_source={list(self.encoder_source)}: no sound is encoded without --freq-mask, "
                "--time-mask or --time-shift-ms; give one of them, or leave it out"
            )
        from safe_data.sampling.mixture import exact_shares

        exact_shares(self.weights)
