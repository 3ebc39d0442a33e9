"""No verdict is go while a dataset, task or slice of the tested model is judged by no criterion."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import answers, good_run, row
from made_success import success_rows
from made_verdict import decision, judged_rows

from safe_data.core.errors import InputError
from safe_eval.arms.all_arms import all_arms
from safe_eval.cli import main
from safe_eval.judging.chain import read_verdict
from safe_eval.judging.criteria_file import SHIPPED, fill_criteria
from safe_eval.judging.judged import Judged, overall
from safe_eval.judging.unjudged import find_unjudged
from safe_eval.judging.verdict import decide, sealed
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.report.chain import chain_words
from safe_eval.report.verdict_words import verdict_words
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import read_scores

EASY = "margin=0.25"  # 30 clips rule out no smaller loss


def named(rows: list[Prediction], dataset: str, **fields: object) -> list[Prediction]:
    """The same questions as rows of another dataset, with clips and groups of their own."""
    return [
        msgspec.structs.replace(
            one,
            example_id=f"{dataset}-{one.example_id}",
            group=f"{dataset}-{one.group}",
            dataset=dataset,
            **fields,
        )
        for one in rows
    ]


def fallen(rows: list[Prediction], dataset: str, needs_audio: bool | None, step: int = 2) -> list[Prediction]:
    """The rows in which the tested model has every second answer to some questions wrong."""
    return [
        msgspec.structs.replace(one, answer="no")
        if one.model == "safe"
        and one.dataset == dataset
        and one.needs_audio is needs_audio
        and int(str(one.record_id)[1:]) % step == 0
        else one
        for one in rows
    ]


def two_datasets(clips: int = 30) -> list[Prediction]:
    return [*named(good_run(clips), "vqav2"), *named(good_run(clips), "gqa")]


def criteria(folder: Path, text: str) -> Path:
    (folder / "mine.yaml").write_text(text, "utf-8")
    return folder / "mine.yaml"


def unjudged(rows: list[Judged]) -> list[str]:
    return [one.name.removeprefix("unjudged: ") for one in rows if one.name.startswith("unjudged: ")]


JUDGED = 'use: non_inferiority, bound: ">= -0.25"'
KEPT = f"""
  - {{name: kept, metric: accuracy, slice: vl, condition: safe/full, against: base/full,
     {JUDGED}}}"""
HEARS = """
  - {name: hears, metric: accuracy, slice: audio, condition: safe/full, bound: ">= 0.8"}"""


def test_a_dataset_that_fell_is_no_go_by_the_headline_of_each() -> None:
    rows = two_datasets()
    assert decision(rows, "demo", EASY) == "go"
    assert decision(fallen(rows, "gqa", needs_audio=False), "demo", EASY) == "no-go"


def test_a_dataset_that_a_rule_by_name_does_not_judge_is_not_measured() -> None:
    """GQA has a rule of its own, so that --set metric=vqa_accuracy judges VQAv2 alone."""
    found = judged_rows(two_datasets(), "demo", EASY, "metric=vqa_accuracy")
    assert (overall(found), unjudged(found)) == ("not measured", ["gqa"])
    (row_of_gqa,) = [one for one in found if one.name == "unjudged: gqa"]
    assert (row_of_gqa.decision, row_of_gqa.severity, row_of_gqa.value, row_of_gqa.n) == (
        "not measured",
        "critical",
        0.0,
        60,
    )
    assert row_of_gqa.evidence == (
        "criteria judge none of gqa (60 of safe/full); add a critical criterion on metric: accuracy, of "
        "safe/full by itself or against another model; if they are left out on purpose, write leaves_out: "
        "[{dataset: gqa}]"
    )


def test_a_file_that_names_its_dataset_is_about_this_one() -> None:
    rows = fallen(two_datasets(), "gqa", needs_audio=False)
    assert decision(rows, "demo", EASY, "dataset=vqav2") == "go"
    assert decision(rows, "demo", EASY, "dataset=gqa") == "no-go"


def test_criteria_that_name_one_dataset_say_nothing_of_another(tmp_path: Path) -> None:
    one = (HEARS + KEPT).replace("metric: accuracy", "dataset: vqav2, metric: accuracy")
    rows = fallen(two_datasets(), "gqa", needs_audio=False)
    assert unjudged(judged_rows(rows, criteria(tmp_path, f"criteria:{one}"))) == ["gqa"]
    for purpose in ("leaves_out: {dataset: gqa}", "covers: {dataset: vqav2}", "covers: [{dataset: vqav2}]"):
        assert decision(rows, criteria(tmp_path, f"{purpose}\ncriteria:{one}")) == "go"
    for misspelt in ("{dataset: vqav3}", "[{dataset: vqav2}, {dataset: gqaa}]"):
        mine = criteria(tmp_path, f"covers: {misspelt}\ncriteria:{one}")
        assert unjudged(judged_rows(rows, mine)) == ["gqa"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (KEPT.replace('"}', '", severity: warning}'), "kept is a warning"),
        (KEPT.replace("against: base/full", "against: safe/swap_audio"), "kept compares safe with itself"),
        (KEPT.replace("slice: vl", "slice: all"), "kept is on audio and vl together"),
        (KEPT.replace(JUDGED, 'bound: ">= -1"'), "kept has a bound that no loss"),
        (KEPT.replace(JUDGED, 'bound: "<= 1"'), "kept has a bound that no loss"),
        (KEPT.replace("metric: accuracy", "metric: consulted").replace("use: non_inferiority, ", ""),
         "kept is on consulted, which does not say how many are right"),
        (KEPT.replace("safe/full", "safe/swap_audio"), "of made, vqa, vl (20 of safe/full); add a critical"),
        (KEPT.replace("slice: vl", "slice: 'type:colour'"), ""),
    ],
)  # fmt: skip
def test_what_looks_at_a_slice_without_judging_it(tmp_path: Path, asked: str, says: str) -> None:
    rows = [msgspec.structs.replace(one, consulted=False) for one in good_run(20)]
    if "type:" in asked:
        asked = asked.replace(
            ', against: base/full,\n     use: non_inferiority, bound: ">= -0.25"', ', bound: "> 0.5"'
        )
    found = judged_rows(rows, criteria(tmp_path, f"criteria:{HEARS}{asked}"))
    assert unjudged(found) == (["made, vqa, vl"] if says else [])
    assert says in found[-1].evidence


def test_both_orders_and_an_identity_judge(tmp_path: Path) -> None:
    turned = KEPT.replace(
        "condition: safe/full, against: base/full", "condition: base/full, against: safe/full"
    )
    turned = turned.replace(">= -0.25", "<= 0.25")
    same = """
  - {name: same, metric: answers_changed, condition: safe/gate_off, against: base/full, bound: "== 0"}"""
    assert decision(good_run(20), criteria(tmp_path, f"criteria:{HEARS}{turned}")) == "go"
    as_base = [one for one in good_run(20) if one.condition in ("full", "gate_off")]
    as_base = [one for one in as_base if (one.model, one.condition) != ("safe", "full")]
    assert decision(as_base, criteria(tmp_path, f"criteria:{same}")) == "go"  # nobody answered under full


def test_rows_that_do_not_say_what_they_need_are_in_no_slice(tmp_path: Path) -> None:
    rows = [*good_run(30), *(msgspec.structs.replace(one, example_id=f"n-{one.example_id}", needs_audio=None)
                             for one in good_run(30) if not one.needs_audio)]  # fmt: skip
    assert unjudged(judged_rows(rows, "demo", EASY)) == ["made, vqa, neither"]
    silent = [one for one in rows if one.needs_audio is None]
    whole = KEPT.replace("slice: vl", "slice: all")
    assert decision(silent, criteria(tmp_path, f"criteria:{whole}")) == "go"


def test_a_dataset_without_sound_needs_no_criterion_on_sounds() -> None:
    rows = [
        *named(good_run(30), "vqav2"),
        *(one for one in named(good_run(30), "gqa") if not one.needs_audio),
    ]
    assert decision(rows, "demo", EASY) == "go"


def test_captions_beside_questions_are_a_claim_of_their_own() -> None:
    arms = [("base", "full"), *(("safe", c) for c in ("full", "mute_audio", "swap_audio", "gate_off"))]
    captions = [
        row(
            f"k{clip}",
            text,
            references=(text,),
            task="caption",
            dataset="vqav2",
            group=f"k{clip}",
            model=model,
            condition=condition,
        )
        for clip, text in enumerate(f"a dog barks at {number}" for number in range(5))
        for model, condition in arms
    ]
    found = judged_rows([*named(good_run(30), "vqav2"), *captions], "demo", EASY)
    assert (overall(found), unjudged(found)) == ("not measured", ["vqav2, caption, neither"])
    assert "metric: cider_d" in found[-1].evidence


def test_only_models_under_test_are_asked_for(tmp_path: Path) -> None:
    third = [*named(answers("other", "full", lambda *_: False, clips=30), "gqa")]
    rows = [*named(good_run(30), "vqav2"), *third]
    assert decision(rows, criteria(tmp_path, f"criteria:{HEARS}{KEPT}")) == "go"
    # The baseline answered GQA, and the tested model did not: who leaves out a dataset could lose there.
    left = [*named(good_run(30), "vqav2"), *named(answers("base", "full", lambda *_: True, clips=30), "gqa")]
    one = (HEARS + KEPT).replace("metric: accuracy", "dataset: vqav2, metric: accuracy")
    assert unjudged(judged_rows(left, criteria(tmp_path, f"criteria:{one}"))) == ["gqa"]


def test_two_models_under_test_are_told_apart(tmp_path: Path) -> None:
    other = [msgspec.structs.replace(one, model="other") for one in good_run(20) if one.model == "safe"]
    both = KEPT + KEPT.replace("safe/", "other/").replace("name: kept", "name: kept_too")
    found = judged_rows([*good_run(20), *other], criteria(tmp_path, f"criteria:{both}"))
    assert unjudged(found) == ["made, vqa, audio of safe", "made, vqa, audio of other"]


def test_criteria_that_name_no_model_judge_none(tmp_path: Path) -> None:
    covered = criteria(tmp_path, "criteria: [{name: covered, metric: coverage, bound: '== 1'}]")
    assert unjudged(judged_rows(good_run(20), covered)) == ["made"]
    alone = [one for one in good_run(20) if one.model == "base"]
    assert unjudged(judged_rows(alone, covered)) == ["made"]


def test_a_slice_left_out_still_has_a_dataset_to_look_at() -> None:
    """What goes without the sound is a claim on every dataset, whatever rule is named."""
    rows = two_datasets()
    assert unjudged(judged_rows(rows, "irrelevance", "metric=vqa_accuracy")) == ["gqa"]
    assert unjudged(judged_rows(rows, "irrelevance")) == []


def test_rules_of_the_benchmark_judge_it_and_others_do_not(tmp_path: Path) -> None:
    rows = named(good_run(20), "gqa")
    asked = ScoreOptions(metric=("gqa_accuracy_caseless", "exact_match"))
    for metric, expected in (("gqa_accuracy_caseless", []), ("exact_match", ["gqa"])):
        text = (HEARS + KEPT).replace("metric: accuracy", f"metric: {metric}")
        found = judged_rows(rows, criteria(tmp_path, f"criteria:{text}"), options=asked)
        assert unjudged(found) == expected


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_no_planted_fall_is_ever_go(data: st.DataObject) -> None:
    """One dataset or slice of several falls from nine in ten to about half, whatever the criteria name."""
    names = data.draw(
        st.lists(st.sampled_from(["vqav2", "gqa", "pope", "mine"]), min_size=1, max_size=3, unique=True)
    )
    rows = [one for name in names for one in named(good_run(20), name)]
    dataset, needs_audio = data.draw(st.sampled_from(names)), data.draw(st.sampled_from([True, False, None]))
    if needs_audio is None:
        rows = [
            msgspec.structs.replace(one, needs_audio=None) if one.dataset == dataset else one for one in rows
        ]
    if needs_audio:  # the base hears as well as the tested model did before it fell
        rows = [
            msgspec.structs.replace(one, answer="yes") if one.model == "base" and one.needs_audio else one
            for one in rows
        ]
    name = data.draw(st.sampled_from(["demo", "success"]))
    options = [EASY] if name == "demo" else []
    if data.draw(st.booleans()):
        options.append(
            "metric=" + data.draw(st.sampled_from(["vqa_accuracy", "gqa_accuracy", "yes_no_accuracy"]))
        )
    assert decision(fallen(rows, dataset, needs_audio), name, *options) != "go"


def test_success_by_a_rule_of_one_dataset_leaves_the_other_open() -> None:
    arms = all_arms([*named(success_rows(20), "vqav2"), *named(success_rows(20), "gqa")])
    for options, expected in (
        ([], []),
        (["metric=vqa_accuracy"], ["gqa"]),
        (["metric=gqa_accuracy"], ["vqav2"]),
    ):
        filled = fill_criteria(SHIPPED / "success.yaml", options)
        claims = find_unjudged(filled.criteria, arms, filled.scope)
        assert [(part.name, part.items) for part in claims.unjudged] == [(name, 120) for name in expected]
        assert claims.left_out == ()
    filled = fill_criteria(SHIPPED / "success.yaml", ["dataset=vqav2"])
    (left_out,) = find_unjudged(filled.criteria, arms, filled.scope).left_out
    assert left_out.text == "gqa (120 of safe/full)"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "leaves_out: {dataste: gqa}",
            "leaves_out: unknown field 'dataste', did you mean 'dataset'?; fields are",
        ),
        ("leaves_out: gqa", "leaves_out: expected parts such as {dataset: gqa} or {slice: vl}, found 'gqa'"),
        (
            "leaves_out: {}",
            "leaves_out: names no dataset, task, slice or condition, and so would leave out everything",
        ),
        ("leaves_out: {slice: sound}", "leaves_out: Invalid enum value 'sound' - at `$.slice`"),
        ("covers: {dataset: '${data}'}", "mine.yaml: covers 1: there is no parameter 'data'"),
    ],
)
def test_parts_that_mean_nothing_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        fill_criteria(criteria(tmp_path, f"{text}\ncriteria:{KEPT}"))
    assert words in str(caught.value)


def test_a_name_kept_for_unjudged_answers_is_refused(tmp_path: Path) -> None:
    asked = KEPT.replace("name: kept", "name: 'unjudged: gqa'")
    with pytest.raises(InputError, match="begins with 'unjudged: ', as rows on unjudged answers do"):
        fill_criteria(criteria(tmp_path, f"criteria:{asked}"))


def test_the_command_says_what_to_add_and_what_was_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_predictions(tmp_path / "p.jsonl", two_datasets(20))
    run, mine = str(tmp_path / "run"), tmp_path / "mine.yaml"
    assert main(["score", str(tmp_path / "p.jsonl"), "--out", run, "--resamples", "100", "--quiet"]) == 0
    one = (HEARS + KEPT).replace("metric: accuracy", "dataset: vqav2, metric: accuracy")
    mine.write_text(f"criteria:{one}", "utf-8")
    assert main(["verdict", run, "--criteria", str(mine)]) == 2
    said = " ".join(capsys.readouterr().out.split())
    assert "write leaves_out: [{dataset: gqa}]" in said
    assert "verdict: not measured (2 of 2 criteria hold; 1 part judged by none)" in said
    mine.write_text(f"leaves_out: [{{dataset: gqa}}]\ncriteria:{one}", "utf-8")
    assert main(["verdict", run, "--criteria", str(mine), "--force"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "left out on purpose, how well they are answered: gqa (40 of safe/full)" in said
    verdict = msgspec.json.decode((tmp_path / "run/verdict.json").read_bytes())
    assert verdict["scope"] == {"leaves_out": [{"dataset": "gqa"}]}
    assert verdict["left_out"] == [{"model": "safe", "condition": "full", "dataset": "gqa", "items": 40}]
    held = read_verdict(tmp_path / "run", read_scores(tmp_path / "run"))
    left_out = "The criteria leave out on purpose how well gqa (40 of safe/full) is answered."
    assert left_out in chain_words((), held)["sentences"]
    assert verdict_words(held)["sentence"] == f"All 2 criteria hold. {left_out}"


def test_a_forged_row_on_unjudged_answers_is_refused(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.jsonl", two_datasets(20))
    score_files([tmp_path / "p.jsonl"], Sampling(resamples=100), out=tmp_path)
    one = (HEARS + KEPT).replace("metric: accuracy", "dataset: vqav2, metric: accuracy")
    verdict = decide(tmp_path, criteria(tmp_path, f"criteria:{one}"))
    replace = msgspec.structs.replace
    judged = replace(verdict.criteria[-1], decision="go", value=1.0)
    for rows, said in (
        ((*verdict.criteria[:-1], judged), "says go of 'unjudged: gqa', which no criterion judges"),
        (verdict.criteria[:-1], "judges other criteria than it says were asked for"),
    ):
        forged = sealed(replace(verdict, criteria=rows, decision="go"))
        (tmp_path / "verdict.json").write_bytes(msgspec.json.encode(forged))
        with pytest.raises(InputError, match=said):
            read_verdict(tmp_path, read_scores(tmp_path))


def test_a_slice_by_its_name_is_left_out_wholly_and_all_of_them_are_still_looked_at(tmp_path: Path) -> None:
    sounds = [one for one in named(good_run(20), "clotho") if one.needs_audio]
    rows = [*named(good_run(20), "vqav2"), *sounds]
    assert (
        unjudged(judged_rows(rows, criteria(tmp_path, f"leaves_out: {{slice: audio}}\ncriteria:{KEPT}")))
        == []
    )
    whole = criteria(tmp_path, f"leaves_out: {{slice: all}}\ncriteria:{KEPT}")
    assert unjudged(judged_rows(rows, whole)) == ["clotho"]


@pytest.mark.parametrize("metric", ["share_lost", "share_lost_corrected", "separation"])
def test_what_silence_takes_is_a_look_at_the_answers(tmp_path: Path, metric: str) -> None:
    slice_ = "" if metric == "separation" else "slice: audio, "
    asked = f"metric: {metric}, {slice_}condition: safe/mute_audio, against: safe/full, bound: '> 0'"
    mine = criteria(tmp_path, f"leaves_out: {{slice: all}}\ncriteria:\n  - {{name: lost, {asked}}}")
    assert unjudged(judged_rows(named(good_run(20), "gqa"), mine)) == []
