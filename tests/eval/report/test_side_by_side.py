"""Several models, and several runs, on one page."""

import re
import shutil
from pathlib import Path

import msgspec
import pytest
from html_page import Page
from made_run import make_run

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.prediction import Prediction
from safe_eval.report.report import write_report
from safe_eval.scoring.scores import read_scores


def renamed(rows: list[Prediction], **names: str) -> list[Prediction]:
    return [msgspec.structs.replace(row, model=names[row.model]) for row in rows if row.model in names]


def only(rows: list[Prediction], model: str, *conditions: str) -> list[Prediction]:
    return [row for row in rows if row.model == model and row.condition in conditions]


def worse(rows: list[Prediction], model: str, every: int = 4) -> list[Prediction]:
    return [
        msgspec.structs.replace(row, model=model, answer="wrong" if i % every == 0 else row.answer)
        for i, row in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def equals(answers, tmp_path_factory) -> Path:
    """alpha and beta, under two conditions each, and no model that is called base."""
    alpha = renamed(only(answers, "safe", "full", "mute_audio"), safe="alpha")
    return make_run(tmp_path_factory.mktemp("equals") / "pair", [*alpha, *worse(alpha, "beta")])


@pytest.fixture(scope="module")
def other(answers, tmp_path_factory) -> Path:
    """A second training of the model of `run`, which is worse, beside the same base."""
    rows = only(answers, "base", "full")
    safe = worse(only(answers, "safe", "full", "mute_audio"), "safe")
    return make_run(tmp_path_factory.mktemp("other") / "second", [*rows, *safe])


@pytest.fixture(scope="module")
def together(run, other, tmp_path_factory) -> Path:
    return write_report(run, other, out=tmp_path_factory.mktemp("out") / "both.html")


def test_models_without_a_base_stand_beside_each_other_and_are_compared(equals, tmp_path):
    said = Page(write_report(equals, out=tmp_path / "r.html").read_text()).said
    assert "Slice and condition alpha beta VL questions" in said
    assert "alpha/full − beta/full" in said
    assert "alpha/mute_audio − beta/mute_audio" in said
    assert re.search(
        r"Equivalence · vqa_accuracy .* alpha/full − beta/full (different|undecided|equivalent) ", said
    )
    assert "Lost: right by alpha, wrong by beta" in said
    assert "Heard: wrong without the sound" not in said
    for arm in ("alpha", "beta", "alpha, audio muted", "beta, audio muted"):
        assert f"{arm} " in said
    assert "grouped by what they show about" in said or "is not the accuracy of alpha and beta." in said


def test_the_chart_has_every_model(equals, tmp_path):
    text = write_report(equals, out=tmp_path / "r.html").read_text()
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert all(f">{arm}</text>" in drawn for arm in ("alpha", "beta", "beta, audio muted"))


def test_any_model_can_be_the_baseline_of_a_page(equals, tmp_path, capsys):
    out = tmp_path / "r.html"
    assert main(["report", str(equals), "--baseline", "alpha", "--out", str(out)]) == 0
    said = Page(out.read_text()).said
    assert "beta/full − alpha/full" in said
    assert "alpha/full − beta/full" not in said
    forward = next(c for c in read_scores(equals).comparisons if (c.a, c.b) == ("alpha/full", "beta/full"))
    assert f"{-100 * forward.difference:+.1f} pp".replace("-", "−") in said
    assert main(["report", str(equals), "--baseline", "alpah", "--out", str(out)]) == 3
    message = capsys.readouterr().err
    assert (
        message == "safe-eval report: --baseline alpah: no model has this name here; did you mean 'alpha'?\n"
    )


def test_the_baseline_of_several_runs_is_of_the_first(run, equals, tmp_path, capsys):
    out = ["--out", str(tmp_path / "r.html"), "--baseline", "alpha"]
    assert main(["report", str(run), str(equals), *out]) == 3
    assert (
        capsys.readouterr().err == "safe-eval report: --baseline alpha: no model has this name in made, the "
        "first run; models are base, safe\n"
    )


def test_runs_stand_side_by_side_with_both_verdicts_on_top(together):
    said = Page(together.read_text()).said
    assert (
        said.index("2 runs side by side: made and second")
        < said.index("made: NO-GO")
        < said.index("second: ")
    )
    assert said.index("second: ") < said.index("Criterion made second sound helps")
    assert "Slice and condition made: base made: safe second: base second: safe" in said
    assert "Lost: right by made: safe, wrong by second: safe" in said
    assert said.count("sha256 of scores.json") == 2


def test_runs_are_compared_item_by_item_under_each_condition_of_both(together, run, other):
    said = Page(together.read_text()).said
    for pair in (
        "second: safe/full − made: safe/full",
        "second: safe/mute_audio − made: safe/mute_audio",
        "second: base/full − made: base/full",
    ):
        assert pair in said
    assert "gate_off − " not in said
    values = {}
    for folder in (run, other):
        for m in read_scores(folder).metrics:
            if (m.metric, m.slice, m.model, m.condition) == ("vqa_accuracy", "all", "safe", "full"):
                values[folder.name] = m.value
    difference = f"{100 * (values['second'] - values['made']):+.1f} pp".replace("-", "−")
    row = said[said.index("second: safe/full − made: safe/full") :]
    assert difference in row[:400]
    assert "second: base/full − made: base/full 0.0 pp" in said


def test_the_summary_of_several_runs_has_each_verdict_and_one_table(together):
    summary = together.with_suffix(".md").read_text()
    assert summary.startswith("## NO-GO: made\n")
    assert "\n## NO-GO: second\n" in summary or "\n## NOT MEASURED: second\n" in summary
    assert "| Accuracy | made: base | made: safe | second: base | second: safe | size |" in summary


def test_several_runs_need_a_place_for_the_page(run, other, capsys):
    assert main(["report", str(run), str(other)]) == 3
    assert capsys.readouterr().err == (
        "safe-eval report: 2 runs on one page belong to no folder of theirs; add --out FILE.html\n"
    )
    assert not (other / "report.html").exists()


def test_a_run_beside_itself_is_refused(run, tmp_path):
    with pytest.raises(InputError, match="is given twice; a run needs no comparison with itself"):
        write_report(run, run / ".." / run.name, out=tmp_path / "r.html")


def test_runs_of_one_name_are_told_apart_by_the_folders_above(run, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(run, tmp_path / name / "run")
    page = write_report(tmp_path / "one" / "run", tmp_path / "two" / "run", out=tmp_path / "r.html")
    said = Page(page.read_text()).said
    assert "one/run and two/run" in said
    assert "two/run: safe/full − one/run: safe/full 0.0 pp" in said


def test_examples_of_one_run_alone_are_counted_and_others_are_left_out(run, answers, tmp_path):
    ids = sorted({row.example_id for row in answers})
    changed = [
        msgspec.structs.replace(row, prompt="something else") if row.example_id == ids[7] else row
        for row in answers
        if row.example_id not in ids[:3]
    ]
    more = [msgspec.structs.replace(row, example_id="extra") for row in only(answers, "safe", "full")[:1]]
    other = make_run(tmp_path / "other", [*changed, *more])
    said = Page(write_report(run, other, out=tmp_path / "r.html").read_text()).said
    common = len(ids) - 3
    assert f"made and other have {common} examples in common, and only these are compared; " in said
    assert "3 are in made alone and 1 in other alone." in said
    assert (
        "Left out of comparisons and items: 1 example of other with another question or other references "
        f"than made has under the same id: {ids[7]}."
    ) in said


def test_runs_without_a_common_example_are_not_compared_and_the_page_says_so(run, answers, tmp_path):
    rows = [msgspec.structs.replace(row, example_id=f"x{row.example_id}") for row in answers]
    page = write_report(run, make_run(tmp_path / "other", rows), out=tmp_path / "r.html")
    said = Page(page.read_text()).said
    assert "made and other have 0 examples in common, and only these are compared; " in said
    assert "other: safe/full − made: safe/full not measured" in said


def test_runs_with_one_seed_each_share_their_tables(run, answers, tmp_path):
    rows = [msgspec.structs.replace(row, seed=5) for row in answers]
    page = write_report(run, make_run(tmp_path / "other", rows), out=tmp_path / "r.html")
    said = Page(page.read_text()).said
    assert (
        "Each run has one training seed, and they differ: made 0, other 5. The tables call it seed 0." in said
    )
    assert "made: base made: safe other: base other: safe" in said
    assert "other: safe/full − made: safe/full 0.0 pp" in said


def test_models_of_other_names_are_compared_with_the_one_that_the_first_run_tests(run, answers, tmp_path):
    rows = renamed(only(answers, "safe", "full"), safe="rival")
    page = write_report(run, make_run(tmp_path / "other", rows), out=tmp_path / "r.html")
    said = Page(page.read_text()).said
    assert "other: rival/full − made: safe/full 0.0 pp" in said
