"""Whatever is wrong with a predictions file is said once, clearly, with line and id, and never slowly."""

import gzip
import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from made_rows import good_run, row

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.predictions import partial_line, read_predictions, write_predictions
from safe_eval.scorers.captions.caption_scores import score_captions
from safe_eval.scorers.scorer import ON_REQUEST, SCORERS

GOOD = {"example_id": "q1", "references": ["yes"], "answer": "no"}
LINE = json.dumps(GOOD).encode()
MILLION = 1_000_000


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def message(*paths: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_predictions(*paths, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"example_id": "q\xff1"}', "p.jsonl:2 byte 18 (0xff) is not UTF-8; write the file in UTF-8"),
        (LINE[:-1] + b', "confidence": NaN}', "p.jsonl:2 NaN is not JSON; write null for a missing number"),
        (LINE[:-1] + b', "confidence": -Infinity}', "p.jsonl:2 -Infinity is not JSON"),
        (LINE[:-1] + b', "confidence": -0.1}', "'q1': confidence -0.1 is outside [0, 1]"),
        (LINE[:-1] + b', "condition": null}', "Expected `str`, got `null` - at `$.condition`"),
        (LINE[:-1] + b', "condition": "Mute audio"}', "did you mean 'mute_audio'?"),
        (b'{"example_id": "", "references": ["a"], "answer": "a"}', "'': example_id is empty"),
        (b'{"example_id": "q", "references": null, "answer": "a"}', 'a list of texts, such as ["yes"]'),
        (b'{"example_id": "q", "references": [null], "answer": "a"}', "got `null` - at `$.references[0]`"),
        (b'{"example_id": "q", "answer": "a"}', "'q': has no 'references'; each row needs"),
        (b'{"a": ' + b"[" * 100_000, "p.jsonl:2 is not a JSON object"),
        (LINE + LINE, "p.jsonl:2 is not a JSON object"),
        (b"\x00" * 100, "p.jsonl:2 is not a JSON object"),
    ],
)
def test_a_faulty_row_is_named_with_its_line(line: bytes, words: str, tmp_path: Path) -> None:
    first = json.dumps(GOOD | {"example_id": "q0"}).encode()
    said = message(write(tmp_path / "p.jsonl", first + b"\n" + line + b"\n"))
    assert words in said
    assert said.startswith("p.jsonl:2 ")
    assert "\n" not in said


