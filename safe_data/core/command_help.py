"""Help: what `--help` says of a command, from its docstring. Its examples stand last, as they are typed.

A docstring of a command ends in a section `Examples:`, with one command a line.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from safe_data.core.table import COLUMNS

EXAMPLES = "Examples:"

_TOPICS = "topics"

C = TypeVar("C", bound=Callable[..., Any])
Topics = Mapping[str, Mapping[str, str]]  # of each title: names, and what each of them is


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


def lists(topics: Callable[[], Topics]) -> Callable[[C], C]:
    """Have the help of a command list names, such as those of a table; they are looked up only then."""

    def with_topics(command: C) -> C:
        setattr(command, _TOPICS, topics)
        return command

    return with_topics


def epilog_of(command: Callable[..., Any]) -> str:
    """The end of the help of a command: what it lists, and its examples."""
    topics: Callable[[], Topics] = getattr(command, _TOPICS, dict)
    return topics_text(topics()) + examples_text(examples_of(command))


def topics_text(topics: Topics) -> str:
    """Lists of names, each with a line of explanation, below a title.

    >>> print(topics_text({"Fruit:": {"fig": "Grows on trees.", "melon": "Grows on the ground."}}), end="")
    Fruit:
      fig    Grows on trees.
      melon  Grows on the ground.
    <BLANKLINE>
    """
    lines = []
    for title, names in topics.items():
        width = max(map(len, names)) + 4
        wrapped = textwrap.TextWrapper(COLUMNS, subsequent_indent=" " * width, break_on_hyphens=False)
        lines.append(title)
        for name, told in names.items():
            wrapped.initial_indent = f"  {name}".ljust(width)
            lines += wrapped.wrap(told)
        lines.append("")
    return "".join(f"{line}\n" for line in lines)


def helps_of(described: Any) -> dict[str, str]:
    """The help text of each parameter of a function, or of each field of a dataclass."""
    from docstring_parser import DocstringStyle, parse

    found = parse(described.__doc__ or "", DocstringStyle.GOOGLE).params  # else it tries every style it knows
    texts = {parameter.arg_name: parameter.description or "" for parameter in found}
    if inspect.isclass(described):
        texts = {**_texts_below_fields(described), **texts}
    return {name: " ".join(text.split()) for name, text in texts.items()}


def _texts_below_fields(described: type[Any]) -> dict[str, str]:
    from docstring_parser.attrdoc import AttributeDocstrings

    reader: Any = AttributeDocstrings()
    reader.attr_docs, reader.prev_attr = {}, None
    reader.visit(_classes_of(described.__module__)[described.__name__])
    return {name: text for name, (text, *_) in reader.attr_docs.items()}


@lru_cache
def _classes_of(module: str) -> dict[str, ast.ClassDef]:
    """The classes of a module. The parser would read its file anew, and twice, for each of them."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


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
            return text if EXAMPLES in text else str(super()._fill_text(text, width, indent))

    return Help
