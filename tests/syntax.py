"""Syntax trees for the tests of rules, each parsed once: a dozen rules look at all files of the packages."""

import ast
from functools import cache


@cache
def nodes_of(source: str) -> tuple[ast.AST, ...]:
    """The nodes of a source in the order of `ast.walk`, its module first; tests must leave them as they are.

    >>> [type(node).__name__ for node in nodes_of("import re")]
    ['Module', 'Import', 'alias']
    """
    return tuple(ast.walk(ast.parse(source)))
