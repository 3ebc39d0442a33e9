"""Questions: what is asked about the records of some splits, and proof that none is in train and in test."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from safe_data.core.errors import InputError, raise_row_errors
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import label_of, read_dataset
from safe_eval.choice_references import settled
from safe_eval.prediction import Prediction, quoted
from safe_eval.scorers.captions.caption_scores import TASKS as CAPTION_TASKS

Type = str | None  # of question


@dataclass(frozen=True)
class Question:
    """One example: its record's place in the split, and whether its answer can be heard in a sound.

    `answer` is its class: the most frequent of its references, the first of equals.
    """

    id: str
    record: int
    group: str
    question_type: Type
    hears: bool
    answer: str
    choices: tuple[str, ...] | None


@dataclass(frozen=True)
class Corpus:
    """A split of a built dataset, and its questions; captions have no class and are none of them."""

    dataset: ShardDataset
    questions: tuple[Question, ...]
    captions: int

    @property
    def groups(self) -> set[str]:
        """The groups of all its records, whether or not anything is asked."""
        return set(self.dataset.manifest["group"].to_pylist())

    @property
    def names(self) -> set[str]:
        """The datasets that its records name."""
        return set(self.dataset.manifest["dataset"].to_pylist())


def read_corpora(roots: Sequence[Path], split: str, encoder: str | None, option: str) -> list[Corpus]:
    """Open a split of each dataset, and read what it asks.

    Args:
        roots: folders of built datasets
        split: the split to read of each
        encoder: name of the embeddings; None takes the only ones
        option: how the roots were given, for messages

    Raises:
        InputError: no root, two with one dataset, no such split or encoder, several encoders and none chosen,
            nothing asked, or references that name none of the choices.
    """
    if not roots:
        raise InputError(f"{option}: no dataset; name the folder of a built one")
    corpora = [_corpus(_opened(root, split, encoder)) for root in roots]
    names = Counter(name for corpus in corpora for name in corpus.names)
    if twice := sorted(name for name, count in names.items() if count > 1):
        raise InputError(f"{option}: {twice[0]!r} is in two of the datasets; give each once")
    if not any(corpus.questions for corpus in corpora):
        raise InputError(f"{option}: split {split!r} of {', '.join(map(str, roots))} asks nothing")
    return corpora


def check_apart(train: Sequence[Corpus], test: Sequence[Corpus]) -> None:
    """Refuse questions to fit on that may know the answers of those that are asked.

    Groups are compared by their names, whatever dataset they are in: one video can be in several.

    Raises:
        InputError: a dataset and split, or a group, is on both sides.
    """
    for split, names in _splits(train).items():
        if both := sorted(names & _splits(test).get(split, set())):
            raise InputError(
                f"split {split!r} of {both[0]!r} is fitted on and asked; name another --split or --on-split"
            )
    groups = _groups(train) & _groups(test)
    if groups:
        raise InputError(
            f"{len(groups)} groups are fitted on and asked, for example {quoted(min(groups))}: what is "
            "fitted knows their sounds; split again with `safe-data split`, or rename them if they are not "
            "the same"
        )


def check_one_encoder(corpora: Iterable[Corpus]) -> None:
    """Refuse embeddings of different encoders, which no fit can read alike.

    Raises:
        InputError: there are some.
    """
    labels: dict[str, Path] = {}
    for corpus in corpora:
        facts = corpus.dataset.encoder
        label = "none" if facts is None else label_of(facts["name"], facts["fingerprint"])
        labels.setdefault(label, corpus.dataset.root)
    if len(labels) > 1:
        told = ", ".join(f"{root} has {label}" for label, root in labels.items())
        raise InputError(f"the embeddings are not of one encoder: {told}; choose one with --encoder")


def _splits(corpora: Sequence[Corpus]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for corpus in corpora:
        found.setdefault(corpus.dataset.split, set()).update(corpus.names)
    return found


def _groups(corpora: Sequence[Corpus]) -> set[str]:
    return {group for corpus in corpora for group in corpus.groups}


def _opened(root: Path, split: str, encoder: str | None) -> ShardDataset:
    if encoder is None and len(stored := read_dataset(root).encoders) > 1:
        labels = ", ".join(one.label for one in stored)
        raise InputError(f"{root}: has embeddings of several encoders ({labels}); choose with --encoder")
    return ShardDataset(root, split, encoder)


def _corpus(dataset: ShardDataset) -> Corpus:
    asked = list(_asked(dataset))
    rows, faults = settled([row for row, _, _ in asked], lambda at: f"{dataset.root}: {asked[at][1]}")
    raise_row_errors(faults, str(dataset.root))
    questions = [
        Question(
            id=row.example_id,
            record=record,
            group=row.group or "",
            question_type=row.question_type,
            hears=has_sound and row.needs_audio is not False,
            answer=Counter(row.references).most_common(1)[0][0],
            choices=row.choices,
        )
        for row, (_, record, has_sound) in zip(rows, asked, strict=True)
        if row.task not in CAPTION_TASKS and row.references
    ]
    return Corpus(dataset, tuple(questions), sum(row.task in CAPTION_TASKS for row in rows))


def _asked(dataset: ShardDataset) -> Iterator[tuple[Prediction, int, bool]]:
    """Each example as a row without an answer, the place of its record, and whether that has a sound."""
    for index in range(len(dataset)):
        record = dataset.record(index)
        for example in record.examples:
            row = Prediction(
                example_id=example.id,
                references=example.references,
                answer=None,
                dataset=record.dataset,
                group=record.group,
                task=example.task,
                question_type=example.question_type,
                needs_audio=example.needs_audio,
                choices=example.choices,
            )
            yield row, index, record.audio is not None
