"""Recheck: numbers and items that the predictions do not give are refused, however they were forged."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_rows import row
from made_run import made_answers, make_run, make_shards

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_eval.cli import main
from safe_eval.predictions import read_predictions, write_predictions
from safe_eval.scoring.recheck import check_scores, recheck

Content = dict[str, Any]
Column = list[Any]

AGAIN = "safe-eval score {run}/predictions.jsonl --resamples 200 --out {run} --force"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return made_answers(make_shards(tmp_path_factory.mktemp("world")))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, answers: list[Any]) -> Path:
    return make_run(tmp_path_factory.mktemp("made") / "run", answers)


@pytest.fixture
def run(tmp_path: Path, made: Path) -> Path:
    """The run in a folder of its own, which a test may forge."""
    return Path(shutil.copytree(made, tmp_path / "run"))


def forged(run: Path, change: Callable[[Content], None]) -> Path:
    path = run / "scores.json"
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")
    return run


def metric(content: Content, **about: str) -> Content:
    return next(row for row in content["metrics"] if all(row[name] == it for name, it in about.items()))


def test_scores_as_they_were_made_are_taken(run: Path) -> None:
    assert check_scores(run).metrics


def better(content: Content) -> None:
    metric(content, metric="vqa_accuracy", slice="audio", model="safe", condition="full")["value"] = 0.99


def narrower(content: Content) -> None:
    row = content["comparisons"][0]
    row["ci_low"] = row["difference"] - 0.001


def without_a_row(content: Content) -> None:
    content["comparisons"].pop()


def with_a_row(content: Content) -> None:
    content["metrics"].append(content["metrics"][0] | {"slice": "type:new"})


def covered(content: Content) -> None:
    content["cells"][0]["answered"] += 1


def not_a_number(content: Content) -> None:
    content["metrics"][0]["ci_low"] = None


def twice(content: Content) -> None:
    content["comparisons"].append(dict(content["comparisons"][0]))


def fewer_expected(content: Content) -> None:
    content["coverage"]["full"]["errored"] += 1


def without_a_condition(content: Content) -> None:
    content["coverage"].pop("mute_audio")


def fewer_rows(content: Content) -> None:
    content["provenance"]["rows"] -= 1


def other_clusters(content: Content) -> None:
    content["provenance"]["cluster"] = "example_id"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (better, r"safe full 0: value is 0\.99, the predictions give 0\.\d+"),
        (narrower, r"comparisons .*: ci_low is -?0\.\d+, the predictions give -?0\.\d+"),
        (without_a_row, "comparisons .*: is missing"),
        (with_a_row, "type:new .*: the predictions give no such row"),
        (covered, r"cells .*: answered is \d+, the predictions give \d+"),
        (not_a_number, "ci_low is None, the predictions give"),
        (twice, "comparisons .*: 2 rows, the predictions give 1"),
        (fewer_expected, "coverage full errored is 1, the predictions give 0"),
        (without_a_condition, "coverage mute_audio: is missing"),
        (fewer_rows, r"rows is \d+, the predictions give \d+"),
        (other_clusters, "cluster is 'example_id', the predictions give 'group'"),
    ],
)
def test_numbers_that_the_predictions_do_not_give_are_refused(
    run: Path, change: Callable[[Content], None], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        check_scores(forged(run, change))
    assert "scores.json: 1 entry is not what its predictions give\n" in str(caught.value)
    assert str(caught.value).endswith(AGAIN.format(run=run))


@pytest.mark.parametrize(
    ("field", "forgery"), [("value", 0.9), ("ci_low", 0.9), ("ci_high", None), ("clusters", 99)]
)
def test_aggregates_are_checked_with_their_intervals(tmp_path: Path, field: str, forgery: object) -> None:
    clips = [
        row(f"k{i}", "a" if i % 3 else "b", references=("ab"[i % 2],), task="classify", model="safe")
        for i in range(30)
    ]
    write_predictions(tmp_path / "predictions.jsonl", clips)
    typed = ["score", f"{tmp_path}/predictions.jsonl", "--out", str(tmp_path), "--resamples", "200"]
    assert main(typed) == 0
    assert check_scores(tmp_path).aggregates

    def change(content: Content) -> None:
        next(m for m in content["aggregates"] if m["name"] == "balanced_accuracy")[field] = forgery

    with pytest.raises(InputError, match=rf"aggregates accuracy balanced_accuracy .*: {field} is "):
        check_scores(forged(tmp_path, change))


def test_a_note_left_out_is_missed(tmp_path: Path) -> None:
    write_predictions(tmp_path / "predictions.jsonl", [row("q1", "yes", references=("yes", "yes"))])
    assert main(["score", f"{tmp_path}/predictions.jsonl", "--out", str(tmp_path)]) == 0

    def without_notes(content: Content) -> None:
        assert content["notes"]
        content["notes"].clear()

    with pytest.raises(InputError, match=r"the note '1 examples have 2 or 3 references: .*' is missing"):
        check_scores(forged(tmp_path, without_notes))


def forged_items(run: Path, name: str, change: Callable[[Column], Column]) -> Path:
    """The run with a column of items.parquet changed, and its new hash in scores.json."""
    path = run / "items.parquet"
    stored = pq.ParquetFile(path)
    groups = [stored.read_row_group(number) for number in range(stored.num_row_groups)]
    with pq.ParquetWriter(path, stored.schema_arrow) as writer:
        for group in groups:  # one row group per arm, as they were written
            column = pa.array(
                change(group[name].to_pylist()), pa.float64() if name == "value" else pa.string()
            )
            place = group.column_names.index(name)
            forged_group = group.set_column(place, name, column.cast(group.schema.field(name).type))
            writer.write_table(forged_group, row_group_size=group.num_rows)

    def with_new_hash(content: Content) -> None:
        content["provenance"]["items_sha256"] = file_sha256(path)

    return forged(run, with_new_hash)


def test_scores_whose_items_are_gone_are_refused(run: Path) -> None:
    (run / "items.parquet").unlink()
    with pytest.raises(InputError, match=r"items\.parquet: no such file; make it with: safe-eval score"):
        check_scores(run)


def test_a_file_is_no_run(run: Path) -> None:
    with pytest.raises(
        InputError, match=r"scores\.json: is a file; give the folder that safe-eval score wrote"
    ):
        check_scores(run / "scores.json")


def test_items_rewritten_as_they_were_are_taken(run: Path) -> None:
    assert check_scores(forged_items(run, "value", lambda values: values)).metrics


@pytest.mark.parametrize(
    ("name", "change", "first"),
    [
        (
            "value",
            lambda values: [1 - values[0], *values[1:]],
            r"value is [01]\.0, the predictions give [01]\.0",
        ),
        ("answer", lambda answers: ["x", *answers[1:]], "answer is 'x', the predictions give '.*'"),
        ("example_id", lambda names: names[1:] + names[:1], "example_id is '.*', the predictions give '.*'"),
    ],
)
def test_items_forged_together_with_their_hash_are_refused(
    run: Path, name: str, change: Callable[[Column], Column], first: str
) -> None:
    with pytest.raises(InputError) as caught:
        check_scores(forged_items(run, name, change))
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{run / 'items.parquet'}: does not hold what the predictions give"
    assert re.fullmatch(rf"'clip-\d+-\w+' base full vqa_accuracy: {first}", lines[1])
    assert lines[-1] == f"score them again: {AGAIN.format(run=run)}"


def test_the_verdict_on_forged_items_is_none(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "verdict.json").unlink()
    forged_items(run, "value", lambda values: [1.0] * len(values))
    assert main(["verdict", str(run), "--criteria", "demo"]) == 3
    assert "items.parquet: does not hold what the predictions give" in capsys.readouterr().err
    assert not (run / "verdict.json").exists()


@pytest.mark.parametrize("version", [None, 4, 5, 7])
def test_scores_of_another_format_are_refused_with_what_to_do(run: Path, version: int | None) -> None:
    def other(content: Content) -> None:
        del content["format_version"]  # the first format did not say its version
        if version is not None:
            content["format_version"] = version

    with pytest.raises(InputError) as caught:
        check_scores(forged(run, other))
    assert str(caught.value) == (
        f"{run / 'scores.json'}: has format {version or 1}, and this version reads format 6; score the "
        f"predictions again: safe-eval score PREDICTIONS --out {run} --force"
    )


def test_the_verdict_of_forged_scores_is_none(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "verdict.json").unlink()
    assert main(["verdict", str(forged(run, better)), "--criteria", "demo"]) == 3
    assert "value is 0.99" in capsys.readouterr().err
    assert not (run / "verdict.json").exists()


def test_scores_of_an_older_release_say_so(run: Path) -> None:
    def older(content: Content) -> None:
        better(content)
        content["provenance"]["versions"]["numpy"] = "1.0"

    with pytest.raises(InputError, match=r"\nscored with numpy 1\.0, judged with numpy 2"):
        check_scores(forged(run, older))


def test_what_was_asked_for_is_asked_for_again(
    tmp_path: Path, answers: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A run with a line cut off, a metric on request, its own seed and confidence: judged as scored."""
    file, out = tmp_path / "predictions.jsonl", tmp_path / "run"
    write_predictions(file, answers)
    file.write_bytes(file.read_bytes()[:-20])
    options = ["--metric", "exact_match", "--seed", "3", "--confidence", "0.9", "--resamples", "200"]
    assert main(["score", str(file), "--out", str(out), "--allow-partial", *options]) == 0
    scores = check_scores(out)
    assert scores.provenance.partial
    assert main(["verdict", str(out), "--criteria", "demo"]) == 1  # an example is not answered
    assert "90 % interval" in capsys.readouterr().out
    assert main(["report", str(out)]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_a_document_frequency_file_that_changed_is_refused(tmp_path: Path, answers: list[Any]) -> None:
    captions = [
        msgspec.structs.replace(row, task="caption", references=(f"a sound of {row.references[0]}",))
        for row in answers
        if row.condition == "full"
    ]
    file, out, df = tmp_path / "predictions.jsonl", tmp_path / "run", tmp_path / "df.json"
    write_predictions(file, captions)
    assert main(["score", str(file), "--out", str(out), "--write-df", str(df)]) == 0
    assert main(["score", str(file), "--out", str(out), "--df", str(df), "--force"]) == 0
    assert check_scores(out).provenance.frequencies
    df.write_bytes(df.read_bytes() + b"\n")
    with pytest.raises(InputError, match=r"was computed from another df\.json"):
        check_scores(out)
    df.unlink()
    with pytest.raises(InputError, match=r"put df\.json beside its scores"):
        check_scores(out)


def test_the_predictions_of_a_run_are_read_as_they_were_scored(run: Path) -> None:
    assert check_scores(run).provenance.rows == len(read_predictions(run / "predictions.jsonl"))


def test_why_java_could_not_run_is_taken_and_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list[Any]
) -> None:
    """Scored where no Java was, judged where one may be: nothing here can check the reason."""
    captions = [
        msgspec.structs.replace(one, task="caption", references=(f"a sound of {one.references[0]}",))
        for one in answers
        if one.condition == "full"
    ]
    write_predictions(tmp_path / "predictions.jsonl", captions)
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        typed = ["score", f"{tmp_path}/predictions.jsonl", "--out", str(tmp_path), "--resamples", "100"]
        assert main([*typed, "--metric", "meteor"]) == 0
    found = recheck(tmp_path)
    claim = "scores.json says, and nothing here can check it: METEOR is not measured: there is no java"
    assert any(note.startswith(claim) for note in found.notes)

    def praise(content: Content) -> None:
        next(one for one in content["aggregates"] if one["name"] == "meteor")["why_not"] = "it was excellent"

    with pytest.raises(InputError, match="why_not is 'it was excellent', the predictions give 'METEOR is"):
        recheck(forged(tmp_path, praise))
