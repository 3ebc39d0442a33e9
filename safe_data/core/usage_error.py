"""Usage errors: what is wrong with a command line or a config file, in one line, with what was meant."""

import re
from collections.abc import Sequence

from safe_data.core.errors import did_you_mean

SEE = "see --help"
# How jsonargparse says that a value is of none of the kinds that an option may be of.
_UNION = (
    r"Does not validate against any of the Union subtypes .*?Errors: (.*) Given value type: .*? value: (.*)"
)
_KIND = r"Expected a (?:<class '([\w.]+)'>|typing\.Literal\[(.*?)\])"
_CHOICE = re.compile(r"expected (?:.* or )?one of ('.*'), not (\S+)$")


def usage_error(message: str, known: Sequence[str]) -> str:
    """What is wrong with the arguments, in one line; `known` are the commands and options.

    >>> usage_error("unrecognized arguments: --sead 1", ["score", "--seed"])
    "unrecognized arguments: --sead 1; did you mean '--seed'?"
    >>> usage_error("argument --out: expected one argument", ["score", "--out"])
    'argument --out: expected one argument; see --help'
    """
    said = re.sub(r"\s*\n\s*", " ", message.strip())
    said = re.sub(r'Parser key "([^"]*)":', lambda found: f"--{found[1].replace('_', '-')}:", said)
    said = re.sub(_UNION, _of_several_kinds, said)
    said = re.sub(r"Expected a <class '(.*?)'>\. Got value:", r"expected \1, not", said)
    said = re.sub(r"Expected a typing\.Literal\[(.*?)\]\. Got value:", r"expected one of \1, not", said)
    said = re.sub(r"'(\w+)' object is not iterable", r"expected a list such as [a, b], not one \1", said)
    said = re.sub(
        r"'(\w+)' object does not support item assignment",
        r"expected a list such as [a, b], not one \1",
        said,
    )
    said = re.sub(r"Unexpected config: ?(.*)", _unexpected_config, said)
    prefix = rf"(?:{'|'.join(map(re.escape, known))})\.(?=\w)"
    said = re.sub(rf"(?<!--)\b{prefix}", "", said)  # score.out is out
    unknown = re.search(r"(?:arguments: |choice: '|option ')(--?[\w.-]+|[\w-]+)", said)
    return f"{said}; {_hint(unknown[1], known, prefix) if unknown else _choice_hint(said)}"


def empty_argument(arguments: Sequence[str]) -> str | None:
    """What is wrong with an empty argument: as a path it would mean the working directory.

    >>> empty_argument(["score", "p.jsonl", "--out", ""])
    '--out is empty; is a variable of the shell not set?'
    >>> empty_argument(["score", "--out=x"]) is None
    True
    """
    for before, word in zip(["", *arguments], arguments, strict=False):
        if word == "" or (word.startswith("--") and word.endswith("=")):
            name = (before if word == "" else word[:-1]) or "the command"
            what = name if name.startswith("--") or name == "the command" else f"the argument after {name}"
            return f"{what} is empty; is a variable of the shell not set?"
    return None


def misplaced_option(word: str, program: str) -> str:
    """What is wrong with a command line that begins with an option.

    >>> misplaced_option("--quiet", "safe-eval")
    '--quiet: name the command first, and its options after it: safe-eval COMMAND --quiet; see --help'
    """
    return f"{word}: name the command first, and its options after it: {program} COMMAND {word}; {SEE}"


def _hint(word: str, known: Sequence[str], prefix: str) -> str:
    """The option meant: `--optim.steps` means `--steps`, `-out` means `--out`, `help` means `--help`."""
    in_yaml = [name.lstrip("-").replace("-", "_") for name in known]
    word = re.sub(rf"^--{prefix}", "--", word)
    last = f"--{word.rpartition('.')[2]}".replace("_", "-")
    if last in known and (f"--{word}" == last or (word.startswith("--") and "." in word)):
        return f"did you mean {last!r}?"
    return did_you_mean(word, [*known, *in_yaml], SEE)


def _choice_hint(said: str) -> str:
    """The choice that is meant, where a value is none of the choices of its option."""
    found = _CHOICE.search(said)
    return SEE if found is None else did_you_mean(found[2], re.findall(r"'([^']*)'", found[1]), SEE)


def _unexpected_config(found: re.Match[str]) -> str:
    """What a config file holds instead of options."""
    return f"--config: expected options such as `seed: 1`, one a line, not {found[1] or 'nothing'}"


def _of_several_kinds(found: re.Match[str]) -> str:
    """What an option takes that may be null, or is of one of several kinds."""
    kinds = [kind or f"one of {choices}" for kind, choices in re.findall(_KIND, found[1])]
    named = ["list" if kind == "tuple" else kind for kind in kinds if kind != "NoneType"]
    wanted = " or ".join(dict.fromkeys(named))
    return f"expected {wanted}, not {found[2]}" if wanted else found[0]
