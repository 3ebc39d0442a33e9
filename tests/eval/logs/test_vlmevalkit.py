"""VLMEvalKit: sheets and tables, files of its judging, lists as text, failed calls, rotations."""

from pathlib import Path
from typing import Any

import pytest
from made_logs import REAL, needs_real, read, write_sheet

from safe_data.core.errors import InputError
from safe_eval.logs.own_numbers import Tally

TITLES = ("index", "question", "answer", "A", "B", "category", "image_path", "prediction")


def log(tmp_path: Path, *rows: tuple[Any, ...], name: str = "llava_v1.5_RealWorldQA", **more: Any) -> Path:
    return write_sheet(tmp_path / f"{name}.xlsx", TITLES, rows, **more)


def one(tmp_path: Path, *, name: str = "llava_v1.5_RealWorldQA", **fields: Any) -> Any:
    given = {
        "index": 0,
        "question": "Who?",
        "answer": "B",
        "A": "cat",
        "B": "dog",
        "prediction": "B",
    } | fields
    _, kept, left = read(log(tmp_path, tuple(given.get(title) for title in TITLES), name=name))
    return kept[0] if kept else left[0]


@pytest.mark.parametrize("inline", [False, True])
def test_a_sheet_with_choices(tmp_path: Path, inline: bool) -> None:
    row = (7, "Who?", "B", "cat", "dog", "animals", "a.jpg", "['B']")
    found, (only,), _ = read(log(tmp_path, row, inline=inline))
    assert (only.example_id, only.answer, only.references, only.choices) == (
        "7",
        "B",
        ("dog",),
        ("cat", "dog"),
    )
    assert (only.group, only.question_type, only.model) == ("a.jpg", "animals", "llava_v1.5")
    assert (found.task, only.metadata["media"], only.scores) == ("RealWorldQA", "a.jpg", None)


