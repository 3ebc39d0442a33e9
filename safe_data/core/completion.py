"""Completion: a script for the shell that completes a program's commands, options, choices and files.

safe-eval --completion bash > ~/.local/share/bash-completion/completions/safe-eval
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from safe_data.core.errors import InputError, did_you_mean, require_extra

OPTION = "--completion"
SHELLS = ("bash", "zsh", "tcsh")


def shell_of(arguments: list[str]) -> str | None:
    """The shell that `--completion SHELL` names; None where the option is not given.

    Raises:
        InputError: no shell is named, or one that has no such script.
    """
    word, _, value = arguments[0].partition("=") if arguments else ("", "", "")
    if word != OPTION:
        return None
    shell = value or (arguments[1] if len(arguments) > 1 else "")
    if shell not in SHELLS:
        known = f"name one of {', '.join(SHELLS)}"
        raise InputError(f"{OPTION} {shell or 'names no shell'}: {did_you_mean(shell, SHELLS, known)}")
    return shell


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script of a parser whose commands have all their options; `hint` of an action says its type.

    Raises:
        InputError: shtab is not installed.
    """
    require_extra(OPTION, "completion", "shtab")
    import shtab

    for action in _actions(parser):
        hint = getattr(action, "hint", None)
        if _has_paths(hint) or "--config" in action.option_strings:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif choices := _choices(hint):
            action.choices = choices
        action.help = None if action.help is None else action.help.replace("%", "%%")
    return str(shtab.complete(parser, shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)


def _has_paths(hint: Any) -> bool:
    return hint is Path or any(map(_has_paths, get_args(hint)))


def _choices(hint: Any) -> list[str]:
    """The texts that an option takes, if it takes no others.

    >>> _choices(Literal["own", "java"] | None)
    ['own', 'java']
    """
    if get_origin(hint) is Literal:
        return [str(choice) for choice in get_args(hint)]
    return [choice for inner in get_args(hint) for choice in _choices(inner)]
