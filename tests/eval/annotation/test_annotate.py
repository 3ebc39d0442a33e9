"""A person labels a sample without seeing model or score, and the labels come back as agreement."""

import csv
import io
from pathlib import Path

import msgspec
import pytest
from made_rows import good_run, row, shuffled

from safe_data.core.errors import InputError
from safe_eval.annotation.annotate import agreement_with_key, draw_sample
from safe_eval.annotation.labels import COLUMNS, key_path, read_labels
from safe_eval.annotation.notes import Notes
from safe_eval.cli import main
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def table_rows(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.read_text("utf-8-sig"))))


def fill_in(table: Path, label: dict[str, str]) -> None:
    rows = table_rows(table)
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({**made, "label": label.get(made["item"], "")} for made in rows)


def drawn(tmp_path: Path, rows: list[Prediction], sample: int = 20, seed: int = 0) -> Path:
    write_predictions(tmp_path / "predictions.jsonl", rows)
    table = tmp_path / "annotations.csv"
    draw_sample(tmp_path / "predictions.jsonl", out=table, sample=sample, seed=seed)
    return table


def test_label_and_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_predictions(tmp_path / "predictions.jsonl", good_run())
    table = tmp_path / "annotations.csv"
    assert run("annotate", tmp_path, "--sample", 40) == 0
    assert f"wrote {table}: 40 of 500 answers" in capsys.readouterr().out
    key = msgspec.json.decode(key_path(table).read_bytes())
    right = {item["item"]: "right" if item["score"] >= 0.5 else "wrong" for item in key["items"]}
    first, second, third = list(right)[:3]
    right |= {first: "wrong" if right[first] == "right" else "right", second: "?", third: ""}
    fill_in(table, right)
    assert run("agreement", table) == 0
    out = capsys.readouterr().out
    assert "38 of 40 items labelled, 1 more unsure" in out
    assert "agreement  0.974 [" in out
    assert "kappa      0.9" in out
    assert f"{first}: scorer " in out


def test_blind_to_model_condition_and_score(tmp_path: Path) -> None:
    table = drawn(tmp_path, good_run())
    text = table.read_text("utf-8-sig")
    assert tuple(table_rows(table)[0]) == COLUMNS
    for hidden in ("safe", "base", "mute_audio", "swap_audio", "gate_off", "c1-", "score"):
        assert hidden not in text
    assert {item["model"] for item in msgspec.json.decode(key_path(table).read_bytes())["items"]} == {
        "base",
        "safe",
    }


def test_stratified_by_condition_and_question_type(tmp_path: Path) -> None:
    table = drawn(tmp_path, good_run(), sample=50)
    key = msgspec.json.decode(key_path(table).read_bytes())
    conditions = [item["condition"] for item in key["items"]]
    assert {name: conditions.count(name) for name in conditions} == {
        "full": 20,  # two models
        "mute_audio": 10,
        "swap_audio": 10,
        "gate_off": 10,
    }


def test_a_rare_type_is_in_the_sample(tmp_path: Path) -> None:
    rows = [row(f"q{i}", question_type="common") for i in range(500)] + [row("rare", question_type="rare")]
    key = msgspec.json.decode(key_path(drawn(tmp_path, rows, sample=10)).read_bytes())
    assert len(key["items"]) == 10
    assert "rare" in [item["example_id"] for item in key["items"]]


def test_the_sample_depends_on_the_seed_alone(tmp_path: Path) -> None:
    def chosen(name: str, rows: list[Prediction], seed: int) -> list[str]:
        (tmp_path / name).mkdir()
        key = msgspec.json.decode(key_path(drawn(tmp_path / name, rows, seed=seed)).read_bytes())
        return [item["example_id"] + item["condition"] + item["model"] for item in key["items"]]

    first = chosen("a", good_run(), 0)
    assert chosen("b", shuffled(good_run()), 0) == first
    assert chosen("c", good_run(), 1) != first


def test_the_text_of_a_failed_request_is_no_answer(tmp_path: Path) -> None:
    rows = [row("q1", "yes"), row("q2", "Failed to obtain answer via API."), row("q3", None, error="timeout")]
    assert [made["answer"] for made in table_rows(drawn(tmp_path, rows))] == ["yes"]


