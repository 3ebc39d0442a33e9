"""Margins: each metric has its own unit, so a number alone is for accuracies, or for one metric."""

from pathlib import Path

import pytest
from made_rows import row
from made_two_files import compared, make_two_files, written

from safe_data.core.errors import InputError
from safe_eval.comparison.margins import read_margins

SAID = {"a": ("a dog barks", "rain falls"), "b": ("a cat meows", "rain falls on a car")}
REFERENCES = (("a dog barks loudly", "the dog is barking"), ("rain falls on a roof", "it rains hard"))


@pytest.fixture
def captions(tmp_path: Path) -> tuple[Path, ...]:
    return tuple(
        written(
            tmp_path / f"{name}.jsonl",
            [
                row(f"c{i}", words[i % 2], references=REFERENCES[i % 2], task="caption", model=name)
                for i in range(4)
            ],
        )
        for name, words in SAID.items()
    )


def test_captions_need_a_margin_by_name(captions: tuple[Path, Path]) -> None:
    with pytest.raises(InputError) as refused:
        compared(captions, margin=("0.005",))
    said = "--margin 0.005 names no metric, and the metrics compared here have different scales: "
    assert str(refused.value).startswith(said)
    assert "name those that decide, such as --margin cider_d=0.1" in str(refused.value)


def test_only_metrics_with_a_margin_decide(captions: tuple[Path, Path]) -> None:
    found = compared(captions, margin=("cider_d=0.03", "rouge_l=0.99"))
    assert found.margins == {"cider_d": 0.03, "rouge_l": 0.99}
    assert {row.metric: row.margin for row in found.rows}["bleu_4"] is None
    assert {row.metric for row in found.rows if row.equivalence is not None} == {"cider_d", "rouge_l"}
    assert found.decision == "not shown"
    assert compared(captions, margin=("rouge_l=0.99",)).decision == "equivalent"


def test_a_number_alone_is_for_accuracies_or_one_metric(tmp_path: Path, captions: tuple[Path, Path]) -> None:
    assert compared(make_two_files(tmp_path / "vqa"), margin=("0.1",)).margins == {"vqa_accuracy": 0.1}
    assert compared(captions, margin=("0.03",), metric="cider_d").margins == {"cider_d": 0.03}


@pytest.mark.parametrize(
    ("margins", "said"),
    [
        (["0.1", "vqa_accuracy=0.1"], "--margin 0.1 names no metric, but there are 2 margins; write METRIC="),
        (["vqa_accuracy=0.1", "vqa_accuracy=0.2"], "vqa_accuracy has a margin already; give it one"),
        (["vqa_acuracy=0.1"], "no metric is named 'vqa_acuracy'; did you mean 'vqa_accuracy'?"),
        (["vqa_accuracy=half"], "'half' is no number; half a point of accuracy is 0.005"),
        (["0"], "margin 0 is not above 0; half a point of accuracy is 0.005"),
        (["nan"], "margin nan is not above 0"),
        (["cider_d=10"], "margin 10 of cider_d covers every difference, since the metric ends at 10"),
    ],
)
def test_what_is_no_margin_is_refused(margins: list[str], said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_margins(margins)
    assert said in str(refused.value)


def test_a_margin_must_be_of_a_metric_that_is_compared(tmp_path: Path) -> None:
    files = make_two_files(tmp_path)
    with pytest.raises(InputError, match=r"cider_d is not compared here; compared are vqa_accuracy$"):
        compared(files, margin=("cider_d=0.03",))
    with pytest.raises(InputError, match="margin 5 of vqa_accuracy covers every difference"):
        compared(files, margin=("5",))
