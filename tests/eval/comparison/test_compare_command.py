"""safe-eval compare as it is typed: exit codes, what is said, and what is written."""

import json
from pathlib import Path

import msgspec
import pytest
from made_rows import answers
from made_two_files import compared, make_two_files, of_slice, written

from safe_eval.cli import main
from safe_eval.comparison.comparison_file import ComparisonFile
from safe_eval.predictions import write_predictions


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return make_two_files(tmp_path)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ([], 0, "A new/full − B old/full"),
        (["--margin", "0.1"], 1, "within ±0.1 on all: not shown to be equivalent"),
        (["--margin", "0.1", "--slice", "vl"], 0, "within ±0.1 on vl: equivalent"),
        (["--margin", "0.01", "--slice", "vl"], 1, "vl undecided"),
    ],
)
def test_exit_codes(
    files: tuple[Path, Path], options: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *map(str, files), "--resamples", "200", *options]) == code
    said = capsys.readouterr().out
    assert words in said
    assert max(map(len, said.splitlines())) <= 80


def test_one_cluster_cannot_be_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sides = [
        answers(name, "full", lambda clip, _, n=n: clip == n, clips=2, clips_a_group=2)
        for n, name in enumerate(("new", "old"))
    ]
    files = [str(written(tmp_path / f"{n}.jsonl", rows)) for n, rows in enumerate(sides)]
    assert main(["compare", *files, "--margin", "0.1"]) == 2
    assert "within ±0.1 on all: not measured" in capsys.readouterr().out
    assert main(["compare", *files, "--margin", "0.1", "--slice", "type:none"]) == 3
    assert (
        "no example is in the deciding slice 'type:none'; slices are all, audio, vl"
        in capsys.readouterr().err
    )
    assert main(["compare", *files, "--margin", "0"]) == 3


def test_what_is_not_significant_says_what_could_have_been_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sides = [
        answers(name, "full", lambda clip, _, n=n: clip % 7 != n, clips=70) for n, name in enumerate("ab")
    ]
    files = written(tmp_path / "a.jsonl", sides[0]), written(tmp_path / "b.jsonl", sides[1])
    found = of_slice(compared(files), "audio")
    assert found.p_value == 1.0
    assert found.detectable == pytest.approx(2.8016 * found.stderr, rel=0.02)
    assert main(["compare", *map(str, files)]) == 0
    assert f"from: all {found.detectable:.3f}; audio {found.detectable:.3f}" in capsys.readouterr().out


def test_what_is_not_shown_says_what_would_show_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No picture changes, and of the sounds a fifth is lost: no number shows that they are the same."""
    sides = [
        answers(name, "full", lambda clip, hears, n=n: not (n and hears and clip % 5 == 0), clips=70)
        for n, name in enumerate("ab")
    ]
    files = written(tmp_path / "a.jsonl", sides[0]), written(tmp_path / "b.jsonl", sides[1])
    assert main(["compare", *map(str, files), "--margin", "0.005", "--out", str(tmp_path / "o")]) == 1
    said = " ".join(capsys.readouterr().out.split())
    rows = json.loads((tmp_path / "o" / "comparison.json").read_text("utf-8"))["rows"]
    enough = {row["slice"]: row["would_show"] for row in rows}
    assert enough["all"] is enough["audio"] is None
    assert enough["vl"]["clusters"] == enough["vl"]["items"] == pytest.approx(598, abs=3)
    assert (
        "to show that it is within ±0.005: all no number of items would; audio no number of items would; "
        f"vl about {enough['vl']['items']} items like these would"
    ) in said


def test_the_file_is_written_and_stdout_is_for_programs(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *map(str, files), "--out", str(tmp_path / "o"), "--format", "json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads((tmp_path / "o" / "comparison.json").read_text("utf-8"))
    assert json.loads(out) == document
    names = [tmp_path / "o" / name for name in ("comparison.json", "flips.csv", "disagreements.csv")]
    assert err == f"wrote {names[0]}, {names[1]} and {names[2]}\n"
    assert document["a"]["files"][0]["name"] == "a.jsonl"
    assert document["provenance"]["cluster"] == "group"
    assert [covered["answered"] for covered in document["coverage"]] == [100, 100]
    assert msgspec.convert(document, ComparisonFile, strict=False).family == 3


def test_failures_count_as_wrong_and_are_told(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = answers("new", "full", lambda *_: True)
    rows[0] = msgspec.structs.replace(rows[0], answer=None, error="out of memory")
    rows[1] = msgspec.structs.replace(rows[1], answer=" ")
    write_predictions(files[0], rows)
    assert of_slice(compared(files), "all").mean_a == pytest.approx(0.98)
    assert main(["compare", *map(str, files)]) == 0
    assert "A full on made: 98 of 100 answered, 1 errored, 1 unparsed" in capsys.readouterr().out