def test_more_than_there_are_takes_all(tmp_path: Path) -> None:
    rows = [row("1"), row("2", "no"), row("3", None, error="failed"), row("4", "a cat", task="caption")]
    key = msgspec.json.decode(key_path(drawn(tmp_path, rows, sample=100)).read_bytes())
    assert {item["example_id"] for item in key["items"]} == {"1", "2"}


@pytest.mark.parametrize("answer", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\n=1"])
def test_no_cell_is_a_formula(tmp_path: Path, answer: str) -> None:
    made = table_rows(drawn(tmp_path, [row(answer=answer, prompt=answer, references=(answer,))]))[0]
    for column in ("question", "references", "answer"):
        assert made[column].startswith("'")


def test_control_characters_and_endless_answers_are_cut(tmp_path: Path) -> None:
    made = table_rows(drawn(tmp_path, [row(answer="a\x1b[2J\x00\r" + "x" * 1_000_000)]))[0]
    assert made["answer"].startswith("a?[2J??xxx")
    assert made["answer"].endswith("more characters)")
    assert len(made["answer"]) < 2100


def test_labels_are_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = drawn(tmp_path, good_run())
    before = table.read_bytes()
    assert run("annotate", tmp_path) == 3
    assert (
        "is there already, perhaps with labels; name another file, or add --force" in capsys.readouterr().err
    )
    assert table.read_bytes() == before
    assert run("annotate", tmp_path, "--sample", 5, "--force") == 0
    assert len(table_rows(table)) == 5


def test_a_table_is_never_written_over_its_predictions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn(tmp_path, good_run())
    (file,) = tmp_path.glob("*.jsonl")
    before = file.read_bytes()
    assert run("annotate", tmp_path, "--out", file, "--force") == 3
    assert "is read by this command, and never replaced by it; name another file" in capsys.readouterr().err
    assert file.read_bytes() == before


def test_a_table_that_a_spreadsheet_saved_with_semicolons(tmp_path: Path) -> None:
    table = drawn(tmp_path, good_run())
    items = [made["item"] for made in table_rows(table)]
    lines = ["item;answer;label", *(f"{item};x;Right " for item in items)]
    table.write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    assert read_labels(table)[1] == dict.fromkeys(items, True)


def test_all_faults_at_once(tmp_path: Path) -> None:
    table = drawn(tmp_path, good_run())
    first, second = [made["item"] for made in table_rows(table)][:2]
    table.write_text(f"item,label\n{first},right\n{first},right\n{second},maybe\nitem-9999,right\n", "utf-8")
    with pytest.raises(InputError) as raised:
        read_labels(table)
    message = str(raised.value)
    assert f"annotations.csv:3 {first}: is there twice; keep one" in message
    assert f"annotations.csv:4 {second}: label 'maybe' is not one of right, r, 1, wrong, w, 0, ?" in message
    assert "annotations.csv:5 item 'item-9999' is not in the key" in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("item,label\n", "holds no labels"),
        ("a,b\n1,2\n", "needs the columns 'item' and 'label'"),
        (b"item,label\n\xff,right\n", "save it as CSV in UTF-8"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, content: str | bytes, expected: str) -> None:
    table = drawn(tmp_path, good_run())
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=expected):
        read_labels(table)


def test_answers_of_an_interrupted_run_can_be_labelled_if_asked(tmp_path: Path) -> None:
    predictions = tmp_path / "predictions.jsonl"
    write_predictions(predictions, good_run())
    with predictions.open("a") as file:
        file.write('{"example_id": "cut')
    with pytest.raises(InputError, match="allow-partial"):
        draw_sample(tmp_path)
    assert draw_sample(tmp_path, allow_partial=True)[1].population == len(good_run())


@pytest.mark.parametrize("name", [".", "nowhere.csv"])
def test_a_table_that_is_no_file_is_named(name: str) -> None:
    with pytest.raises(InputError, match=r"no such file; make it with: safe-eval annotate RUN --out LABELS"):
        read_labels(Path(name))


def test_without_its_key_a_table_says_nothing(tmp_path: Path) -> None:
    table = drawn(tmp_path, good_run())
    key_path(table).unlink()
    with pytest.raises(InputError, match=r"annotations\.key\.json: no such file"):
        read_labels(table)


