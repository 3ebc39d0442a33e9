"""lmms-eval: both shapes of replies, failed calls, lists as text, two filters, and scores that are dicts."""

import json
from pathlib import Path
from typing import Any

import pytest
from made_logs import LMMS, REAL, needs_real, read, write_lines

from safe_data.core.errors import InputError


def line(doc: int, **fields: Any) -> dict[str, Any]:
    return {
        "doc_id": doc,
        "target": "Yes",
        "filtered_resps": "Yes",
        "doc_hash": "74234e98",
        "input": "Is it a dog?",
        "exact_match": 1.0,
    } | fields


def results(folder: Path, stated: dict[str, float], count: int, **config: Any) -> None:
    about = {
        "results": {"made": stated},
        "configs": {"made": {"metric_list": [{"metric": "exact_match", "aggregation": "mean"}]}},
        "n-samples": {"made": {"original": 2017, "effective": count}},
        "model_name": "llava",
        "git_hash": "v0.7",
        "config": config,
    }
    (folder / "20260218_234435_results.json").write_text(json.dumps(about))


def test_replies_of_all_versions_and_what_stands_beside(tmp_path: Path) -> None:
    rows = [line(0, filtered_resps=["Yes"]), line(1, filtered_resps="Yes"), line(2, filtered_resps=[["Yes"]])]
    results(tmp_path, {"exact_match,none": 1.0, "exact_match_stderr,none": 0.1}, 3, random_seed=7)
    log, kept, _ = read(write_lines(tmp_path / LMMS, rows))
    assert [row.answer for row in kept] == ["Yes"] * 3
    assert {(row.model, row.seed, row.dataset, row.prompt) for row in kept} == {
        ("llava", 7, "made", "Is it a dog?")
    }
    assert [row.example_id for row in kept] == ["0", "1", "2"]
    assert all(row.scores == {"exact_match": 1.0} for row in kept)
    assert (log.version, log.expected, [one.name for one in log.own]) == ("v0.7", 3, ["exact_match,none"])


@pytest.mark.parametrize("text", ["None", "", "[LMMS_EVAL_REQUEST_FAILED after 5 retries] timed\nout"])
def test_a_failed_call_is_an_error(tmp_path: Path, text: str) -> None:
    _, (row,), _ = read(write_lines(tmp_path / LMMS, [line(0, filtered_resps=text, exact_match=0.0)]))
    assert row.answer is None
    assert row.error.startswith("lmms-eval: no answer")
    assert row.scores == {"exact_match": 0.0}


def test_a_target_is_the_text_of_anything(tmp_path: Path) -> None:
    rows = [line(0, target="['a', 'b']"), line(1, target="None"), line(2, target="[x + 1]")]
    _, kept, _ = read(write_lines(tmp_path / LMMS, rows[:2]))
    assert [(row.references, row.task) for row in kept] == [(("a", "b"), None), ((), "judged")]
    with pytest.raises(InputError, match=rf"{LMMS}:3: target '\[x \+ 1\]' looks like a list and is none"):
        read(write_lines(tmp_path / LMMS, rows))
    _, kept, _ = read(write_lines(tmp_path / LMMS, rows), field=("references=target",))
    assert kept[2].references == ("[x + 1]",)


def test_the_word_of_a_template_is_no_reference(tmp_path: Path) -> None:
    path = write_lines(tmp_path / LMMS, [line(0, target="answer"), line(1, target="answer"), line(2)])
    with pytest.raises(InputError, match=r"2 of 3 references are the word 'answer'.*--without-references"):
        read(path)
    _, kept, _ = read(path, without_references=True)
    assert [row.references for row in kept] == [()] * 3
    half = write_lines(tmp_path / LMMS, [line(0, target="answer"), line(1)])
    assert read(half)[1][0].references == ("answer",)


def test_two_filters_write_each_id_twice(tmp_path: Path) -> None:
    rows = [line(doc, filtered_resps=f"{filter}{doc}") for filter in "ab" for doc in range(2)]
    path = write_lines(tmp_path / LMMS, rows)
    with pytest.raises(InputError, match=rf"{LMMS}:3: holds doc_id 0 again.*--filter 1, 2"):
        read(path)
    assert [row.answer for row in read(path, filter="2")[1]] == ["b0", "b1"]
    with pytest.raises(InputError, match="no doc_id stands 3 times"):
        read(path, filter="3")
    with pytest.raises(InputError, match="--filter strict: a log of lmms-eval names no filter"):
        read(path, filter="strict")


def test_a_score_that_is_a_dict_holds_facts(tmp_path: Path) -> None:
    score = {"question_id": "q7", "category": "count", "score": 0.0, "submission": {"whole": "document"}}
    rows = [
        line(0, mme_score=score, input_media=["a/1.png"]),
        line(1, mme_score={"overall": 0.5, "videoID": "v1"}, input_media=["data:image/png;base64,AAAA"]),
        line(2, mme_score={"question_id": "q7"}),
    ]
    _, kept, _ = read(write_lines(tmp_path / LMMS, rows))
    assert [row.scores.get("mme_score") for row in kept] == [0.0, 0.5, None]
    assert [row.group for row in kept] == ["a/1.png", "v1", "q7"]
    assert kept[0].question_type == "count"
    assert kept[0].metadata == {"harness": "lmms-eval", "media": "a/1.png"}
    assert not any("media" in row.metadata for row in kept[1:])


def test_log_probabilities_are_texts(tmp_path: Path) -> None:
    pairs = [["-2.0", "False"], ["-1.0", "True"], ["-inf", "False"]]
    rows = [line(0, target="1", filtered_resps=pairs), line(1, target="a dog", filtered_resps=pairs)]
    log, (first, second), _ = read(write_lines(tmp_path / LMMS, rows))
    assert (first.answer, first.choices, first.references) == ("1", ("0", "1", "2"), ("1",))
    assert first.choice_probabilities == pytest.approx({"0": 0.2689, "1": 0.7311, "2": 0.0}, abs=1e-4)
    assert (second.references, second.choices, second.task) == ((), None, "judged")
    assert "it does not hold the texts of its choices: only its scores judge them" in log.notes


@needs_real
def test_real_logs_of_two_versions() -> None:
    path = next((REAL / "lmms_eval").glob("*head60.jsonl"))
    log, kept, left = read(path)
    assert (len(kept), left, log.task, log.model) == (60, [], "scienceqa_img", "liuhaotian/llava-v1.5-7b")
    assert (log.expected, log.own[0].value) == (2017, pytest.approx(0.69509, abs=1e-5))
    log, kept, _ = read(next((REAL / "lmms_eval").glob("vllm*.jsonl")))
    assert [row.scores["mme_cognition_score"] for row in kept] == [1.0] * 8
    assert (kept[0].group, kept[0].latency_ms) == ("code_reasoning/0020.png", pytest.approx(7510.8, abs=0.1))
    assert kept[0].question_type == "code_reasoning"
