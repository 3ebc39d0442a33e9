"""Pairing: which row of A and which of B answer the same question, by their ids or by what was asked.

Two harnesses number the same questions differently. Then rows belong together whose prompt and media are the
same; what is asked twice on a side belongs to nothing.
"""

import unicodedata
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from safe_eval.options import PairBy
from safe_eval.prediction import Prediction
from safe_eval.scorers.benchmarks import benchmark_of

ID, PROMPT = "id", "prompt"
_PICTURE = "picture_sha256"

Rows = Sequence[Prediction]
Key = tuple[str | None, str]  # dataset and example id
Media = Callable[[Prediction], Hashable]


@dataclass(frozen=True)
class Paired:
    """Rows of A and B that belong together, and those that do not."""

    by: str  # id or prompt
    pairs: list[tuple[Prediction, Prediction]]
    only_a: list[Prediction]
    only_b: list[Prediction]
    ambiguous: list[Prediction] = field(default_factory=list)  # asked several times on a side
    how: tuple[str, ...] = ()  # what a reader must know of it


def paired(a: Rows, b: Rows, by: PairBy) -> Paired:
    """Pair rows of A and B, each of one condition.

    `auto` is by id, unless no id is on both sides, or most of those that are ask other questions; and then by
    prompt, if any prompt is on both sides. Ids may differ in how their dataset is spelled where the rows come
    from different harnesses.
    """
    if by == PROMPT:
        return _by_prompt(a, b)
    found = _by_id(a, b)
    if by == ID or (found.pairs and not mostly_contradict(found.pairs)):
        return found
    other = _by_prompt(a, b)
    if not other.pairs:
        return found
    return other if not found.pairs or len(other.pairs) > _agreeing(found.pairs) else found


def are_of_different_harnesses(a: Rows, b: Rows) -> bool:
    """Whether the rows name the harness they were imported from, and not the same one on both sides."""
    named = [{(row.metadata or {}).get("harness") for row in rows} for rows in (a, b)]
    return named[0] != named[1]


def prompts_contradict(a: Prediction, b: Prediction) -> bool:
    """Whether two prompts ask different things: neither is part of the other, and their questions differ.

    >>> asked = [Prediction(example_id="q", references=("a",), answer="a", prompt=text)
    ...          for text in ("Is it raining?", "Is it raining?\\nAnswer yes or no.", "Who sings?")]
    >>> prompts_contradict(asked[0], asked[1]), prompts_contradict(asked[0], asked[2])
    (False, True)
    """
    if a.prompt is None or b.prompt is None:
        return False
    one, other = folded(a.prompt), folded(b.prompt)
    return one not in other and other not in one and _question(a.prompt) != _question(b.prompt)


