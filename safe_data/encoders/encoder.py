"""AudioEncoder: turn the samples of a clip into an embedding; `load_encoder` finds an encoder by name."""

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from safe_data.core.errors import InputError, did_you_mean

# The help of a command lists the encoders, and waits for what is loaded here.
if TYPE_CHECKING:
    from jaxtyping import Float16, Float32
    from numpy import ndarray

    from safe_data.encoders.inference import MelChange


class AudioEncoder(Protocol):
    """An encoder of sounds. A clip always gives the same bytes, whatever else is in the batch."""

    @property
    def name(self) -> str:
        """Its name in the file names of its embeddings."""

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digits that change with every parameter that could change an embedding."""

    @property
    def sample_rate_hz(self) -> int:
        """The sample rate that `encode` expects."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one embedding."""

    def encode(
        self, clips: 'Sequence[Float32[ndarray, " samples"]]', changes: Sequence["MelChange | None"] = ()
    ) -> 'Float16[ndarray, "clips *shape"]':
        """Embed clips of any length, sampled at `sample_rate_hz`.

        `changes`, one per clip or none at all, change the log-mel features that the encoder hears, as
        training does to vary its sounds. The fingerprint does not depend on them; None changes not a byte.
        """


def _logmel() -> AudioEncoder:
    """The mean power in 64 mel bands and 8 equal parts of a clip, in dB; it needs no weights."""
    from safe_data.encoders.logmel import LogMelEncoder

    return LogMelEncoder()


def _clap(source: str) -> AudioEncoder:
    """CLAP, one vector of 512 per clip, such as clap:laion/clap-htsat-unfused."""
    from safe_data.encoders.clap import ClapEncoder

    return ClapEncoder(source)


def _clap_tokens(source: str) -> AudioEncoder:
    """CLAP, 64 token states of 768 per clip, such as clap-tokens:laion/clap-htsat-unfused."""
    from safe_data.encoders.clap import ClapEncoder

    return ClapEncoder(source, "tokens")


def _whisper(source: str) -> AudioEncoder:
    """Whisper's encoder, 32 frames of states per clip, such as whisper:openai/whisper-tiny."""
    from safe_data.encoders.whisper import WhisperEncoder

    return WhisperEncoder(source)


def _yamnet(source: str) -> AudioEncoder:
    """YAMNet, one vector of 1024 per clip, such as yamnet:DIRECTORY of its TensorFlow SavedModel."""
    from safe_data.encoders.yamnet import YamnetEncoder

    return YamnetEncoder(source)


# A pretrained encoder also names its checkpoint: `clap:DIRECTORY` or `clap:owner/name`.
ENCODERS: dict[str, Callable[[], AudioEncoder]] = {"logmel": _logmel}
PRETRAINED: dict[str, Callable[[str], AudioEncoder]] = {
    "clap": _clap,
    "clap-tokens": _clap_tokens,
    "whisper": _whisper,
    "yamnet": _yamnet,
}
NOT_ON_THE_HUB = {"yamnet"}


def encoder_specs() -> dict[str, str]:
    """How each encoder is named on the command line, and what it is: the first line of its docstring."""
    specs = {**ENCODERS, **{f"{name}:SOURCE": load for name, load in PRETRAINED.items()}}
    return {spec: (inspect.getdoc(load) or "").partition("\n")[0] for spec, load in specs.items()}


def load_encoder(spec: str) -> AudioEncoder:
    """Load an encoder by a spec such as `logmel`, `clap:laion/clap-htsat-unfused` or `whisper:DIRECTORY`.

    Raises:
        InputError: the name is unknown, a pretrained encoder names no checkpoint, or its checkpoint cannot be
            used.
    """
    name, colon, source = spec.partition(":")
    if name in PRETRAINED and source:
        return PRETRAINED[name](source)
    if name in PRETRAINED:
        hub = "" if name in NOT_ON_THE_HUB else f" or {name}:owner/name"
        raise InputError(f"encoder {spec!r} names no checkpoint; write {name}:DIRECTORY{hub}")
    if name in ENCODERS and not colon:
        return ENCODERS[name]()
    if name in ENCODERS:
        raise InputError(f"encoder {spec!r}: {name} has no weights to load; write {name!r}")
    hint = did_you_mean(name, [*ENCODERS, *PRETRAINED], f"choose from {', '.join(encoder_specs())}")
    raise InputError(f"encoder {spec!r} is unknown; {hint}")


def embed_silence(encoder: AudioEncoder) -> 'Float16[ndarray, "*shape"]':
    """Embed one second of digital silence.

    >>> embed_silence(load_encoder("logmel"))[:3].tolist()
    [-1.0, -1.0, -1.0]
    """
    import numpy as np

    silence: Float16[ndarray, "*shape"] = encoder.encode([np.zeros(encoder.sample_rate_hz, np.float32)])[0]
    return silence
