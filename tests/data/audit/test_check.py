"""safe-data check: what holds, what does not, what could not be judged, and what it writes."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from folders import STAMPS, needs_stamps
from manifests import check, corpus_of, finish, rejected, results, row, rows, write_dataset

from safe_data.audit import committed_suites
from safe_data.audit.facts.all_facts import FACTS
from safe_data.audit.facts.fact import Fact
from safe_data.audit.judge import judge
from safe_data.audit.suites import SUITES, load_suites
from safe_data.build.build import build_dataset
from safe_data.shards import manifest
from safe_data.sources.synthetic.world import write_world

REPOSITORY = Path(__file__).resolve().parents[3]
EXPECTATIONS = REPOSITORY / "expectations"


# What holds and what does not


def test_a_good_dataset_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_dataset(tmp_path / "shards", rows(20))
    assert check(root) == 0
    assert re.search(r"^holds: \d+ rules", capsys.readouterr().out, re.MULTILINE)
    written = json.loads((root / "check" / "results.json").read_text())
    assert (written["exit_code"], written["verdict"]) == (0, "holds")
    assert set(written["suites"]) <= set(SUITES)


@pytest.mark.parametrize(("bad", "code"), [(1, 0), (2, 1)])
def test_a_load_rate_of_exactly_95_percent_holds_and_less_does_not(
    tmp_path: Path, bad: int, code: int
) -> None:
    root = write_dataset(tmp_path, [*rows(20 - bad), *(rejected(20 + index) for index in range(bad))])
    assert check(root, "load") == code
    found = results(root)["load_rate"]
    assert (found["observed"], found["bound"], found["success"]) == ((20 - bad) / 20, "≥ 0.95", code == 0)
    assert found["offenders"][0]["records"] == ["train/clip-20"]


@pytest.mark.parametrize("column", ["id", "group", "audio_sha256", "pcm_sha256"])
def test_what_leaks_between_splits_fails_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str
) -> None:
    ids = [{"id": "clip-3"}, {"id": "clip-3"}] if column == "id" else [{"id": "clip-3"}, {"id": "clip-7"}]
    first, second = ({**names, column: names.get(column, "same")} for names in ids)
    root = write_dataset(tmp_path, [*rows(3), row(3, "train", **first), row(7, "test", **second)])
    assert check(root, "leakage") == 1
    found = results(root)
    # What is the same is also nearly the same, and these records are asked the same about it.
    others = [found.pop(f"{what}_in_two_splits")["success"] for what in ("near_sounds", "questions")]
    assert set(others) == {column != "pcm_sha256"}
    (failed,) = [result for result in found.values() if not result["success"]]
    records = [f"test/{second['id']}", "train/clip-3"]
    assert failed["offenders"] == [{"what": f"{column} {first[column]}", "records": records}]
    printed = capsys.readouterr().out
    assert f"{column} {first[column]}: test/{second['id']} = train/clip-3\n" in printed
    assert re.search(rf"^does not hold: \d+ rules, {1 + others.count(False)} FAIL", printed, re.MULTILINE)


def test_a_picture_in_two_splits_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = {"image_sha256": "same", "pixel_sha256": "same"}
    root = write_dataset(tmp_path, [row(0, "train", **same), row(1, "test", **same)])
    assert check(root) == 0
    assert re.search(r"^holds: \d+ rules, 3 warn", capsys.readouterr().out, re.MULTILINE)
    assert results(root)["pictures_in_two_splits"]["success"] is False


def test_a_column_of_another_type_does_not_hold(tmp_path: Path) -> None:
    table = manifest.table(rows(4))
    wide = table.set_column(table.schema.get_field_index("row"), "row", table["row"].cast(pa.int64()))
    root = write_dataset(tmp_path, wide)
    assert check(root, "schema") == 1
    assert results(root)["wrong_columns"]["offenders"][0]["what"] == "row is int64, the format says int32"


def test_rows_that_break_a_rule_are_named(tmp_path: Path) -> None:
    table = manifest.table([*rows(3), row(3, status="done")])  # type: ignore[arg-type]
    root = write_dataset(tmp_path, table)
    assert check(root, "schema") == 1
    found = results(root)["status"]
    assert (found["observed"], found["among"]) == (3, 4)
    assert found["offenders"] == [{"what": "status done", "records": ["train/clip-3"]}]


# What cannot be judged


def test_what_is_no_finished_dataset_cannot_be_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_dataset(tmp_path / "shards", rows(4))
    expected = {
        "no dataset": tmp_path / "missing",
        "not the one the dataset was finished with": tmp_path / "swapped",
        "cannot be read as a manifest": tmp_path / "garbage",
        "missing; build the dataset again": tmp_path / "bare",
    }
    for copy in list(expected.values())[1:]:
        shutil.copytree(root, copy)
    write = tmp_path / "swapped" / "manifest.parquet"
    pq.write_table(manifest.table(rows(6)), write)
    (tmp_path / "garbage" / "manifest.parquet").write_bytes(b"PAR1 and no more")
    finish(tmp_path / "garbage")
    (tmp_path / "bare" / "manifest.parquet").unlink()
    for message, folder in expected.items():
        assert check(folder) == 3
        assert message in capsys.readouterr().err


def test_an_older_verdict_does_not_outlive_a_check_that_failed(tmp_path: Path) -> None:
    root = write_dataset(tmp_path, rows(4))
    assert check(root) == 0
    assert check(root, "leakge", force=True) == 3
    assert not list((root / "check").iterdir())


def test_other_results_are_replaced_by_force_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_dataset(tmp_path, rows(4))
    assert check(root, "schema") == 0
    before = (root / "check/results.json").read_bytes()
    assert check(root, "schema") == 0  # the same results again
    capsys.readouterr()
    assert check(root, "leakage") == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "results.json: is there already, about other rows, suites or versions" in printed.err
    assert (root / "check/results.json").read_bytes() == before
    assert check(root, "leakage", force=True) == 0
    assert (root / "check/results.json").read_bytes() != before


def test_without_great_expectations_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    assert check(write_dataset(tmp_path, rows(4))) == 3
    assert (
        "the check needs great_expectations, which is not installed; run pip install '.[gx]'"
        in capsys.readouterr().err
    )


# What is written


def test_without_jinja2_the_page_is_left_out_and_a_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import great_expectations  # noqa: F401  (it needs jinja2 itself, when it is loaded)

    monkeypatch.setitem(sys.modules, "jinja2", None)
    root = write_dataset(tmp_path, rows(4))
    assert check(root) == 0
    assert "run pip install '.[report]' in the SAFE project folder" in capsys.readouterr().out
    assert {path.name for path in (root / "check").iterdir()} == {
        "facts.json",
        "results.json",
        "junit.xml",
        "summary.md",
    }


def test_text_from_strangers_moves_no_cursor_and_is_no_html(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "<script>alert(1)</script>\x1b[2J\u202e\n{{ 777 * 777 }}"
    root = write_dataset(
        tmp_path, [row(0, group=hostile), row(1, "test", group=hostile), rejected(2, error=hostile)]
    )
    assert check(root) == 1
    printed = capsys.readouterr().out
    assert "<script>alert(1)</script>�[2J��{{ 777 * 777 }}: test/clip-1 = train/clip-0\n" in printed
    page = (root / "check" / "index.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 777 * 777 }}" in page
    assert not re.search(r'src="(?!data:)|href="[^#]|https?://', page)
    assert results(root)["groups_in_two_splits"]["offenders"][0]["what"] == f"group {hostile}"


def test_nothing_is_sent_and_no_folder_is_made_but_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    root = write_dataset(tmp_path / "shards", rows(4))
    assert check(root) == 0
    assert list((tmp_path / "home").iterdir()) == []
    assert {path.name for path in root.iterdir()} == {
        "manifest.parquet",
        "dataset.json",
        "train",
        "test",
        "check",
    }


# The committed suites


def test_the_committed_suites_are_those_of_the_code() -> None:
    """`python -m safe_data.audit.committed_suites` writes them anew."""
    made = {name: committed_suites.suite_json(name) for name in SUITES}
    assert {path.stem: path.read_bytes() for path in EXPECTATIONS.glob("*.json")} == made
    assert set(committed_suites.RULES) == set(SUITES)


def test_the_committed_suites_are_explained() -> None:
    readme = (EXPECTATIONS / "README.md").read_text()
    for suite in load_suites():
        assert f"## {suite.name}" in readme
        for expectation in suite.expectations:
            assert all(f"`{column}`" in readme for column in expectation.columns), expectation.columns


def test_the_committed_rules_state_every_argument() -> None:
    """As they do, no default, of ours or of Great Expectations, can change what is judged."""
    for suite in load_suites():
        stored = json.loads((EXPECTATIONS / f"{suite.name}.json").read_text())["expectations"]
        assert [rule["kwargs"] for rule in stored] == [rule.kwargs for rule in suite.expectations]
        assert all(rule["severity"] and rule["description"] for rule in stored)


def test_every_committed_rule_can_fail() -> None:
    """An absurd fact and a manifest of nulls break every rule."""
    least = {rule.columns[0] for suite in load_suites() for rule in suite.expectations if "≥" in rule.bound}
    bad = {name: Fact(-1.0 if name in least else 9.0) for name in FACTS}
    nulls = pa.table({name: pa.nulls(2, pa.string()) for name in manifest.SCHEMA.names})
    results = judge(load_suites(), corpus_of(nulls), bad)
    assert [result.name for result in results if result.success is not False] == []


# The real command on real data


def test_the_command_on_a_synthetic_world(tmp_path: Path) -> None:
    write_world(tmp_path / "world", clips=60, seed=0)
    build_dataset(tmp_path / "world", tmp_path / "shards")
    command = [str(Path(sys.executable).with_name("safe-data")), "check", str(tmp_path / "shards")]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "NO_COLOR": "1"}
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.startswith("world: 60 records\n")
    assert re.search(r"^holds: \d+ rules", done.stdout, re.MULTILINE)


@needs_stamps
def test_one_sound_under_two_names_is_found_in_real_files(tmp_path: Path) -> None:
    """A badger and a beaver have the same decoded sound, in files with different bytes."""
    records = []
    for split, name in [("train", "badger"), ("test", "rodents/beaver")]:
        for suffix in ("png", "ogg"):
            target = tmp_path / "corpus" / f"{name}.{suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(STAMPS / "animals" / "mammals" / f"{name}.{suffix}", target)
        files = {"image_file_name": f"{name}.png", "audio_file_name": f"{name}.ogg"}
        records.append({"id": Path(name).name, "group": name, "split": split, **files})
    (tmp_path / "corpus" / "metadata.jsonl").write_text(
        "".join(json.dumps(record) + "\n" for record in records)
    )
    build_dataset(tmp_path / "corpus", tmp_path / "shards")
    assert check(tmp_path / "shards", "leakage") == 1
    found = results(tmp_path / "shards")
    assert found["sounds_in_two_splits"]["offenders"][0]["records"] == ["test/beaver", "train/badger"]
    assert found["sound_files_in_two_splits"]["success"] is True
