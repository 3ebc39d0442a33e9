"""What hub.yaml's path names: saved datasets and folders are local, and nothing misspelt asks the network."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from folders import picture_bytes, sound_bytes

from safe_data.core.errors import InputError
from safe_data.records import Record, Rejected
from safe_data.sources.hub import read
from safe_data.sources.hub_path import named_by

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def _no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up fails the test at once, rather than after a time-out."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("asked the network"))


def corpus(tmp_path: Path, **specification: Any) -> Path:
    root = tmp_path / "corpus"
    root.mkdir(exist_ok=True)
    (root / "hub.yaml").write_text(yaml.safe_dump(specification), encoding="utf-8")
    return root


def saved(rows: int = 2, kinds: tuple[int, ...] = (0, 1)) -> Any:
    """Sounds as bytes, as `save_to_disk` embeds them."""
    media = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    features = datasets.Features({"sound": media, "kind": datasets.ClassLabel(names=["bell", "horn"])})
    data = [
        {"sound": {"bytes": sound_bytes(seed=number), "path": "a.wav"}, "kind": kinds[number]}
        for number in range(rows)
    ]
    return datasets.Dataset.from_list(data, features=features).cast_column("sound", datasets.Audio())


def test_a_dataset_saved_to_disk(tmp_path: Path) -> None:
    root = corpus(tmp_path, path="./saved", columns={"audio": "sound", "label": "kind"})
    whole = datasets.DatasetDict({"train": saved(2), "validation": saved(1).with_format("numpy")})
    whole.save_to_disk(root / "saved")
    records = [record for record in read(root) if isinstance(record, Record)]
    assert [(record.id, record.split, record.label) for record in records] == [
        ("train-0", "train", "bell"),
        ("train-1", "train", "horn"),
        ("val-0", "val", "bell"),
    ]
    assert records[0].audio is not None
    assert (root / records[0].audio.path).read_bytes() == sound_bytes(seed=0)


def test_a_class_without_a_name_is_a_faulty_row_and_an_unknown_one_no_label(tmp_path: Path) -> None:
    root = corpus(tmp_path, path="./saved", columns={"audio": "sound", "label": "kind"})
    whole = saved(3, (1, -1, 0))
    whole.save_to_disk(root / "saved")
    info = root / "saved" / "dataset_info.json"
    facts = json.loads(info.read_bytes())
    facts["features"]["kind"]["names"].remove("horn")
    info.write_text(json.dumps(facts), encoding="utf-8")
    faulty, unknown, bell = read(root)
    assert isinstance(faulty, Rejected)
    assert (faulty.id, faulty.reason) == (
        "train-0",
        "faulty row: train[0]: Invalid integer class label 1",
    )
    assert isinstance(unknown, Record)
    assert unknown.label is None
    assert isinstance(bell, Record)
    assert bell.label == "bell"


def test_one_split_saved_to_disk_elsewhere(tmp_path: Path) -> None:
    root = corpus(tmp_path, path="../one", columns={"audio": "sound"})
    saved().save_to_disk(tmp_path / "one")
    assert [(record.id, type(record)) for record in read(root)] == [("train-0", Record), ("train-1", Record)]
    state = tmp_path / "one" / "state.json"
    facts = json.loads(state.read_bytes())
    facts["_data_files"] = [{"filename": "../secret.arrow"}]
    state.write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(InputError, match=r"names '../secret.arrow', which is not a file in its folder$"):
        list(read(root))
    state.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"'../one' cannot be loaded: .*state.json: is damaged \("):
        list(read(root))
    corpus(tmp_path, path="../one", columns={"audio": "sound"}, data_files="a.arrow")
    with pytest.raises(InputError, match=r"was saved by `save_to_disk`, and takes no data_files$"):
        list(read(root))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("./gone", "'./gone' cannot be loaded: no such folder: {root}/gone$"),
        ("../gone", "no such folder: {root}/../gone$"),
        ("/gone/away", "no such folder: /gone/away$"),
        ("~/gone-away", "no such folder: .*gone-away$"),
        (
            "data/my_set",
            "may be meant as a folder, as {root}/data is one; write ./data/my_set, or hf://datasets",
        ),
        ("data", "is no format; write ./data for the folder$"),
        ("parqet", "is no format that `datasets` reads; did you mean 'parquet'"),
        ("a/b/c", "is no hub id, which is OWNER/NAME; write ./a/b/c for a folder"),
        ("gone/", "is no hub id, which is OWNER/NAME; write ./gone/ for a folder"),
        ("my data/set", "is no hub id, which is OWNER/NAME; write ./my data/set for a folder"),
        ("gone/rows.parquet", "names a file; write its format, such as parquet, and the file under data_fi"),
        ("s3://gone/rows", "is a URL; write a format such as parquet, and the URL under data_files"),
        ("parquet", "names neither data_files nor data_dir; a format needs one"),
    ],
)
def test_a_path_that_is_not_there_is_an_error(path: str, message: str, tmp_path: Path) -> None:
    root = corpus(tmp_path, path=path, columns={"audio": "sound"})
    (root / "data").mkdir()
    with pytest.raises(InputError, match=message.format(root=root)) as caught:
        list(read(root))
    assert str(caught.value).startswith(f"{root}/hub.yaml: {path!r} cannot be loaded: ")


def test_files_that_match_nothing_are_named(tmp_path: Path) -> None:
    files = {"train": ["rows.jsonl", "more*.jsonl"]}
    root = corpus(tmp_path, path="json", columns={"image": "i"}, data_files=files)
    (root / "rows.jsonl").write_text('{"i": "a.png"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"data_files 'more\*.jsonl' match no file in .*corpus$"):
        list(read(root))
    root = corpus(tmp_path, path="imagefolder", columns={"image": "image"}, data_dir="gone")
    with pytest.raises(InputError, match=r"data_dir 'gone': no such folder: .*corpus/gone$"):
        list(read(root))


def test_what_can_only_be_a_hub_id_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert named_by("owner/name", tmp_path) == "hub id"
    assert named_by("hf://datasets/owner/name", tmp_path) == "hub id"
    (tmp_path / "here" / "owner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")  # `datasets` would read the folder
    with pytest.raises(
        InputError, match=r"write .*here/owner/name, or hf://datasets/owner/name for a dataset of"
    ):
        named_by("owner/name", tmp_path)


@pytest.mark.parametrize("below", [True, False])
def test_links_of_a_snapshot_are_followed_into_the_trusted_folder(below: bool, tmp_path: Path) -> None:
    snapshot = tmp_path / ("corpus/snapshot" if below else "repo/snapshots/1")
    blobs = tmp_path / "repo" / "blobs"
    for folder in (snapshot, blobs):
        folder.mkdir(parents=True)
    (blobs / "abc").write_bytes(picture_bytes())
    (snapshot / "cat.png").symlink_to(blobs / "abc")
    (snapshot / "metadata.jsonl").write_text('{"file_name": "cat.png", "caption": "a cat"}\n')
    root = corpus(
        tmp_path,
        path="./snapshot" if below else str(snapshot),
        columns={"image": "image", "label": "caption"},
    )
    (entry,) = read(root)
    assert isinstance(entry, Rejected)
    assert entry.reason.endswith(f"leads out of the root into {blobs}; --trust-links {blobs} allows it")
    (cat,) = read(root, trust_links=blobs)
    assert isinstance(cat, Record)
    assert cat.image is not None
    assert (cat.image == "snapshot/cat.png") is below
    assert (root / cat.image).read_bytes() == picture_bytes()
