"""rejected.parquet has a row for each record that was not used, and `info --rejected` shows all of them."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from folders import row, sound_bytes, write_folder, write_media, write_rows

from safe_data.build.build import build_dataset
from safe_data.cli import main
from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_data.records import Rejected
from safe_data.shards import manifest
from safe_data.shards.rejected import SCHEMA, Rejects, read_rejected, rejected_lines, rejected_of
from safe_data.shards.verify import verify_dataset
from safe_data.sources import folder
from safe_data.sources.all_sources import SOURCES

HOSTILE = "sounds/=1+1  \x1b[2J\u202e\nrm\x9b.wav"


def read_with_a_faulty_row(root: Path) -> Any:
    """A folder whose annotations have a row that is no record, and one whose sound was never found."""
    yield Rejected(id="row-1", dataset="world", split="train", reason="faulty row: a.csv:1: has no 'id'")
    yield Rejected(
        id="row-2", dataset="world", split="train", group="v2", reason="no such file: v2", path="audio/v2.wav"
    )
    yield from folder.read(root)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six records, of which two are used; the picture of one and the sounds of the others are at fault."""
    place = tmp_path_factory.mktemp("rejected")
    rows = [row(number) for number in range(4)]
    rows[1]["audio_file_name"] = HOSTILE
    write_media(place / "world", rows)
    (place / "world" / HOSTILE).unlink()
    (place / "world" / "images" / "clip-002.png").write_bytes(b"no picture")
    (place / "world" / "sounds" / "clip-003.wav").write_bytes(sound_bytes()[:700])
    write_rows(place / "world", rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOURCES, "folder", read_with_a_faulty_row)
        build_dataset(place / "world", place / "shards", shard_size=3)
    return place / "shards"


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["info", *map(str, arguments)])
    return code, *capsys.readouterr()


def test_it_names_the_medium_at_fault(built: Path) -> None:
    found = pq.read_table(built / "rejected.parquet")
    assert found.schema.equals(SCHEMA)
    assert [(r["index"], r["id"], r["group"], r["path"], r["kind"]) for r in found.to_pylist()] == [
        (0, "row-1", "", None, "faulty row"),
        (1, "row-2", "v2", "audio/v2.wav", "no such file"),
        (3, "clip-001", "g0", HOSTILE, "no such file"),
        (4, "clip-002", "g1", "images/clip-002.png", "not a picture"),
        (5, "clip-003", "g1", "sounds/clip-003.wav", "truncated sound"),
    ]
    assert found["reason"].to_pylist()[0] == "faulty row: a.csv:1: has no 'id'"
    assert found.equals(rejected_of(manifest.read(built / "manifest.parquet")))


def test_a_dataset_without_rejected_records_has_a_table_of_no_rows(tmp_path: Path) -> None:
    build_dataset(write_folder(tmp_path / "world", clips=3), tmp_path / "out", encoders=[])
    found = pq.read_table(tmp_path / "out" / "rejected.parquet")
    assert (found.num_rows, found.schema.equals(SCHEMA)) == (0, True)
    assert read_rejected(tmp_path / "out").rejected == []


def test_verify_covers_it_and_a_build_makes_it_again(built: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(built, tmp_path / "shards"))
    path, whole = root / "rejected.parquet", (built / "rejected.parquet").read_bytes()
    path.write_bytes(whole[:100] + b"X" + whole[101:])
    damaged = "rejected.parquet: damaged, its bytes have changed; run the build again"
    assert verify_dataset(root).findings == (damaged,)
    with pytest.raises(InputError, match="damaged, its bytes have changed"):
        read_rejected(root)
    path.unlink()
    assert verify_dataset(root).findings == ("rejected.parquet: missing; run the build again",)
    with pytest.raises(InputError, match=r"rejected.parquet: missing; run the build again$"):
        read_rejected(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOURCES, "folder", read_with_a_faulty_row)
        build_dataset(built.parent / "world", root, shard_size=3)
    assert path.read_bytes() == whole


def make_older(root: Path) -> None:
    """Make the dataset what versions without the file of rejected records built."""
    (root / "rejected.parquet").unlink()
    texts = {path: path.read_text() for path in (root / "dataset.json", *root.glob("*/*.done.json"))}
    for path in [root / "manifest.parquet", *root.glob("*/*.parquet")]:
        before = (file_sha256(path), f'"bytes": {path.stat().st_size}')
        pq.write_table(pq.read_table(path).drop_columns(["source_path"]), path, store_schema=False)
        after = (file_sha256(path), f'"bytes": {path.stat().st_size}')
        for name, text in texts.items():
            if before[0] in text:
                texts[name] = text.replace(before[0], after[0]).replace(before[1], after[1])
    for name, text in texts.items():
        facts = json.loads(text)
        facts.pop("rejected_sha256", None)
        name.write_text(json.dumps(facts))


