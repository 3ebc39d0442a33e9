"""The chain on the page, and a run that is judged against the shards it was asked from."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from html_page import Page

from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_eval import Answer, Input, Sampling, read_predictions, run, score_files, write_predictions
from safe_eval.judging.verdict import Verdict, decide
from safe_eval.report.report import write_report

CRITERIA = """
leaves_out: {slice: vl}
criteria:
  - {name: hears, metric: accuracy, slice: audio, condition: parrot/full, bound: ">= 0.5"}
"""


class Parrot:
    """Says what is expected."""

    name = "parrot"

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        return [Answer(one.example.references[0]) for one in inputs]


@pytest.fixture(scope="module")
def asked(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the real runner on the shards, scored."""
    out = tmp_path_factory.mktemp("asked") / "run"
    dataset = ShardDataset(shards, "test")
    write_predictions(out / "predictions.jsonl", run(Parrot(), dataset, ["full", "mute_audio"], seed=0))
    (out / "criteria.yaml").write_text(CRITERIA, "utf-8")
    return scored(out)


def scored(out: Path) -> Path:
    score_files([out / "predictions.jsonl"], Sampling(resamples=100), out=out, force=True)
    return out


def decided(out: Path, shards: Path) -> Verdict:
    return decide(out, out / "criteria.yaml", expect=[shards], force=True)


def test_a_run_on_shards_is_what_they_expect(asked: Path, shards: Path) -> None:
    verdict = decided(asked, shards)
    assert verdict.decision == "go"
    assert verdict.expected is not None
    fingerprint = ShardDataset(shards, "test").fingerprint
    assert [(file.name, file.sha256) for file in verdict.expected.sources] == [("shards", fingerprint)]
    assert verdict.expected.answers == len(read_predictions(asked / "predictions.jsonl")) > 50
    assert (verdict.expected.missing, verdict.notes) == (0, ())  # another split is not expected


def test_another_sound_or_a_question_less_is_noticed(asked: Path, shards: Path, tmp_path: Path) -> None:
    out = shutil.copytree(asked, tmp_path / "run")
    rows = read_predictions(out / "predictions.jsonl")
    write_predictions(out / "predictions.jsonl", rows[1:])
    assert decided(scored(out), shards).decision == "not measured"
    first = msgspec.structs.replace(rows[0], audio_sha256="0" * 64)
    write_predictions(out / "predictions.jsonl", [first, *rows[1:]])
    with pytest.raises(InputError, match=rf"{first.example_id}': audio_sha256 under full is 000000000000"):
        decided(scored(out), shards)


def test_the_page_shows_the_chain_with_whole_hashes(asked: Path, shards: Path) -> None:
    verdict = decided(asked, shards)
    page = Page(write_report(asked, force=True).read_text())
    titles = {value for tag, name, value in page.attributes if (tag, name) == ("span", "title")}
    for name, sha256 in (
        ("predictions.jsonl", verdict.predictions[0].sha256),
        ("scores.json", verdict.scores_sha256),
        ("items.parquet", verdict.items_sha256),
        ("criteria.yaml", verdict.criteria_file.sha256),
        ("shards", verdict.expected.sources[0].sha256),
        ("verdict.json", verdict.sha256),
    ):
        assert sha256 in titles
        assert f"{name} " in page.said
        assert f"{sha256[:12]} {sha256} as it was" in page.said  # the long one is shown in print
    assert "Every answer that shards expects is there" in page.said
    assert "items are looked at by no criterion: dataset synthetic" in page.said
    assert "to prove the numbers, run verdict again on the predictions" in page.said
    summary = (asked / "report.md").read_text()
    assert f"→ scores.json {verdict.scores_sha256[:12]} → items.parquet" in summary


def test_the_page_says_what_was_not_compared_and_is_missing(
    asked: Path, shards: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(asked, tmp_path / "run")
    rows = read_predictions(out / "predictions.jsonl")
    write_predictions(out / "predictions.jsonl", rows[1:])
    decided(scored(out), shards)
    (out / "predictions.jsonl").unlink()
    page = Page(write_report(out, force=True).read_text())
    assert "not here, so not compared" in page.said
    assert f"Missing: '{rows[0].example_id}' of synthetic by parrot/full, seed 0" in page.said
    assert f"1 of {len(rows)} answers that shards expects are missing." in page.said
    assert "Coverage incomplete in 1 of 2 arms." in page.said


def test_a_run_without_expected_examples_says_that_nobody_counted(asked: Path) -> None:
    decide(asked, asked / "criteria.yaml", force=True)
    assert (
        "Nobody said what should have been answered" in Page(write_report(asked, force=True).read_text()).said
    )
