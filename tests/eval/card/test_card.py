"""The card as others read it: each format by its own reader, each number with its proof."""

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree

import msgspec
import pytest
import yaml

from safe_data.core.errors import InputError
from safe_data.core.markdown import plain
from safe_eval.card.card import write_card
from safe_eval.card.junit import junit_xml
from safe_eval.card.published import file_names, read_published
from safe_eval.card.summary import summary
from safe_eval.judging.judged import Judged
from safe_eval.judging.verdict import Verdict
from safe_eval.options import CardOptions
from safe_eval.scoring.scores import PredictionsFile, read_scores
from safe_eval.text.verdict_text import verdict_table

SCHEMAS = Path(__file__).resolve().parents[4] / "shared" / "truth" / "schemas"


def documents(out: Path) -> list[tuple[Path, dict]]:
    return [(path, json.loads(path.read_text("utf-8"))) for path in sorted(out.glob("data/*/*/*/*.json"))]


def entries(out: Path, variant: str) -> list[dict]:
    return yaml.safe_load((out / "org-safe/.eval_results" / f"{variant}.yaml").read_text("utf-8"))


def test_the_hub_reads_one_file_a_variant_with_the_numbers_of_the_scores(run, card):
    from huggingface_hub import parse_eval_result_entries

    out, scores = card[0], read_scores(run)
    written = {path.stem for path in out.glob("org-safe/.eval_results/*.yaml")}
    assert written == {"quiz_full", "quiz_mute_audio", "clips_full"}
    (quiz,) = parse_eval_result_entries(entries(out, "quiz_mute_audio"))
    seeds = next(row for row in scores.seeds if row.condition == "mute_audio" and row.slice == "all")
    assert (quiz.dataset_id, quiz.task_id, quiz.date) == ("org/quiz", "hearing", "2026-11-26T00:00:00Z")
    assert quiz.value == seeds.mean
    assert quiz.notes is not None
    assert "condition mute_audio; mean of 2 seeds" in quiz.notes
    assert scores.provenance.predictions[0].sha256 in quiz.notes
    (clips,) = parse_eval_result_entries(entries(out, "clips_full"))
    cider = next(m for m in scores.metrics if (m.metric, m.model, m.slice) == ("cider_d", "org/safe", "all"))
    assert (clips.dataset_id, clips.value) == ("clips", cider.value)


def test_a_dataset_without_a_hub_id_is_named(card):
    assert any(
        "give those of clips" in note and "--hub clips=ORG/NAME:TASK" in note for note in card[1].notes
    )


def test_every_eval_ever_accepts_the_aggregates_and_the_instances(card):
    if not SCHEMAS.is_dir():
        pytest.skip("the schemas lie outside the repository, in ../shared/truth")
    from jsonschema import Draft7Validator
    from jsonschema.validators import validator_for

    aggregate = json.loads((SCHEMAS / "every_eval_ever.schema.json").read_text("utf-8"))
    instance = json.loads((SCHEMAS / "every_eval_ever_instance.schema.json").read_text("utf-8"))
    of_aggregate, of_instance = Draft7Validator(aggregate), validator_for(instance)(instance)
    found = documents(card[0])
    assert len(found) == 4  # two datasets, two models
    for path, document in found:
        assert [error.message for error in of_aggregate.iter_errors(document)] == []
        lines = path.with_name(f"{path.stem}_samples.jsonl").read_text("utf-8").splitlines()
        for line in lines:
            assert [error.message for error in of_instance.iter_errors(json.loads(line))] == []
    document["evaluation_results"][0]["metric_config"].pop("min_score")  # the validator can say no
    assert list(of_aggregate.iter_errors(document))


def test_aggregates_and_instances_join_and_agree(run, card):
    proof = read_scores(run).provenance.predictions[0].sha256
    for path, document in documents(card[0]):
        results = {result["evaluation_result_id"]: result for result in document["evaluation_results"]}
        assert all(proof in result["score_details"]["details"]["predictions"] for result in results.values())
        detailed = document["detailed_evaluation_results"]
        file = card[0] / detailed["file_path"]
        assert file == path.with_name(f"{path.stem}_samples.jsonl")
        assert detailed["checksum"] == sha256(file.read_bytes()).hexdigest()
        assert UUID(path.stem).version == 4
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        assert detailed["total_rows"] == len(lines)
        by_result: dict[str, list[float]] = {}
        for line in lines:
            assert line["evaluation_id"] == document["evaluation_id"]
            by_result.setdefault(line["evaluation_result_id"], []).append(line["evaluation"]["score"])
        for name in (
            "vqa_accuracy/full/seed-0/all",
            "vqa_accuracy/mute_audio/seed-1/all",
            "cider_d/full/seed-0/all",
        ):
            if name in results:
                scores = by_result[name]
                assert sum(scores) / len(scores) == pytest.approx(results[name]["score_details"]["score"])
        assert set(by_result) <= set(results)


