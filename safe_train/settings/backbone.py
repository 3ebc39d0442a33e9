"""The settings of the frozen vision-language model."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class BackboneConfig:
    """The frozen vision-language model."""

    source: str = field(metadata={"option": "backbone"})
    """vision-language model, as a directory written by save_pretrained or as a hub id"""

    @property
    def name(self) -> str:
        """Its name in checkpoints."""
        return Path(self.source).resolve().name