def test_a_table_in_other_formats(tmp_path: Path) -> None:
    (tmp_path / "m_POPE.tsv").write_text("index\tanswer\tprediction\n1\tYes\tyes\n")
    (tmp_path / "m_POPE.json").write_text('[{"index": 1, "answer": "Yes", "prediction": "yes"}]')
    rows = [read(tmp_path / f"m_POPE.{suffix}")[1] for suffix in ("tsv", "json")]
    assert rows[0] == rows[1]
    assert rows[0][0].references == ("Yes",)
    (tmp_path / "m_POPE.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match="is a pickle, which runs code when it is read"):
        read(tmp_path / "m_POPE.pkl")


def test_predictions_that_are_none(tmp_path: Path) -> None:
    failed = one(tmp_path, prediction="Failed to obtain answer via API. ")
    assert (failed.answer, failed.error) == (None, "Failed to obtain answer via API.")
    assert one(tmp_path, prediction=None).answer == ""
    nan = one(tmp_path, prediction="nan")
    assert (nan.answer, nan.metadata["empty"]) == ("nan", True)
    assert one(tmp_path, prediction="['A', 'B']").answer == "['A', 'B']"


def test_references_of_annotators_and_of_test_splits(tmp_path: Path) -> None:
    plain = {"A": None, "B": None, "prediction": "x"}
    assert one(tmp_path, answer="['a', 'b']", **plain).references == ("a", "b")
    assert one(tmp_path, answer="[x]", **plain).references == ("[x]",)
    assert one(tmp_path, answer=None).why == "it has neither a reference nor a score"


def test_an_index_that_became_a_fraction(tmp_path: Path) -> None:
    assert one(tmp_path, index="34602.0").example_id == "34602"
    with pytest.raises(InputError, match=r"RealWorldQA\.xlsx:3: index 1 stands twice"):
        read(log(tmp_path, (1, *TITLES[1:]), ("1.0", *TITLES[1:])))


def test_rotations_of_a_question_are_one_group(tmp_path: Path) -> None:
    titles = (*TITLES, "hit")
    rows = [
        (at, "Who?", "B", "cat", "dog", "x", None, "B", hit) for at, hit in ((5, 1), (1000005, 0), (6, 1))
    ]
    path = write_sheet(tmp_path / "m_MMBench_DEV_EN.xlsx", titles, rows)
    (tmp_path / "m_MMBench_DEV_EN_acc.csv").write_text('"split","Overall"\n"none","0.5"\n')
    found, kept, _ = read(path)
    assert [row.group for row in kept] == ["5", "5", "6"]
    tally = Tally(found.own)
    for row in kept:
        tally.add(row)
    assert [tally.reproduced(found, own).agrees for own in found.own] == [True]


def test_scores_come_from_the_file_of_its_judging(tmp_path: Path) -> None:
    path = log(
        tmp_path, (1, "Q", "B", "cat", "dog", "x", "a", "B"), (2, "Q", "A", "cat", "dog", "x", "a", "?")
    )
    judged = (
        tmp_path / f"{path.stem}_chatgpt_result.tsv",
        tmp_path / f"{path.stem}_exact_matching_result.tsv",
    )
    judged[0].write_text("index\thit\tlog\n1\t1\tx\n2\tUnknown\tx\n9\t1\tx\n")
    found, kept, _ = read(path)
    assert [row.scores for row in kept] == [{"hit": 1.0}, {"hit": 0.0}]
    assert "1 rows of its judging are about no row of the log, and are not read" in found.notes
    judged[1].write_text(judged[0].read_text())
    with pytest.raises(InputError, match=r"was judged several times: .*chatgpt_result.*exact_matching"):
        read(path)


def test_a_name_that_does_not_say_which_dataset(tmp_path: Path) -> None:
    path = log(tmp_path, (1, "Q", "B", "cat", "dog", "x", "a", "B"), name="my_model_my_data")
    with pytest.raises(InputError, match=r"does not say where the model's name ends.*--dataset"):
        read(path)
    _, (row,), _ = read(path, dataset="my_data")
    assert (row.model, row.dataset) == ("my_model", "my_data")
    inside = tmp_path / "my_model"
    inside.mkdir()
    assert read(path.rename(inside / path.name))[1][0].dataset == "my_data"


def test_popes_numbers_count_a_row_once_a_split(tmp_path: Path) -> None:
    titles = ("index", "answer", "category", "prediction", "extracted", "score")
    rows = [
        (1, "Yes", "adversarial,random,popular", "yes", "Yes", True),
        (2, "No", "adversarial", "yes", "Yes", False),
        (3, "No", "random", "no", "No", True),
    ]
    path = write_sheet(tmp_path / "m_POPE.xlsx", titles, rows)
    stated = '"split","Overall","acc","precision","recall"\n"Overall","85.71428571","80","75","100"\n'
    (tmp_path / "m_POPE_score.csv").write_text(stated + '"random","100","100","100","100"\n')
    found, kept, _ = read(path)
    tally = Tally(found.own)
    for row in kept:
        tally.add(row)
    assert [tally.reproduced(found, own).agrees for own in found.own] == [True] * 8


def reproduced(path: Path) -> list[tuple[str, bool | None]]:
    found, kept, _ = read(path)
    tally = Tally(found.own)
    for row in kept:
        tally.add(row)
    return [(own.name, tally.reproduced(found, own).agrees) for own in found.own]


def test_numbers_of_splits_and_categories_are_over_their_rows(tmp_path: Path) -> None:
    titles = ("index", "answer", "category", "split", "prediction", "hit", "score")
    rows = [(1, "a", "x", "dev", "a", 1, 1), (2, "a", "y", "validation", "b", 0, 0)]
    path = write_sheet(tmp_path / "m_MMMU_DEV_VAL.xlsx", titles, rows)
    (tmp_path / "m_MMMU_DEV_VAL_acc.csv").write_text('"split","Overall"\n"dev","1"\n"validation","0"\n')
    assert reproduced(path) == [("Overall dev", True), ("Overall validation", True)]
    (tmp_path / "m_MMVet_score.csv").write_text('"Category","tot","acc"\n"x","1","100"\n"Overall","2","50"\n')
    assert reproduced(path.rename(tmp_path / "m_MMVet.xlsx")) == [("acc x", True), ("acc Overall", True)]


def test_an_aggregate_that_is_no_table_states_nothing(tmp_path: Path) -> None:
    path = log(tmp_path, (1, "Q", "B", "cat", "dog", "x", "a", "B"), name="m_OCRBench")
    (tmp_path / "m_OCRBench_score.json").write_text('{"Final Score": 559}')
    assert reproduced(path) == []


def test_a_right_answer_whose_choice_the_sheet_lost_is_no_prediction(tmp_path: Path) -> None:
    """Scoring refuses such a row; a file that was just imported must be one that can be scored."""
    lost = one(tmp_path, answer="C")
    assert lost.why == "its reference names none of its choices"
    row = (7, "Who?", "C", "cat", "dog", "animals", "a.jpg", "['B']", 0)
    _, (judged,), _ = read(write_sheet(tmp_path / "m_RealWorldQA.xlsx", (*TITLES, "hit"), [row]))
    assert (judged.task, judged.references, judged.choices, judged.scores) == (
        "judged",
        (),
        None,
        {"hit": 0.0},
    )


@needs_real
def test_real_files() -> None:
    folder = REAL / "vlmevalkit"
    found, kept, left = read(folder / "mPLUG-Owl3_RealWorldQA.xlsx")
    assert (len(kept), found.model) == (763, "mPLUG-Owl3")
    assert {one.why for one in left} == {
        "its reference names none of its choices"
    }  # "None", which pandas drops
    assert [one.place for one in left] == [107, 635]
    assert (kept[0].answer, kept[0].references, kept[0].choices[0]) == ("A", ("Right",), "Left")
    found, kept, _ = read(folder / "vila_8b_MME.xlsx")
    assert (len(kept), found.model, found.task) == (2374, "vila_8b", "MME")
    assert sum(row.scores["score"] for row in kept) == 1908
