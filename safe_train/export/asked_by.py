"""Asked by: whether the record of a run says that a model's predictions are of this checkpoint.

`safe-train predict` writes beside its predictions what they depend on: the hash of the checkpoint's
config.json, which holds that of its weights; and the hash of the predictions.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_eval.card.published import Published
from safe_eval.runner.output import run_file
from safe_eval.scoring.scores import PredictionsFile, file_of
from safe_train.checkpoint import CONFIG

Proof = Literal["recorded", "not recorded"]


def proof_of(published: Published, model: str, checkpoint: Path) -> Proof:
    """Whether a record says that the predictions of a model are of this checkpoint, for every file.

    Raises:
        InputError: a record says that they are of another one.
    """
    wanted = file_sha256(checkpoint / CONFIG)
    found = list(_said(published.run, published.scores.provenance.predictions, model))
    if wrong := [one for one in found if one is not None and one != wanted]:
        raise InputError(
            f"{published.run}: the answers of {model} are of the checkpoint whose {CONFIG} has sha256 "
            f"{wrong[0][:12]}…, that of {checkpoint} has {wanted[:12]}…; give its own scores"
        )
    return "recorded" if found and None not in found else "not recorded"


def _said(run: Path, files: Iterable[PredictionsFile], model: str) -> Iterable[str | None]:
    """Of each file of predictions: the checkpoint that its record names, None where nothing tells."""
    for file in files:
        record = _record(run_file(file_of(run, file)))
        identity, finished = record.get("identity"), record.get("finished")
        if (
            not isinstance(identity, dict)
            or not isinstance(finished, dict)
            or finished.get("sha256") != file.sha256
            or identity.get("name") != model
        ):
            yield None
        else:
            said = identity.get("checkpoint")
            yield said if isinstance(said, str) else None


def _record(path: Path) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
