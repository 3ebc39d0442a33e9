"""Make a command line from typed functions, with the same exit codes for every SAFE command.

0: it holds. 1: it does not hold. 2: it could not be judged. 3: bad usage or input. 4: a defect of ours.

A command is a function; its docstring becomes the help. It returns its exit code, or None for 0. A parameter
that is a dataclass becomes one option per field; a field that is a dataclass becomes a section of options.
`--config FILE.yaml` reads options from a file, with or without their sections, and `--print_config` shows the
options that would run. A later file, and then the command line, wins.
"""

import argparse
import dataclasses
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.options_file import (
    alternatives_of,
    config_files,
    configs_first,
    in_sections,
    is_given,
    option_name,
    plain,
    preset_names,
    sections_of,
    settings_from,
    settled,
    typed,
    unread_of,
    with_presets,
    without_sections,
)

Command = Callable[..., int | None]

HOLDS, DOES_NOT_HOLD, NOT_JUDGED, BAD_INPUT, DEFECT = range(5)
_SEE = "see --help"
_SECTIONED = "sectioned_yaml"
# How jsonargparse says that a value is of none of the kinds that an option may be of.
_UNION = (
    r"Does not validate against any of the Union subtypes .*?Errors: (.*) Given value type: .*? value: (.*)"
)
_KIND = r"Expected a (?:<class '([\w.]+)'>|typing\.Literal\[(.*?)\])"


