"""A run is judged against what it should have answered: gaps are counted, contradictions refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from made_rows import good_run, shuffled

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_eval.arms.all_arms import all_arms
from safe_eval.cli import main
from safe_eval.judging.expectation import check_expected
from safe_eval.judging.expected_examples import Wanted, read_expected, read_wanted
from safe_eval.judging.verdict import Verdict, decide, sealed
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.report.run_folder import read_results
from safe_eval.runner.row import hear
from safe_eval.scoring.score import score_files

HELPS = """
  - {name: helps, metric: accuracy, slice: audio, condition: safe/full, against: safe/mute_audio,
     bound: ">= 0.05"}
"""
COVERED = "  - {name: covered, metric: coverage, bound: '== 1'}\n"


def asked(clips: int = 12) -> list[Prediction]:
    """A run that also says what was asked, of which choices, and which sound was sent."""
    return [
        msgspec.structs.replace(
            one,
            task="vqa",
            split="test",
            choices=("yes", "no"),
            prompt="is it a dog ?",
            audio_sha256=f"{'00' if one.condition == 'mute_audio' else one.record_id}",
        )
        for one in good_run(clips)
    ]


def examples(rows: list[Prediction]) -> list[dict[str, Any]]:
    """What was to be answered, as a file of examples states it."""
    names = "dataset split group record_id task question_type needs_audio choices prompt audio_sha256"
    return [
        {name: getattr(one, name) for name in names.split()} | {"id": one.example_id, "references": ["yes"]}
        for one in rows
        if (one.model, one.condition) == ("safe", "full")
    ]


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    return path


@pytest.fixture
def expected(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "examples.jsonl", examples(asked()))


def make_run(tmp_path: Path, rows: list[Prediction], criteria: str = "") -> Path:
    run = tmp_path / "run"
    write_predictions(run / "predictions.jsonl", rows)
    score_files([run / "predictions.jsonl"], Sampling(resamples=100), out=run)
    about = "leaves_out: {slice: all}\n"
    (tmp_path / "criteria.yaml").write_text(f"{criteria}{about}criteria:{HELPS}{COVERED}", "utf-8")
    return run


def judge(tmp_path: Path, rows: list[Prediction], *expect: Path) -> Verdict:
    return decide(make_run(tmp_path, rows), tmp_path / "criteria.yaml", expect=expect)


def decisions(verdict: Verdict) -> dict[str, str]:
    return {one.name: one.decision for one in verdict.criteria}


def test_a_run_that_answers_what_was_expected_is_judged_as_before(tmp_path: Path, expected: Path) -> None:
    verdict = judge(tmp_path, asked(), expected)
    assert verdict.decision == "go"
    assert decisions(verdict) == {"helps": "go", "covered": "go", "expected_answers": "go"}
    assert verdict.criteria[-1].evidence == "120 of 120 answers that examples.jsonl expects are there"
    assert verdict.expected is not None
    assert (verdict.expected.missing, verdict.notes) == (0, ())


def test_what_every_arm_left_out_is_missing_and_no_go_follows(
    tmp_path: Path, expected: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the expected examples, nothing shows that there were any."""
    rows = [one for one in asked() if one.record_id != "c7"]
    assert judge(tmp_path, rows).decision == "go"
    command = ["verdict", str(tmp_path / "run"), "--criteria", str(tmp_path / "criteria.yaml")]
    assert main([*command, "--force", "--expect", str(expected)]) == 1
    said = capsys.readouterr().out
    assert "110 of 120 examples answered" in said
    assert "110 of 120 answers that examples.jsonl expects are there; missing:" in said
    assert "missing: 'c7-audio' of made by base/full, seed 0" in said
    (tmp_path / "criteria.yaml").write_text(f"leaves_out: {{slice: all}}\ncriteria:{HELPS}", "utf-8")
    assert main([*command, "--force", "--expect", str(expected)]) == 2
    verdict = json.loads((tmp_path / "run/verdict.json").read_text("utf-8"))
    assert [(one["name"], one["decision"]) for one in verdict["criteria"]] == [
        ("helps", "go"),
        ("expected_answers", "not measured"),
    ]
    assert verdict["expected"]["missing"] == 10
    results = read_results(tmp_path / "run")
    assert {arm.expected for arm in results.scores.cells} == {24}
    rows = [msgspec.structs.replace(one, decision="go") for one in results.verdict.criteria]
    forged = sealed(msgspec.structs.replace(results.verdict, decision="go", criteria=tuple(rows)))
    (tmp_path / "run/verdict.json").write_bytes(msgspec.json.encode(forged))
    with pytest.raises(InputError, match="says go of 'expected_answers', and 10 are missing"):
        read_results(tmp_path / "run")