def test_a_dataset_of_an_older_version_is_read(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safe_data import ShardDataset
    from safe_data.audit.corpus import open_corpus
    from safe_data.audit.facts.all_facts import compute_facts

    root = Path(shutil.copytree(built, tmp_path / "shards"))
    make_older(root)
    assert verify_dataset(root).findings == ()
    assert compute_facts(open_corpus([str(root)]))["wrong_columns"].value == 0
    assert len(ShardDataset(root, "train")) == 1
    found = read_rejected(root).rejected
    assert [(one["id"], one["path"]) for one in found[:2]] == [("row-1", None), ("row-2", None)]
    assert main(["info", str(root)]) == 0
    assert "5 of 6 records rejected" in capsys.readouterr().out


def test_the_text_counts_by_kind_and_lists_every_record(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = printed(capsys, built, "--rejected")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1:] == [
        "  5 of 6 records rejected",
        "  rejected  share  reason",
        "         2  33.3%  no such file",
        "         1  16.7%  faulty row",
        "         1  16.7%  not a picture",
        "         1  16.7%  truncated sound",
        "",
        "  no such file",
        "    row-2  audio/v2.wav",
        "      v2",
        r"    clip-001  sounds/=1+1  \x1b[2J\u202e\nrm\x9b.wav",
        "",
        "  faulty row",
        "    row-1",
        "      a.csv:1: has no 'id'",
        "",
        "  not a picture",
        "    clip-002  images/clip-002.png",
        "      a text file",
        "",
        "  truncated sound",
        "    clip-003  sounds/clip-003.wav",
        "      the header promises 16000 bytes, 656 are there",
    ]


def test_long_paths_and_reasons_are_wrapped_and_whole() -> None:
    long = {"id": "a" * 95, "path": f"sounds/{'b' * 150}.wav", "kind": "k", "reason": f"k: {'word ' * 40}end"}
    lines = rejected_lines(Rejects("root", 1, {"k": 1}, [long]))
    assert max(map(len, lines)) <= 80
    text = "".join("".join(lines).split())
    for part in ("a" * 95, f"sounds/{'b' * 150}.wav", "word" * 40 + "end"):
        assert part in text


def test_csv_and_json_are_complete_and_run_nothing(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = printed(capsys, built, "--rejected", "--format", "csv")
    assert out.replace("\n", "").isprintable()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == SCHEMA.names
    assert [found["id"] for found in rows] == ["row-1", "row-2", "clip-001", "clip-002", "clip-003"]
    assert rows[2]["path"] == r"sounds/=1+1  \x1b[2J\u202e\nrm\x9b.wav"
    _, out, _ = printed(capsys, built, "--rejected", "--format", "json")
    assert out.replace("\n", "").isprintable()
    facts = json.loads(out)
    assert facts["rejected"] == pq.read_table(built / "rejected.parquet").to_pylist()
    assert facts["reasons"]["no such file"] == 2


def test_a_reason_is_a_kind_or_how_kinds_begin(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for reason, ids in {
        "no such file": ["row-2", "clip-001"],
        "not": ["clip-002"],
        "t": ["clip-003"],
    }.items():
        assert [one["id"] for one in read_rejected(built, reason).rejected] == ids
    _, out, _ = printed(capsys, built, "--rejected", "--reason", "t")
    assert out.splitlines()[1] == "  5 of 6 records rejected, 1 of them shown"
    code, _, err = printed(capsys, built, "--rejected", "--reason", "nosuch")
    assert code == 3
    assert err == (
        f"safe-data info: --reason nosuch: no record of {built} was rejected for it; the reasons are "
        "no such file (2), faulty row (1), not a picture (1), truncated sound (1)\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--format", "csv"],
            "--format csv: lists rejected records, one a line; add --rejected, or take json",
        ),
        (["--reason", "x"], "--reason x: chooses among the rejected records; add --rejected"),
    ],
)
def test_options_that_mean_nothing_alone(
    built: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed(capsys, built, *options) == (3, "", f"safe-data info: {said}\n")
