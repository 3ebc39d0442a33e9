"""lm-evaluation-harness: filters, choices as arguments, targets as numbers, unparsed replies, corpora."""

import json
from pathlib import Path
from typing import Any

import pytest
from made_logs import LM, REAL, needs_real, read, write_lines

from safe_data.core.errors import InputError


def line(doc: int, **fields: Any) -> dict[str, Any]:
    return {
        "doc_id": doc,
        "doc": {"answer": "3", "passage_id": f"p{doc // 2}"},
        "target": "3",
        "arguments": {"gen_args_0": {"arg_0": "How many?", "arg_1": {"until": ["\n"]}}},
        "resps": [["It is 3."]],
        "filtered_resps": ["3"],
        "filter": "none",
        "metrics": ["exact_match"],
        "exact_match": 1.0,
        "doc_hash": "aa",
        "target_hash": "bb",
    } | fields


def chosen(doc: int, target: str, logs: list[str], choices: list[str], **fields: Any) -> dict[str, Any]:
    arguments = {
        f"gen_args_{at}": {"arg_0": "Which?", "arg_1": f" {text}"} for at, text in enumerate(choices)
    }
    pairs = [[log, "False"] for log in logs]
    return (
        line(doc, target=target, arguments=arguments, resps=[[p] for p in pairs], filtered_resps=pairs)
        | fields
    )


def test_a_written_answer_and_its_facts(tmp_path: Path) -> None:
    _, (row, _), _ = read(write_lines(tmp_path / LM, [line(0), line(1)]), group_field="passage_id")
    assert (row.answer, row.references, row.prompt, row.group) == ("3", ("3",), "How many?", "p0")
    assert row.scores == {"exact_match": 1.0}
    assert row.metadata == {
        "harness": "lm-evaluation-harness",
        "filter": "none",
        "doc_hash": "aa",
        "target_hash": "bb",
        "raw": "It is 3.",
    }


def test_a_log_with_filters_needs_a_choice(tmp_path: Path) -> None:
    rows = [line(0, filter=name, filtered_resps=[name]) for name in ("strict", "flexible")]
    path = write_lines(tmp_path / LM, rows)
    with pytest.raises(InputError, match="holds several filters: strict, flexible; choose one with --filter"):
        read(path)
    log, (row,), _ = read(path, filter="flexible")
    assert (row.answer, log.notes[-1]) == ("flexible", "filter flexible is read, and not strict")
    with pytest.raises(InputError, match="has no filter 'stric'; choose one of strict, flexible"):
        read(path, filter="stric")
    _, (row,), _ = read(write_lines(tmp_path / LM, [*rows, line(0)]))
    assert row.answer == "3"  # of the filter none


def test_an_unparsed_reply_is_no_answer(tmp_path: Path) -> None:
    row = line(0, filtered_resps=["[invalid]"], exact_match=0.0)
    _, (found,), _ = read(write_lines(tmp_path / LM, [row]))
    assert (found.answer, found.metadata["unparsed"], found.metadata["raw"]) == (
        "",
        True,
        "It is 3.",
    )


def test_choices_are_arguments_and_the_target_is_a_number(tmp_path: Path) -> None:
    rows = [
        chosen(0, "1", ["-3.0", "-1.0"], ["cat", "dog"], acc=1.0),
        chosen(1, "dog", ["-1.0", "-3.0"], ["cat", "dog"], acc=0.0),
        chosen(2, "0", ["-1.0", "-1.0"], ["cat", "dog"]),
    ]
    _, kept, left = read(write_lines(tmp_path / LM, rows))
    assert [(row.answer, row.references) for row in kept] == [("dog", ("dog",)), ("cat", ("dog",))]
    assert kept[0].confidence == pytest.approx(0.8808, abs=1e-4)
    assert kept[0].choice_probabilities["dog"] == kept[0].confidence
    assert [row.why for row in left] == ["two choices are the likeliest: it holds no answer"]


def test_arguments_were_lists_before(tmp_path: Path) -> None:
    old = chosen(0, "1", ["-3.0", "-1.0"], ["cat", "dog"], arguments=[["Which?", " cat"], ["Which?", " dog"]])
    _, (row,), _ = read(write_lines(tmp_path / LM, [old]))
    assert (row.choices, row.references) == (("cat", "dog"), ("dog",))


def test_a_target_that_is_a_choice_and_the_number_of_another(tmp_path: Path) -> None:
    numbers = chosen(0, "1", ["-3.0", "-1.0", "-4.0"], ["1", "0", "2"])
    with pytest.raises(InputError, match=rf"{LM}:1: target '1' is a choice, and the number of another"):
        read(write_lines(tmp_path / LM, [numbers]))
    _, (row,), _ = read(write_lines(tmp_path / LM, [numbers | {"acc": 1.0}]))
    assert (row.answer, row.references) == ("0", ("0",))  # it was right by the place alone


def test_what_holds_no_answer_or_no_score(tmp_path: Path) -> None:
    rows = [line(0, filtered_resps=["-1.5", "True"]), line(1, f1=["a", "b"], metrics=["exact_match", "f1"])]
    log, (row,), left = read(write_lines(tmp_path / LM, rows))
    assert [one.why for one in left] == ["it holds a log-likelihood, and no answer"]
    assert row.scores == {"exact_match": 1.0}
    assert "f1 is a metric of the whole corpus: its rows hold pairs, and no score" in log.notes


def test_a_run_repeated_into_one_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"{LM}:2: holds doc_id 0 of filter 'none' again"):
        read(write_lines(tmp_path / LM, [line(0), line(0)]))


def test_known_tasks_have_their_own_answers(tmp_path: Path) -> None:
    row = line(0, target="JFK") | {"doc": {"answer": {"aliases": ["JFK", "Kennedy"]}}}
    _, (found,), _ = read(write_lines(tmp_path / LM.replace("made", "triviaqa"), [row]))
    assert found.references == ("JFK", "Kennedy")


def test_its_numbers_are_those_of_the_filter(tmp_path: Path) -> None:
    stated = {
        "exact_match,none": 0.5,
        "exact_match,strict": 0.9,
        "exact_match_stderr,none": 0.1,
        "alias": "made",
    }
    about = {"results": {"made": stated}, "n-samples": {"made": {"effective": 1}}, "lm_eval_version": "0.4.9"}
    (tmp_path / "results_2026-01-21T03-44-18.458309.json").write_text(json.dumps(about))
    log, _, _ = read(write_lines(tmp_path / LM, [line(0)]))
    assert [(one.name, one.value) for one in log.own] == [("exact_match,none", 0.5)]
    assert (log.version, log.expected) == ("0.4.9", 1)


@needs_real
def test_a_real_log() -> None:
    log, kept, left = read(next((REAL / "lm_eval").glob("samples*.jsonl")))
    assert (len(kept), left, log.version, log.expected) == (10, [], "0.4.9.2", 5000)
    assert (kept[0].references, kept[0].scores) == (("3",), {"exact_match": 0.0})
    assert log.model == "RylanSchaeffer/mem_Qwen3-93M_minerva_math_rep_0_sbst_1.0000_epch_1_ot_1"
