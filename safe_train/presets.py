"""Presets: the settings of known runs, as YAML files in configs/, which `--config NAME` finds."""

from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.options_file import (
    alternatives_of_settings,
    sections_of_settings,
    settings_from,
    settled,
    without_sections,
)
from safe_data.core.yaml_file import read_yaml
from safe_train.settings.train import TrainConfig

PRESETS = Path(__file__).parent / "configs"


def preset_config(
    *names: str, shards: tuple[Path, ...], backbone: str | Path, out: Path, **changes: Any
) -> TrainConfig:
    """The settings of a run by one or several presets, of which a later one wins.

    `changes` are single options, such as `steps=100` or `seed=1`; they win.

    Raises:
        InputError: there is no such preset or option, or a value is refused.

    >>> preset_config("phase1", shards=(Path("s"),), backbone="b", out=Path("o"), steps=5).pathway.layers
    (8, 16, 24, 32)
    """
    options, alternatives = preset_options(*names), alternatives_of_settings(TrainConfig)
    sections = sections_of_settings(TrainConfig)
    known_options = {option for keys in sections.values() for option in keys.values()}
    for name in changes:
        if name not in known_options:
            raise InputError(f"no option {name!r}; {did_you_mean(name, known_options, 'see TrainConfig')}")
    where = {"shards": tuple(map(Path, shards)), "backbone": str(backbone), "out": Path(out)}
    config: TrainConfig = settings_from(TrainConfig, options | where | settled(changes, alternatives))
    return config


def preset_options(*names: str) -> dict[str, Any]:
    """What one or several presets say, by option; a later one wins.

    Raises:
        InputError: there is no such preset, or it cannot be read.

    >>> preset_options("no_retention", "kl")["kl_weight"]
    3.0
    """
    sections, alternatives = sections_of_settings(TrainConfig), alternatives_of_settings(TrainConfig)
    options: dict[str, Any] = {}
    for name in names:
        file = PRESETS / f"{name}.yaml"
        if not file.is_file():
            known = sorted(path.stem for path in PRESETS.glob("*.yaml"))
            raise InputError(f"no preset {name!r}; {did_you_mean(name, known, f'there are {known}')}")
        _, content = read_yaml(file)
        options |= settled(without_sections(content, sections), alternatives)
    return options
