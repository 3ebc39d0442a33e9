"""Files of text: a mark of UTF-8 is skipped, and another encoding or NaN is said by its name."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from folders import row, write_rows

from safe_data.audit.suites import load_suites
from safe_data.cli import main
from safe_data.core.errors import InputError
from safe_data.core.yaml_file import read_yaml
from safe_data.records import Record
from safe_data.sampling.curriculum_file import read_stages
from safe_data.sources import coco_captions, folder

MARK = b"\xef\xbb\xbf"
UTF_16 = "starts with a UTF-16 byte order mark; save it as UTF-8 without one"
STAGES = "stages:\n  - name: all\n    weights: {audio: 1}\n"
RULE = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "rows", "min_value": 1},
    "severity": "critical",
    "description": "rows",
    "meta": {"data": "facts"},
}
SUITE = json.dumps({"name": "mine", "expectations": [RULE]})
CAPTIONS = json.dumps(
    {
        "images": [{"id": 1, "file_name": "1.jpg"}],
        "annotations": [{"image_id": 1, "id": 1, "caption": "a dog"}],
    }
)


def read_captions(path: Path) -> int:
    return len(list(coco_captions.read(path.parent)))


def read_folder(path: Path) -> int:
    return sum(isinstance(record, Record) for record in folder.read(path.parent))


# Of each kind of file: its name, what it says, and how it is read.
FILES: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "annotations": ("captions_val2017.json", CAPTIONS, read_captions),
    "metadata.jsonl": ("metadata.jsonl", json.dumps(row(0)) + "\n", read_folder),
    "metadata.csv": ("metadata.csv", "id,image_file_name\na,a.png\n", read_folder),
    "suite": ("mine.json", SUITE, lambda path: load_suites([str(path)])),
    "curriculum": ("stages.yaml", STAGES, read_stages),
    "options": ("options.yaml", "seed: 1\n", lambda path: read_yaml(path)[1]),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_mark_of_utf_8_is_skipped(tmp_path: Path, kind: str) -> None:
    name, text, read = FILES[kind]
    path = tmp_path / name
    path.write_bytes(MARK + text.encode())
    assert read(path)


@pytest.mark.parametrize("kind", FILES)
def test_another_encoding_is_named(tmp_path: Path, kind: str) -> None:
    name, text, read = FILES[kind]
    path = tmp_path / name
    path.write_bytes(text.encode("utf-16"))
    with pytest.raises(InputError) as caught:
        read(path)
    assert UTF_16 in str(caught.value).splitlines()[0]
    assert name in str(caught.value)


@pytest.mark.parametrize("kind", ["annotations", "suite", "metadata.jsonl"])
def test_a_number_that_json_lacks_is_named(tmp_path: Path, kind: str) -> None:
    name, text, read = FILES[kind]
    path = tmp_path / name
    path.write_text(
        text.replace('"clip-000"', "NaN").replace(" 1}", " NaN}").replace('"1.jpg"', "NaN"), "utf-8"
    )
    with pytest.raises(InputError, match="NaN is not JSON; write null for a missing number"):
        read(path)


def test_the_options_of_a_command_may_begin_with_a_mark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = tmp_path / "options.yaml"
    options.write_bytes(MARK + b"clips: 24\nseed: 1\n")
    assert main(["synth", str(tmp_path / "world"), "--config", str(options)]) == 0
    options.write_bytes("clips: 24\n".encode("utf-16"))
    assert main(["synth", str(tmp_path / "world"), "--config", str(options)]) == 3
    assert capsys.readouterr().err == f"safe-data synth: {options}: {UTF_16}\n"


def test_hub_yaml_is_read_like_any_other(tmp_path: Path) -> None:
    write_rows(tmp_path, [row(0)])
    (tmp_path / "hub.yaml").write_bytes("path: json\n".encode("utf-16"))
    from safe_data.sources.hub import read

    with pytest.raises(InputError, match=UTF_16):
        list(read(tmp_path))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n",
            "a Git LFS pointer; run git lfs pull",
        ),
        (
            b"<!DOCTYPE html>\n<html><body>404</body></html>\n",
            "an HTML page, as a failed download leaves; download",
        ),
        (b"PK\3\4" + bytes(range(60)), "a ZIP archive; unpack it"),
        (bytes(600), "zeros, as an interrupted copy leaves; download the file again"),
    ],
)
@pytest.mark.parametrize("kind", ["annotations", "metadata.jsonl", "metadata.csv", "metadata.parquet"])
def test_what_stands_where_rows_should_is_named(tmp_path: Path, kind: str, data: bytes, what: str) -> None:
    name, _, read = FILES.get(kind, (kind, "", read_folder))
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=f"{name}: is {what}"):
        read(tmp_path / name)
