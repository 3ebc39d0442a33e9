"""Speech: whether somebody speaks in a sound, and whether what is said is the transcript.

Speech is found by silero-vad. Whether it is the transcript is a choice: pocketsphinx hears every sound with a
grammar of all transcripts of its batch, and names the one that fits best. To write down freely what is said
is another task, at which so small a model fails.

Source: silero-vad, MIT; pocketsphinx, BSD; both have their models in their wheels.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from safe_data.core.errors import require_extra

SAMPLE_RATE_HZ = 16_000
CHOICES = 100  # transcripts that a sound is compared with, its own among them

_PADDING_SECONDS = 0.25  # for words that fill their clips
_WORD = re.compile(r"[a-z']+")

Samples = Float32[ndarray, " samples"]


def speech_finder() -> Callable[[Samples], bool]:
    """A function that says whether there is speech in a sound at 16 kHz.

    Raises:
        InputError: silero-vad or torch is not installed (extra `speech`).
    """
    require_extra("finding speech", "speech", "silero_vad", "torch")
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the packages themselves use is deprecated
        from silero_vad import get_speech_timestamps, load_silero_vad

        threads = torch.get_num_threads()
        model = load_silero_vad()
        torch.set_num_threads(threads)  # the package sets one for the whole process

    def speaks(samples: Samples) -> bool:
        padding = np.zeros(round(_PADDING_SECONDS * SAMPLE_RATE_HZ), np.float32)
        padded = torch.from_numpy(np.concatenate([padding, samples, padding]))
        with torch.inference_mode():
            found = get_speech_timestamps(padded, model, sampling_rate=SAMPLE_RATE_HZ)
        return bool(found)

    return speaks


class Listener:
    """Chooses, of several transcripts, the one that is said in a sound.

    Raises:
        InputError: pocketsphinx is not installed (extra `speech`).
    """

    def __init__(self) -> None:
        require_extra("comparing speech with transcripts", "speech", "pocketsphinx")
        from pocketsphinx import Decoder

        self._decoder: Any = Decoder(lm=None, loglevel="FATAL")
        self._choices: tuple[str, ...] = ()

    def knows(self, transcript: str) -> bool:
        """Whether all words of a transcript are in the dictionary; others cannot be heard."""
        words = spoken_words(transcript)
        return bool(words) and all(self._decoder.lookup_word(word) is not None for word in words)

    def choose(self, samples: Samples, transcripts: Sequence[str]) -> str | None:
        """The words of the transcript that fits a sound at 16 kHz best; None if none does."""
        choices = tuple(sorted({" ".join(spoken_words(transcript)) for transcript in transcripts}))
        if choices != self._choices:
            grammar = f"#JSGF V1.0;\ngrammar all;\npublic <one> = {' | '.join(choices)};\n"
            self._decoder.add_jsgf_string("all", grammar)
            self._decoder.activate_search("all")
            self._choices = choices
        padding = np.zeros(round(_PADDING_SECONDS * SAMPLE_RATE_HZ), np.float32)
        padded = np.concatenate([padding, samples, padding])
        self._decoder.start_utt()
        self._decoder.process_raw(
            np.round(np.clip(padded, -1, 1) * 32767).astype(np.int16).tobytes(), full_utt=True
        )
        self._decoder.end_utt()
        heard = self._decoder.hyp()
        return heard.hypstr if heard is not None else None


def spoken_words(transcript: str) -> list[str]:
    """The words of a transcript as the dictionary spells them.

    >>> spoken_words("A sea-lion, isn't it?")
    ['a', 'sea', 'lion', "isn't", 'it']
    """
    return _WORD.findall(transcript.lower().replace("’", "'"))
