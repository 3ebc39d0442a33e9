"""Every damaged, missing or extra file is named, and an undamaged dataset is not."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from folders import without_silence, write_folder

from safe_data.audit.auditing import audit_datasets
from safe_data.build.add_encoder import add_encoder
from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.shards.verify import verify_dataset


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verify")
    build_dataset(write_folder(folder / "world"), folder / "shards", shard_size=2)
    return folder / "shards"


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "shards"))


TRAIN = "train/world-train-000001"
SILENCE = "silence.logmel-0f573aec.npy"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_new_dataset_has_no_faults(root: Path) -> None:
    found = verify_dataset(root)
    assert found.findings == ()
    assert (found.samples, found.files) == (6, 10)
    shards = [path for path in root.glob("*/*") if not path.name.endswith(".done.json")]
    sizes = [path.stat().st_size for path in [*shards, root / SILENCE]]
    assert found.bytes == sum(sizes)


PLACES = {  # what is in the middle of each file
    ".tar": "the sound of 'clip-003' (clip-003.wav, bytes 20480 to 36523)",
    ".parquet": "",
    ".logmel-0f573aec.npy": "the embeddings of a sound; it cannot be told which",
}


@pytest.mark.parametrize("suffix", PLACES)
def test_a_file_of_a_shard(root: Path, suffix: str) -> None:
    path = root / (TRAIN + suffix)
    flip(path)
    place = PLACES[suffix] and f": {PLACES[suffix]}"
    assert verify_dataset(root).findings == (
        f"{TRAIN}{suffix}: damaged, its bytes have changed{place}; run the build again",
    )
    size = path.stat().st_size
    cut(path)
    (finding,) = verify_dataset(root).findings
    assert finding.startswith(f"{TRAIN}{suffix}: damaged, {size - 1} bytes instead of {size}")
    assert finding.endswith("; run the build again")
    path.unlink()
    assert verify_dataset(root).findings == (f"{TRAIN}{suffix}: missing; run the build again",)


def test_the_embedding_of_silence(root: Path) -> None:
    path, fix = root / SILENCE, f"run `safe-data add-encoder {root} logmel`"
    flip(path)
    assert verify_dataset(root).findings == (f"{SILENCE}: damaged, its bytes have changed; {fix}",)
    cut(path)
    assert verify_dataset(root).findings == (f"{SILENCE}: damaged, 1151 bytes instead of 1152; {fix}",)
    path.write_bytes(b"\x93NUMPY\x02" + bytes(1145))
    assert verify_dataset(root).findings == (
        f"{SILENCE}: damaged, its bytes have changed: the header, from byte 6 on; {fix}",
    )
    path.unlink()
    assert verify_dataset(root).findings == (f"{SILENCE}: missing; {fix}",)
    add_encoder(root, "logmel")
    assert verify_dataset(root).findings == ()


def test_a_dataset_of_an_older_version_is_not_at_fault(root: Path) -> None:
    without_silence(root)
    assert verify_dataset(root).findings == ()


def test_a_tar_cut_at_a_header_which_webdataset_would_read(root: Path) -> None:
    path = root / (TRAIN + ".tar")
    path.write_bytes(path.read_bytes()[:512])
    (finding,) = verify_dataset(root).findings
    assert finding.startswith(f"{TRAIN}.tar: damaged, 512 bytes instead of ")


def extra_sidecar(root: Path) -> None:
    shutil.copy(root / f"{TRAIN}.logmel-0f573aec.npy", root / f"{TRAIN}.clap-00000000.npy")


def extra_shard(root: Path) -> None:
    (root / "train" / "world-train-000002.tar").write_bytes(b"")


def half_written(root: Path) -> None:
    (root / "train" / ".world-train-000001.tar.77.tmp").write_bytes(b"")


def lie_about_counts(root: Path) -> None:
    edit(root / f"{TRAIN}.done.json", '"samples": 2', '"samples": 1')


def fake_sidecar(root: Path) -> None:
    path = root / f"{TRAIN}.logmel-0f573aec.npy"
    old = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
    np.save(path, np.zeros((3, 512), np.float16))
    edit(root / f"{TRAIN}.done.json", old["sha256"], hashlib.sha256(path.read_bytes()).hexdigest())
    edit(root / f"{TRAIN}.done.json", str(old["bytes"]), str(path.stat().st_size))


def fake_silence(root: Path) -> None:
    """Silence of another shape, with its own hash recorded."""
    facts = json.loads((root / "dataset.json").read_text())
    np.save(root / SILENCE, np.zeros(3, np.float16))
    data = (root / SILENCE).read_bytes()
    recorded = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    facts["encoder_facts"]["logmel-0f573aec"]["silence"] = recorded
    (root / "dataset.json").write_text(json.dumps(facts))


def edit_hash(root: Path) -> None:
    found = hashlib.sha256((root / f"{TRAIN}.tar").read_bytes()).hexdigest()
    edit(root / f"{TRAIN}.done.json", found, "0" * 64)


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "extra sidecar": (extra_sidecar, f"{TRAIN}.clap-00000000.npy: extra, in no done.json; remove it"),
    "extra shard": (extra_shard, "train/world-train-000002.tar: extra, in no done.json; remove it"),
    "half-written": (half_written, "train/.world-train-000001.tar.77.tmp: extra, in no done.json; remove it"),
    "extra silence": (
        lambda root: shutil.copy(root / SILENCE, root / "silence.clap-00000000.npy"),
        "silence.clap-00000000.npy: extra, not in dataset.json; remove it",
    ),
    "silence of another shape": (
        fake_silence,
        f"{SILENCE}: is (3,), the embeddings of logmel-0f573aec are (512,)",
    ),
    "silence of no encoder": (
        lambda root: edit(root / "dataset.json", '"logmel-0f573aec": {', '"logmel-0f573aee": {'),
        "dataset.json: has encoder_facts of logmel-0f573aee, which is not among its encoders",
    ),
    "done.json missing": (
        lambda root: (root / f"{TRAIN}.done.json").unlink(),
        f"{TRAIN}.done.json: missing; run the build again",
    ),
    "done.json damaged": (
        lambda root: cut(root / f"{TRAIN}.done.json") or edit(root / f"{TRAIN}.done.json", "{", "["),
        f"{TRAIN}.done.json: not a world-train-000001.done.json of format 1",
    ),
    "done.json of another plan": (
        lambda root: edit(root / f"{TRAIN}.done.json", '"plan_sha256": "', '"plan_sha256": "00'),
        f"{TRAIN}.done.json: of another shard, plan or format",
    ),
    "wrong counts": (
        lie_about_counts,
        f"{TRAIN}.done.json: counts 2 rows, 1 ok; world-train-000001.parquet has 2, 2 ok",
    ),
    "sidecar of another length": (
        fake_sidecar,
        f"{TRAIN}.done.json: counts 2 samples, world-train-000001.logmel-0f573aec.npy is (3, 512)",
    ),
    "manifest damaged": (
        lambda root: flip(root / "manifest.parquet"),
        "manifest.parquet: damaged, its bytes have changed",
    ),
    "manifest missing": (
        lambda root: (root / "manifest.parquet").unlink(),
        "manifest.parquet: missing; run the build again",
    ),
    "plan missing": (
        lambda root: (root / "plan.json").unlink(),
        "plan.json: missing; run the build again",
    ),
    "plan damaged": (
        lambda root: edit(root / "plan.json", '"shard_size": 2', '"shard_size": 3'),
        "plan.json: damaged, not the plan that dataset.json names",
    ),
    "plan of other counts": (
        lambda root: edit(root / "plan.json", '"records": 2', '"records": 3'),
        "plan.json: damaged, not the plan that dataset.json names; run the build again",
    ),
    "plan no plan": (lambda root: (root / "plan.json").write_text("[]"), "plan.json: damaged"),
    "encoder of another kind": (
        lambda root: edit(root / "dataset.json", '"sample_rate_hz": 8000', '"sample_rate_hz": 8001'),
        f"{TRAIN}.done.json: not the logmel-0f573aec of dataset.json; run the build again",
    ),
    "options unreadable": (
        lambda root: (root / "options.yaml").write_bytes(b"name: \xff"),
        "options.yaml: damaged, 'utf-8' codec can't decode byte 0xff",
    ),
    "options of nothing": (
        lambda root: (root / "options.yaml").write_text("name"),
        "options.yaml: damaged, holds no options; the next build writes it again",
    ),
    "hash of a tar": (
        lambda root: edit_hash(root),
        f"{TRAIN}.tar: damaged, its bytes have changed: no part of it, so it is its hash in "
        "world-train-000001.done.json that has changed; run the build again",
    ),
    "split count": (
        lambda root: edit(root / "dataset.json", '"samples": 4', '"samples": 5'),
        "dataset.json: counts 5 train samples, the shards have 4",
    ),
    "fingerprint": (
        lambda root: edit(root / "dataset.json", '"fingerprint": "', '"fingerprint": "00'),
        "dataset.json: its fingerprint does not match the plan and the tars",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named(root: Path, name: str) -> None:
    damage, expected = FAULTS[name]
    damage(root)
    findings = verify_dataset(root).findings
    assert any(finding.startswith(expected) for finding in findings), findings


def test_an_encoder_that_one_shard_lacks(root: Path) -> None:
    path = root / f"{TRAIN}.done.json"
    done = json.loads(path.read_text())
    del done["files"]["world-train-000001.logmel-0f573aec.npy"]
    path.write_text(json.dumps(done))
    findings = verify_dataset(root).findings
    assert f"{TRAIN}.done.json: names logmel-0f573aec among its encoders and no file of it" in findings
    done["encoders"] = []
    path.write_text(json.dumps(done))
    findings = verify_dataset(root).findings
    assert f"{TRAIN}.done.json: has no logmel-0f573aec embeddings; build with --encoder logmel" in findings
    assert any("extra" in finding for finding in findings)


def test_several_faults_are_all_named(root: Path) -> None:
    for suffix in (".tar", ".parquet"):
        flip(root / (TRAIN + suffix))
    (root / "test" / "world-test-000000.tar").unlink()
    assert len(verify_dataset(root).findings) == 3


def test_other_files_beside_the_shards_are_ignored(root: Path) -> None:
    (root / "README.md").write_text("mine")
    (root / "silence.mine.npy").write_text("mine")
    (root / "check").mkdir()
    (root / "check" / "results.json").write_text("{}")
    assert verify_dataset(root).findings == ()


def test_what_an_audit_wrote_into_a_dataset_is_no_fault_of_it(root: Path) -> None:
    audit_datasets(str(root), quiet=True)
    assert (root / "audit" / "findings.parquet").is_file()
    assert verify_dataset(root).findings == ()


def test_a_folder_that_is_no_dataset_cannot_be_judged(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no dataset"):
        verify_dataset(tmp_path)
