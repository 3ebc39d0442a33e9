"""Croissant metadata are read back by the format's own library, and say what the dataset's files say."""

import json
import shutil
from pathlib import Path
from typing import Any, get_args

import fsspec
import mlcroissant
import pytest
from folders import files_of, row, sound_bytes, write_media, write_rows

from safe_data.build.build import build_dataset
from safe_data.cli import main
from safe_data.core.errors import InputError
from safe_data.records import Difficulty
from safe_data.shards import manifest
from safe_data.shards.croissant import COLUMNS, CONTEXT, croissant, croissant_lines
from safe_data.shards.layout import Done, read_json
from safe_data.shards.storage import Folder

pytestmark = [  # what mlcroissant does itself
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.reset_index"),
]
HOSTILE = '"</script>\x1b[2J\u202e \n{"@id": "x"} 東'
# What only its publisher knows of a dataset.
UNKNOWN = ("https://schema.org/datePublished", "https://schema.org/license", "https://schema.org/version")
UNKNOWN += ("http://mlcommons.org/croissant/citeAs",)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight clips in four splits: one has no sound, one sound is an Ogg file, one picture is not there."""
    folder = tmp_path_factory.mktemp("croissant")
    splits = ("train", "train", "train", "train", "val", "test", "extra", "train")
    rows = [row(number, split=split, label=HOSTILE) for number, split in enumerate(splits)]
    del rows[1]["audio_file_name"]
    rows[2] |= {"audio_file_name": "sounds/clip-002.ogg", "difficulty": "hard"}
    write_media(folder / "world", rows)
    (folder / "world" / "sounds" / "clip-002.ogg").write_bytes(sound_bytes(kind="OGG", subtype="VORBIS"))
    (folder / "world" / "images" / "clip-003.png").unlink()
    out = folder / "shards"
    build_dataset(write_rows(folder / "world", rows), out, shard_size=2)
    (out / "croissant.json").write_text("\n".join(croissant_lines(out)), "utf-8")
    return out


def values(dataset: Any, record_set: str) -> list[dict[str, Any]]:
    """The records of a set, with the bytes of a text as text."""
    return [
        {
            name.partition("/")[2]: value.decode() if isinstance(value, bytes) else value
            for name, value in record.items()
        }
        for record in dataset.records(record_set)
    ]


def test_the_library_of_the_format_finds_no_fault(root: Path) -> None:
    document = json.loads((root / "croissant.json").read_bytes())
    issues = mlcroissant.Dataset(document).metadata.ctx.issues
    assert issues.errors == set()
    wanted = {f'[Metadata(world)] Property "{name}" is recommended, but does not exist.' for name in UNKNOWN}
    assert issues.warnings == wanted


def test_a_publisher_completes_it(root: Path) -> None:
    document = json.loads((root / "croissant.json").read_bytes())
    document |= {"license": "https://spdx.org/licenses/CC-BY-4.0", "version": "1.0.0", "citeAs": "Me (2020)"}
    issues = mlcroissant.Dataset(document | {"datePublished": "2020-02-02"}).metadata.ctx.issues
    assert not issues.errors
    assert not issues.warnings


def test_all_rows_of_the_manifest_come_back(root: Path) -> None:
    read = values(mlcroissant.Dataset(root / "croissant.json"), "records")
    stored = manifest.read(root / "manifest.parquet").to_pylist()
    assert len(stored) == 8
    assert [(one["id"], one["split"]) for one in read] == [(one["id"], one["split"]) for one in stored]
    assert read == stored
    assert {one["label"] for one in read} == {HOSTILE}
    assert [one["id"] for one in read if one["status"] == "rejected"] == ["clip-003"]


def test_splits_and_enumerations_come_back(root: Path) -> None:
    read = mlcroissant.Dataset(root / "croissant.json")
    assert {one["name"]: one["url"] for one in values(read, "splits")} == {
        "train": "cr:TrainingSplit",
        "val": "cr:ValidationSplit",
        "test": "cr:TestSplit",
        "extra": "cr:Split",
    }
    assert [one["name"] for one in values(read, "statuses")] == ["ok", "rejected"]
    assert [one["name"] for one in values(read, "difficulties")] == list(get_args(Difficulty))


def test_every_file_has_its_hash_and_size(root: Path) -> None:
    document = croissant(root)
    listed = {file["@id"]: file for file in document["distribution"] if file["@type"] == "cr:FileObject"}
    files = files_of(root)
    assert set(listed) == {
        name for name in files if name.endswith((".tar", ".npy")) or name == "manifest.parquet"
    }
    for done in root.glob("*/*.done.json"):
        for name, facts in read_json(Folder(done.parent), done.name, Done).files.items():
            file = listed.get(f"{done.parent.name}/{name}")
            assert file is None or (file["sha256"], file["contentSize"]) == (facts.sha256, f"{facts.bytes} B")
    assert listed["manifest.parquet"]["contentSize"] == f"{len(files['manifest.parquet'])} B"
    members = [file for file in document["distribution"] if file["@type"] == "cr:FileSet"]
    assert [one["includes"] for one in members] == ["*.json", "*.ogg", "*.png", "*.wav"]
    assert {tar["@id"] for tar in members[0]["containedIn"]} == {
        name for name in listed if name.endswith(".tar")
    }


def test_a_changed_manifest_is_not_read(root: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(root, tmp_path / "copy"))
    data = bytearray((copy / "manifest.parquet").read_bytes())
    data[-20] ^= 1
    (copy / "manifest.parquet").write_bytes(data)
    with pytest.raises(mlcroissant.GenerationError, match="Download"):
        list(mlcroissant.Dataset(copy / "croissant.json").records("records"))


def test_every_column_says_what_it_is(root: Path) -> None:
    assert [name for name in manifest.SCHEMA.names if name not in COLUMNS] == []
    kinds = {field["name"]: field["dataType"] for field in croissant(root)["recordSet"][0]["field"]}
    assert list(kinds) == manifest.SCHEMA.names
    assert (kinds["label"], kinds["rms_db"], kinds["row"]) == (
        ["sc:Text", "cr:Label"],
        "sc:Float",
        "sc:Integer",
    )


def test_the_context_has_all_terms_that_the_library_knows() -> None:
    from mlcroissant._src.core.context import Context
    from mlcroissant._src.core.rdf import make_context

    theirs = make_context(Context(conforms_to="http://mlcommons.org/croissant/1.1"))
    assert theirs == CONTEXT


def test_the_command_prints_the_document(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(root), "--croissant"]) == 0
    printed = capsys.readouterr().out
    assert printed == (root / "croissant.json").read_text("utf-8") + "\n"
    assert json.loads(printed) == croissant(root)
    assert main(["verify", str(root)]) == 0  # it may lie beside the data


def test_a_dataset_at_a_url_has_the_same_metadata(root: Path) -> None:
    memory = fsspec.filesystem("memory")
    for name, data in files_of(root).items():
        memory.pipe(f"/croissant/{name}", data)
    assert croissant_lines("memory://croissant") == croissant_lines(root)


def test_other_options_are_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in (["--rejected"], ["--format", "csv"]):
        assert main(["info", str(root), "--croissant", *options]) == 3
        assert "leave out --rejected and --format csv" in capsys.readouterr().err


def test_a_shard_that_names_no_tar_is_refused(root: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(root, tmp_path / "copy"))
    done = next((copy / "test").glob("*.done.json"))
    facts = json.loads(done.read_bytes())
    facts["files"] = {name: of for name, of in facts["files"].items() if not name.endswith(".tar")}
    done.write_text(json.dumps(facts), "utf-8")
    with pytest.raises(InputError, match=r"lacks world-test-000000\.tar; run the build again$"):
        croissant(copy)


def test_a_dataset_of_pictures_alone(tmp_path: Path) -> None:
    rows = [row(0)]
    del rows[0]["audio_file_name"], rows[0]["examples"]
    write_media(tmp_path / "world", rows)
    build_dataset(write_rows(tmp_path / "world", rows), tmp_path / "out", encoders=[])
    document = croissant(tmp_path / "out")
    says = "1 clip (train 1) with 0 sounds, 1 picture and 0 prompts, as WebDataset shards"
    assert document["description"] == f"{says}. Embeddings of the sounds: none."
    assert not mlcroissant.Dataset(document).metadata.ctx.issues.errors
