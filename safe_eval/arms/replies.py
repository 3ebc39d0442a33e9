"""Replies: what a reader of the numbers must know about replies that are read as one of several choices."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from safe_eval.arms.arm import Arm
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.prediction import Prediction, quoted
from safe_eval.scorers import music_avqa, yes_no
from safe_eval.scorers.reading.reply import KINDS, is_failure, normalised, unwrap
from safe_eval.scorers.scorer import READS_REPLIES, metrics_for

# Which questions have an answer that a metric does not know, and what that means.
_OTHER: dict[str, tuple[Callable[[Prediction], bool], str]] = {
    "yes_no_accuracy": (yes_no.is_other, "neither yes nor no, and replies must equal it"),
    "music_avqa_accuracy": (music_avqa.is_other, "none of the benchmark's 42 answers, and no reply is right"),
}
_LATIN_ENDS = "\u0370"  # the first character of the scripts that follow Latin


def reply_notes(arms: Sequence[Arm]) -> Iterator[str]:
    """Lines on failure texts, on what was cut from replies, and on replies in other scripts.

    >>> from safe_eval.arms.arm import make_arms
    >>> reply = "<think>A?</think>B"
    >>> row = Prediction(example_id="q", references=("b",), answer=reply, choices=("a", "b"), task="classify")
    >>> next(reply_notes(make_arms([row])))
    'what is no answer was cut from replies before they were read (reasoning 1); the predictions keep it'
    """
    answers = Counter(text for arm in arms for text in _given(arm.rows))
    failed = sum(count for text, count in answers.items() if is_failure(text))
    if failed:
        yield f"{failed} answers are the text of a request that failed, and count as errors"
    read = Counter(text for arm in arms for text in _given(_read_rows(arm)))
    cut = Counter[str]()
    for text, count in read.items():
        cut.update(dict.fromkeys(unwrap(text).cut, count))
    if cut:
        kinds = ", ".join(f"{kind} {cut[kind]}" for kind in KINDS if cut[kind])
        cut_first = f"what is no answer was cut from replies before they were read ({kinds})"
        yield f"{cut_first}; the predictions keep it"
    foreign = sum(count for text, count in read.items() if not text.isascii() and _is_foreign(text))
    if foreign:
        yield f"{foreign} replies use another script than Latin: only choices and letters are read there"


def reference_notes(judged: Mapping[str, Sequence[ScoredArm]]) -> Iterator[str]:
    """One line per dataset with questions whose right answer is none of the answers that its metric knows."""
    for metric, (is_other, what) in _OTHER.items():
        others: dict[str | None, dict[str, Prediction]] = {}
        asked: dict[str | None, set[str]] = {}
        for arm in judged.get(metric, ()):
            asked.setdefault(arm.key.dataset, set()).update(row.example_id for row in arm.rows)
            found = others.setdefault(arm.key.dataset, {})
            found.update((row.example_id, row) for row in arm.rows if is_other(row))
        for dataset, rows in others.items():
            if rows:
                first = next(iter(rows.values()))
                count = f"{len(rows)} of {len(asked[dataset])} questions"
                yield (
                    f"{dataset}: the right answer to {count} is {what}: {quoted(first.example_id)}: "
                    f"{quoted(first.references[0])}"
                )


def _given(rows: Iterable[Prediction]) -> Iterator[str]:
    """The replies that were given."""
    return (row.answer for row in rows if row.answer is not None and row.error is None)


def _read_rows(arm: Arm) -> Iterator[Prediction]:
    """The rows whose reply a metric reads as one of several choices."""
    for asked, places in arm.tasks.items():
        if not READS_REPLIES.isdisjoint(metrics_for(arm.key.dataset, *asked)):
            yield from map(arm.rows.__getitem__, places.tolist())


def _is_foreign(text: str) -> bool:
    return any(character >= _LATIN_ENDS and character.isalpha() for character in normalised(text))
