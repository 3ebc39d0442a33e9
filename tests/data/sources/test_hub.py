"""The hub source maps columns, stores bytes, and reads local formats; without the network."""

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from folders import picture_bytes, sound_bytes

from safe_data.core.errors import InputError
from safe_data.records import Record, Rejected
from safe_data.sources.hub import read

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True, raising=False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True, raising=False)


def corpus(tmp_path: Path, **specification: Any) -> Path:
    root = tmp_path / "my corpus"
    root.mkdir(exist_ok=True)
    (root / "hub.yaml").write_text(yaml.safe_dump(specification), encoding="utf-8")
    return root


def parquet(file: Path, features: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """A file as on the hub: media as bytes, and the features in the schema."""
    stored = {
        name: MEDIA if isinstance(kind, (datasets.Audio, datasets.Image)) else kind
        for name, kind in features.items()
    }
    table = datasets.Dataset.from_list(rows, features=datasets.Features(stored))
    for name, kind in features.items():
        table = table.cast_column(name, kind)
    file.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(file)


MEDIA = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
TEXT, NUMBER = datasets.Value("string"), datasets.Value("int64")


def test_a_parquet_of_the_hub_with_sounds_pictures_and_labels(tmp_path: Path) -> None:
    root = corpus(
        tmp_path,
        path="parquet",
        data_files={"train": "data/*.parquet", "validation": "val.parquet"},
        columns={
            "id": "qid",
            "audio": "sound",
            "image": "picture",
            "prompt": "question",
            "references": "answers.answer",
            "choices": "options",
            "group": "video",
            "label": "kind",
        },
        constants={"task": "vqa", "needs_audio": True, "dataset": "bells"},
        metadata=["licence"],
    )
    features = {
        "qid": NUMBER,
        "sound": datasets.Audio(),
        "picture": datasets.Image(),
        "question": TEXT,
        "answers": [{"answer": TEXT, "who": NUMBER}],
        "options": [TEXT],
        "video": NUMBER,
        "kind": datasets.ClassLabel(names=["bell", "horn"]),
        "licence": TEXT,
        "not_asked_for": datasets.Audio(),
    }
    sound, picture = sound_bytes(), picture_bytes()
    rows = [
        {
            "qid": number,
            "sound": {"bytes": sound, "path": f"{number}.wav"},
            "picture": {"bytes": picture, "path": None},
            "question": "what rings ?",
            "answers": [{"answer": "a bell", "who": 1}, {"answer": "bell", "who": 2}],
            "options": ["a bell", "a horn"],
            "video": 7,
            "kind": 0,
            "licence": "CC0",
            "not_asked_for": {"bytes": b"no sound", "path": None},
        }
        for number in range(3)
    ]
    parquet(root / "data" / "0.parquet", features, rows[:2])
    parquet(root / "val.parquet", features, rows[2:])
    first, second, third = read(root)
    assert isinstance(first, Record)
    assert isinstance(third, Record)
    assert (first.id, first.dataset, first.split, first.group, first.label) == (
        "0",
        "bells",
        "train",
        "7",
        "bell",
    )
    (example,) = first.examples
    assert (example.prompt, example.references) == ("what rings ?", ("a bell", "bell"))
    assert (example.choices, example.needs_audio, example.task) == (("a bell", "a horn"), True, "vqa")
    assert first.metadata == {"licence": "CC0"}
    assert first.audio is not None
    assert first.image is not None
    assert (root / first.audio.path).read_bytes() == sound
    assert (root / first.image).read_bytes() == picture
    assert first.audio.path.endswith(".wav")
    assert (third.id, third.split) == ("2", "val")
    assert second.id == "1"
    assert len(list((root / "media").iterdir())) == 2, "the same bytes lie there once"


def test_json_lines_with_paths_below_the_root(tmp_path: Path) -> None:
    root = corpus(
        tmp_path,
        path="json",
        data_files="rows.jsonl",
        splits={"train": "test"},
        columns={"audio": "file", "start_seconds": "from", "duration_seconds": "long", "transcript": "text"},
    )
    rows = [
        {"file": "sounds/a.wav", "from": 0.25, "long": 0.5, "text": "ding"},
        {"file": "sounds/gone.wav", "from": None, "long": None, "text": None},
        {"file": "../secret.wav", "from": None, "long": None, "text": None},
        {"file": str(tmp_path / "secret.wav"), "from": None, "long": None, "text": None},
        {"file": None, "from": None, "long": None, "text": None},
    ]
    (root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (root / "sounds").mkdir()
    (root / "sounds" / "a.wav").write_bytes(sound_bytes())
    (tmp_path / "secret.wav").write_bytes(sound_bytes())
    clip, *others = read(root)
    assert isinstance(clip, Record)
    assert (clip.id, clip.split, clip.dataset, clip.group) == ("test-0", "test", "my-corpus", "sounds/a.wav")
    assert clip.audio is not None
    assert (clip.audio.path, clip.audio.start_seconds, clip.audio.duration_seconds) == (
        "sounds/a.wav",
        0.25,
        0.5,
    )
    assert (clip.transcript, clip.examples) == ("ding", ())
    assert [entry.reason for entry in others if isinstance(entry, Rejected)] == [
        "no such file: sounds/gone.wav",
        "unreadable file: '../secret.wav' leads out of the root",
        f"unreadable file: {str(tmp_path / 'secret.wav')!r} leads out of the root",
        "no media: the row has neither sound nor picture",
    ]
    assert not (root / "media").exists()


@pytest.mark.parametrize("below", [True, False])
def test_an_imagefolder(tmp_path: Path, below: bool) -> None:
    folder = tmp_path / "my corpus" / "pictures" if below else tmp_path / "elsewhere"
    folder.mkdir(parents=True)
    (folder / "cat.png").write_bytes(picture_bytes())
    (folder / "metadata.jsonl").write_text('{"file_name": "cat.png", "caption": "a cat"}\n', encoding="utf-8")
    root = corpus(
        tmp_path,
        path="imagefolder",
        data_dir="pictures" if below else str(folder),
        columns={"image": "image", "references": "caption"},
        constants={"task": "caption", "prompt": "Describe the picture."},
    )
    (cat,) = read(root)
    assert isinstance(cat, Record)
    assert cat.image is not None
    assert (cat.image == "pictures/cat.png") is below
    assert (root / cat.image).read_bytes() == picture_bytes()
    assert cat.examples[0].references == ("a cat",)


def test_a_folder_of_files_is_loaded_by_its_path(tmp_path: Path) -> None:
    root = corpus(tmp_path, path="./data", columns={"image": "data"})
    (root / "data").mkdir()
    pq.write_table(
        pa.table({"data": [picture_bytes(), picture_bytes(colour=(0, 0, 9))]}), root / "data" / "a.parquet"
    )
    one, other = read(root)
    assert isinstance(one, Record)
    assert isinstance(other, Record)
    assert one.image != other.image
    assert one.group == one.image


def test_reading_twice_gives_the_same_and_no_files_half_written(tmp_path: Path) -> None:
    root = corpus(tmp_path, path="parquet", data_files="a.parquet", columns={"audio": "sound"})
    parquet(
        root / "a.parquet",
        {"sound": datasets.Audio()},
        [{"sound": {"bytes": sound_bytes(), "path": "x/y.FLAC"}}],
    )
    assert list(read(root)) == list(read(root))
    (file,) = (root / "media").iterdir()
    assert file.suffix == ".flac"


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ({"colums": {}}, "contains unknown field `colums`.*; it may hold path, columns, constants"),
        ({"columns": {"image": 3}}, r"Expected `str`, got `int` - at `\$\.columns\[\.\.\.\]`"),
        ({"columns": {"image": "i", "imgae": "i"}}, "unknown field 'imgae'; did you mean 'image'"),
        ({"columns": {"prompt": "q"}}, "columns name neither audio nor image"),
        (
            {"columns": {"image": "i", "references": "a"}},
            "an example needs prompt; name its column or constant",
        ),
        (
            {"columns": {"image": "i"}, "constants": {"image": "x"}},
            "'image' is a column and a constant; keep one",
        ),
        ({"columns": {"image": "pictur"}}, "split 'train' has no column 'pictur'; did you mean 'picture'"),
        (
            {"columns": {"image": "picture"}, "splits": {"trian": "train"}},
            "has no split 'trian'; did you mean 'train'",
        ),
        (
            {"columns": {"image": "picture"}, "data_files": "gone.parquet"},
            "'parquet' cannot be loaded: data_files 'gone.parquet' match no file in .*my corpus",
        ),
    ],
)
def test_mistakes_in_the_yaml(tmp_path: Path, specification: dict[str, Any], message: str) -> None:
    root = corpus(tmp_path, **{"path": "parquet", "data_files": "a.parquet", "columns": {}, **specification})
    parquet(
        root / "a.parquet",
        {"picture": datasets.Image()},
        [{"picture": {"bytes": picture_bytes(), "path": None}}],
    )
    with pytest.raises(InputError, match=message) as caught:
        list(read(root))
    assert str(root / "hub.yaml") in str(caught.value)


