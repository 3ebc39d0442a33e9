"""AudioEncoder: a clip's samples in, an embedding out; `load_encoder` finds one by its name."""

from collections.abc import Callable, Sequence
from typing import Protocol

from jaxtyping import Float16, Float32
from numpy import ndarray

from safe_data.core.errors import InputError, did_you_mean
from safe_data.encoders.logmel import LogMelEncoder


class AudioEncoder(Protocol):
    """What makes a sidecar. A clip always gives the same bytes, whatever else is in the batch."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Hexadecimal; it changes with every parameter that could change an embedding."""

    @property
    def sample_rate_hz(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    def encode(self, clips: Sequence[Float32[ndarray, " samples"]]) -> Float16[ndarray, "clips *shape"]:
        """Embed clips of any length, given at `sample_rate_hz`."""


def _clap(source: str) -> AudioEncoder:
    from safe_data.encoders.clap import ClapEncoder

    return ClapEncoder(source)


def _clap_tokens(source: str) -> AudioEncoder:
    from safe_data.encoders.clap import ClapEncoder

    return ClapEncoder(source, "tokens")


def _whisper(source: str) -> AudioEncoder:
    from safe_data.encoders.whisper import WhisperEncoder

    return WhisperEncoder(source)


# Those of a pretrained model are given as `clap:DIRECTORY` or `clap:owner/name`.
ENCODERS: dict[str, Callable[[], AudioEncoder]] = {"logmel": LogMelEncoder}
PRETRAINED: dict[str, Callable[[str], AudioEncoder]] = {
    "clap": _clap,
    "clap-tokens": _clap_tokens,
    "whisper": _whisper,
}


def load_encoder(spec: str) -> AudioEncoder:
    """The encoder of a spec such as `logmel`, `clap:laion/clap-htsat-unfused` or `whisper:DIRECTORY`.

    Raises:
        InputError: no encoder of that name, or a pretrained one without its checkpoint, or a checkpoint that
            cannot be used.
    """
    name, colon, source = spec.partition(":")
    if name in PRETRAINED and source:
        return PRETRAINED[name](source)
    if name in PRETRAINED:
        raise InputError(f"encoder {spec!r} names no checkpoint; write {name}:DIRECTORY or {name}:owner/name")
    if name in ENCODERS and not colon:
        return ENCODERS[name]()
    if name in ENCODERS:
        raise InputError(f"encoder {spec!r}: {name} has no weights to load; write {name!r}")
    known = [*ENCODERS, *(f"{pretrained}:SOURCE" for pretrained in PRETRAINED)]
    hint = did_you_mean(name, [*ENCODERS, *PRETRAINED], f"choose from {', '.join(known)}")
    raise InputError(f"encoder {spec!r} is unknown; {hint}")
