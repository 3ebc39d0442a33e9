"""Files of options: options.yaml, with the options and versions of a run, and how to read one again.

Also presets, and the sections that such a file may have where settings are nested.
"""

import dataclasses
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.files import write_bytes

Sections = dict[str, dict[str, str]]  # of each section: the option of every key that a file may use there

OPTIONS = "options.yaml"
CORE = ("safe-hearing", "numpy", "pyarrow", "soundfile", "soxr", "pillow")
TRAIN = ("safe-hearing", "torch", "transformers", "accelerate", "tokenizers", "safetensors", "numpy")


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of the packages that are installed; others are left out, as they did not run.

    >>> list(installed_versions(["numpy", "no-such-package"]))
    ['numpy']
    """
    found = {package: _version(package) for package in packages}
    return {package: number for package, number in found.items() if number is not None}


@lru_cache  # metadata are slow to read, and a process does not change what is installed
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def options_yaml(command: str, options: Mapping[str, Any], packages: Iterable[str]) -> bytes:
    """The options of a command such as `safe-data build` as YAML, below a comment with the versions.

    Options that are None are left out: they were left to their default.
    """
    import yaml

    versions = ", ".join(f"{name} {number}" for name, number in installed_versions(packages).items())
    head = f"# {command}; Python {platform.python_version()}, {versions}\n"
    given = {name: plain(value) for name, value in options.items() if value is not None}
    return (head + yaml.safe_dump(given, sort_keys=False, allow_unicode=True)).encode()


def write_options(
    folder: Path, command: str, options: Mapping[str, Any], packages: Iterable[str] = CORE
) -> Path:
    """Write options.yaml into a folder, whole or not at all, and return its path.

    Raises:
        InputError: the disk is full, or may not be written to.
    """
    return write_bytes(folder / OPTIONS, options_yaml(command, options, packages))


def plain(value: Any) -> Any:
    """A value as YAML writes it: paths as text, tuples as lists."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


def option_name(field: dataclasses.Field[Any]) -> str:
    """The option of a dataclass field: its name, or `metadata["option"]`, such as `layer` for `layers`."""
    return str(field.metadata.get("option", field.name))


def options_of(settings: Any) -> dict[str, Any]:
    """A dataclass as options, section by section, so that what ran can be written to options.yaml."""
    options: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            inner = {f.name: f for f in dataclasses.fields(value)}
            # `backbone: {source: …}` reads better than a section and an option of one name.
            named = {n: n if option_name(f) == field.name else option_name(f) for n, f in inner.items()}
            options[field.name] = {named[name]: getattr(value, name) for name in inner}
        else:
            options[option_name(field)] = value
    return options


def preset_names(presets: Path | None) -> list[str]:
    """The names of the presets in a folder."""
    return [] if presets is None else sorted(file.stem for file in presets.glob("*.yaml"))


def with_presets(arguments: list[str], presets: Path | None) -> list[str]:
    """The arguments, with the path of a preset in place of its name.

    Raises:
        InputError: `--config` names neither a file nor a preset.
    """
    if presets is None:
        return arguments
    known = preset_names(presets)
    found = list(arguments)
    for place, word in enumerate(arguments):
        option, equals, value = word.partition("=")
        if option == "--config" and not equals and place + 1 < len(arguments):
            place, value = place + 1, arguments[place + 1]
        if option != "--config" or not value or Path(value).is_file():
            continue
        if value not in known:
            hint = did_you_mean(value, known, f"presets are {', '.join(known)}")
            raise InputError(f"--config {value}: is neither a file nor a preset; {hint}")
        found[place] = ("--config=" if equals else "") + str(presets / f"{value}.yaml")
    return found


def configs_first(arguments: list[str]) -> list[str]:
    """The arguments, with the config files before the options: these win, wherever they stand.

    >>> configs_first(["score", "a.jsonl", "--seed", "1", "--config", "b.yaml"])
    ['score', '--config', 'b.yaml', 'a.jsonl', '--seed', '1']
    """
    files: list[str] = []
    others: list[str] = []
    rest = iter(arguments)
    for word in rest:
        value = next(rest, None) if word == "--config" else None
        wanted = files if value is not None or word.startswith("--config=") else others
        wanted += [word] if value is None else [word, value]
    return [*others[:1], *files, *others[1:]]


def config_files(arguments: list[str]) -> Iterator[Path]:
    """The config files that arguments name and that exist.

    >>> list(config_files(["score", "--config=pyproject.toml", "--config", "absent.yaml"]))
    [PosixPath('pyproject.toml')]
    """
    for place, word in enumerate(arguments):
        value = word.removeprefix("--config=") if word.startswith("--config=") else ""
        if word == "--config" and place + 1 < len(arguments):
            value = arguments[place + 1]
        if value and Path(value).is_file():
            yield Path(value)


def sections_of(command: Callable[..., Any]) -> Sections:
    """The sections of a command's options: for each, the option of every key that a file may use there."""
    sections: Sections = {}
    for settings in _settings_of(command):
        sections |= sections_of_settings(settings)
    return sections


def sections_of_settings(settings: Any) -> Sections:
    """The sections of a dataclass: its fields that are dataclasses."""
    sections: Sections = {}
    for name, kind in get_type_hints(settings).items():
        if dataclasses.is_dataclass(kind):
            fields = dataclasses.fields(kind)
            sections[name] = {key: option_name(f) for f in fields for key in (f.name, option_name(f))}
    return sections