def test_rows_without_a_condition_among_others_with_one_are_refused(tmp_path: Path) -> None:
    """A harness that forgot to write it would make muted answers pass for answers to the whole input."""
    muted = json.dumps(GOOD | {"condition": "mute_audio", "prompt": 'say "condition"'}).encode()
    said = message(write(tmp_path / "p.jsonl", muted + b"\n" + LINE + b"\n"))
    assert said == "p.jsonl:2 names no 'condition', but other rows do; write full for the untouched input"
    all_unnamed = write(tmp_path / "q.jsonl", LINE.replace(b"no", b'say \\"condition\\"') + b"\n")
    assert [row.condition for row in read_predictions(all_unnamed)] == ["full"]
    base = json.dumps(GOOD | {"model": "base", "condition": "full"}).encode()
    assert len(read_predictions(write(tmp_path / "r.jsonl", LINE + b"\n" + base + b"\n"))) == 2


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("p.jsonl", b"", "holds no predictions; an empty file has no score"),
        ("p.jsonl", b"\n \n", "holds no predictions"),
        ("p.jsonl", gzip.compress(LINE, mtime=0), "is compressed with gzip; unpack it first"),
        ("p.jsonl", b"PK\x03\x04" + bytes(90), "is a zip file"),
        ("p.jsonl", LINE.decode().encode("utf-16"), "is UTF-16; save it as UTF-8"),
        ("p.jsonl", b"\xef\xbb\xbf [\n" + LINE + b"\n]", "is a JSON array; write one object per line"),
        ("p.parquet", LINE, "is not a complete Parquet file"),
        ("p.jsonl", b"PAR1" + bytes(90), "is not a complete Parquet file"),
    ],
)
def test_another_format_is_named(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    said = message(write(tmp_path / name, content))
    assert f"{name}: " in said
    assert words in said
    assert "\n" not in said


def test_what_is_no_file(tmp_path: Path) -> None:
    assert message(tmp_path / "p.jsonl").endswith("p.jsonl: no such predictions file")
    assert message(tmp_path).endswith("is a folder; give a file of predictions")
    assert message(Path("/dev/null")).endswith("/dev/null: is a pipe; give a file of predictions")


def test_a_byte_order_mark_and_other_line_ends_are_no_faults(tmp_path: Path) -> None:
    assert len(read_predictions(write(tmp_path / "p.jsonl", b"\xef\xbb\xbf" + LINE + b"\r\n\r\n"))) == 1


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_parquet_is_known_by_its_content_and_holds_dicts_as_it_likes(tmp_path: Path) -> None:
    probabilities = [{"yes": 0.25}, {"no": 0.5}]  # a struct with both keys, each null once
    rows = [
        GOOD | {"example_id": f"q{i}", "choice_probabilities": of, "metadata": '{"a": [1]}'}
        for i, of in enumerate(probabilities)
    ]
    found = read_predictions(parquet(tmp_path / "named.jsonl", rows))
    assert [one.choice_probabilities for one in found] == probabilities
    assert found[0].metadata == {"a": [1]}


def test_parquet_rows_are_refused_like_lines(tmp_path: Path) -> None:
    rows = [GOOD | {"confidence": 0.5}, GOOD | {"example_id": "q2", "confidence": float("nan")}]
    assert message(parquet(tmp_path / "p.parquet", rows)).startswith(
        "p.parquet:2 'q2': confidence nan is out"
    )
    assert "'q1': already answered at p.parquet:1" in message(parquet(tmp_path / "p.parquet", [GOOD] * 2))
    whole = parquet(tmp_path / "p.parquet", [GOOD | {"example_id": str(i)} for i in range(9)]).read_bytes()
    assert "not a complete Parquet file" in message(write(tmp_path / "cut.parquet", whole[:-20]))
    spoilt = whole[:4] + bytes(60) + whole[64:]
    assert "spoilt.parquet: is " in message(write(tmp_path / "spoilt.parquet", spoilt))


def test_all_faults_of_all_files_at_once_and_no_more_than_twenty(tmp_path: Path) -> None:
    bad = b"".join(
        json.dumps(GOOD | {"example_id": f"q{i}", "confidence": 2}).encode() + b"\n" for i in range(30)
    )
    said = message(write(tmp_path / "a.jsonl", bad), write(tmp_path / "b.jsonl", b"{\n")).splitlines()
    assert said[0] == "a.jsonl, b.jsonl: 31 rows cannot be read"
    assert len(said) == 22
    assert said[-1] == "… and 11 more"


# A last line that was cut off ------------------------------------------------------------------------------


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """Forty rows and a half, as a killed run leaves them; the cut is within a letter of two bytes."""
    write_predictions(tmp_path / "p.jsonl", good_run(20)[:40])
    half = json.dumps(GOOD | {"answer": "é"}, ensure_ascii=False).encode()[:-3]
    return write(tmp_path / "p.jsonl", (tmp_path / "p.jsonl").read_bytes() + half)


def test_a_cut_last_line_is_named_and_may_be_left_out(cut: Path) -> None:
    assert partial_line(cut) == 41
    said = message(cut)
    assert said.startswith("p.jsonl:41 is not a JSON object")
    assert (
        "(the file was cut off here?); finish the run, or leave this last line out with --allow-partial"
        in said
    )
    assert len(read_predictions(cut, allow_partial=True)) == 40


def test_only_what_was_cut_off_is_left_out(tmp_path: Path) -> None:
    assert partial_line(write(tmp_path / "p.jsonl", LINE)) is None  # whole, but for the line feed
    assert partial_line(write(tmp_path / "p.jsonl", LINE + b"\n{\n")) is None
    assert "p.jsonl:2 is not a JSON object" in message(tmp_path / "p.jsonl", allow_partial=True)
    unfit = write(tmp_path / "p.jsonl", LINE + b'\n{"example_id": "q2"}')
    assert "'q2': has no 'references'" in message(unfit, allow_partial=True)
    assert "holds no predictions" in message(write(tmp_path / "p.jsonl", LINE[:9]), allow_partial=True)


def test_every_length_a_file_may_be_cut_to(tmp_path: Path) -> None:
    whole = b"\n".join(json.dumps(GOOD | {"example_id": f"q{i}"}).encode() for i in range(3)) + b"\n"
    for length in range(len(LINE) + 1, len(whole)):
        kept = whole[:length]
        rows = read_predictions(write(tmp_path / "p.jsonl", kept), allow_partial=True)
        assert len(rows) == whole[: length + 1].count(b"\n"), kept


def test_a_long_last_line_is_found_from_the_end(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", (LINE + b"\n") * 3 + b'{"answer": "' + b"x" * 200_000)
    assert partial_line(path) == 4


def test_validate_and_score_say_what_they_left_out(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(cut)]) == 3
    assert "p.jsonl:41 is not a JSON object" in capsys.readouterr().err
    assert main(["validate", str(cut), "--allow-partial"]) == 0
    assert "note: p.jsonl: its last line, 41, was cut off" in capsys.readouterr().out
    out = cut.parent / "scores"
    options = ["--out", str(out), "--resamples", "100", "--allow-partial"]
    assert main(["score", str(cut), *options]) == 0
    assert "41" in " ".join(json.loads((out / "scores.json").read_text("utf-8"))["notes"])


def test_compare_and_calibrate_leave_it_out_too(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row(f"q{i}", "yes" if i % 3 else "no", confidence=0.6 + i / 100) for i in range(30)]
    other, dev = cut.with_name("other.jsonl"), cut.with_name("dev.jsonl")
    write_predictions(other, good_run(20)[:40])
    write_predictions(dev, rows)
    half = cut.with_name("half.jsonl")
    write_predictions(half, [msgspec.structs.replace(one, example_id=f"t-{one.example_id}") for one in rows])
    write(half, half.read_bytes()[:-9])
    for words in (["compare", cut, other], ["calibrate", "--dev", dev, "--test", half]):
        arguments = [*map(str, words), "--resamples", "100"]
        assert main(arguments) == 3
        assert "--allow-partial" in capsys.readouterr().err
        assert main([*arguments, "--allow-partial"]) == 0
        assert "was cut off and is left out" in " ".join(capsys.readouterr().out.split())


# A million characters --------------------------------------------------------------------------------------

RAMBLING = ("a", "dog cat ", ".,'\"(", "1,2.", "a\n", "the answer is ", "B) ", "a-", "a@b.", "1/2 ")


def test_a_million_characters_are_scored_in_time() -> None:
    """It takes a second or two; a pattern that backtracks would take hours."""
    part = MILLION // len(RAMBLING)
    text = "".join((piece * part)[:part] for piece in RAMBLING)
    rambling = row("q1", text, references=("dog barks", "a dog"), choices=("dog barks", "a cat"))
    start = time.perf_counter()
    for scorer in {**SCORERS, **ON_REQUEST}.values():
        scorer.score_all([rambling])
    score_captions([rambling, row("q2", "a dog", references=("a cat",))])
    assert time.perf_counter() - start < 20


def test_a_million_characters_never_fill_a_message(tmp_path: Path) -> None:
    long = "x" * MILLION
    for bad in (
        {"example_id": long},
        {long: 1},
        {"condition": long},
        {"choice_probabilities": {long: 2}},
        {"confidence": long},
    ):
        said = message(write(tmp_path / "p.jsonl", json.dumps(GOOD | bad | {"seed": -1.5}).encode() + b"\n"))
        assert len(said) < 500
    twice = json.dumps(GOOD | {"example_id": long, "model": long}).encode() + b"\n"
    assert len(message(write(tmp_path / "p.jsonl", twice * 2))) < 500