def test_many_missing_answers_are_named_up_to_20_and_counted(tmp_path: Path, expected: Path) -> None:
    verdict = judge(tmp_path, [one for one in asked() if one.record_id in ("c0", "c1", "c2")], expected)
    assert verdict.expected is not None
    assert (verdict.expected.missing, len(verdict.expected.named)) == (90, 21)
    assert verdict.expected.named[-1] == "… and 70 more"
    assert verdict.criteria[-1].evidence.endswith(
        "missing: 'c10-audio' of made by base/full, seed 0, and 89 more"
    )


def test_a_dataset_that_nobody_answered_is_missing(tmp_path: Path) -> None:
    other = [one | {"dataset": "other", "id": f"o{at}"} for at, one in enumerate(examples(asked())[:5])]
    path = write_lines(tmp_path / "examples.jsonl", examples(asked()) + other)
    verdict = judge(tmp_path, asked(), path)
    assert verdict.expected is not None
    assert verdict.expected.missing == 10  # five of each model
    assert decisions(verdict) == {"helps": "go", "covered": "no-go", "expected_answers": "not measured"}
    assert "fewest by base/full: 0 of 5" in verdict.criteria[1].evidence


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"references": ("no",)}, "references is ['no'], expected ['yes']"),
        ({"references": ("yes", "yes")}, "references is ['yes', 'yes'], expected ['yes']"),
        ({"needs_audio": None}, "needs_audio is null, expected true"),
        ({"needs_audio": False}, "needs_audio is false, expected true"),
        ({"task": "classify"}, "task is 'classify', expected 'vqa'"),
        ({"task": None}, "task is null, expected 'vqa'"),
        ({"dataset": "gqa"}, "dataset is 'gqa', expected 'made'"),
        ({"dataset": None}, "dataset is null, expected 'made'"),
        ({"choices": ("yes", "maybe")}, "choices is ['yes', 'maybe'], expected ['yes', 'no']"),
        ({"choices": None}, "choices is null, expected ['yes', 'no']"),
        ({"group": "g0b"}, "group is 'g0b', expected 'g0'"),
        ({"question_type": None}, "question_type is null, expected 'sound'"),
        ({"split": "train"}, "split is 'train', expected 'test'"),
        ({"record_id": "c9"}, "record_id is 'c9', expected 'c0'"),
        ({"example_id": "c0-extra"}, "was not expected"),
    ],
)
def test_an_answer_to_something_else_is_refused(
    tmp_path: Path, expected: Path, fields: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One example, under every condition: one truth, so one line."""
    rows = [
        msgspec.structs.replace(one, **fields) if one.example_id == "c0-audio" else one for one in asked()
    ]
    run = make_run(tmp_path, rows)
    assert (
        main(["verdict", str(run), "--criteria", f"{tmp_path}/criteria.yaml", "--expect", str(expected)]) == 3
    )
    name = fields.get("example_id", "c0-audio")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"safe-eval verdict: {run}: contradicts what {expected} expects in 1 place",
        f"{name!r}: {words}",
        "answer the examples as they are expected, and score again",
    ]
    assert not (run / "verdict.json").exists()


def test_another_sound_is_refused_where_the_sound_was_not_to_change(tmp_path: Path, expected: Path) -> None:
    rows = [
        msgspec.structs.replace(one, audio_sha256="ff" * 32) if one.example_id == "c0-audio" else one
        for one in asked()
    ]
    with pytest.raises(InputError, match="expects in 2 places") as caught:
        judge(tmp_path, rows, expected)
    assert "'c0-audio': audio_sha256 under full is ffffffffffff, expected c0" in str(caught.value)
    assert "audio_sha256 under gate_off" in str(caught.value)
    assert "mute_audio" not in str(caught.value)


def test_other_words_and_unknown_sounds_are_noted(tmp_path: Path, expected: Path) -> None:
    rows = [
        msgspec.structs.replace(one, prompt=f"{one.prompt} Answer in one word.", audio_sha256=None)
        for one in asked()
    ]
    verdict = judge(tmp_path, rows, expected)
    assert verdict.decision == "go"
    assert verdict.notes == (
        "24 examples were asked in other words than expected, the first 'c0-audio'",
        "48 answers do not say which sound was sent: they have no 'audio_sha256'",
    )


def test_all_contradictions_at_once(tmp_path: Path, expected: Path) -> None:
    rows = [msgspec.structs.replace(one, needs_audio=None) for one in asked()]
    with pytest.raises(InputError, match="expects in 24 places") as caught:
        judge(tmp_path, rows, expected)
    assert str(caught.value).splitlines()[-2:] == [
        "… and 4 more",
        "answer the examples as they are expected, and score again",
    ]


def test_a_field_that_the_source_does_not_state_is_not_compared(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "e.jsonl", [{"id": one["id"], "references": ["yes"]} for one in examples(asked())]
    )
    assert judge(tmp_path, asked(), path).decision == "go"


def test_the_splits_that_were_answered_are_expected_whole(tmp_path: Path) -> None:
    """Another split is not, unless it is named."""
    train = [one | {"split": "train", "id": f"t{at}"} for at, one in enumerate(examples(asked()))]
    path = write_lines(tmp_path / "e.jsonl", examples(asked()) + train)
    assert judge(tmp_path, asked(), path).decision == "go"
    verdict = decide(
        tmp_path / "run", tmp_path / "criteria.yaml", [path], expect_split=["train", "test"], force=True
    )
    assert verdict.expected is not None
    assert (verdict.decision, verdict.expected.missing) == ("no-go", 120)
    with pytest.raises(InputError, match=r"e\.jsonl: no example is of the split 'val'"):
        decide(tmp_path / "run", tmp_path / "criteria.yaml", [path], expect_split=["val"])


def test_splits_of_nothing_are_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, asked())
    with pytest.raises(InputError, match="expect_split names splits of nothing; name their source"):
        decide(run, tmp_path / "criteria.yaml", expect_split=["test"])


def test_a_source_of_other_examples_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "e.jsonl", [{"id": "z", "references": ["yes"]}])
    with pytest.raises(InputError, match=r"e\.jsonl: none of its 1 examples is answered; give what this run"):
        judge(tmp_path, asked(), path)
    with pytest.raises(InputError, match=r"gone\.jsonl: no such dataset or file of expected examples"):
        decide(tmp_path / "run", tmp_path / "criteria.yaml", [tmp_path / "gone.jsonl"])


@pytest.mark.parametrize(
    "named",
    [
        "examples.jsonl",
        "{source: examples.jsonl, splits: test}",
        "[{source: examples.jsonl, splits: [test]}]",
    ],
)
def test_criteria_name_what_is_expected_beside_them(tmp_path: Path, expected: Path, named: str) -> None:
    rows = [one for one in asked() if one.record_id != "c7"]
    verdict = decide(make_run(tmp_path, rows, f"expected: {named}\n"), tmp_path / "criteria.yaml")
    assert verdict.decision == "no-go"
    assert decisions(verdict)["expected_answers"] == "not measured"
    assert verdict.expected is not None
    assert verdict.expected.sources[0].path == "../examples.jsonl"
    assert read_results(tmp_path / "run").chain[-2].state == "as it was"
    expected.write_bytes(expected.read_bytes() + b"\n")
    with pytest.raises(InputError, match=r"rests on another examples\.jsonl than the one here"):
        read_results(tmp_path / "run")


@pytest.mark.parametrize(
    "named", ["5", "{path: x}", "{source: x, split: y}", "[[x]]", "{source: x, splits: 1}"]
)
def test_criteria_that_name_nothing_readable_are_refused(tmp_path: Path, named: str) -> None:
    path = tmp_path / "criteria.yaml"
    path.write_text(f"expected: {named}\ncriteria:{HELPS}", "utf-8")
    with pytest.raises(InputError, match="'expected' is a path, or a mapping with 'source: PATH'"):
        read_wanted(path)


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def predictions(path: Path, _: list[dict[str, Any]]) -> Path:
    write_predictions(path, asked())
    return path


def records(path: Path, rows: list[dict[str, Any]]) -> Path:
    """As `folder` sources and shards hold them: a record with the examples about it."""
    of_record = ("dataset", "split", "group")
    dropped = (*of_record, "record_id", "audio_sha256")
    by_record: dict[str, list[dict[str, Any]]] = {}
    for one in rows:
        by_record.setdefault(one["record_id"], []).append(one)
    return write_lines(
        path,
        [
            {"id": name, **{field: found[0][field] for field in of_record}}
            | {"examples": [{k: v for k, v in one.items() if k not in dropped} for one in found]}
            for name, found in by_record.items()
        ],
    )


@pytest.mark.parametrize("write", [write_lines, parquet, predictions, records])
def test_every_kind_of_file_states_the_same(tmp_path: Path, write: Callable[..., Path]) -> None:
    rows = examples(asked())
    found = read_expected(Wanted(write(tmp_path / "e", rows))).examples
    stated = read_expected(Wanted(write_lines(tmp_path / "e.jsonl", rows))).examples
    assert {one.example_id: one.facts for one in found} == {one.example_id: one.facts for one in stated}
    assert {one.sounds for one in found} in ({one.sounds for one in stated}, {frozenset()})


def test_the_order_of_rows_changes_nothing(tmp_path: Path, expected: Path) -> None:
    rows = [one for one in asked() if one.example_id != "c7-audio"]
    found = check_expected([Wanted(expected)], all_arms(rows), tmp_path)
    write_lines(expected, examples(asked())[::-1])
    turned = check_expected([Wanted(expected)], all_arms(shuffled(rows)), tmp_path)
    assert msgspec.structs.replace(turned, sources=found.sources) == found
    assert found.missing == 5


def test_a_failed_request_may_not_know_the_references(tmp_path: Path, expected: Path) -> None:
    """In the answers, and in a predictions file that says what was asked."""
    rows = [
        msgspec.structs.replace(one, answer=None, error="timeout", references=())
        if (one.example_id, one.condition) == ("c0-audio", "gate_off")
        else one
        for one in asked()
    ]
    assert check_expected([Wanted(expected)], all_arms(rows), tmp_path).missing == 0
    write_predictions(tmp_path / "p.jsonl", rows[::-1])
    assert check_expected([Wanted(tmp_path / "p.jsonl")], all_arms(asked()), tmp_path).missing == 0


def test_a_namesake_in_the_run_folder_is_not_taken_for_what_was_expected(tmp_path: Path) -> None:
    """Predictions of another model can say what was asked."""
    write_predictions(tmp_path / "predictions.jsonl", [one for one in asked() if one.model == "base"])
    run = make_run(tmp_path, [one for one in asked() if one.model == "safe"])
    assert decide(run, tmp_path / "criteria.yaml", [tmp_path / "predictions.jsonl"]).decision == "go"
    assert {link.state for link in read_results(run).chain} == {"as it was"}


def test_half_a_surrogate_pair_is_read_as_in_predictions(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text('{"id": "q", "references": ["\\ud83d"]}\n')
    (example,) = read_expected(Wanted(tmp_path / "e.jsonl")).examples
    assert example.facts["references"] == ("\ufffd",)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"id": "a"}, "'a': Object missing required field `references`"),
        ({"references": ["x"]}, "names no example"),
        ({"id": " ", "references": ["x"]}, "names no example"),
        ({"id": "a", "references": ["x"], "need_audio": True}, "unknown field 'need_audio'; did you mean"),
        ({"id": "a", "references": ["x"], "needs_audio": "yes"}, "Expected `bool | null`, got `str`"),
        ({"id": "a", "references": "x"}, "Expected `array`, got `str`"),
        (5, "is no JSON object"),
    ],
)
def test_rows_that_are_no_examples_are_refused_with_their_place(tmp_path: Path, row: Any, words: str) -> None:
    path = write_lines(tmp_path / "e.jsonl", [row])
    with pytest.raises(InputError) as caught:
        read_expected(Wanted(path))
    assert str(caught.value).startswith("e.jsonl:1 ")
    assert words in str(caught.value)


def test_an_example_that_is_stated_twice_must_be_stated_alike(tmp_path: Path) -> None:
    rows = [{"id": "a", "references": ["x"]}, {"id": "a", "references": ["y"]}]
    with pytest.raises(InputError, match=r"e\.jsonl:2 'a': stated twice, differently"):
        read_expected(Wanted(write_lines(tmp_path / "e.jsonl", rows)))
    assert len(read_expected(Wanted(write_lines(tmp_path / "e.jsonl", rows[:1] * 2))).examples) == 1


def test_a_sound_of_two_channels_is_known_by_the_one_that_is_heard(tmp_path: Path) -> None:
    times = np.arange(8_000) / 8_000
    stereo = np.stack([np.sin(2 * np.pi * 440 * times), 0.5 * np.sin(2 * np.pi * 660 * times)], axis=1)
    (tmp_path / "raw").mkdir()
    soundfile.write(tmp_path / "raw" / "one.wav", stereo, 8_000)
    about = {"id": "one", "task": "vqa", "prompt": "what is heard ?", "references": ["bell"]}
    row = {"id": "one", "audio_file_name": "one.wav", "group": "g", "split": "test", "examples": [about]}
    (tmp_path / "raw" / "metadata.jsonl").write_text(json.dumps(row))
    build_dataset(tmp_path / "raw", tmp_path / "shards", quiet=True)
    sound = ShardDataset(tmp_path / "shards", "test").audio(0)
    assert sound is not None
    (found,) = read_expected(Wanted(tmp_path / "shards")).examples
    assert hear(sound).sha256 in found.sounds
    assert hear(replace(sound, samples=-sound.samples)).sha256 not in found.sounds
