"""Choice references: letters and numbers become choices where that is certain, and are refused elsewhere."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_rows import row

from safe_data.core.errors import InputError
from safe_eval.choice_references import settled
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions, write_predictions
from safe_eval.scoring.score import score_predictions

PETS = ("dog", "cat", "cow")


def rows_of(*references: str, choices: tuple[str, ...] = PETS) -> list[Prediction]:
    return [row(f"q{i}", "cat", references=(r,), choices=choices) for i, r in enumerate(references)]


def settle(rows: list[Prediction]) -> tuple[list[str], list[str]]:
    found, faults = settled(rows, "row {}".format)
    return [one.references[0] for one in found], faults


@pytest.mark.parametrize(
    "reference", ["cat", "B", "b", "(B)", "B.", "**B**", "B) cat", "(B) Cat.", " Cat", "CAT."]
)
def test_a_text_or_letter_names_its_choice(reference: str) -> None:
    assert settle(rows_of(reference)) == (["cat"], [])


def test_numbers_count_from_where_the_dataset_shows_it() -> None:
    assert settle(rows_of("0", "1", "2", "1")) == (["dog", "cat", "cow", "cat"], [])
    assert settle(rows_of("3", "1", "2")) == (["cow", "dog", "cat"], [])
    mixed = [*rows_of("0", "1"), *(r for r in rows_of("3"))]
    assert len(settle([*mixed[:2], row("z", references=("3",), choices=PETS)])[1]) == 3


def test_each_dataset_shows_it_for_itself() -> None:
    zero = [row(f"a{i}", references=(r,), choices=PETS, dataset="a") for i, r in enumerate("012")]
    one = [row(f"b{i}", references=(r,), choices=PETS, dataset="b") for i, r in enumerate("123")]
    assert settle(zero + one) == (["dog", "cat", "cow"] * 2, [])


@pytest.mark.parametrize(
    ("references", "words"),
    [
        (["fish"], "reference 'fish' is none of its choices 'dog', 'cat', 'cow'; write the text"),
        (["D"], "reference 'D' is none of its choices"),
        (["4"], "reference '4' is none of its choices"),
        (["B) dog"], "reference 'B) dog' is none of its choices"),
        (
            ["1"],
            "'1' is 'dog' if choices are counted from 1 and 'cat' if choices are counted from 0, and nothing",
        ),
        (["1"], "nothing in its dataset shows which; write the text of the right choice, or its letter"),
    ],
)
def test_what_is_not_certain_is_refused(references: list[str], words: str) -> None:
    (fault,) = settle(rows_of(*references))[1]
    assert fault.startswith("row 0 'q0': ")
    assert words in fault


def test_letters_and_numbers_among_the_choices_are_texts() -> None:
    assert settle(rows_of("B", choices=("C", "B"))) == (["B"], [])
    assert settle(rows_of("2", "3", choices=("1", "2", "3"))) == (["2", "3"], [])
    assert "none of its choices" in settle(rows_of("D", choices=("A", "C")))[1][0]
    assert "none of its choices" in settle(rows_of("0", choices=("1", "2")))[1][0]


def test_a_choice_that_may_be_the_place_of_another_is_refused() -> None:
    digits = row("n", references=("2",), choices=("1", "2", "3"))
    assert "may also be the place of another" in settle([*rows_of("0", "1"), digits])[1][0]
    letters = row("n", references=("A",), choices=("C", "A"))
    assert "may also be the place of another" in settle([*rows_of("B"), letters])[1][0]


def test_one_example_keeps_one_truth_though_its_choices_are_shuffled() -> None:
    first = row("q", references=("A",), choices=("dog", "cat"))
    other = row("q", references=("A",), choices=("cat", "dog"), model="other")
    assert "its references name 'cat', but 'dog' at row 0" in settle([first, other])[1][0]
    assert settle([first, row("q", references=("B",), choices=("cat", "dog"), model="other")])[1] == []


def test_files_may_write_the_same_truth_as_text_letter_or_number(tmp_path: Path) -> None:
    ways = [("cat", PETS), ("B", PETS), ("A", ("cat", "dog", "cow")), ("1", PETS)]
    rows = [row("q", "cat", references=(r,), choices=c, model=f"m{i}") for i, (r, c) in enumerate(ways)]
    zero = row("z", "dog", references=("0",), choices=PETS)
    paths = [tmp_path / f"{i}.jsonl" for i in range(len(rows))]
    for path, one in zip(paths, rows, strict=True):
        write_predictions(path, [one, zero] if one.model == "m3" else [one])
    assert {one.references for one in read_predictions(*paths) if one.example_id == "q"} == {("cat",)}
    write_predictions(paths[1], [row("q", "cat", references=("A",), choices=PETS, model="m1")])
    said = r"1\.jsonl:1 'q': its references name 'dog', but 'cat' at 0\.jsonl:1"
    with pytest.raises(InputError, match=said):
        read_predictions(*paths)


@given(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=5, unique=True), st.text(max_size=4))
def test_what_is_read_is_a_choice_and_stays_one(choices: list[str], reference: str) -> None:
    (found,), faults = settle([row("q", references=(reference,), choices=tuple(choices))])
    assert bool(faults) == (found not in choices)
    if not faults:
        assert settle([row("q", references=(found,), choices=tuple(choices))]) == ([found], [])


def test_a_file_is_refused_with_lines_and_ids_all_at_once(tmp_path: Path) -> None:
    good = rows_of("B")
    write_predictions(tmp_path / "p.jsonl", [*good, *(row(f"x{i}", choices=PETS) for i in range(25))])
    with pytest.raises(InputError) as refused:
        read_predictions(tmp_path / "p.jsonl")
    lines = str(refused.value).splitlines()
    assert lines[0] == "p.jsonl: 25 rows cannot be read"
    assert lines[1].startswith(
        "p.jsonl:2 'x0': reference 'yes' is none of its choices 'dog', 'cat', 'cow'; write"
    )
    assert lines[-1] == "… and 5 more"
    with pytest.raises(InputError, match="row 0 'x': reference 'yes' is none of its choices"):
        score_predictions([row("x", choices=PETS)], Sampling(resamples=100))


def test_a_number_that_is_no_text_is_refused_with_the_reason(tmp_path: Path) -> None:
    line = {"example_id": "q7", "references": [1], "answer": "B", "choices": PETS}
    (tmp_path / "p.jsonl").write_text(json.dumps(line) + "\n", "utf-8")
    with pytest.raises(InputError, match=r"p.jsonl:1 'q7': .* references is a list of texts"):
        read_predictions(tmp_path / "p.jsonl")


def test_the_file_keeps_what_was_written(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.jsonl", rows_of("B"))
    assert read_predictions(tmp_path / "p.jsonl")[0].references == ("cat",)
    assert b'"references":["B"]' in (tmp_path / "p.jsonl").read_bytes()
