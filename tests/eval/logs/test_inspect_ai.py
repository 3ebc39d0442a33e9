"""inspect_ai: zip and JSON, deflate and zstd, letters for choices, scores of every kind, broken runs."""

import json
from pathlib import Path
from typing import Any

import pytest
from made_logs import REAL, header, needs_real, read, sample, write_eval, write_zip

from safe_data.core.errors import InputError


def one(tmp_path: Path, **fields: Any) -> Any:
    """The only row of a log with one sample of these fields."""
    options = fields.pop("options", {})
    _, kept, left = read(write_eval(tmp_path / "a.eval", [sample(1, **fields)], header(1, 1.0)), **options)
    return kept[0] if kept else left[0]


@pytest.mark.parametrize("kind", ["deflate", "zstd", "json"])
def test_a_log_reads_the_same_in_every_form(tmp_path: Path, kind: str) -> None:
    samples = [sample(1), sample(2, scores={"match": {"value": "I", "answer": "No"}})]
    if kind == "json":
        path = tmp_path / "a.json"
        path.write_text(json.dumps(header(2, 0.5) | {"samples": samples}))
    else:
        path = write_eval(tmp_path / "a.eval", samples, header(2, 0.5), zstd=kind == "zstd")
    log, kept, left = read(path, group_field="video")
    assert [(row.example_id, row.answer, row.references) for row in kept] == [
        ("1", "Yes", ("Yes",)),
        ("2", "No", ("Yes",)),
    ]
    assert [row.scores for row in kept] == [{"match": 1.0}, {"match": 0.0}]
    assert (kept[0].dataset, kept[0].model, kept[0].group) == ("clips", "made/model", "v1")
    assert (log.version, log.expected, log.own[0].value, left) == ("0.3.200", 2, 0.5, [])


def test_a_member_that_stands_twice_counts_as_it_stands_last(tmp_path: Path) -> None:
    head = ("header.json", header(1, 1.0))
    again = sample(1, scores={"match": {"value": "I", "answer": "No"}})
    members = [("samples/1_epoch_1.json", sample(1)), head, ("samples/1_epoch_1.json", again), head]
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = write_zip(tmp_path / "a.eval", members)
    _, kept, _ = read(path)
    assert [row.answer for row in kept] == ["No"]


def test_a_target_is_a_letter_where_there_are_choices(tmp_path: Path) -> None:
    asked = {"choices": ["cat", "dog"], "target": "B"}
    assert one(tmp_path, **asked).references == ("dog",)
    assert one(tmp_path, **asked).choices == ("cat", "dog")
    assert one(tmp_path, **asked | {"target": "dog"}).references == ("dog",)
    assert one(tmp_path, **asked | {"target": "D"}).why == "its target 'D' names none of its choices"
    both = one(tmp_path, **asked | {"target": ["A", "B"]})
    assert (both.references, both.choices, both.task) == ((), None, "judged")
    assert one(tmp_path, target=["a", "b"]).references == ("a", "b")


def test_only_a_judge_knows_where_there_is_no_target(tmp_path: Path) -> None:
    row = one(tmp_path, target="")
    assert (row.references, row.task, row.scores) == ((), "judged", {"match": 1.0})
    assert one(tmp_path, target="", scores={}).why == "it has neither a reference nor a score"


@pytest.mark.parametrize(
    ("value", "scores"),
    [
        ("P", {"match": 0.5}),
        ("N", {"match": 0.0}),
        (True, {"match": 1.0}),
        ("0.25", {"match": 0.25}),
        ({"a": 1, "b": "I"}, {"match/a": 1.0, "match/b": 0.0}),
        ([0.5, 1], {"match/0": 0.5, "match/1": 1.0}),
        (float("nan"), None),
        ("fine", None),
    ],
)
def test_values_of_scores(tmp_path: Path, value: object, scores: object) -> None:
    assert one(tmp_path, scores={"match": {"value": value, "answer": "Yes"}}).scores == scores


def test_a_scorer_that_gave_nothing(tmp_path: Path) -> None:
    row = one(tmp_path, scores={"match": None})
    assert (row.scores, row.answer) == (None, "Yes")


def test_scorers_that_read_different_answers(tmp_path: Path) -> None:
    scores = {"match": {"value": "C", "answer": "Yes"}, "model": {"value": "I", "answer": "No"}}
    with pytest.raises(InputError, match=r"a\.eval/samples/1_epoch_1\.json: its scorers read diff"):
        one(tmp_path, scores=scores)
    chosen = one(tmp_path, scores=scores, options={"metric": ("model",)})
    assert (chosen.answer, chosen.scores) == ("No", {"model": 0.0})
    whole = one(tmp_path, scores=scores, options={"field": ("answer=output",)})
    assert (whole.answer, whole.scores) == ("Yes", {"match": 1.0, "model": 0.0})


