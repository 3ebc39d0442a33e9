"""What can be chosen: the shape of the audio pathway, and how stage A trains it."""

from dataclasses import dataclass

from safe_data.core.errors import InputError

DEFAULT_FUSED_LAYERS = 4


@dataclass(frozen=True)
class PathwayConfig:
    """The audio pathway: which decoder layers hear (from 1; none named: four, spread evenly), its sizes."""

    layers: tuple[int, ...] = ()
    tokens: int = 4
    rank: int = 8
    heads: int = 2
    bottleneck: int = 128

    def __post_init__(self) -> None:
        for name in ("tokens", "rank", "heads", "bottleneck"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: must be at least 1")
        if self.rank % self.heads:
            raise InputError(f"rank={self.rank} does not divide among heads={self.heads}; choose a multiple")
        if len(set(self.layers)) != len(self.layers) or min(self.layers, default=1) < 1:
            raise InputError(f"layers={list(self.layers)}: name each layer once, counting from 1")


@dataclass(frozen=True)
class StageAConfig:
    """Stage A: learn to hear, and stay what you were.

    Each step takes `audio_rows` audio questions (cross-entropy), `vision_rows` vision questions under a sound
    that has nothing to do with them, and `muted_rows` audio questions under silence (both: KL to the base).
    """

    steps: int = 800
    audio_rows: int = 32
    vision_rows: int = 32
    muted_rows: int = 16
    silent_fraction: float = 0.25  # of the vision rows: silence in place of another clip's sound
    learning_rate: float = 3e-3
    kl_weight: float = 3.0
    temperature: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "audio_rows", "vision_rows", "muted_rows"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: must be at least 1")
        for name in ("learning_rate", "temperature"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name}={getattr(self, name)}: must be above 0")
        if not self.kl_weight >= 0:
            raise InputError(f"kl_weight={self.kl_weight}: must be 0 or more")
        if not 0 <= self.silent_fraction <= 1:
            raise InputError(f"silent_fraction={self.silent_fraction}: must be in [0, 1]")
        if self.seed < 0:
            raise InputError(f"seed={self.seed}: a seed is 0 or more")


def spread_layers(available: int) -> tuple[int, ...]:
    """Four layers evenly spaced and ending with the last, or all of fewer: `[8, 16, 24, 32]` of 32."""
    wanted = min(DEFAULT_FUSED_LAYERS, available)
    return tuple(round(available * (i + 1) / wanted) for i in range(wanted))