def test_no_yaml_and_no_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no hub\.yaml; write one that says what to load"):
        list(read(tmp_path))
    root = corpus(tmp_path, path="csv", data_files="a.csv", columns={"image": "picture"})
    (root / "a.csv").write_text("picture\n", encoding="utf-8")
    with pytest.raises(
        InputError, match="'csv' cannot be loaded: Instruction \"train\" corresponds to no data"
    ):
        list(read(root))


def test_faulty_rows_are_rejected_and_named(tmp_path: Path) -> None:
    root = corpus(
        tmp_path,
        path="json",
        data_files="rows.jsonl",
        columns={"id": "id", "image": "file", "references": "answer.text", "difficulty": "level"},
        constants={"task": "vqa", "prompt": "?"},
    )
    (root / "a.png").write_bytes(picture_bytes())
    good: dict[str, Any] = {"id": 1, "file": "a.png", "answer": {"text": "yes"}, "level": "easy"}
    rows = [good, good, good | {"id": 2, "answer": {"text": None}}, good | {"id": 3, "level": "so so"}]
    rows.append(good | {"id": 4, "file": "gone.png"})
    (root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    first, *others = read(root)
    assert isinstance(first, Record)
    assert [(entry.id, entry.path, entry.reason) for entry in others if isinstance(entry, Rejected)] == [
        (others[0].id, "a.png", "faulty row: train[1]: id '1' is on train[0] already; give each its own"),
        ("2", "a.png", "faulty row: train[2]: has no 'examples[0].references'; add it"),
        (
            "3",
            "a.png",
            "faulty row: train[3]: difficulty is 'so so': input should be 'easy', 'medium', 'hard', 'harder' "
            "or 'hardest'",
        ),
        ("4", "gone.png", "no such file: gone.png"),
    ]
    assert others[0].id.startswith("train-1-")
    assert {entry.split for entry in others} == {"train"}


def test_a_field_that_is_not_within_its_column(tmp_path: Path) -> None:
    root = corpus(
        tmp_path, path="json", data_files="rows.jsonl", columns={"image": "file", "label": "about.knid"}
    )
    (root / "rows.jsonl").write_text('{"file": "a.png", "about": {"kind": "x"}}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"train\[0\]: has no field 'knid' where columns look for it"):
        list(read(root))


def test_without_datasets_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(
        InputError, match=r"needs datasets, which is not installed; run pip install '\.\[hub\]'"
    ):
        list(read(corpus(tmp_path, path="parquet", columns={"image": "picture"})))