def run(
    program: str,
    summary: str,
    commands: dict[str, Command],
    argv: Sequence[str] | None = None,
    presets: Path | None = None,
) -> int:
    """Parse the arguments, run the chosen command, and return its exit code.

    `presets` is a folder of YAML files that `--config NAME` finds by name.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    said_by = " ".join([program, *(word for word in arguments[:1] if word in commands)])
    try:
        given = configs_first(with_presets(arguments, presets))
        name, options = _parse(program, summary, commands, given, presets)
        return commands[name](**options) or HOLDS
    except SystemExit as stop:  # after --help and --print_config
        return BAD_INPUT if stop.code else HOLDS
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_JUDGED
    except KeyboardInterrupt:
        print(f"{said_by}: interrupted; run the same command again", file=sys.stderr)
        return NOT_JUDGED
    except (InputError, OSError) as error:
        print(f"{said_by}: {error}", file=sys.stderr)
        return BAD_INPUT
    except Exception:
        traceback.print_exc()
        return DEFECT


def _parse(
    program: str,
    summary: str,
    commands: dict[str, Command],
    arguments: list[str],
    presets: Path | None,
) -> tuple[str, dict[str, Any]]:
    import yaml
    from jsonargparse import ArgumentParser, DefaultHelpFormatter, set_dumper, set_loader

    from safe_data.core.yaml_file import load_yaml, read_yaml

    for file in config_files(arguments):
        read_yaml(file)  # the parser does not say which file is wrong
    if not arguments:
        raise InputError(f"name a command: {', '.join(commands)}; {_SEE}")

    class Help(DefaultHelpFormatter):
        def _expand_help(self, action: Any) -> str:
            return _plain_types(str(super()._expand_help(action)))

    class Parser(ArgumentParser):
        def error(self, message: str, ex: Exception | None = None) -> NoReturn:
            raise InputError(_usage_error(message, known)) from ex

    known = list(commands)
    chosen = commands.get(arguments[0])
    sections, alternatives = (sections_of(chosen), alternatives_of(chosen)) if chosen else ({}, {})
    unread = unread_of(chosen) if chosen else {}

    def load(text: str) -> Any:
        return settled(without_sections(load_yaml(text), sections, unread), alternatives)

    set_loader(_SECTIONED, load, (yaml.YAMLError,))

    def dump(options: Any) -> str:
        return str(yaml.safe_dump(plain(in_sections(options, sections)), sort_keys=False))

    set_dumper(_SECTIONED, dump)
    parser = Parser(prog=program, description=summary, formatter_class=Help, parser_mode=_SECTIONED)
    choices = parser.add_subcommands(dest="command", metavar="COMMAND")
    for name, command in commands.items():
        subparser = Parser(description=_summary(command), formatter_class=Help, parser_mode=_SECTIONED)
        if arguments[:1] == [name]:  # the others need only their line of help
            _add_parameters(subparser, command, preset_names(presets) if sections else [])
            known += [*subparser._option_string_actions, *sections]
        choices.add_subcommand(name, subparser, help=_summary(command))
    try:
        parsed = parser.parse_args([*arguments, *_unset(arguments, alternatives)])
    except (UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"--config cannot be read: {error}; it is YAML, such as `seed: 1`") from error
    name = str(parsed.command)
    given = parsed[name].as_dict()  # vars() would rename options such as --items
    given.pop("config", None)
    return name, _arguments(commands[name], given)


def _unset(arguments: Sequence[str], alternatives: Mapping[str, str]) -> list[str]:
    """Arguments that unset what a config file says instead of an option of the command line.

    >>> _unset(["train", "--steps", "5"], {"steps": "epochs", "epochs": "steps"})
    ['--epochs=null']
    """
    given = {word[2:].partition("=")[0].replace("-", "_"): word for word in arguments if word[:2] == "--"}
    unset = [other for other, value in settled(given, alternatives).items() if value is None]
    return [f"--{other.replace('_', '-')}=null" for other in unset]


def _usage_error(message: str, known: Sequence[str]) -> str:
    """What is wrong with the arguments, in one line; `known` are the commands and options.

    >>> _usage_error("unrecognized arguments: --sead 1", ["score", "--seed"])
    "unrecognized arguments: --sead 1; did you mean '--seed'?"
    >>> _usage_error("argument --out: expected one argument", ["score", "--out"])
    'argument --out: expected one argument; see --help'
    """
    said = re.sub(r"\s*\n\s*", " ", message.strip())
    said = re.sub(r'Parser key "([^"]*)":', lambda found: f"--{found[1].replace('_', '-')}:", said)
    said = re.sub(r"Expected a <class '(.*?)'>\. Got value:", r"expected \1, not", said)
    said = re.sub(r"Expected a typing\.Literal\[(.*?)\]\. Got value:", r"expected one of \1, not", said)
    said = re.sub(r"'(\w+)' object is not iterable", r"expected a list such as [a, b], not one \1", said)
    said = re.sub(
        r"'(\w+)' object does not support item assignment",
        r"expected a list such as [a, b], not one \1",
        said,
    )
    said = re.sub(_UNION, _of_several_kinds, said)
    said = re.sub(r"Unexpected config: ?(.*)", _unexpected_config, said)
    prefix = rf"(?:{'|'.join(map(re.escape, known))})\.(?=\w)"
    said = re.sub(rf"(?<!--)\b{prefix}", "", said)  # score.out is out
    unknown = re.search(r"(?:arguments: |choice: '|option ')(--[\w.-]+|[\w-]+)", said)
    in_yaml = [name.lstrip("-").replace("-", "_") for name in known]
    word = re.sub(rf"^--{prefix}", "--", unknown[1]) if unknown else ""  # --optim.steps is --steps
    return f"{said}; {did_you_mean(word, [*known, *in_yaml], _SEE) if unknown else _SEE}"


def _unexpected_config(found: re.Match[str]) -> str:
    """What a config file holds instead of options."""
    return f"--config: expected options such as `seed: 1`, one a line, not {found[1] or 'nothing'}"


def _of_several_kinds(found: re.Match[str]) -> str:
    """What an option takes that may be null, or is of one of several kinds."""
    kinds = [kind or f"one of {choices}" for kind, choices in re.findall(_KIND, found[1])]
    wanted = " or ".join(kind for kind in kinds if kind != "NoneType")
    return f"expected {wanted}, not {found[2]}" if wanted else found[0]


def _plain_types(help_text: str) -> str:
    """Types in the help as a user knows them, and no default that is none.

    >>> _plain_types("how (type: Optional[Literal['a', 'b']], default: null)")
    'how (one of a, b)'
    """
    for kind, named in (("<class 'Path'>", "path"), ("Path | null", "path"), (" | null", "")):
        help_text = help_text.replace(kind, named)
    help_text = re.sub(r", default: (null|\(\)|\[[^\]]*\])", "", help_text)  # a list's stands before it
    choices = re.compile(r"type: (?:Optional\[)?Literal\[([^\]]*)\]+")
    return choices.sub(lambda found: f"one of {found[1].replace(chr(39), '')}", help_text)


def _arguments(command: Command, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a command; options that were not given keep their defaults.

    Raises:
        InputError: a dataclass refuses the values of its fields.
    """
    hints: dict[str, Any] = get_type_hints(command)
    arguments: dict[str, Any] = {}
    for name in inspect.signature(command).parameters:
        hint = hints[name]
        if dataclasses.is_dataclass(hint):
            arguments[name] = settings_from(hint, given)
        elif is_given(given, name, hint):
            arguments[name] = typed(name, given[name], hint)
    return arguments


