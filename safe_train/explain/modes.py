"""Modes: how an answer came out right or wrong, told from what the same model says in other arms.

Each question has exactly one mode. A mode is a pattern of outcomes, and no cause: an answer that changes with
the sound may change for the wrong reason, and one that does not may have been heard and outweighed.
"""

from typing import NamedTuple

from safe_train.explain.asked import FULL, GATED, MUTE, OFF, SWAP, Outcome

HELPED, UNNEEDED = "helped by its sound", "right without its sound"
NO_ANSWER = "no answer"
SKIPPED = "skipped a sound that helps"
DISTURBED = "disturbed by a sound that does not matter"
WRONG_ANYWAY = "wrong about the picture anyway"
OVERRULED = "listens although the picture tells"
MISLED = "misled by its sound"
BELIEVED = "believes the picture"
MISSED = "misses the sound"
MISHEARD = "hears the wrong thing"


class Mode(NamedTuple):
    """What a mode is called, and the outcomes that it stands for."""

    name: str
    means: str


# In the order in which they are tried, after no answer.
MODES = (
    Mode(NO_ANSWER, "asking failed, or nothing was said"),
    Mode(HELPED, "right with the sound, wrong in silence"),
    Mode(UNNEEDED, "right with the sound and in silence, or right as the gate did not listen"),
    Mode(SKIPPED, "wrong as the gate did not listen; right where it always does"),
    Mode(DISTURBED, "about the picture: wrong with the sound, right in silence or with the gate shut"),
    Mode(WRONG_ANYWAY, "about the picture: wrong with the sound, in silence and with the gate shut"),
    Mode(OVERRULED, "about the sound: wrong with it, right without, and the picture suggests what is right"),
    Mode(MISLED, "about the sound: wrong with it, right in silence or with the gate shut"),
    Mode(BELIEVED, "about the sound: wrong everywhere, and the answer is what the picture suggests"),
    Mode(MISSED, "about the sound: wrong, and the same answer in silence and to another's sound"),
    Mode(MISHEARD, "about the sound: wrong everywhere, and the answer changes with the sound"),
)
FAILURES = tuple(mode.name for mode in MODES if mode.name not in (HELPED, UNNEEDED))


def mode_of(outcome: Outcome) -> str:
    """The mode of one question: of its answer with the gate, where the checkpoint has one."""
    said = outcome.said
    given = said.get(GATED, said[FULL])
    if given.answer is None:
        return NO_ANSWER
    without = said[MUTE].is_right or said[OFF].is_right
    if given.is_right:
        return UNNEEDED if said[MUTE].is_right or outcome.consulted is False else HELPED
    if outcome.consulted is False and said[FULL].is_right:
        return SKIPPED
    if not outcome.needs_audio:
        return DISTURBED if without else WRONG_ANYWAY
    if without:
        return OVERRULED if outcome.picture_tells in outcome.references else MISLED
    if given.answer == outcome.picture_tells:
        return BELIEVED
    alike = {said[arm].answer for arm in (FULL, MUTE, SWAP)}
    return MISSED if len(alike) == 1 else MISHEARD
