"""YAML files: the one way that files written by users are read, options and criteria as well as curricula.

PyYAML drops all but the last of a repeated key, and follows any depth and any number of aliases. Here a
repeated key is an error, and so is content that no such file needs.
"""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml

from safe_data.core.byte_order import encoding_fault
from safe_data.core.errors import InputError

MAX_LEVELS = 50
MAX_VALUES = 100_000  # with each alias counted as all that it stands for
_MERGE = "tag:yaml.org,2002:merge"


def load_yaml(text: str) -> Any:
    """The content of YAML.

    Raises:
        yaml.YAMLError: it is not YAML, repeats a key, is nested too deeply, or stands for too many values.

    >>> load_yaml("seed: 1\\nsteps: [2, 3]")
    {'seed': 1, 'steps': [2, 3]}
    """
    return parse_yaml(text)[1]


def parse_yaml(text: str) -> tuple[yaml.Node | None, Any]:
    """The nodes of YAML, which know their lines, and its content.

    Raises:
        yaml.YAMLError: see `load_yaml`.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, None
        _count(node, {})
        return node, loader.construct_document(node)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise yaml.YAMLError(f"holds a value that cannot be read ({error})") from None
    finally:
        loader.dispose()


def read_yaml(path: Path) -> tuple[yaml.Node | None, Any]:
    """The nodes and the content of a YAML file.

    Raises:
        InputError: the file cannot be read, or is not such YAML.
    """
    try:
        data = path.read_bytes()
        if fault := encoding_fault(data):
            raise InputError(f"{path}: {fault}")
        return parse_yaml(data.decode("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not YAML: {_said(error)}") from None


def line_of(node: yaml.Node | None, place: Sequence[int | str]) -> int:
    """The line, from 1, of the value that keys and indices lead to, or of the block that should contain it.

    >>> line_of(parse_yaml("seed: 1\\nsteps: [2]")[0], ("steps", 0))
    2
    """
    line = node.start_mark.line if node else 0
    for part in place:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    node, line = value, key.start_mark.line
    return int(line) + 1


def _said(error: Exception) -> str:
    """What is wrong, and on which line."""
    if isinstance(error, yaml.MarkedYAMLError) and (mark := error.problem_mark or error.context_mark):
        what = ": ".join(filter(None, (error.context, error.problem)))
        return f"{what}, line {mark.line + 1}, column {mark.column + 1}"
    return " ".join(str(error).split())


def _count(node: yaml.Node, counted: dict[int, int | None]) -> int:
    """The number of values that a node stands for; None is put down for nodes that are being counted."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in counted:
        if (known := counted[id(node)]) is None:
            raise yaml.MarkedYAMLError(problem="an alias stands for itself", problem_mark=node.start_mark)
        return known
    counted[id(node)] = None
    inner = (
        [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    )
    total = 1 + sum(_count(part, counted) for part in inner)
    if total > MAX_VALUES:
        raise yaml.MarkedYAMLError(
            problem=f"stands for more than {MAX_VALUES:,} values, aliases included; write fewer",
            problem_mark=node.start_mark,
        )
    counted[id(node)] = total
    return total


class _Loader(yaml.SafeLoader):
    levels = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.levels += 1
        if self.levels > MAX_LEVELS:
            raise yaml.MarkedYAMLError(
                problem=f"is nested more than {MAX_LEVELS} levels deep; write it flatter",
                problem_mark=self.peek_event().start_mark,  # type: ignore[no-untyped-call]
            )
        node: yaml.Node | None = super().compose_node(parent, index)
        self.levels -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            name = key.value if key.tag == _MERGE else self.construct_object(key, deep=True)
            if isinstance(name, Hashable) and name in seen:
                raise yaml.MarkedYAMLError(problem=f"{name!r} is given twice", problem_mark=key.start_mark)
            seen.add(name if isinstance(name, Hashable) else id(key))
        content: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return content