def folded(text: str) -> str:
    """A text without case and white space that makes no difference.

    >>> folded(" Is it \\n Raining? ")
    'is it raining?'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _by_id(a: Rows, b: Rows) -> Paired:
    """The rows with the same dataset and id."""
    spell = _benchmark if are_of_different_harnesses(a, b) else _as_written
    of_a, of_b = ({(spell(row.dataset), row.example_id): row for row in rows} for rows in (a, b))
    shared = sorted(of_a.keys() & of_b.keys(), key=_order)
    only_a, only_b = (
        [one[key] for key in sorted(one.keys() - other.keys(), key=_order)]
        for one, other in ((of_a, of_b), (of_b, of_a))
    )
    return Paired(ID, [(of_a[key], of_b[key]) for key in shared], only_a, only_b)


def _by_prompt(a: Rows, b: Rows) -> Paired:
    """The rows that alone ask something on their side: by the whole prompt, its first line, its question."""
    media, heeded = _media(a, b)
    pairs: list[tuple[Prediction, Prediction]] = []
    several: dict[int, Prediction] = {}
    left_a, left_b = list(a), list(b)
    counts = []
    for text in (folded, _first_line, _question):
        found, repeated = _unique(left_a, left_b, text, media)
        pairs += found
        several |= {id(row): row for row in repeated}
        done = {id(row) for pair in found for row in pair} | several.keys()
        left_a, left_b = ([row for row in rows if id(row) not in done] for rows in (left_a, left_b))
        counts.append(len(found))
    pairs.sort(key=lambda pair: _order((pair[0].dataset, pair[0].example_id)))
    how = f"A and B are paired by what was asked ({heeded}): {counts[0]} by the whole prompt"
    for count, what in zip(counts[1:], ("first line", "question alone"), strict=True):
        how += f", {count} by its {what}" if count else ""
    return Paired(PROMPT, pairs, left_a, left_b, list(several.values()), (how,))


def _unique(
    a: Rows, b: Rows, text: Callable[[str], str], media: Media
) -> tuple[list[tuple[Prediction, Prediction]], list[Prediction]]:
    """The pairs of rows that alone have a key on both sides, and the rows that share one with others."""
    grouped = [_grouped(rows, text, media) for rows in (a, b)]
    pairs, repeated = [], list[Prediction]()
    for key in grouped[0].keys() & grouped[1].keys():
        one, other = grouped[0][key], grouped[1][key]
        if len(one) == len(other) == 1:
            pairs.append((one[0], other[0]))
        else:
            repeated += [*one, *other]
    return pairs, repeated


def _grouped(rows: Rows, text: Callable[[str], str], media: Media) -> dict[Hashable, list[Prediction]]:
    found: dict[Hashable, list[Prediction]] = {}
    for row in rows:
        if row.prompt is not None and row.prompt.strip():
            found.setdefault((text(row.prompt), media(row)), []).append(row)
    return found


def _media(a: Rows, b: Rows) -> tuple[Media, str]:
    """What tells the media of a row: its hashes, or its file's name, where both sides have some in common."""
    for media, what in (
        (_hashes, "and the hashes of its media"),
        (_path, "and the path of its media"),
        (_file, "and the file of its media"),
    ):
        both = [{media(row) for row in rows} - {None} for rows in (a, b)]
        if both[0] & both[1]:
            return media, what
    return _nothing, "media are not heeded: the two sides name none in common"


def _hashes(row: Prediction) -> Hashable:
    metadata = row.metadata or {}
    sent = metadata.get("sent")
    picture = metadata.get(_PICTURE) or (sent.get(_PICTURE) if isinstance(sent, dict) else None)
    return None if picture is None and row.audio_sha256 is None else (picture, row.audio_sha256)


def _path(row: Prediction) -> Hashable:
    """The folder and the name of the first medium without its ending."""
    media = (row.metadata or {}).get("media")
    if not isinstance(media, str) or not PurePosixPath(media).parent.name:
        return None
    path = PurePosixPath(media)
    return path.parent.name.casefold(), path.stem.casefold()


def _file(row: Prediction) -> Hashable:
    """The name alone: harnesses keep the same pictures in folders of their own."""
    media = (row.metadata or {}).get("media")
    return PurePosixPath(media).stem.casefold() if isinstance(media, str) and media else None


def _nothing(_: Prediction) -> Hashable:
    return None


def _question(prompt: str) -> str:
    """The first line up to its last question mark: what stands behind it tells how to answer."""
    line = _first_line(prompt)
    return line[: line.rfind("?") + 1] or line


def _first_line(prompt: str) -> str:
    """The first line of a prompt that says something: templates add theirs below it."""
    lines = (folded(line) for line in prompt.splitlines())
    return next((line for line in lines if line and not line.startswith("<image")), "")


def mostly_contradict(pairs: Iterable[tuple[Prediction, Prediction]]) -> bool:
    """Whether most pairs whose prompts are known ask different things."""
    asked = [pair for pair in pairs if pair[0].prompt is not None and pair[1].prompt is not None]
    return 2 * (len(asked) - _agreeing(asked)) > len(asked)


def _agreeing(pairs: Iterable[tuple[Prediction, Prediction]]) -> int:
    return sum(not prompts_contradict(one, other) for one, other in pairs)


def _benchmark(dataset: str | None) -> str | None:
    found = benchmark_of(dataset)
    return found.name if found is not None else None if dataset is None else folded(dataset)


def _as_written(dataset: str | None) -> str | None:
    return dataset


def _order(key: Key) -> tuple[str, str]:
    return key[0] or "", key[1]
