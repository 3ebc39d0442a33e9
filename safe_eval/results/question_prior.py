"""Question prior: answers guessed from the question alone, after the questions of another split.

The guess is the most frequent answer to the same question, in the same words, if it was asked often enough.
Otherwise it is that of the same template (the question with every answer word left out), of the same type of
question, or of all questions. Of equally frequent answers the first one in the file is taken.

On MUSIC-AVQA, fitted on val, this is right in 51.6 % of the 9,185 test questions, and in 61.1 % of those of
the modality Audio. Other values of `ENOUGH` from 1 to 6 give 51.5 to 51.8 %.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from safe_eval.prediction import Prediction
from safe_eval.scorers.benchmarks import benchmark_of
from safe_eval.scorers.choice_letter import choice_of

ENOUGH = 4  # times that a question or template must have been asked
MOST_ANSWERS = 100  # with more different answers, leaving them out would leave nothing of a question


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A question of another split, and the answers of its annotators."""

    example_id: str
    references: tuple[str, ...]
    dataset: str | None = None
    split: str | None = None
    group: str | None = None
    prompt: str | None = None
    question_type: str | None = None
    choices: tuple[str, ...] | None = None


Keys = tuple[str | None, ...]


@dataclass(frozen=True)
class QuestionPrior:
    """How often each answer was given to each question, template and type of question, and in all."""

    counts: dict[Keys, Counter[str]]
    times: Counter[Keys]  # how often each was asked
    keys: Callable[[Prediction | Asked], list[Keys]]  # of a question, from the narrowest to all questions
    place: int  # where among its choices the right one stood most often

    def answer(self, row: Prediction) -> str:
        """The guess for a question. If it has choices, one that was an answer before, or one by its place.

        >>> asked = [Asked(str(i), (answer,), prompt="How many?") for i, answer in enumerate("2322")]
        >>> prior, _ = fit_prior(asked, None)
        >>> prior.answer(Prediction(example_id="q", references=("1",), answer=None, prompt="How many?"))
        '2'
        """
        for key in self.keys(row):
            if key and self.times[key] < ENOUGH:
                continue
            counts = self.counts[key]
            allowed = counts if not row.choices else {c: counts[c] for c in row.choices if c in counts}
            if allowed:
                return max(allowed, key=lambda answer: allowed[answer])
        return row.choices[min(self.place, len(row.choices) - 1)] if row.choices else ""


def fit_prior(asked: Iterable[Asked], dataset: str | None) -> tuple[QuestionPrior | None, str]:
    """Fit the prior on the questions of a dataset, however its name is spelled; or None and why not."""
    own = [_with_texts(one) for one in asked if one.references and same_dataset(one.dataset, dataset)]
    if not own:
        return None, f"the other split holds no question of {dataset or 'rows without a dataset'}"
    keys = _keys(_words_of(one.references[0] for one in own))
    counts: dict[Keys, Counter[str]] = {}
    times = Counter[Keys]()
    for one in own:
        times.update(asked_as := keys(one))
        for key in asked_as:
            counts.setdefault(key, Counter()).update(one.references)
    places = Counter(
        one.choices.index(one.references[0])
        for one in own
        if one.choices and one.references[0] in one.choices
    )
    return QuestionPrior(counts, times, keys, max(places, key=lambda at: (places[at], -at), default=0)), ""


def _with_texts(one: Asked) -> Asked:
    """A question whose references are texts of its choices, not letters."""
    choices = one.choices
    if not choices:
        return one
    texts = tuple(choice_of(reference, choices) for reference in one.references)
    return msgspec.structs.replace(one, references=texts)


def same_dataset(a: str | None, b: str | None) -> bool:
    """Whether two names are of one dataset or benchmark.

    >>> same_dataset("MUSIC-AVQA", "music_avqa_val"), same_dataset("mine", "yours")
    (True, False)
    """
    benchmark = benchmark_of(a)
    return a == b or (benchmark is not None and benchmark is benchmark_of(b))


def _words_of(answers: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern of all answers, to leave them out of questions; None if there are too many."""
    texts = sorted(set(answers) - {""}, key=lambda text: (-len(text), text))
    if len(texts) > MOST_ANSWERS:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, texts))})(?!\w)", re.IGNORECASE)


def _keys(words: re.Pattern[str] | None) -> Callable[[Prediction | Asked], list[Keys]]:
    def keys(row: Prediction | Asked) -> list[Keys]:
        found: list[Keys] = []
        if row.prompt is not None:
            found.append(("prompt", row.prompt))
            if words is not None:
                found.append(("template", words.sub("*", row.prompt)))
        if row.question_type is not None:
            found.append(("type", row.question_type))
        return [*found, ()]

    return keys


def shared_ids(asked: Sequence[Asked], rows: Iterable[Prediction]) -> list[str]:
    """The ids of questions that are asked here too: of one dataset, and not of two splits that are named.

    >>> shared_ids([Asked("q1", ("yes",))], [Prediction(example_id="q1", references=("yes",), answer=None)])
    ['q1']
    """
    by_id: dict[str, list[Asked]] = {}
    for one in asked:
        by_id.setdefault(one.example_id, []).append(one)
    shared = {
        row.example_id
        for row in rows
        for one in by_id.get(row.example_id, ())
        if same_dataset(one.dataset, row.dataset) and not (one.split and row.split and one.split != row.split)
    }
    return sorted(shared)
