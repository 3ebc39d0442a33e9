"""Logs of other harnesses as sides: read as import reads them, and never mistaken for predictions."""

import json
from pathlib import Path

import pytest
from made_rows import row
from made_two_files import written

from safe_data.core.errors import InputError
from safe_eval.comparison.compare import compare_files
from safe_eval.comparison.read_answers import is_log, read_answers
from safe_eval.options import CompareOptions, Sampling


def lmms(path: Path, answers: list[str], **changes: object) -> Path:
    """A log of lmms-eval: one yes-or-no question a picture."""
    rows = [
        {
            "doc_id": place,
            "target": "yes",
            "input": f"Is there a thing {place}?\nAnswer yes or no.",
            "resps": [[answer]],
            "filtered_resps": [answer],
            "input_media": [f"things/{place}.png"],
            "exact_match": float(answer == "yes"),
            **changes,
        }
        for place, answer in enumerate(answers)
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


def kit(path: Path, answers: list[str]) -> Path:
    """A log of VLMEvalKit with the same questions in another order, with other ids."""
    lines = ["index\tquestion\tanswer\tprediction\timage_path\tscore"]
    for place, answer in reversed(list(enumerate(answers))):
        score = int(answer.lower().startswith("yes"))
        lines.append(f"{place + 50}\tIs there a thing {place}?\tyes\t{answer}\timages/{place}.jpg\t{score}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_two_harnesses_are_compared_from_their_logs(tmp_path: Path):
    a = lmms(tmp_path / "20260218_234435_samples_mme.jsonl", ["yes", "no", "yes", "Yes."])
    b = kit(tmp_path / "llava_MME.tsv", ["yes", "yes", "no", "Yes."])
    found = compare_files([a, b], Sampling(resamples=200), CompareOptions())
    (matched,) = found.matched
    assert (matched.paired_by, matched.matched) == ("prompt", 4)
    assert {(one.metric, one.n, one.difference) for one in found.rows} == {("yes_no_accuracy", 4, 0.0)}
    cross = {one.reason: one.n for one in found.disagreement if one.metric_b == "given:score"}
    assert cross == {"prompt": 2, "scoring": 1}  # "Yes." is right for the kit alone
    assert "no results.json of its date" in "\n".join(found.notes)


def test_a_log_that_can_be_read_in_two_ways_names_the_way_out(tmp_path: Path):
    path = tmp_path / "20260218_234435_samples_mme.jsonl"
    lmms(path, ["yes", "no"])
    path.write_text(path.read_text() * 2)
    with pytest.raises(InputError, match="import it by itself, with options: safe-eval import") as caught:
        read_answers([path], allow_partial=False)
    assert "--filter" in str(caught.value)


def test_predictions_are_no_log(tmp_path: Path):
    path = written(tmp_path / "p.jsonl", [row("a"), row("b")])
    assert not is_log(path)
    assert len(read_answers([path], allow_partial=False)[0]) == 2
    assert is_log(lmms(tmp_path / "x.jsonl", ["yes"]))
    (tmp_path / "broken.jsonl").write_text("{")
    assert not is_log(tmp_path / "broken.jsonl")
    assert not is_log(tmp_path / "absent.jsonl")
