"""Benchmarks: every spelling leads to the protocol, no other name does, and the page shows the same table."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_data.core.errors import InputError
from safe_eval.scorers.benchmarks import BENCHMARKS, benchmark_of, check_protocol
from safe_eval.scorers.scorer import ANSWER_METRICS, metrics_for

PAGE = (Path(__file__).resolve().parents[3] / "docs/protocols.md").read_text("utf-8")

SPELLED = [
    ("MUSIC-AVQA", "music_avqa"),
    ("music_avqa", "music_avqa"),
    ("MusicAVQA_test", "music_avqa"),
    ("GQA", "gqa"),
    ("GQA_TestDev_Balanced", "gqa"),
    ("lmms-lab/GQA", "gqa"),
    ("gqa_testdev_balanced_instructions", "gqa"),
    ("TextVQA", "textvqa"),
    ("facebook/textvqa:validation", "textvqa"),
    ("TextVQA_VAL", "textvqa"),
    ("text vqa (val)", "textvqa"),
    ("textvqa_val_lite", "textvqa"),
    ("vizwiz_vqa_val", "vizwiz"),
    ("VizWiz", "vizwiz"),
    ("ok_vqa_val2014", "okvqa"),
    ("OK-VQA", "okvqa"),
    ("VQAv2", "vqav2"),
    ("vqa v2", "vqav2"),
    ("VQA\u2011v2.0", "vqav2"),
    ("AVQA", "avqa"),
    ("TextVQA_0.5.1_val", "textvqa"),
    ("vizwiz_val_2023", "vizwiz"),
    ("okvqa-val-2014", "okvqa"),
    ("MME (perception)", "mme"),
    ("mme-cognition", "mme"),
    ("WorldSense_0.5fps", "worldsense"),
    ("DailyOmni_64frame", "daily_omni"),
    ("Daily-Omni 32 frames", "daily_omni"),
    ("MME-RealWorld", None),
    ("Video-MME_64frame", None),
    ("MUSIC-AVQA-v2.0", None),
    ("32frame", None),
    ("2014", None),
    ("my_gqa_like", None),
    ("gqa_ru", None),
    ("mygqa", None),
    ("someone/gqa", None),
    ("vqa", None),
    ("val", None),
    ("", None),
    (None, None),
]


@pytest.mark.parametrize(("spelled", "name"), SPELLED)
def test_a_name_in_the_spelling_of_any_harness(spelled: str | None, name: str | None) -> None:
    found = benchmark_of(spelled)
    assert (found.name if found else None) == name


@given(
    st.sampled_from([name for b in BENCHMARKS.values() for name in (b.name, b.title, *b.spellings)]),
    st.sampled_from(["", "_val", " test", "-dev", "_VAL", "_test_lite", "_train2014"]),
    st.sampled_from("_- ."),
    st.sampled_from([str.lower, str.upper, str.title]),
)
def test_case_separators_and_splits_make_no_difference(
    name: str, split: str, mark: str, case: object
) -> None:
    spelled = re.sub(r"[-_ ]", mark, case(name + split))
    assert benchmark_of(spelled) == benchmark_of(name) is not None


@given(st.sampled_from(list(BENCHMARKS)), st.sampled_from(["x", "my ", "2", "é"]))
def test_a_longer_name_is_another_dataset(name: str, more: str) -> None:
    assert benchmark_of(more + name) is None
    assert benchmark_of(f"{name}_{more}like") is None


def test_every_rule_is_a_metric_and_the_first_one_judges() -> None:
    for benchmark in BENCHMARKS.values():
        assert set(benchmark.rules) <= set(ANSWER_METRICS), benchmark.name
        assert benchmark.source
        for task in benchmark.tasks:
            asked = metrics_for(benchmark.title, task, benchmark.reads_choices)
            assert asked == (benchmark.protocol,) == benchmark.rules[:1]


def test_choices_make_a_row_multiple_choice_whatever_its_task() -> None:
    for task in ("vqa", "classify", "caption", "reasoning", None):
        assert metrics_for("mine", task, choices=True) == ("accuracy",)
        assert metrics_for("GQA", task, choices=True) == ("accuracy",)
        assert metrics_for("AVQA", task, choices=True) == ("avqa_accuracy",)


def test_another_protocol_scores_the_benchmarks_that_have_it() -> None:
    other = "vqa_accuracy_2017"
    assert metrics_for("TextVQA", "vqa", protocol=other) == (other,)
    assert metrics_for("GQA", "vqa", protocol=other) == ("gqa_accuracy",)
    assert metrics_for("mine", "vqa", protocol=other) == ("vqa_accuracy",)
    assert metrics_for("TextVQA", "classify", protocol=other) == ("accuracy",)
    check_protocol(other, {"TextVQA_VAL", "mine", None})


@pytest.mark.parametrize(
    ("protocol", "datasets", "words"),
    [
        (
            "vqa_accuracy_2016",
            {"okvqa"},
            "protocol 'vqa_accuracy_2016'; did you mean 'vqa_accuracy_2017'? OK-VQA has vqa_accuracy, vqa",
        ),
        ("vqa_accuracy_2017", {"GQA"}, "GQA has gqa_accuracy, gqa_accuracy_caseless"),
        ("exact_match", {"mine"}, "no dataset is a known benchmark (mine); name the benchmark in 'dataset'"),
    ],
)
def test_a_protocol_that_does_not_apply_is_refused(protocol: str, datasets: set[str], words: str) -> None:
    with pytest.raises(InputError) as refused:
        check_protocol(protocol, datasets)
    assert words in str(refused.value)


def test_the_page_shows_this_table() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines()]
    shown = {row[0].strip("| "): [cell.strip(" |") for cell in row[1:]] for row in rows if len(row) == 6}
    shown = {
        title: cells
        for title, cells in shown.items()
        if not set(title) <= set("-| ") and title != "benchmark"
    }
    assert shown == {
        benchmark.title: [
            ", ".join(f"`{name}`" for name in (benchmark.name, *benchmark.spellings)),
            f"`{benchmark.protocol}`",
            ", ".join(f"`{rule}`" for rule in benchmark.rules[1:]),
            benchmark.source,
            benchmark.deviation,
        ]
        for benchmark in BENCHMARKS.values()
    }
