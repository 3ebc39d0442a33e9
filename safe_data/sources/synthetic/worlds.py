"""Worlds: what the clips of each synthetic world are like, as shares of all clips."""

from dataclasses import dataclass, replace

from safe_data.core.errors import InputError, did_you_mean

PLAIN, SPEECH = "plain", "speech"


@dataclass(frozen=True)
class World:
    """What a world is like; each share lies in [0, 1].

    `splits` take turns over the places of a world, and `difficulties` are the levels of noise that a place
    may have (`sounds.NOISE_DB`). Where pictures give hints about their sounds (`hints.hints`), `true_hints`
    is the probability that a hint is true; None if pictures say nothing about sounds. Raise `format_version`
    when the bytes of this world change.
    """

    about: str
    dataset: str
    splits: tuple[str, ...]
    difficulties: tuple[str, ...]
    group_sizes: tuple[int, ...]
    """clips of a place"""
    true_hints: float | None = None
    silent: float = 0.0
    """clips in which nothing is heard but noise"""
    murmuring: float = 0.0
    """clips in which a voice-like murmur runs beneath the events; nothing is asked about it"""
    foggy: float = 0.0
    """pictures that are hard to see"""
    speech: bool = False
    """clips are sounds alone, and each is asked whether it is speech (`speech.speech_rows`)"""
    format_version: int = 1

    @property
    def has_silence(self) -> bool:
        """Whether "none" can be the sound that is heard, and "zero" the number of sounds."""
        return self.silent > 0

    @property
    def is_plain(self) -> bool:
        """Whether no clip has anything special, so that there is nothing to state about a clip."""
        return self.true_hints is None and not (self.silent or self.murmuring or self.foggy)


# A third of the groups is for testing: detecting a loss of half a percent takes over a thousand questions.
_PLAIN = World(
    about="Pictures say nothing about sounds, and the words of a question tell which of the two it needs.",
    dataset="synthetic",
    splits=("train", "test", "train", "val", "train", "test"),
    difficulties=("easy", "medium", "hard"),
    group_sizes=(2, 3, 4),
)
# A gate is fitted on groups that nothing else saw. To bound what it loses by one point takes 300 groups even
# if nothing is lost, so places are small here.
_HARD = World(
    about="Pictures often hint at what is heard, and some mislead; noise is louder, a few clips are silent.",
    dataset="synthetic_hard",
    splits=(
        *("train", "test", "gate", "val", "train", "test"),
        *("train", "gate", "test", "train", "gate", "test", "train"),
    ),
    difficulties=("easy", "medium", "hard", "harder", "hardest"),
    group_sizes=(1, 2),
    true_hints=0.95,
    silent=0.03,
    murmuring=0.25,
)
_FOGGY = replace(
    _HARD,
    about="The hard world with fog over three in ten pictures, about which no sound can help.",
    dataset="synthetic_foggy",
    foggy=0.3,
)
# Of 20 groups of a class, 14 are to learn from, 3 to fit a temperature on, and 3 to judge.
_SPEECH = World(
    about="Sounds alone, half of them speech, from 20 ms to 1 s long and down to 20 dB below the noise.",
    dataset="synthetic_speech",
    splits=(
        *("train", "test", "dev", "train", "train", "train", "train", "test", "train", "train"),
        *("dev", "train", "train", "train", "test", "train", "dev", "train", "train", "train"),
    ),
    difficulties=(),
    group_sizes=(8,),
    speech=True,
)
WORLDS = {PLAIN: _PLAIN, "hard": _HARD, "foggy": _FOGGY, SPEECH: _SPEECH}


def find_world(name: str) -> World:
    """The world of this name.

    Raises:
        InputError: there is none.
    """
    if name not in WORLDS:
        hint = did_you_mean(name, WORLDS, f"there are {', '.join(WORLDS)}")
        raise InputError(f"{name!r}: no such world; {hint}")
    return WORLDS[name]