def test_an_instance_keeps_the_answer_the_failure_and_our_facts(card):
    file = next(card[0].glob("data/quiz/org/org-safe-7b/*_samples.jsonl"))
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    failed = next(line for line in lines if line["error"])
    assert failed["error"] == "out | of <memory>"
    assert (failed["output"]["raw"], failed["answer_attribution"]) == ([], [])
    assert failed["metadata"]["condition"] == "mute_audio"
    assert failed["metadata"]["group"] == "clip-2"
    assert failed["performance"] == {"latency_ms": 12.5}
    asked, reference = failed["input"]["raw"], "".join(failed["input"]["reference"])
    assert failed["sample_hash"] == sha256((asked + reference).encode()).hexdigest()


def test_a_caption_is_not_called_right(card):
    file = next(card[0].glob("data/clips/org/org-safe-7b/*_samples.jsonl"))
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert {line["evaluation"]["is_correct"] for line in lines} == {False}
    assert "not defined" in lines[0]["metadata"]["is_correct"]


def test_junit_says_what_failed_what_was_not_measured_and_what_decides_nothing(card):
    suite = ElementTree.parse(card[0] / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["4", "1", "1", "1"]
    outcomes = {case.get("name"): [child.tag for child in case] for case in suite}
    assert outcomes == {
        "sound helps": [],
        "never | wrong <x>": ["failure"],
        "hears noise": ["error"],
        "nice to have": ["skipped"],
    }


def test_junit_has_the_form_that_pytest_writes(card, tmp_path):
    (tmp_path / "test_a.py").write_text("def test_a(): assert 0\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--junitxml=a.xml",
        "test_a.py",
    ]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # loading ours takes seconds
    subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, check=False)

    def form(path: Path) -> dict[str, set[str]]:
        return {element.tag: set(element.keys()) for element in ElementTree.parse(path).getroot().iter()}

    theirs, ours = form(tmp_path / "a.xml"), form(card[0] / "junit.xml")
    for tag, attributes in theirs.items():
        assert attributes - ours[tag] <= {"hostname"}, tag  # a verdict has none


def test_junit_survives_text_that_xml_cannot_hold():
    judged = Judged(
        name="a\x00b\x1b",
        bound=">= 1",
        decision="no-go",
        evidence="\ud83d ]]>",
        use="value",
        severity="critical",
    )
    verdict = Verdict(
        decision="no-go", criteria=(judged,), scores_sha256="0", criteria_file=PredictionsFile("a.yaml", "0")
    )
    root = ElementTree.fromstring(junit_xml(verdict, "run", "2026-11-26"))
    assert root.find("testsuite/testcase/failure") is not None


def test_the_interval_that_decides_is_shown(run, card):
    """Of one-sided tests it is narrower: beside the ordinary one, a go could look like a no-go."""
    judged = Judged(
        name="kept",
        value=0.0,
        ci_low=-0.006,
        ci_high=0.006,
        equivalence_low=-0.004,
        equivalence_high=0.004,
        bound=">= -0.001",
        decision="no-go",
        evidence="",
        use="non_inferiority",
        severity="critical",
    )
    verdict = Verdict(
        decision="no-go", criteria=(judged,), scores_sha256="0", criteria_file=PredictionsFile("a.yaml", "0")
    )
    published = read_published(run, CardOptions())
    assert "| 0.000 \\[−0.004, 0.004\\] | non\\_inferiority \\>= -0.001 |" in summary(published, verdict)
    assert "0.0000 [−0.004, 0.004]; asked for the worse end" in "\n".join(verdict_table(verdict))
    failure = ElementTree.fromstring(junit_xml(verdict, "run", "2026-11-26")).find(".//failure")
    assert failure is not None
    assert failure.get("message") == "no-go: 0 [−0.004, 0.004], asked for >= -0.001 by non_inferiority"


def test_the_summary_shows_every_criterion_and_lets_no_markup_through(card):
    text = (card[0] / "summary.md").read_text("utf-8")
    assert text.startswith("## ❌ made: no-go\n")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 6  # the header, its line, and four criteria
    assert "never \\| wrong \\<x\\>" in text
    assert "hears noise | not measured" in text
    assert "\n\nBy judge.yaml: 1 of 4 criteria hold.\n\n" in text