def test_a_graded_score_is_right_from_one_half(tmp_path: Path) -> None:
    rows = [
        row("low", "blue", references=("blue",) + ("red",) * 9, group="a"),  # 0.3
        row("high", "blue", references=("blue",) * 2 + ("red",) * 8, group="b"),  # 0.6
    ]
    table = drawn(tmp_path, rows)
    key, _ = read_labels(_labelled(table))
    judged = agreement_with_key(key, {item.item: True for item in key.items}, Sampling(resamples=100))
    assert (judged.both_right, judged.person_only, judged.kappa) == (1, 1, 0)


def _labelled(table: Path) -> Path:
    fill_in(table, {made["item"]: "right" for made in table_rows(table)})
    return table


@pytest.mark.parametrize(
    ("rows", "sample", "expected"),
    [
        ([row("1", "a cat", task="caption")], 10, "no answers that are right or wrong"),
        ([row("1")], 0, "sample 0 is less than 1"),
    ],
)
def test_nothing_to_label(tmp_path: Path, rows: list[Prediction], sample: int, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        drawn(tmp_path, rows, sample=sample)


def noted_table(tmp_path: Path, *ids: str, sample: int = 40) -> Path:
    write_predictions(tmp_path / "predictions.jsonl", good_run())
    for example_id in ids:
        Notes(tmp_path / "notes.json").write("made", example_id, f"=odd: {example_id}")
    table = tmp_path / "noted.csv"
    words = ("annotate", tmp_path, "--sample", sample, "--notes", tmp_path / "notes.json", "--out", table)
    assert run(*words) == 0
    return table


def answers_of(table: Path, *, drawn_alone: bool = False) -> list[tuple[str, str, str]]:
    items = msgspec.json.decode(key_path(table).read_bytes())["items"]
    return [
        (item["example_id"], item["model"], item["condition"])
        for item in items
        if item["drawn"] or not drawn_alone
    ]


def test_each_different_answer_to_a_noted_item_comes_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = noted_table(tmp_path, "c5-vl", "c2-audio", "gone")  # the first: all say yes; c2-audio: yes and no
    rows = table_rows(table)
    first = [(made["answer"], made["note"]) for made in rows if made["note"]]
    assert first == [("no", "'=odd: c2-audio"), ("yes", "'=odd: c2-audio"), ("yes", "'=odd: c5-vl")]
    assert [made["note"] for made in rows[3:]] == [""] * (len(rows) - 3)
    assert [name for name, *_ in answers_of(table)[:3]] == ["c2-audio", "c2-audio", "c5-vl"]
    assert "for their notes alone, which agreement leaves out; write right" in capsys.readouterr().out


def test_notes_change_neither_the_draw_nor_the_agreement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = noted_table(tmp_path, "c5-vl", "c2-audio")
    plain = drawn(tmp_path, good_run(), sample=40)
    assert sorted(answers_of(table, drawn_alone=True)) == sorted(answers_of(plain))
    key = msgspec.json.decode(key_path(table).read_bytes())
    picked = {item["item"] for item in key["items"] if not item["drawn"]}
    assert picked
    right = {item["item"]: "right" if item["score"] >= 0.5 else "wrong" for item in key["items"]}
    fill_in(table, right | {name: "wrong" if right[name] == "right" else "right" for name in picked})
    capsys.readouterr()
    assert run("agreement", table) == 0
    out = capsys.readouterr().out
    assert "40 of 40 items labelled, 0 more unsure" in out
    assert f"{len(picked)} noted answers were not drawn, and are left out here" in out
    assert "agreement  1.000" in out
    fill_in(table, dict.fromkeys(picked, "right"))
    assert run("agreement", table) == 3
    assert "all labels are of noted answers" in capsys.readouterr().err


def test_notes_about_other_runs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_predictions(tmp_path / "predictions.jsonl", good_run())
    Notes(tmp_path / "notes.json").write("made", "of another run", "odd")
    assert run("annotate", tmp_path, "--notes", tmp_path / "notes.json") == 3
    assert "no note is about an answer of" in capsys.readouterr().err
    before = (tmp_path / "notes.json").read_bytes()
    assert (
        run("annotate", tmp_path, "--notes", tmp_path / "notes.json", "--out", tmp_path / "notes.json") == 3
    )
    assert (tmp_path / "notes.json").read_bytes() == before
    assert run("annotate", tmp_path, "--notes", tmp_path / "none.json") == 3
    assert "no such file of notes" in capsys.readouterr().err
