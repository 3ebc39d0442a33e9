"""Help: what `--help` says of a command, from its docstring. Its examples stand last, as they are typed.

A docstring of a command ends in a section `Examples:`, with one command a line.
"""

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

EXAMPLES = "Examples:"


def summary_of(command: Callable[..., Any]) -> str:
    """The first line of the docstring."""
    return (inspect.getdoc(command) or "").partition("\n")[0]


def examples_of(command: Callable[..., Any]) -> list[str]:
    """The commands in the examples of a docstring, with the comments after them."""
    section = (inspect.getdoc(command) or "").partition(f"\n{EXAMPLES}\n")[2]
    return [line.strip() for line in section.splitlines() if line.strip()]


def examples_text(examples: Iterable[str]) -> str:
    """The end of a help text; nothing where there are no examples."""
    lines = [f"  {line}" for line in examples]
    return "\n".join([EXAMPLES, *lines]) if lines else ""


def helps_of(described: Any) -> dict[str, str]:
    """The help text of each parameter of a function, or of each field of a dataclass."""
    from docstring_parser import parse_from_object

    found = parse_from_object(described).params
    return {parameter.arg_name: " ".join((parameter.description or "").split()) for parameter in found}


def plain_types(help_text: str) -> str:
    """Types in the help as a user knows them, and no default that is none.

    >>> plain_types("how (type: Optional[Literal['a', 'b']], default: null)")
    'how (one of a, b)'
    """
    for kind, named in (("<class 'Path'>", "path"), ("Path | null", "path"), (" | null", "")):
        help_text = help_text.replace(kind, named)
    help_text = re.sub(r", default: (null|\(\)|\[[^\]]*\])", "", help_text)  # a list's stands before it
    choices = re.compile(r"type: (?:Optional\[)?Literal\[([^\]]*)\]+")
    return choices.sub(lambda found: f"one of {found[1].replace(chr(39), '')}", help_text)


def formatter() -> Any:
    """The class that formats help: types in plain words, and examples line by line."""
    from jsonargparse import DefaultHelpFormatter

    class Help(DefaultHelpFormatter):
        def _expand_help(self, action: Any) -> str:
            return plain_types(str(super()._expand_help(action)))

        def _fill_text(self, text: str, width: int, indent: str) -> str:
            return text if text.startswith(EXAMPLES) else str(super()._fill_text(text, width, indent))

    return Help
