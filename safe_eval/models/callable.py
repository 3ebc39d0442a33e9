"""callable: a Python function as a model, named by its module.

It takes one Input and returns a text or an Answer. With `--arg batched=true`, it takes and returns lists.
"""

import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError, words_of
from safe_eval.models.model import Answer, Input, Model
from safe_eval.run_options import ModelOptions

Function = Callable[[Any], Any]


class CallableModel:
    """Answers with what a function returns."""

    def __init__(self, function: Function, name: str, *, batched: bool = False) -> None:
        self.name, self.hears, self.sees = name, True, True
        self._function, self._batched = function, batched
        self.facts = {
            "function": f"{function.__module__}:{function.__qualname__}",
            "code_sha256": _code(function),
        }

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        """What the function returns for each input."""
        said = self._function(list(inputs)) if self._batched else [self._function(one) for one in inputs]
        return [one if isinstance(one, Answer) else Answer(one) for one in said]


def load_callable(place: str, options: ModelOptions) -> Sequence[Model]:
    """The function MODULE:NAME, from the working directory or what is installed.

    Raises:
        InputError: there is no such module or function, it cannot be imported, or a setting is unknown.
    """
    module, colon, name = place.partition(":")
    if not colon or not name:
        raise InputError(f"model python:{place}: names no function; write python:MODULE:FUNCTION")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"model python:{place}: {words_of(error)}") from None
    except Exception as error:  # the user's code can fail in any way
        at = traceback.extract_tb(error.__traceback__)[-1]
        where = (
            f"{error.filename}:{error.lineno}"
            if isinstance(error, SyntaxError)
            else f"{at.filename}:{at.lineno}"
        )
        raise InputError(
            f"model python:{place}: {where}: {type(error).__name__}: {words_of(error)}"
        ) from None
    if not callable(function):
        raise InputError(f"model python:{place}: is no function but a {type(function).__name__}")
    options.check_args("python:MODULE:FUNCTION", ("batched",))
    if (said := options.args.get("batched", "false")) not in ("true", "false"):
        raise InputError(f"arg batched={said}: is neither true nor false")
    batched = said == "true"
    return [CallableModel(function, options.name or name, batched=batched)]


def _code(function: Function) -> str:
    """The hash of the file that holds a function: with other code the answers may be others."""
    try:
        file = inspect.getsourcefile(function)
    except TypeError:  # built in
        file = None
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
