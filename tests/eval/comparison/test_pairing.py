"""Rows of two harnesses: paired by id, or by what was asked; never one question with another."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import row, shuffled
from made_two_files import QUICK, written

from safe_data.core.errors import InputError
from safe_eval.comparison.compare import compare_files
from safe_eval.comparison.comparison_file import ComparisonFile
from safe_eval.comparison.pairing import Paired, paired
from safe_eval.options import CompareOptions
from safe_eval.prediction import Prediction

LMMS, KIT = "lmms-eval", "VLMEvalKit"


def asked(example: str, prompt: str | None, media: str | None = None, harness: str = LMMS, **fields: object):
    metadata = {"harness": harness} | ({} if media is None else {"media": media})
    return row(example, prompt=prompt, metadata=metadata, **fields)


def ids(found: Paired) -> list[tuple[str, str]]:
    return [(a.example_id, b.example_id) for a, b in found.pairs]


def compared(folder: Path, a: list[Prediction], b: list[Prediction], **options: object) -> ComparisonFile:
    files = (written(folder / "a.jsonl", a), written(folder / "b.jsonl", b))
    return compare_files(files, QUICK, CompareOptions(**options), out=folder / "out", force=True)


def test_ids_pair_rows_and_a_template_below_the_question_contradicts_nothing():
    a = [asked(str(i), f"Is there a thing {i}?") for i in range(4)]
    b = [asked(str(i), f"Is there a thing {i}?\nAnswer yes or no.", harness=KIT) for i in range(4)]
    found = paired(a, b, "auto")
    assert (found.by, ids(found)) == ("id", [(str(i), str(i)) for i in range(4)])


def test_ids_that_name_other_questions_give_way_to_prompts():
    a = [asked(str(i), f"question {i}") for i in range(5)]
    b = [asked(str(i), f"question {4 - i}\nBe brief.", harness=KIT) for i in range(5)]
    found = paired(a, b, "auto")
    assert (found.by, ids(found)) == ("prompt", [(str(i), str(4 - i)) for i in range(5)])
    assert "0 by the whole prompt, 5 by its first line" in found.how[0]
    assert paired(a, b, "id").by == "id"


def test_the_same_question_about_other_media_is_another_one():
    a = [asked(f"a{i}", "Is there a dog?", f"val/{i}.jpg") for i in range(3)]
    b = [asked(f"b{i}", "is there a  DOG?", f"images/{i}.png", KIT) for i in (2, 1, 7)]
    found = paired(a, b, "auto")
    assert ids(found) == [("a1", "b1"), ("a2", "b2")]
    assert [one.example_id for one in found.only_a] == ["a0"]
    assert [one.example_id for one in found.only_b] == ["b7"]
    assert "the file of its media" in found.how[0]


def test_hashes_of_media_come_before_names():
    a = [asked("a", "What sounds?", "same.wav", audio_sha256="1" * 64)]
    a += [asked("c", "What sounds?", "other.wav", audio_sha256="2" * 64)]
    b = [asked("b", "What sounds?", "same.wav", KIT, audio_sha256="2" * 64)]
    assert ids(paired(a, b, "prompt")) == [("c", "b")]


def test_what_is_asked_twice_on_a_side_is_left_out_and_counted(tmp_path: Path):
    a = [asked("a0", "Is there a dog?"), asked("a1", "Is there a dog?"), asked("a2", "Who sings?")]
    b = [asked("b0", "Is there a dog?", harness=KIT), asked("b1", "Who sings?", harness=KIT)]
    found = paired(a, b, "auto")
    assert ids(found) == [("a2", "b1")]
    assert [one.example_id for one in found.ambiguous] == ["a0", "a1", "b0"]
    (matched,) = compared(tmp_path, a, b).matched
    assert (matched.paired_by, matched.matched, matched.ambiguous) == ("prompt", 1, 3)


def test_what_cannot_be_paired_is_listed_and_the_rest_is_compared(tmp_path: Path):
    a = [asked(f"a{i}", f"question {i}", model="one") for i in range(6)]
    b = [asked(f"b{i}", f"question {i + 2}", harness=KIT, answer="no", model="two") for i in range(6)]
    found = compared(tmp_path, a, b)
    (difference,) = found.rows
    assert (difference.n, difference.difference) == (4, 1.0)
    assert "2 examples of A full and 2 of B full are on one side only" in "\n".join(found.notes)
    assert "a0, a1, b4, b5" in "\n".join(found.notes)


def test_harnesses_may_spell_a_benchmark_and_its_choices_differently(tmp_path: Path):
    a = [asked(str(i), f"q{i}\nA. yes\nB. no", dataset="MME") for i in range(3)]
    b = [
        asked(
            str(i),
            f"q{i}",
            harness=KIT,
            dataset="mme",
            references=("Yes",),
            answer="no",
            question_type="existence",
        )
        for i in range(3)
    ]
    found = compared(tmp_path, a, b)
    assert {(item.metric, item.dataset, item.n) for item in found.rows} == {("yes_no_accuracy", "MME", 3)}
    assert "3 of 3 examples have other references in B" in "\n".join(found.notes)


def test_choices_and_references_of_one_side_serve_both(tmp_path: Path):
    known = {"choices": ("dog", "cat"), "references": ("cat",)}
    a = [asked(str(i), f"q{i}", answer="B", **known) for i in range(3)]
    b = [
        asked(str(i), f"q{i}", harness=KIT, answer="cat", references=(), task="judged", scores={"hit": 1.0})
        for i in range(3)
    ]
    (difference,) = compared(tmp_path, a, b).rows
    assert (difference.metric, difference.mean_a, difference.mean_b) == ("accuracy", 1.0, 1.0)


def test_one_harness_must_agree_on_the_truth(tmp_path: Path):
    a, b = [asked("q", "Who?", references=("x",))], [asked("q", "Who?", references=("y",))]
    with pytest.raises(InputError, match="1 examples are not the same in A and B"):
        compared(tmp_path, a, b)


def test_prompts_that_pair_nothing_leave_the_message_on_ids(tmp_path: Path):
    with pytest.raises(InputError, match="use the same example ids in both files, or write"):
        compared(tmp_path, [asked("a", "one")], [asked("b", "two", harness=KIT)])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), max_size=12),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), max_size=12),
    st.integers(0, 9),
)
def test_every_row_is_in_one_place_and_order_changes_nothing(
    one: list[tuple[int, int]], other: list[tuple[int, int]], seed: int
):
    a = [asked(f"a{i}", f"question {q}", f"{m}.jpg") for i, (q, m) in enumerate(one)]
    b = [asked(f"b{i}", f"question {q}", f"{m}.jpg", KIT) for i, (q, m) in enumerate(other)]
    found = paired(a, b, "prompt")
    in_pairs = [side.example_id for pair in found.pairs for side in pair]
    rest = [side.example_id for side in (*found.only_a, *found.only_b, *found.ambiguous)]
    assert sorted(in_pairs + rest) == sorted(side.example_id for side in (*a, *b))
    assert all(first.prompt == second.prompt for first, second in found.pairs)
    again = paired(shuffled(a, seed) if a else a, shuffled(b, seed) if b else b, "prompt")
    assert ids(again) == ids(found)


def test_ids_that_ask_other_questions_are_refused_where_prompts_pair_nothing(tmp_path: Path):
    a = [asked(str(i), f"question {i}") for i in range(3)]
    b = [asked(str(i), f"another {i}", harness=KIT) for i in range(3)]
    with pytest.raises(InputError, match="3 of 3 ids that are on both sides ask something else there"):
        compared(tmp_path, a, b)


def test_how_to_answer_is_no_part_of_the_question():
    a = [asked("a", "There is code. Is its output '7'?\nAnswer in a word.", "code/0014.png")]
    b = [asked("b", "There is code. Is its output '7'? Please answer yes or no.", "code/0014.jpg", KIT)]
    b += [asked("c", "There is code. Is its output '7'? Please answer yes or no.", "text/0014.jpg", KIT)]
    found = paired(a, b, "auto")
    assert ids(found) == [("a", "b")]
    assert "the path of its media" in found.how[0]
    assert "1 by its question alone" in found.how[0]
