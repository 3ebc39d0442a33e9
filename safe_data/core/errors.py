"""Errors that a user can cause, worded in one place: where, what, what was expected, and the fix."""

import difflib
import importlib.util
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

ROW_ERRORS_SHOWN = 20

_LONGEST_WORD = 100  # characters; nobody misspells a longer name, and comparing one takes long
_LONGEST_VALUE = 60

Place = tuple[int | str, ...]  # the keys and indices that lead to a field


class InputError(ValueError):
    """Bad input: the command line prints the message without a traceback and exits with 3.

    Each argument is a line of the message, so that a line break in a file name does not begin another one.

    >>> str(InputError("a.csv: 2 rows cannot be read", "a.csv:1: has no 'id'"))
    "a.csv: 2 rows cannot be read\\na.csv:1: has no 'id'"
    """

    @property
    def lines(self) -> list[str]:
        return [str(line) for line in self.args]

    def __str__(self) -> str:
        return "\n".join(self.lines)


class MediaError(ValueError):
    """A sound or a picture that cannot be used; `kind: detail`, so that reasons can be counted by kind."""


def check_seed(seed: int) -> None:
    """Refuse a negative seed, which NumPy cannot take, and one of more than 63 bits, which torch cannot.

    Raises:
        InputError: the seed is negative, or too large.
    """
    if seed < 0:
        raise InputError(f"seed={seed}: a seed is 0 or more")
    if seed >= 2**63:
        raise InputError(f"seed={seed}: a seed is below 2**63")


def check_at_least_one(settings: object, *names: str) -> None:
    """Refuse settings below 1.

    Raises:
        InputError: one of these attributes is below 1, or NaN.
    """
    for name in names:
        if not getattr(settings, name) >= 1:
            raise InputError(f"{name}={getattr(settings, name)}: must be at least 1")


def check_above_zero(settings: object, *names: str) -> None:
    """Refuse settings that are not above 0, or infinite.

    Raises:
        InputError: one of these attributes is 0, negative, infinite or NaN.
    """
    for name in names:
        if not getattr(settings, name) > 0:
            raise InputError(f"{name}={getattr(settings, name)}: must be above 0")
        if math.isinf(getattr(settings, name)):
            raise InputError(f"{name}={getattr(settings, name)}: must be finite")


def check_choices(settings: object, **choices: Sequence[str]) -> None:
    """Refuse settings that are none of their choices: Python does not check a `Literal`.

    Raises:
        InputError: one of these attributes is none of them.
    """
    for name, known in choices.items():
        value = getattr(settings, name)
        if value not in known:
            hint = did_you_mean(str(value), known, f"choose from {', '.join(known)}")
            raise InputError(f"{name}={value!r}: is no choice; {hint}")


def raise_row_errors(errors: Sequence[str], where: str) -> None:
    """Raise one InputError for all faulty rows: the first 20 in full, the rest as a count.

    Raises:
        InputError: there is an error.
    """
    if len(errors) == 1:
        raise InputError(errors[0])
    if errors:
        raise InputError(f"{where}: {len(errors)} rows cannot be read", *first_errors(errors))


def first_errors(errors: Sequence[str]) -> list[str]:
    """The first 20 errors, and how many more there are."""
    hidden = len(errors) - ROW_ERRORS_SHOWN
    return [*errors[:ROW_ERRORS_SHOWN], *([f"… and {hidden} more"] if hidden > 0 else [])]


def words_of(error: Exception) -> str:
    """What an error says, in its first line.

    >>> words_of(KeyError("pcm_sha256")), words_of(ValueError())
    ('pcm_sha256', 'ValueError()')
    """
    return str(error.args[0]) if error.args else repr(error)


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
    """The hint that ends a message about an unknown name: the nearest known name, or else `otherwise`.

    >>> did_you_mean("consultd", ["consulted", "skipped"])
    "did you mean 'consulted'?"
    >>> did_you_mean("x", ["local", "ray"], "choose from local, ray")
    'choose from local, ray'
    """
    near = difflib.get_close_matches(word[:_LONGEST_WORD], list(known), 1)
    return f"did you mean {near[0]!r}?" if near else otherwise


def unknown_field(name: str, known: Iterable[str], otherwise: str = "", within: str = "") -> str:
    """A sentence about a field that does not exist, with the nearest one that does.

    >>> unknown_field("lable", ["label", "group"])
    "unknown field 'lable'; did you mean 'label'?"
    >>> unknown_field("x", ["label"], "fields are label", within="rows[0]")
    "unknown field 'x' in rows[0]; fields are label"
    """
    where = f" in {within}" if within else ""
    return f"unknown field {name!r}{where}; {did_you_mean(name, known, otherwise)}"


def explain(
    error: "ValidationError", known: Callable[[Place], Iterable[str]], otherwise: str = "fields are {known}"
) -> list[tuple[Place, str]]:
    """Pydantic's findings, each with its place and as a sentence: which field, its value, what is expected.

    `known` gives the fields that may stand at a place, `otherwise` the hint where no name is near.
    """
    return [
        (finding["loc"], _sentence(dict(finding), known, otherwise))
        for finding in error.errors(include_url=False, include_context=False)
    ]


def _sentence(finding: dict[str, object], known: Callable[[Place], Iterable[str]], otherwise: str) -> str:
    place: Place = tuple(finding["loc"])  # type: ignore[arg-type]
    field = _dotted(place)
    if finding["type"] == "extra_forbidden":
        names = list(known(place))
        hint = otherwise.format(known=", ".join(names))
        return unknown_field(str(place[-1]), names, hint, within=_dotted(place[:-1]))
    if finding["type"] == "missing":
        return f"has no {field!r}; add it"
    message = str(finding["msg"]).removeprefix("Value error, ")
    if finding["type"] == "value_error":
        return f"{field}: {message}" if len(place) > 1 else message
    value = repr(finding["input"])
    shown = value if len(value) <= _LONGEST_VALUE else value[: _LONGEST_VALUE - 1] + "…"
    return f"{field} is {shown}: {message[:1].lower()}{message[1:]}"


def _dotted(place: Place) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
