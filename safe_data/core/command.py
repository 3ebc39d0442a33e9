"""Make a command line from typed functions, with the same exit codes for every SAFE command.

0: it holds. 1: it does not hold. 2: it could not be judged. 3: bad usage or input. 4: a defect of ours.

A command is a function; its docstring becomes the help. It returns its exit code, or None for 0. A parameter
that is a dataclass becomes one option per field; a field that is a dataclass becomes a section of options.
`--config FILE.yaml` reads options from a file, with or without their sections, and `--print_config` shows the
options that would run. A later file, and then the command line, wins. Every command takes `--quiet`: one that
shows progress has a parameter of this name.
"""

import argparse
import dataclasses
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

from safe_data.core.command_help import epilog_of, examples_of, examples_text, formatter, helps_of, summary_of
from safe_data.core.completion import OPTION, SHELLS, script, shell_of
from safe_data.core.errors import InputError
from safe_data.core.options_file import (
    CORE,
    Sections,
    alternatives_of,
    config_files,
    configs_first,
    gathered,
    in_sections,
    installed_versions,
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
from safe_data.core.terminal import complain, flush, prepare, silence, write
from safe_data.core.usage_error import SEE, empty_argument, misplaced_option, usage_error

Command = Callable[..., int | None]

HOLDS, DOES_NOT_HOLD, NOT_JUDGED, BAD_INPUT, DEFECT = range(5)
_SECTIONED = "sectioned_yaml"
_QUIET = "--quiet"


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
    code = NOT_JUDGED
    prepare()
    try:
        code = _guarded(said_by, lambda: _run(program, summary, commands, arguments, presets))
        code = _guarded(said_by, flush) or code  # here, where a reader who has gone away is no fault
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        silence()
    return code


def _guarded(said_by: str, work: Callable[[], int]) -> int:
    """The exit code of the work, whatever stops it; what a user can mend is said in one line."""
    try:
        return work()
    except BrokenPipeError:
        raise
    except SystemExit as stop:  # after --help and --print_config
        return BAD_INPUT if stop.code else HOLDS
    except KeyboardInterrupt:
        complain([f"{said_by}: interrupted; run the same command again"])
        return NOT_JUDGED
    except (InputError, OSError) as error:
        first, *others = error.lines if isinstance(error, InputError) else [str(error)]
        complain([f"{said_by}: {first}", *others])
        return BAD_INPUT
    except Exception:
        complain(traceback.format_exc().splitlines())
        return DEFECT


def _run(
    program: str, summary: str, commands: dict[str, Command], arguments: list[str], presets: Path | None
) -> int:
    if shell := shell_of(arguments):
        completion = script(_parser(program, summary, commands, presets, list(commands)), shell)
        try:
            write(completion)
        except BrokenPipeError:
            silence()
        return HOLDS
    given = configs_first(with_presets(arguments, presets))
    name, options = _parse(program, summary, commands, given, presets)
    return commands[name](**options) or HOLDS


def _parse(
    program: str,
    summary: str,
    commands: dict[str, Command],
    arguments: list[str],
    presets: Path | None,
) -> tuple[str, dict[str, Any]]:
    from safe_data.core.yaml_file import read_yaml

    for file in config_files(arguments):
        read_yaml(file)  # the parser does not say which file is wrong
    if not arguments:
        raise InputError(f"name a command: {', '.join(commands)}; {SEE}")
    if (fault := empty_argument(arguments)) is not None:
        raise InputError(fault)
    parser = _parser(program, summary, commands, presets, arguments[:1])
    first = arguments[0].partition("=")[0]
    if first.startswith("-") and first not in parser._option_string_actions and len(arguments) > 1:
        raise InputError(misplaced_option(arguments[0], program))
    chosen = commands.get(arguments[0])
    alternatives = alternatives_of(chosen) if chosen else {}
    try:
        parsed = parser.parse_args([*gathered(arguments, chosen), *_unset(arguments, alternatives)])
    except (UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"--config cannot be read: {error}; it is YAML, such as `seed: 1`") from error
    name = str(parsed.command)
    given = parsed[name].as_dict()  # vars() would rename options such as --items
    given.pop("config", None)
    return name, _arguments(commands[name], given)


def _parser(
    program: str, summary: str, commands: dict[str, Command], presets: Path | None, wanted: Sequence[str]
) -> Any:
    """The parser of a program: of one wanted command alone, or of all, with the options of those wanted."""
    from jsonargparse import ArgumentParser

    class Parser(ArgumentParser):
        def error(self, message: str, ex: Exception | None = None) -> NoReturn:
            raise InputError(usage_error(message, known)) from ex

    help_format = formatter()
    chosen = commands.get(wanted[0]) if len(wanted) == 1 else None
    sections, listed = (_set_yaml(chosen), {wanted[0]: chosen}) if chosen else ({}, commands)
    firsts = (line for command in listed.values() for line in examples_of(command)[:1])
    version = installed_versions(CORE[:1]).get(CORE[0], "(not installed)")
    parser = Parser(
        prog=program,
        description=summary,
        epilog=examples_text(firsts),
        formatter_class=help_format,
        parser_mode=_SECTIONED if chosen else "yaml",
        version=version,
    )
    told = f"print a script that completes commands in {', '.join(SHELLS)}"
    parser.add_argument(OPTION, metavar="SHELL", default=argparse.SUPPRESS, help=told)
    known = [*commands, *parser._option_string_actions]
    choices = parser.add_subcommands(dest="command", metavar="COMMAND")
    for name, command in listed.items():
        subparser = Parser(
            description=summary_of(command),
            epilog=epilog_of(command) if command is chosen else None,
            formatter_class=help_format,
            parser_mode=_SECTIONED if chosen else "yaml",
        )
        if name in wanted:  # the others need only their line of help
            names = preset_names(presets) if sections_of(command) else []
            _add_parameters(subparser, command, names)
            known += [*subparser._option_string_actions, *sections]
        choices.add_subcommand(name, subparser, help=summary_of(command))
    return parser


def _set_yaml(command: Command) -> Sections:
    """Have config files of a command read, and shown, with its sections; return these."""
    import yaml
    from jsonargparse import set_dumper, set_loader

    from safe_data.core.yaml_file import load_yaml

    sections, alternatives, unread = sections_of(command), alternatives_of(command), unread_of(command)

    def load(text: str) -> Any:
        return settled(without_sections(load_yaml(text), sections, unread), alternatives)

    def dump(options: Any) -> str:
        return str(yaml.safe_dump(plain(in_sections(options, sections)), sort_keys=False))

    set_loader(_SECTIONED, load, (yaml.YAMLError,))
    set_dumper(_SECTIONED, dump)
    return sections


def _unset(arguments: Sequence[str], alternatives: Mapping[str, str]) -> list[str]:
    """Arguments that unset what a config file says instead of an option of the command line.

    >>> _unset(["train", "--steps", "5"], {"steps": "epochs", "epochs": "steps"})
    ['--epochs=null']
    """
    given = {word[2:].partition("=")[0].replace("-", "_"): word for word in arguments if word[:2] == "--"}
    unset = [other for other, value in settled(given, alternatives).items() if value is None]
    return [f"--{other.replace('_', '-')}=null" for other in unset]


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
    helps, hints = helps_of(command), get_type_hints(command)
    for name, parameter in inspect.signature(command).parameters.items():
        hint, required = hints[name], parameter.default is inspect.Parameter.empty
        if dataclasses.is_dataclass(hint):
            _add_fields(parser, hint)
        elif required and parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            _add_positional(parser, name, hint, helps.get(name, ""))
        else:
            default = None if required else parameter.default
            _add_option(parser, name, hint, default, helps.get(name, ""), required=required)
    if _QUIET not in parser._option_string_actions:
        parser.add_argument(_QUIET, action="store_true", help="show no progress")


def _add_positional(parser: Any, name: str, hint: Any, help_text: str, *, required: bool = True) -> None:
    nargs = ("+" if required else "*") if get_origin(hint) in (list, tuple) else None if required else "?"
    kind = get_args(hint)[0] if nargs in ("+", "*") else hint
    parser.add_argument(name, metavar=name.upper(), help=help_text, type=kind, nargs=nargs).hint = hint


def _add_fields(parser: Any, options: Any) -> None:
    """One option per field of a dataclass, with the docstring below the field as its help."""
    helps, hints = helps_of(options), get_type_hints(options)
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
    name = "--" + name.replace("_", "-")
    parser.add_argument(name, required=required, help=help_text, **option).hint = hint


class _List(argparse.Action):
    """A list option: it may be given several times, and then replaces the list of a config file."""

    is_given = False

    def __call__(self, _: Any, namespace: Any, values: Any, option: str | None = None) -> None:  # noqa: ARG002 - argparse calls it so
        earlier = getattr(namespace, self.dest) if self.is_given else None
        self.is_given = True
        setattr(namespace, self.dest, [*(earlier or ()), *values])
