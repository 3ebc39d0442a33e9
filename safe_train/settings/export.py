"""The settings of an export: what others are told about a checkpoint that they can load."""

import re
from dataclasses import dataclass
from pathlib import Path

from safe_data.core.errors import InputError
from safe_train.settings.predict import SAFE

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")  # how the Hub writes them


@dataclass(frozen=True)
class ExportConfig:
    """What the model card says.

    Raises:
        InputError: no hub id, or no identifier of a licence.
    """

    title: str | None = None
    """name of the pathway, as the card shows it (default: the name of OUT)"""

    license: str | None = None
    """licence of the pathway as the Hub writes it, such as apache-2.0 (default: the card names none)"""

    base_model: str | None = None
    """hub id of the base, such as llava-hf/llava-1.5-7b-hf (default: the card has its name and hash alone)"""

    repository: str | None = None
    """hub id under which the folder will be published, for the example (default: a placeholder)"""

    checklist: Path | None = None
    """checklist.json of the plan that decided about this checkpoint, whose go or no-go the card repeats"""

    scores: Path | None = None
    """folder that `safe-eval score` wrote to; its predictions are scored again, and the card shows them"""

    model: str = SAFE
    """name of the checkpoint's answers in these scores"""

    hub: tuple[str, ...] = ()
    """id of a dataset of the scores on the Hugging Face Hub, with its task, as in music_avqa=ORG/NAME:TASK"""

    force: bool = False
    """replace an export that is there (default: refuse it)"""

    def __post_init__(self) -> None:
        for name in ("base_model", "repository"):
            given = getattr(self, name)
            if given is not None and not _HUB_ID.fullmatch(given):
                raise InputError(f"{name}={given!r}: is no id of the Hub, which is ORG/NAME")
        if self.license is not None and not _LICENSE.fullmatch(self.license):
            raise InputError(
                f"license={self.license!r}: is no identifier of the Hub, such as mit, apache-2.0 or other"
            )
        if self.title is not None and not self.title.strip():
            raise InputError("title='': give the pathway a name, or leave it out")
        if self.hub and self.scores is None:
            raise InputError("hub: names the datasets of scores; give these with --scores")