def _add_parameters(parser: Any, command: Command, presets: Sequence[str]) -> None:
    """One argument per parameter, or per field of a parameter that is a dataclass.

    A parameter without a default is positional, unless it is keyword-only.
    """
    preset = f", or the name of a preset ({', '.join(presets)})" if presets else ""
    parser.add_argument(
        "--config", action="config", help=f"YAML file of options{preset}; the command line wins"
    )
    helps, hints = _helps(command), get_type_hints(command)
    for name, parameter in inspect.signature(command).parameters.items():
        hint, required = hints[name], parameter.default is inspect.Parameter.empty
        if dataclasses.is_dataclass(hint):
            _add_fields(parser, hint)
        elif required and parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            _add_positional(parser, name, hint, helps.get(name, ""))
        else:
            default = None if required else parameter.default
            _add_option(parser, name, hint, default, helps.get(name, ""), required=required)


def _add_positional(parser: Any, name: str, hint: Any, help_text: str, *, required: bool = True) -> None:
    is_list = get_origin(hint) in (list, tuple)
    shape = {"nargs": "+" if required else "*", "type": get_args(hint)[0]} if is_list else {"type": hint}
    parser.add_argument(name, metavar=name.upper(), help=help_text, **shape)


def _add_fields(parser: Any, options: Any) -> None:
    """One option per field of a dataclass, with the docstring below the field as its help."""
    helps, hints = _helps(options), get_type_hints(options)
    for field in dataclasses.fields(options):
        if dataclasses.is_dataclass(hints[field.name]):
            _add_fields(parser.add_argument_group(field.name), hints[field.name])
            continue
        if field.metadata.get("positional"):
            has_default = field.default is not dataclasses.MISSING
            _add_positional(
                parser, field.name, hints[field.name], helps.get(field.name, ""), required=not has_default
            )
            continue
        default, required = field.default, False
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        elif field.default is dataclasses.MISSING:
            default, required = None, True
        name, help_text = option_name(field), helps.get(field.name, "")
        several = field.metadata.get("nargs", 1)
        _add_option(parser, name, hints[field.name], default, help_text, required, several)


def _add_option(
    parser: Any,
    name: str,
    hint: Any,
    default: Any,
    help_text: str,
    required: bool,
    nargs: int | str = 1,
) -> None:
    """Add one --option. A list option may be given several times; a bool that defaults to False is a flag."""
    option: dict[str, Any] = {"type": hint, "default": default}
    if get_origin(hint) in (list, tuple):
        option = {
            "action": _List,
            "nargs": nargs,
            "type": get_args(hint)[0],
            "default": default and list(default),
        }
        shown = "" if required else f"; default: {', '.join(map(str, default)) if default else 'none'}"
        help_text += f" (may be given several times{shown})"
    elif hint is bool and default is False:
        option = {"action": "store_true"}
    parser.add_argument("--" + name.replace("_", "-"), required=required, help=help_text, **option)


class _List(argparse.Action):
    """A list option: it may be given several times, and then replaces the list of a config file."""

    is_given = False

    def __call__(self, _: Any, namespace: Any, values: Any, option: str | None = None) -> None:  # noqa: ARG002 - argparse calls it so
        earlier = getattr(namespace, self.dest) if self.is_given else None
        self.is_given = True
        setattr(namespace, self.dest, [*(earlier or ()), *values])


def _helps(described: Any) -> dict[str, str]:
    """The help text of each parameter of a function, or of each field of a dataclass."""
    from docstring_parser import parse_from_object

    found = parse_from_object(described).params
    return {parameter.arg_name: " ".join((parameter.description or "").split()) for parameter in found}


def _summary(command: Command) -> str:
    return (inspect.getdoc(command) or "").partition("\n")[0]
