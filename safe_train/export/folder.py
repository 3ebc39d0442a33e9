"""Folder: a checkpoint copied for others, without what belongs to the machine it was trained on.

    OUT/adapter.safetensors  config.json      the pathway, as `read_checkpoint` reads it
    OUT/gate/gate.json  gate.safetensors      its gate, where it has one
    OUT/lora/ or OUT/base/                    of a checkpoint that trained its base
    OUT/README.md                             the model card, with metadata that the Hub reads
    OUT/.eval_results/*.yaml                  scores, as the Hub lists them
    OUT/SHA256SUMS                            of every other file, for `sha256sum -c`

Left out are what others cannot use: the state of the training, its options, and the questions that the gate
was fitted on. Nothing is code.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import committing, file_sha256, json_bytes, write_bytes
from safe_data.encoders.checkpoints import HUB_ID
from safe_train.base.adapted_files import FOLDERS
from safe_train.checkpoint import CONFIG, WEIGHTS, Checkpoint, CheckpointConfig, UsedEncoder
from safe_train.gates.gate_files import FACTS, FittedGate
from safe_train.gates.gate_files import FOLDER as GATE
from safe_train.gates.gate_files import WEIGHTS as GATE_WEIGHTS

README, SUMS, RESULTS = "README.md", "SHA256SUMS", ".eval_results"
# A path that begins at the root of a file system, or at the home of a user.
_PLACE = re.compile(r"""(?:^|[\s"'=:(])((?:/(?!/)[\w.-]+){2,}|~/[\w.-]+|[A-Za-z]:\\[\w.-]+)""", re.MULTILINE)


def sources_of(checkpoint: Checkpoint, gate: FittedGate | None) -> dict[str, Path]:
    """The files to copy as they are, by their names in the export."""
    folder, found = checkpoint.folder, {WEIGHTS: checkpoint.folder / WEIGHTS}
    if gate is not None:
        names = [FACTS, *([GATE_WEIGHTS] if gate.weights else [])]
        found |= {f"{GATE}/{name}": folder / GATE / name for name in names}
    adapted = checkpoint.config.adapted
    if adapted is not None:
        place = FOLDERS[adapted.settings.base]
        found |= {f"{place}/{name}": folder / place / name for name in adapted.files}
    return found


def config_for_others(config: CheckpointConfig) -> CheckpointConfig:
    """The configuration without folders and devices of this machine; an encoder on the Hub keeps its id."""
    return msgspec.structs.replace(
        config,
        encoders=tuple(_for_others(encoder) for encoder in config.encoders),
        loading=replace(config.loading, device_map=None, attention=None),
    )


def check_out(out: Path, checkpoint: Path, *, force: bool) -> None:
    """Check that an export may be written.

    Raises:
        InputError: the folder holds something already, and `force` is not set; or it is the checkpoint's own.
    """
    if out.resolve() == checkpoint.resolve():
        raise InputError(f"{out}: is the checkpoint itself; name another folder")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise InputError(
            f"{out}: is there already; name another folder, or add --force to replace the export in it"
        )


def write_folder(
    out: Path, sources: Mapping[str, Path], config: CheckpointConfig, texts: Mapping[str, bytes]
) -> list[Path]:
    """Write an export; the configuration comes after the weights, and the hashes last.

    Raises:
        InputError: the disk is full, or a text names a folder of this machine; then nothing is written.
    """
    made = {CONFIG: json_bytes(config), **texts}
    for name, content in made.items():
        _check_no_place(name, content.decode())
    for name, source in sources.items():
        if source.suffix == ".json":
            _check_no_place(name, source.read_text("utf-8"))
    _clear(out)
    for name, source in sources.items():
        with committing(out / name) as file, source.open("rb") as given:
            shutil.copyfileobj(given, file)
    for name, content in made.items():
        write_bytes(out / name, content)
    names = [*sources, *made]
    sums = "".join(f"{file_sha256(out / name)}  {name}\n" for name in sorted(names))
    write_bytes(out / SUMS, sums.encode())
    return [out / name for name in (*names, SUMS)]


def places_in(text: str) -> Iterator[str]:
    """What reads as a folder or file of a machine.

    >>> list(places_in('"source": "clap:/srv/me/clap", "https://huggingface.co/a/b", "org/name", 1/2'))
    ['/srv/me/clap']
    """
    yield from _PLACE.findall(text)


def _check_no_place(name: str, text: str) -> None:
    if (found := next(places_in(text), None)) is not None:
        raise InputError(
            f"{name}: would name {found}, a place on this machine; take it out before you export"
        )


def _for_others(encoder: UsedEncoder) -> UsedEncoder:
    """An encoder; a folder that its weights were in is named by nobody else."""
    _, colon, place = (encoder.source or "").partition(":")
    is_on_hub = HUB_ID.fullmatch(place) is not None and not Path(place).exists()
    return encoder if not colon or is_on_hub else msgspec.structs.replace(encoder, source=None)


def _clear(out: Path) -> None:
    """Remove an earlier export, and nothing else that may lie there."""
    for name in (CONFIG, WEIGHTS, README, SUMS):
        (out / name).unlink(missing_ok=True)
    for name in (GATE, RESULTS, *FOLDERS.values()):
        shutil.rmtree(out / name, ignore_errors=True)
