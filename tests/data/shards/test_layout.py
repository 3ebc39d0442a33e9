"""Plain webdataset reads the tars, files appear whole or not at all, and facts are checked when read."""

import gc
import io
import tarfile
import warnings
from pathlib import Path

import pytest
import webdataset
from folders import row, write_folder, write_media, write_rows

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.core.files import committing
from safe_data.shards.layout import Dataset, Done, fingerprint, read_dataset, read_json
from safe_data.shards.storage import Folder
from safe_data.shards.tar import TarWriter


def tar_of(*members: tuple[str, bytes]) -> tuple[bytes, list[int]]:
    file = io.BytesIO()
    tar = TarWriter(file)
    offsets = [tar.add(name, data) for name, data in members]
    tar.close()
    return file.getvalue(), offsets


def test_members_lie_at_their_offsets_under_plain_headers() -> None:
    members = [("a.json", b"{}"), ("a.wav", b"x" * 700), ("a.png", b"")]
    data, offsets = tar_of(*members)
    assert offsets == [512, 1536, 3072]
    for (_, content), offset in zip(members, offsets, strict=True):
        assert data[offset : offset + len(content)] == content
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = tar.getmembers()
        assert tar.pax_headers == {}
    assert [(m.name, m.mtime, m.uid, m.gid, m.uname, m.gname, m.type) for m in found] == [
        (name, 0, 0, 0, "", "", tarfile.REGTYPE) for name, _ in members
    ]


def test_the_same_members_are_the_same_bytes() -> None:
    assert tar_of(("a.json", b"{}")) == tar_of(("a.json", b"{}"))


def test_the_longest_id_fits_a_plain_header() -> None:
    data, offsets = tar_of(("x" * 95 + ".json", b"{}"))
    assert offsets == [512]
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == ["x" * 95 + ".json"]


def samples_of(*tars: Path) -> list[dict[str, object]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # webdataset leaves closing its files to chance
        samples = list(webdataset.WebDataset([str(tar) for tar in tars], shardshuffle=False))
        gc.collect()
    return samples


def test_plain_webdataset_reads_what_was_built(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "world")
    build_dataset(source, tmp_path / "shards", shard_size=2)
    for split, ids in (("train", range(4)), ("test", range(4, 6))):
        tars = sorted((tmp_path / "shards" / split).glob("*.tar"))
        samples = samples_of(*tars)
        assert [sample["__key__"] for sample in samples] == [f"clip-{number:03d}" for number in ids]
        for sample in samples:
            name = sample["__key__"]
            assert sample["png"] == (source / "images" / f"{name}.png").read_bytes()
            if name != "clip-001":
                assert sample["wav"] == (source / "sounds" / f"{name}.wav").read_bytes()


def test_ids_that_differ_in_case_only_stay_two_samples(tmp_path: Path) -> None:
    rows = [row(0, id="Clip_A-1", examples=[]), row(1, id="clip_a-1", examples=[])]
    write_media(tmp_path / "world", rows)
    build_dataset(write_rows(tmp_path / "world", rows), tmp_path / "shards")
    (tar,) = (tmp_path / "shards" / "train").glob("*.tar")
    assert [sample["__key__"] for sample in samples_of(tar)] == ["Clip_A-1", "clip_a-1"]


def test_nothing_in_a_tar_would_be_unpickled(tmp_path: Path) -> None:
    build_dataset(write_folder(tmp_path / "world"), tmp_path / "shards")
    suffixes = set()
    for tar in (tmp_path / "shards").glob("*/*.tar"):
        with tarfile.open(tar) as members:
            suffixes |= {name.partition(".")[2] for name in members.getnames()}
    assert suffixes == {"json", "wav", "png"}


def test_webdataset_does_not_see_a_cut_off_tar(tmp_path: Path) -> None:
    """Counts and hashes are stored beside the tar because a tar cut at a header reads as a shorter one."""
    build_dataset(write_folder(tmp_path / "world"), tmp_path / "shards")
    (tar,) = (tmp_path / "shards" / "train").glob("*.tar")
    with tarfile.open(tar) as members:
        last = members.getmembers()[-1]
    tar.write_bytes(tar.read_bytes()[: last.offset + 100])
    assert len(samples_of(tar)) == 4
    assert "png" not in samples_of(tar)[-1]


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with committing(path) as file:
        file.write(b"old")

    def interrupted() -> None:
        with committing(path) as file:
            file.write(b"half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


DATASET = (
    '{"format_version":1,"name":"n","fingerprint":"0123abcd","plan_sha256":"0123abcd","manifest_sha256":"0123abcd",'
    '"encoders":[],"splits":{"train":{"shards":["n-train-000000"],"samples":1}}}'
)
HOSTILE = {
    "a path as a shard": ("n-train-000000", "../../n-train-000000", r"\$.splits\[...\].shards\[0\]"),
    "a path as a split": ('"train"', '"../train"', "regex"),
    "a negative count": ('"samples":1', '"samples":-1', "samples"),
    "an unknown field": ('"name"', '"nom"', "nom|name"),
    "no JSON": ("{", "[", "Expected `object`, got `array`"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_dataset_json_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(DATASET)
    assert read_json(Folder(tmp_path), "dataset.json", Dataset).splits["train"].samples == 1
    old, new, reason = HOSTILE[name]
    (tmp_path / "dataset.json").write_text(DATASET.replace(old, new))
    with pytest.raises(InputError, match=reason) as caught:
        read_dataset(tmp_path)
    assert "not a dataset.json of format 1" in str(caught.value)


def test_a_missing_dataset_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"no dataset .dataset.json is missing.; make one by `safe-data build`$"
    ):
        read_dataset(tmp_path)
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(InputError, match=r"an unfinished dataset .* finish it by the command that began it$"):
        read_dataset(tmp_path)
    (tmp_path / "dataset.json").write_text(DATASET.replace('"format_version":1', '"format_version":2'))
    with pytest.raises(InputError, match=r"format 2, this version reads 1$"):
        read_dataset(tmp_path)


def test_done_json_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    build_dataset(write_folder(tmp_path / "world"), tmp_path / "shards")
    for path in (tmp_path / "shards").glob("*/*.done.json"):
        done = read_json(Folder(path.parent), path.name, Done)
        assert (done.rows, done.samples) in ((4, 4), (2, 2))
        assert set(done.files) == {p.name for p in path.parent.iterdir()} - {path.name}


def test_a_done_json_names_no_file_outside(tmp_path: Path) -> None:
    build_dataset(write_folder(tmp_path / "world"), tmp_path / "shards")
    path = tmp_path / "shards" / "test" / "world-test-000000.done.json"
    path.write_text(path.read_text().replace('"world-test-000000.tar"', '"../../../secret"'))
    with pytest.raises(InputError, match=r"at `key` in `\$\.files`"):
        read_json(Folder(path.parent), path.name, Done)


def test_the_fingerprint_is_of_the_plan_and_the_tars() -> None:
    assert fingerprint("p", ["a", "b"]) != fingerprint("p", ["b", "a"]) != fingerprint("q", ["b", "a"])
