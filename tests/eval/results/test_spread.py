"""Spread: one predictions file by every published rule of its benchmarks, in every output."""

import csv
import io
import json
from pathlib import Path

import pytest
from made_rows import row

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.results.spread import SpreadRow
from safe_eval.scorers.benchmarks import BENCHMARKS, benchmark_of
from safe_eval.scorers.rule_sources import SOURCES
from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.scoring.recheck import check_scores
from safe_eval.scoring.score import score_predictions

QUICK = Sampling(resamples=200)


def pope(count: int = 20, **fields: object) -> list[Prediction]:
    """Half of the replies are "unsure", which POPE's script reads as yes, and half are right."""
    return [
        row(
            f"q{i}",
            "I am unsure." if i % 2 else "No.",
            **({"references": ("yes" if i % 2 else "no",), "dataset": "POPE", "group": f"g{i}"} | fields),
        )
        for i in range(count)
    ]


def spread(rows: list[Prediction]) -> dict[tuple[str, str], SpreadRow]:
    found = score_predictions(rows, QUICK, ScoreOptions(spread=True)).spread
    return {(one.rule, one.slice): one for one in found}


def test_every_rule_of_every_benchmark_exists_and_has_a_source() -> None:
    for benchmark in BENCHMARKS.values():
        assert set(benchmark.rules) <= set(ANSWER_METRICS), benchmark.name
        assert set(benchmark.rules) <= set(SOURCES), benchmark.name
        assert len(set(benchmark.rules)) == len(benchmark.rules)


SPELLED = [
    *(("POPE", "pope"), ("pope_adv", "pope"), ("lmms-lab/POPE", "pope"), ("MME_test", "mme"), ("mme", "mme")),
    *(("ScienceQA_TEST", "scienceqa"), ("scienceqa_img", "scienceqa"), ("MMAU-test-mini", "mmau")),
    *(("mmar", "mmar"), ("MMSU", "mmsu"), ("ClothoAQA", "clotho_aqa"), ("clotho_aqa_test", "clotho_aqa")),
    *(("AVH-Bench", "avhbench"), ("CMM", "cmm"), ("DailyOmni", "daily_omni"), ("omni_bench", "omnibench")),
    *(("WorldSense", "worldsense"), ("clotho", None), ("mmmu", None)),
]


@pytest.mark.parametrize(("spelled", "name"), SPELLED)
def test_a_benchmark_is_known_as_harnesses_spell_it(spelled: str, name: str | None) -> None:
    found = benchmark_of(spelled)
    assert (found.name if found else None) == name


def test_a_rule_is_compared_with_the_protocol_on_the_same_answers() -> None:
    found = spread(pope())
    assert {rule for rule, _ in found} == set(BENCHMARKS["pope"].rules)
    protocol, script = found["yes_no_accuracy", "all"], found["pope_first_sentence", "all"]
    assert (protocol.value, protocol.difference) == (0.5, None)
    assert (script.value, script.difference, script.n) == (1.0, 0.5, 20)
    assert script.difference_low < 0.5 < script.difference_high
    assert found["pope_first_sentence", "type:answer yes"].value == 1.0
    assert "AoiDragon/POPE" in script.source


def test_a_rule_of_some_questions_is_compared_on_these() -> None:
    rows = [
        row("q1", "yes", references=("yes",) * 3, dataset="clotho_aqa"),
        row("q2", "no", references=("yes", "yes", "no"), dataset="clotho_aqa"),
        row("q3", "no", references=("yes", "yes", "yes"), dataset="clotho_aqa"),
    ]
    unanimous = spread(rows)["clotho_aqa_unanimous", "all"]
    assert (unanimous.value, unanimous.difference, unanimous.n) == (0.5, 0.0, 2)


def test_datasets_that_are_no_benchmark_are_named() -> None:
    mixed = [*pope(), *pope(dataset="mine")]
    scores = score_predictions(mixed, QUICK, ScoreOptions(spread=True))
    assert {one.dataset for one in scores.spread} == {"POPE"}
    assert any(note.startswith("the spread is not measured on mine:") for note in scores.notes)
    with pytest.raises(
        InputError, match=r"--spread: no dataset here is a known benchmark \(mine\); name the"
    ):
        spread(pope(dataset="mine"))


def test_the_command_prints_writes_and_proves_the_spread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_predictions(tmp_path / "p.jsonl", pope())
    command = ["score", str(tmp_path / "p.jsonl"), "--out", str(tmp_path / "run"), "--spread"]
    command += ["--resamples", "200"]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("wrote ")) <= 80
    assert "POPE, seed 0: every published rule" in lines
    (shown,) = (line for line in lines if line.startswith("    pope_first_sentence"))
    assert shown.split()[1:3] + shown.split()[-1:] == ["all", "1.000", "+0.500"]
    (first,) = (line for line in lines if line.startswith("    yes_no_accuracy"))
    assert first.endswith("protocol")
    content = json.loads((tmp_path / "run/scores.json").read_text("utf-8"))
    assert content["provenance"]["spread"] is True
    assert {one["rule"] for one in content["spread"]} == set(BENCHMARKS["pope"].rules)
    assert check_scores(tmp_path / "run").spread
    assert main([*command, "--format", "csv", "--table", "spread"]) == 0
    table = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert {line["rule"] for line in table} - {""} == set(BENCHMARKS["pope"].rules)
    assert main([*command, "--format", "markdown", "--table", "spread"]) == 0
    shown = next(line for line in capsys.readouterr().out.splitlines() if "| yes_no_words " in line)
    low_high_difference = [cell.strip() for cell in shown.split("|")[6:9]]
    assert [cell[0] for cell in low_high_difference] == ["0", "0", "0"]  # an interval of a value has no sign


def test_without_the_option_there_is_none() -> None:
    assert score_predictions(pope(), QUICK).spread == ()
