"""A command line made of typed functions, with the exit codes every SAFE command keeps.

0: it holds. 1: it does not hold. 2: it could not be judged (bad input, or an exception).
A command is a function whose docstring is its help; it returns None for 0, or its exit code. Options can
also come from `--config FILE.yaml`; `--print_config` shows what would run.
"""

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, get_args, get_origin, get_type_hints

from safe_data.errors import InputError

Command = Callable[..., int | None]

HOLDS, DOES_NOT_HOLD, NOT_JUDGED = 0, 1, 2


def run(program: str, summary: str, commands: dict[str, Command], argv: Sequence[str] | None = None) -> int:
    """Parse the arguments, run the chosen command, and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        name, options = _parse(program, summary, commands, arguments)
    except SystemExit as stop:  # --help is 0; argparse says 2 for bad arguments, as we do
        return int(stop.code or HOLDS)
    try:
        return commands[name](**options) or HOLDS
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (InputError, OSError) as error:
        print(f"{program} {name}: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{program} {name}: interrupted; the same command goes on where it stopped", file=sys.stderr)
    except Exception:
        traceback.print_exc()
    return NOT_JUDGED


def _parse(
    program: str, summary: str, commands: dict[str, Command], arguments: list[str]
) -> tuple[str, dict[str, Any]]:
    from jsonargparse import ArgumentParser, DefaultHelpFormatter

    class Help(DefaultHelpFormatter):
        def _expand_help(self, action: Any) -> str:
            return str(super()._expand_help(action)).replace("<class 'Path'>", "path")

    parser = ArgumentParser(prog=program, description=summary, formatter_class=Help)
    choices = parser.add_subcommands(dest="command", metavar="COMMAND")
    for name, command in commands.items():
        subparser = ArgumentParser(description=_summary(command), formatter_class=Help)
        if arguments[:1] == [name]:  # the others need only their line of help
            _add_parameters(subparser, command)
        choices.add_subcommand(name, subparser, help=_summary(command))
    parsed = parser.parse_args(arguments)
    name = str(parsed.command)
    given = parsed[name].as_dict()  # vars() would rename options such as --items
    given.pop("config", None)
    return name, {key: value for key, value in given.items() if value is not _UNSET}


_UNSET = None  # an option not given: the function's own default applies


def _add_parameters(parser: Any, command: Command) -> None:
    """One argument a parameter: positional ones by place, keyword-only and optional ones as --options.

    A `list[X]` or `tuple[X, ...]` takes several words (or its option several times); a `bool` that is False
    is a flag.
    """
    from docstring_parser import parse

    helps = {p.arg_name: p.description for p in parse(inspect.getdoc(command) or "").params}
    hints = get_type_hints(command)
    parser.add_argument("--config", action="config", help="YAML file of options; the command line wins")
    for name, parameter in inspect.signature(command).parameters.items():
        hint, default = hints[name], parameter.default
        required = default is inspect.Parameter.empty
        is_list = get_origin(hint) in (list, tuple)
        help_text = helps.get(name) or ""
        if required and parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            shape = {"nargs": "+", "type": get_args(hint)[0]} if is_list else {"type": hint}
            parser.add_argument(name, metavar=name.upper(), help=help_text, **shape)
            continue
        option: dict[str, Any] = {"type": hint, "default": None if required else default}
        if is_list:
            option = {"action": "extend", "nargs": 1, "type": get_args(hint)[0], "default": _UNSET}
            help_text += (
                " (may be given several times)" if required else f" (several times; default: {default})"
            )
        elif hint is bool and default is False:
            option = {"action": "store_true"}
        parser.add_argument("--" + name.replace("_", "-"), required=required, help=help_text, **option)


def _summary(command: Command) -> str:
    return (inspect.getdoc(command) or "").partition("\n")[0]
