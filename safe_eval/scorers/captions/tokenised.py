"""Tokenised: the captions and references of predictions, as tokens joined by spaces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from safe_data.core.errors import InputError, raise_row_errors
from safe_eval.options import Tokenizer
from safe_eval.prediction import Prediction
from safe_eval.scorers.captions.corpus import separator_error
from safe_eval.scorers.captions.java_tokens import java_tokens
from safe_eval.scorers.captions.tokens import tokenize
from safe_eval.scorers.reading.reply import is_failure

_TOKENIZERS: dict[Tokenizer, Callable[[Sequence[str]], list[str]]] = {"own": tokenize, "java": java_tokens}


@dataclass(frozen=True)
class Tokenised:
    """The captions that can be scored, and the references of each example once."""

    rows: list[int]  # the scored predictions: all but errors of examples without references
    candidates: list[str]
    example_of: list[int]  # the example of each candidate
    references: list[list[str]]  # per example

    @property
    def own_references(self) -> list[list[str]]:
        """The references of each candidate."""
        return [self.references[example] for example in self.example_of]


def tokenised(predictions: Sequence[Prediction], tokenizer: Tokenizer = "own") -> Tokenised:
    """Tokenise the captions of one dataset. An error counts as an empty caption.

    The tokenizer looks ahead into the next caption. So each model's captions under one condition and seed are
    tokenised in the order of their example ids, and the order of the predictions does not matter.

    Raises:
        InputError: there are no predictions or several datasets, an answer has no references, a caption
            holds a line separator, or Java's tokenizer was asked for and cannot run.
    """
    tokens_of = _TOKENIZERS[tokenizer]
    check_rows(predictions)
    truths = {row.example_id: row.references for row in predictions if row.references}
    places = {name: place for place, name in enumerate(sorted(truths))}
    rows = [i for i, row in enumerate(predictions) if row.example_id in places]
    judged = [predictions[i] for i in rows]
    tokens = iter(tokens_of([_on_one_line(text) for name in places for text in truths[name]]))
    return Tokenised(
        rows=rows,
        candidates=_tokenised_answers(judged, tokens_of),
        example_of=[places[row.example_id] for row in judged],
        references=[[next(tokens) for _ in truths[name]] for name in places],
    )


def _tokenised_answers(
    rows: Sequence[Prediction], tokens_of: Callable[[Sequence[str]], list[str]]
) -> list[str]:
    arms: dict[tuple[str, str, int], list[int]] = {}
    for i in sorted(range(len(rows)), key=lambda i: rows[i].example_id):
        arms.setdefault((rows[i].model, rows[i].condition, rows[i].seed), []).append(i)
    tokens = [""] * len(rows)
    for arm in arms.values():
        for i, text in zip(arm, tokens_of([_on_one_line(caption_of(rows[i])) for i in arm]), strict=True):
            tokens[i] = text
    return tokens


def check_rows(predictions: Sequence[Prediction]) -> None:
    """Refuse predictions whose captions no metric can score, and name all of them at once.

    Raises:
        InputError: see `tokenised`.
    """
    if not predictions:
        raise InputError("no captions: an empty set has no score")
    datasets = {row.dataset for row in predictions}
    if len(datasets) > 1:
        raise InputError(f"captions of {len(datasets)} datasets at once; score one dataset after the other")
    errors: dict[str, None] = {}  # each error once, in order: all rows of an example have the same references
    for row in predictions:
        if not row.references and row.error is None:
            errors[f"{row.example_id!r}: references is empty; give at least one"] = None
        for name, text in [("answer", caption_of(row)), *(("reference", text) for text in row.references)]:
            if error := separator_error(_on_one_line(text)):
                errors[f"{row.example_id!r}: {name} {error}"] = None
    raise_row_errors(list(errors), "captions")
    if not any(row.references for row in predictions):
        raise InputError(
            "no caption has references: every row is an error without any, and nothing is scored"
        )


def has_caption(row: Prediction) -> bool:
    """Whether a row holds a caption, and no error or text that a harness writes for one."""
    return row.error is None and row.answer is not None and not is_failure(row.answer)


def caption_of(row: Prediction) -> str:
    """The caption of a row, as it was written; an error counts as an empty one."""
    return (row.answer or "") if has_caption(row) else ""


def _on_one_line(text: str) -> str:
    """A line feed becomes a space, as pycocoevalcap writes captions for the tokenizer."""
    return text.replace("\n", " ")
