"""Errors that a user can cause, worded in one place: where, what, what was expected, and the fix."""

import difflib
import importlib.util
from collections.abc import Iterable, Sequence

ROW_ERRORS_SHOWN = 20
_LONGEST_COMPARED = 100  # characters; comparing a longer text would take long, and nobody misspells one


class InputError(ValueError):
    """Bad input: the command line prints the message without a traceback and exits with 3."""


class MediaError(ValueError):
    """A sound or a picture that cannot be used; `kind: detail`, so that reasons can be counted by kind."""


def raise_row_errors(errors: Sequence[str], where: str) -> None:
    """Raise one InputError for all faulty rows: the first 20 in full, the rest as a count.

    Raises:
        InputError: if there is any error.
    """
    if len(errors) == 1:
        raise InputError(errors[0])
    if errors:
        raise InputError("\n".join([f"{where}: {len(errors)} rows cannot be read", *first_errors(errors)]))


def first_errors(errors: Sequence[str]) -> list[str]:
    """The first 20 errors, and how many more there are."""
    hidden = len(errors) - ROW_ERRORS_SHOWN
    return [*errors[:ROW_ERRORS_SHOWN], *([f"… and {hidden} more"] if hidden > 0 else [])]


def require_extra(use: str, extra: str, *modules: str) -> None:
    """Refuse to go on where a module that only an extra installs is not installed.

    Args:
        use: what needs the modules; it begins the message
        extra: the extra of pyproject.toml, or several with commas between them
        modules: top-level names, as they are imported

    Raises:
        InputError: one line that names the missing modules and the command that installs them.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        are = "which is" if len(missing) == 1 else "which are"
        raise InputError(f"{use} needs {', '.join(missing)}, {are} not installed; {install_extra(extra)}")


def install_extra(extra: str) -> str:
    """The command that installs an extra; SAFE is on no package index, so it names the project's folder.

    >>> install_extra("gx")
    "run pip install '.[gx]' in the SAFE project folder"
    """
    return f"run pip install '.[{extra}]' in the SAFE project folder"


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """The hint that ends a message about an unknown name: the nearest known one, else `otherwise`.

    >>> did_you_mean("consultd", ["consulted", "skipped"])
    "did you mean 'consulted'?"
    >>> did_you_mean("x", ["local", "ray"], "choose from local, ray")
    'choose from local, ray'
    """
    near = difflib.get_close_matches(word[:_LONGEST_COMPARED], list(known), 1)
    return f"did you mean {near[0]!r}?" if near else otherwise
