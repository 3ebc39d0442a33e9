"""Several wordings of one example: one is in the tables, and the table of prompts is about all of them."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from made_rows import answers, shuffled

from safe_data.core.errors import InputError
from safe_eval.arms.prompts import in_main_wording
from safe_eval.cli import main
from safe_eval.judging.criteria_file import fill_criteria
from safe_eval.judging.overlooked import find_overlooked
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions, write_predictions
from safe_eval.scoring.score import read_arms, score_predictions
from safe_eval.scoring.scores import Scores
from safe_eval.scoring.validate import validate
from safe_eval.statistics.seeds import seed_spread

QUICK = Sampling(resamples=100)
RIGHT = {"plain": 20, "polite": 26, "terse": 14}  # sounds of 30; pictures are right in every wording


def worded(clips: int = 30, **fields: Any) -> list[Prediction]:
    """A model under `full`, asked in three wordings, each about the same examples."""
    return [
        one
        for prompt, right in RIGHT.items()
        for one in answers(
            "safe",
            "full",
            lambda clip, hears, right=right: not hears or (7 * clip) % 30 < right,
            clips=clips,
            prompt_id=prompt,
            prompt=f"{prompt}: what is heard?",
            **fields,
        )
    ]


def scored(rows: list[Prediction], **options: Any) -> Scores:
    return score_predictions(rows, QUICK, ScoreOptions(**options))


def written(folder: Path, rows: list[Prediction]) -> Path:
    write_predictions(folder / "p.jsonl", rows)
    return folder / "p.jsonl"


def test_the_spread_over_wordings_is_that_of_crossed_scores() -> None:
    found = {row.slice: row for row in scored(worded()).prompts}
    assert set(found) == {"all", "audio", "vl"}
    audio = found["audio"]
    assert audio.prompts == ("plain", "polite", "terse")
    assert audio.means == pytest.approx((20 / 30, 26 / 30, 14 / 30))
    scores = np.array([[(7 * clip) % 30 < right for clip in range(30)] for right in RIGHT.values()], float)
    spread = seed_spread(scores, np.arange(30), QUICK)
    assert (audio.std, audio.noise_std) == (pytest.approx(spread.std), pytest.approx(spread.noise_std))
    assert (audio.prompt_std, audio.prompt_std_high) == (
        pytest.approx(spread.seed_std),
        pytest.approx(spread.seed_std_high),
    )
    assert (audio.ci_low, audio.ci_high) == pytest.approx((spread.interval.low, spread.interval.high))
    assert (audio.n, audio.clusters, audio.interval) == (30, 30, "cluster and prompt t")
    assert found["vl"].prompt_std == 0.0


def test_every_other_table_is_about_one_wording_and_counts_an_example_once() -> None:
    for prompt, right in {None: 20, "polite": 26}.items():
        found = scored(worded(), prompt=prompt)
        alone = scored([row for row in worded() if row.prompt_id == (prompt or "plain")])
        assert (found.metrics, found.cells) == (alone.metrics, alone.cells)
        audio = next(row for row in found.metrics if row.slice == "audio")
        assert (audio.value, audio.n) == (pytest.approx(right / 30), 30)
        assert (found.cells[0].expected, found.cells[0].answered) == (60, 60)
        assert (found.provenance.rows, found.provenance.prompt) == (180, prompt)
        assert (
            f"made is asked in 3 wordings (plain, polite, terse): the table prompts is about all of them, "
            f"and every other about '{prompt or 'plain'}'; --prompt names another"
        ) in found.notes


def test_files_without_the_field_and_files_of_one_wording_are_as_before() -> None:
    bare = [msgspec.structs.replace(row, prompt_id=None) for row in worded() if row.prompt_id == "plain"]
    one = [row for row in worded() if row.prompt_id == "plain"]
    assert scored(bare) == scored(one)
    assert scored(one).prompts == ()


def test_the_order_of_the_rows_decides_nothing() -> None:
    assert scored(shuffled(worded())) == scored(worded())


def test_the_same_wording_twice_is_refused(tmp_path: Path) -> None:
    rows = worded()
    assert len(read_predictions(written(tmp_path, rows))) == 180
    with pytest.raises(InputError, match="under 'full', seed 0, prompt 'plain'; keep one"):
        read_predictions(written(tmp_path, [*rows, rows[0]]))
    with pytest.raises(InputError, match="'c0-audio' is answered twice"):
        scored([*rows, rows[0]])


def test_a_blank_name_is_refused(tmp_path: Path) -> None:
    blank = msgspec.structs.replace(worded()[0], prompt_id=" ")
    with pytest.raises(InputError, match="prompt_id is blank; write a name, or leave the field out"):
        read_predictions(written(tmp_path, [blank]))


def test_rows_without_a_name_beside_rows_with_one_are_refused() -> None:
    base = answers("base", "full", lambda clip, hears: not hears, clips=30)
    with pytest.raises(InputError, match="made: rows of base/full name no 'prompt_id', but other rows do"):
        scored([*base, *worded()])


@pytest.mark.parametrize(
    ("rows", "prompt", "words"),
    [
        (worded(), "polit", "made has no such 'prompt_id'; did you mean 'polite'?"),
        (answers("a", "full", lambda clip, hears: True), "plain", "no row has a 'prompt_id'"),
    ],
)
def test_a_wording_that_is_not_there_is_refused(rows: list[Prediction], prompt: str, words: str) -> None:
    with pytest.raises(InputError, match=words.replace("?", r"\?")):
        scored(rows, prompt=prompt)


def test_wordings_of_other_examples_have_no_spread_and_lack_what_was_asked() -> None:
    rows = [row for row in worded() if (row.prompt_id, row.example_id) != ("plain", "c3-audio")]
    found = scored(rows)
    assert found.prompts == ()
    assert (
        "safe/full, seed 0: no spread over its 3 prompts, which were not asked about the same 60 examples: "
        "'plain' lacks 1"
    ) in found.notes
    assert (found.cells[0].expected, found.cells[0].answered) == (60, 59)


def test_a_model_that_did_not_answer_the_wording_is_named() -> None:
    base = [msgspec.structs.replace(row, model="base") for row in worded() if row.prompt_id != "plain"]
    found = scored([*base, *worded()])
    assert "base/full, seed 0, did not answer the prompt that the tables are about" in found.notes
    assert {row.model for row in found.metrics} == {"safe"}
    assert {row.model for row in found.prompts} == {"safe", "base"}


def test_each_seed_has_its_own_wordings() -> None:
    found = scored([*worded(), *worded(seed=1)])
    assert [row.seed for row in found.prompts if row.slice == "all"] == [0, 1]
    assert next(row for row in found.seeds if row.slice == "audio").seeds == (0, 1)


def test_a_verdict_says_that_other_wordings_were_not_judged(tmp_path: Path) -> None:
    arms, _ = read_arms([written(tmp_path, worded())], ScoreOptions())
    criterion = "criteria:\n  - {name: it, metric: accuracy, condition: safe/full, bound: '> 0.1'}\n"
    (tmp_path / "c.yaml").write_text(criterion)
    found = find_overlooked(fill_criteria(tmp_path / "c.yaml", ()).criteria, arms)
    assert (found.answers, found.items) == (180, 120)
    assert "slice prompt polite (60)" in found.text


def test_commands_that_are_about_one_wording_ask_for_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(written(tmp_path, worded()))
    for command in (["compare", file, file], ["annotate", file, "--out", str(tmp_path / "a.csv")]):
        assert main(command) == 3
        assert "'prompt_id'" in capsys.readouterr().err
    assert len(validate(worded()).cells) == 3
    assert {row.prompt_id for row in in_main_wording(worded())} == {"plain"}
    assert {row.prompt_id for row in in_main_wording(worded(), "terse")} == {"terse"}


def test_score_shows_them_and_the_verdict_computes_them_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, run = str(written(tmp_path, worded())), tmp_path / "run"
    assert main(["score", file, "--out", str(run), "--prompt", "polite", "--resamples", "100"]) == 0
    said = capsys.readouterr().out
    assert "vqa_accuracy on made, seed 0, over wordings" in said
    assert "    plain 0.833, polite 0.933, terse 0.733" in said
    assert max(map(len, said.replace(str(tmp_path), "").splitlines())) <= 80
    (tmp_path / "c.yaml").write_text(
        "leaves_out: {slice: all}\n"
        "criteria:\n  - {name: it, metric: accuracy, condition: safe/full, bound: '> 0.9'}\n"
    )
    assert main(["verdict", str(run), "--criteria", str(tmp_path / "c.yaml")]) == 0
    assert main(["report", str(run)]) == 0
    assert "Over wordings" in (run / "report.html").read_text("utf-8")
    scores = json.loads((run / "scores.json").read_text("utf-8"))
    scores["prompts"][0]["prompt_std"] = 0.0
    (run / "scores.json").write_text(json.dumps(scores))
    capsys.readouterr()
    assert main(["verdict", str(run), "--criteria", str(tmp_path / "c.yaml"), "--force"]) == 3
    assert "prompt_std" in capsys.readouterr().err