def test_replies_in_parts_and_in_attachments(tmp_path: Path) -> None:
    parts = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "attachment://ab"}]
    output = {"choices": [{"message": {"content": parts}}]}
    unscored = {"scores": {"match": {"value": "C"}}}
    row = one(tmp_path, output=output, attachments={"ab": "A dog."}, input="attachment://ab", **unscored)
    assert (row.answer, row.prompt) == ("A dog.", "A dog.")
    asked = [
        {"role": "system", "content": "x"},
        {"role": "user", "content": [{"type": "text", "text": "Who?"}]},
    ]
    assert one(tmp_path, input=asked).prompt == "Who?"
    assert one(tmp_path, output={"completion": "Yes!"}, **unscored).answer == "Yes!"


def test_errors_and_limits(tmp_path: Path) -> None:
    gone = {"output": {"choices": []}, "scores": None}
    row = one(tmp_path, error={"message": "it broke", "traceback": "…"}, **gone)
    assert (row.answer, row.error, row.scores) == (None, "it broke", None)
    assert one(tmp_path, limit={"type": "token"}, **gone).error == "inspect_ai: stopped by its limit of token"
    assert one(tmp_path, **gone).error == "inspect_ai: no output"
    answered = one(tmp_path, limit={"type": "token"})
    assert (answered.error, answered.metadata["limit"]) == (None, "token")
    assert one(tmp_path, invalidation={"author": "me"}).why == "it was declared invalid"


def test_epochs_are_repeats(tmp_path: Path) -> None:
    samples = [sample(1), sample(1, epoch=2)]
    log, kept, _ = read(write_eval(tmp_path / "a.eval", samples, header(2, 1.0)))
    assert [row.seed for row in kept] == [0, 1]
    assert any("epochs are repeats" in note for note in log.notes)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (header(1, 1.0, version=3), "version 3, which keeps samples in chunks, is not read"),
        (header(1, 1.0, version=1), "is of version 1; version 2 is read"),
        (header(1, 1.0, status="cancelled"), "ended as 'cancelled'; finish it, or .* --allow-partial"),
        (None, r"has no header\.json: its run crashed, or goes on.*--allow-partial"),
    ],
)
def test_runs_that_are_refused(tmp_path: Path, head: Any, words: str) -> None:
    path = write_eval(tmp_path / "a.eval", [sample(1)], head)
    with pytest.raises(InputError, match=words):
        read(path)
    if "--allow-partial" in words:
        log, kept, _ = read(path, allow_partial=True)
        assert len(kept) == 1
        assert any("samples may be missing" in note for note in log.notes)


def test_nan_in_what_is_not_read(tmp_path: Path) -> None:
    assert one(tmp_path, store={"loss": float("nan")}).answer == "Yes"


def test_a_log_that_was_cut_off(tmp_path: Path) -> None:
    path = write_eval(tmp_path / "a.eval", [sample(1)], header(1, 1.0))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="is no complete zip file"):
        read(path)


def test_a_damaged_member(tmp_path: Path) -> None:
    path = write_eval(tmp_path / "a.eval", [sample(1)], header(1, 1.0))
    data = bytearray(path.read_bytes())
    data[data.index(b"samples/1_epoch_1.json") + 60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.eval/samples/1_epoch_1\.json: is damaged"):
        read(path)


@needs_real
@pytest.mark.parametrize(
    ("name", "rows", "answer", "scores"),
    [
        ("2024-11*.eval", 1, "Yo, fam!", {"model_graded_fact": 1.0}),
        ("2025-02*.eval", 10, "Yes", None),
        ("eee_data_arc*.json", 3, "A", {"choice": 1.0}),
        ("log_read*.eval", 1, "Yes", {"match": 1.0}),
        ("mmlu*.eval", 1, "C", {"choice": 0.0}),
    ],
)
def test_real_logs(name: str, rows: int, answer: str, scores: object) -> None:
    _, kept, left = read(next((REAL / "inspect").glob(name)))
    assert (len(kept), left, kept[0].scores) == (rows, [], scores)
    assert kept[0].answer.startswith(answer)


@needs_real
def test_a_real_error_and_a_real_choice() -> None:
    _, (row,), _ = read(REAL / "inspect/eee_data_cvebench_empty_choices.json")
    assert (row.answer, row.scores, row.model) == (None, None, "anthropic/claude-opus-4-6")
    _, (row,), _ = read(REAL / "inspect/mmlu-summary-choices.eval")
    assert (row.references, row.choices) == (("6.0 e",), ("6.0 e", "6.8 eV", "12.2 eV", "13.6 eV"))