def unread_of(command: Callable[..., Any]) -> Sections:
    """The sections that a file may have though the command does not read them: those of `UNREAD`.

    So the file of a larger command, such as a training run's, may be given to a smaller one.
    """
    read = sections_of(command)
    unread: Sections = {}
    for settings in _settings_of(command):
        if larger := getattr(settings, "UNREAD", None):
            unread |= sections_of_settings(larger)
    return {name: keys for name, keys in unread.items() if name not in read}


def without_sections(content: Any, sections: Sections, unread: Sections | None = None) -> Any:
    """The options of a file, without the sections they stand in, and without the sections not to be read.

    Raises:
        InputError: a section has no such option, or is a list or a single value.
    """
    if not isinstance(content, dict):
        return content
    flat: dict[str, Any] = {}
    options = {option for keys in sections.values() for option in keys.values()}
    for name, value in content.items():
        if unread and name in unread and isinstance(value, dict | None):
            _check_keys(name, value or {}, unread[name])
            continue
        if name not in sections or (name in options and not isinstance(value, dict)):
            flat[name] = value
            continue
        if not isinstance(value, dict | None):
            raise InputError(f"{name} is {value!r}; write its options below it, one `name: value` a line")
        _check_keys(name, value or {}, sections[name])
        flat |= {sections[name][key]: inner for key, inner in (value or {}).items()}
    return flat


def _check_keys(section: str, given: Mapping[str, Any], known: Mapping[str, str]) -> None:
    for key in given:
        if key not in known:
            hint = did_you_mean(str(key), known, f"there are {', '.join(known)}")
            raise InputError(f"{section}.{key} is no option; {hint}")


def in_sections(options: dict[str, Any], sections: Sections) -> dict[str, Any]:
    """Options by section, as `without_sections` reads them; others stand first."""
    of = {option: name for name, keys in sections.items() for option in keys.values()}
    arranged = {key: value for key, value in options.items() if key not in of}
    for key, value in options.items():
        if key in of:
            arranged.setdefault(of[key], {})[key] = value
    return arranged


def alternatives_of(command: Callable[..., Any]) -> dict[str, str]:
    """The options of a command that stand instead of another, by `metadata["instead_of"]`."""
    return {a: b for settings in _settings_of(command) for a, b in alternatives_of_settings(settings).items()}


def alternatives_of_settings(settings: Any) -> dict[str, str]:
    """The options of a dataclass that stand instead of another, such as steps and epochs of each other."""
    found: dict[str, str] = {}
    kinds = get_type_hints(settings)
    for field in dataclasses.fields(settings):
        if dataclasses.is_dataclass(kinds[field.name]):
            found |= alternatives_of_settings(kinds[field.name])
        elif "instead_of" in field.metadata:
            found[option_name(field)] = field.metadata["instead_of"]
    return found


def settled(options: Any, alternatives: Mapping[str, str]) -> Any:
    """The options of a file, which unset what an earlier file says instead of them.

    >>> settled({"steps": 5}, {"steps": "epochs", "epochs": "steps"})
    {'steps': 5, 'epochs': None}
    """
    if not isinstance(options, dict):
        return options
    unset = [other for name, other in alternatives.items() if options.get(name) is not None]
    return options | {other: None for other in unset if other not in options}


def gathered(arguments: Sequence[str], command: Callable[..., Any] | None) -> list[str]:
    """The arguments, with an option that takes a number or a list given once, however often it was given.

    The parser would take the last one alone.
    """
    found = list(arguments)
    for option in _number_or_list(_settings_of(command)) if command else ():
        values, others, words = [], [], iter(found)
        for word in words:
            name, equals, value = word.partition("=")
            if name == option:
                values.append(value if equals else next(words, ""))
            else:
                others.append(word)
        if len(values) > 1 and all(values):
            found = [*others, f"{option}=[{', '.join(values)}]"]
    return found


def _number_or_list(settings: Iterable[Any]) -> Iterator[str]:
    for one in settings:
        kinds = get_type_hints(one)
        for field in dataclasses.fields(one):
            hint = kinds[field.name]
            if dataclasses.is_dataclass(hint):
                yield from _number_or_list([hint])
            elif int in get_args(hint) and any(get_origin(kind) is tuple for kind in get_args(hint)):
                yield "--" + option_name(field).replace("_", "-")


def _settings_of(command: Callable[..., Any]) -> Iterator[Any]:
    return (hint for hint in get_type_hints(command).values() if dataclasses.is_dataclass(hint))


def settings_from(kind: Any, given: dict[str, Any]) -> Any:
    """A dataclass made of the options that were given; its sections are made likewise."""
    kinds = get_type_hints(kind)
    values = {}
    for field in dataclasses.fields(kind):
        option, hint = option_name(field), kinds[field.name]
        if dataclasses.is_dataclass(hint):
            values[field.name] = settings_from(hint, given)
        elif is_given(given, option, hint):
            values[field.name] = typed(option, given[option], hint)
    return kind(**values)


def is_given(given: Mapping[str, Any], name: str, hint: Any) -> bool:
    """Whether an option has a value; null is one only where the option may be None."""
    return name in given and (given[name] is not None or type(None) in get_args(hint))


def typed(name: str, value: Any, hint: Any) -> Any:
    """A list as a tuple, and text as a path, where the parameter is one: files only have lists and text.

    Raises:
        InputError: a flag is neither true nor false, which the parser does not check in a config file.
    """
    if hint is bool and not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}; write true or false")
    is_tuple = get_origin(hint) is tuple or (isinstance(value, list) and int in get_args(hint))
    kinds = {hint, *get_args(hint)}
    if Path in kinds and str not in kinds:
        value = [Path(one) for one in value] if is_tuple else Path(value) if isinstance(value, str) else value
    return tuple(value) if is_tuple else value
