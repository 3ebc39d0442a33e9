"""What a user can get wrong, said once: where, what, expected, fix."""

from collections.abc import Sequence

ROW_ERRORS_SHOWN = 20


class InputError(ValueError):
    """Bad input: the command line prints the message without a traceback and exits with 2."""


class MediaError(ValueError):
    """A sound or a picture that cannot be used; `kind: detail`, so that reasons can be counted by kind."""


def raise_row_errors(errors: Sequence[str], where: str) -> None:
    """Raise one InputError for all faulty rows: the first 20 in full, the rest as a count.

    Raises:
        InputError: if there is any error.
    """
    if not errors:
        return
    shown = list(errors[:ROW_ERRORS_SHOWN])
    hidden = len(errors) - len(shown)
    if hidden:
        shown.append(f"… and {hidden} more")
    if len(errors) == 1:
        raise InputError(shown[0])
    raise InputError("\n".join([f"{where}: {len(errors)} rows cannot be read", *shown]))