def test_a_verdict_goes_nowhere_without_what_its_criteria_leave_out(card):
    for name in ("summary.md", "org-safe/model_card.md"):
        assert "\n\nThe criteria leave out on purpose how well clips (" in (card[0] / name).read_text("utf-8")


def test_a_model_card_holds_its_numbers_its_differences_and_the_proof(run, card):
    text = (card[0] / "org-safe/model_card.md").read_text("utf-8")
    assert text.startswith("<!-- safe-eval: begin -->\n## Evaluation\n")
    assert "| quiz | mute\\_audio | vqa\\_accuracy | 0.000 |" in text
    seeds = [line.split(" | ")[-1] for line in text.splitlines() if line.startswith("| quiz | full | ece |")]
    assert seeds == ["0, 1 |"]
    assert "| 0, 1 |" in text
    assert "org/safe/full | base/full | audio | vqa\\_accuracy | 0 | +0." in text
    assert read_scores(run).provenance.predictions[0].sha256 in text
    assert "org/safe/mute\\_audio: 23 of 24 examples answered" in text
    assert str(run) not in text  # no path of the machine


def test_the_same_run_gives_the_same_bytes(run, card, tmp_path):
    options = CardOptions(
        hub=("quiz=org/quiz:hearing",), model_id=("org/safe=org/safe-7b",), date="2026-11-26"
    )
    write_card(run, options, out=tmp_path)
    files = [path for path in sorted(card[0].rglob("*")) if path.is_file()]
    assert len(files) == 17
    for path in files:
        assert (tmp_path / path.relative_to(card[0])).read_bytes() == path.read_bytes(), path


def test_another_card_is_not_written_over(run, tmp_path):
    write_card(run, CardOptions(date="2026-11-26"), out=tmp_path)
    write_card(run, CardOptions(date="2026-11-26"), out=tmp_path)  # the same may be written again
    with pytest.raises(InputError, match=r"is there already, and holds something else; .* --force"):
        write_card(run, CardOptions(date="2026-11-27"), out=tmp_path)
    write_card(run, CardOptions(date="2026-11-27"), out=tmp_path, force=True)


def test_a_forged_score_is_not_published(run, tmp_path):
    forged = tmp_path / "forged"
    forged.mkdir()
    for name in ("predictions.jsonl", "items.parquet"):
        (forged / name).write_bytes((run / name).read_bytes())
    scores = json.loads((run / "scores.json").read_text("utf-8"))
    next(row for row in scores["metrics"] if row["model"] == "org/safe")["value"] = 0.99
    (forged / "scores.json").write_bytes(msgspec.json.encode(scores))
    with pytest.raises(InputError, match=r"are not what its predictions give|the predictions give"):
        write_card(forged, out=tmp_path / "card")
    assert not (tmp_path / "card").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (CardOptions(hub=("quiz",)), "--hub 'quiz' is no NAME=ID, such as music_avqa=org/music-avqa:test"),
        (CardOptions(hub=("quiz=quiz",)), "--hub 'quiz' is no dataset of the Hub, which is ORG/NAME"),
        (CardOptions(hub=("quizz=a/b",)), "--hub names 'quizz', which is not in this run; there are"),
        (CardOptions(model_id=("safe=a", "safe=b")), "--model-id names 'safe' twice"),
        (CardOptions(hub=("quiz=../x",)), "--hub '../x' is no dataset of the Hub"),
        (CardOptions(model_id=("base=a b/c",)), "--model-id base=a b/c: 'a b/c' is no id of the Hub"),
        (CardOptions(model_id=("base=../../x",)), "--model-id base=../../x: '../../x' is no id of the Hub"),
        (
            CardOptions(model_id=("base=a/b", "org/safe=a/b")),
            "--model-id: 'base' and 'org/safe' would both be 'a/b'; give each its own id",
        ),
        (CardOptions(date="yesterday"), "date 'yesterday' is no ISO 8601 date; write 2026-11-26"),
    ],
)
def test_options_that_name_nothing_are_refused(run, tmp_path, options, message):
    with pytest.raises(InputError, match="^" + message.replace("(", r"\(")):
        write_card(run, options, out=tmp_path)


def test_names_become_paths_that_stay_inside_and_differ():
    names = file_names(["../../etc", "etc", "a/b", "a-b", "A-B", "", ".", "x" * 300])
    assert len({name.lower() for name in names.values()}) == 8
    assert all(
        name and "/" not in name and not name.startswith(".") and len(name) < 100 for name in names.values()
    )


def test_markdown_shows_text_as_it_stands():
    assert plain("see [x](http://a) `b` @all #1\n- c") == ("see \\[x\\](http\\://a) \\`b\\` \\@all \\#1 - c")
