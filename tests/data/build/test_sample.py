"""The sample in shards/sample is what `make sample` writes, and what its README says can be read."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from folders import files_of

from safe_data.build.sample import write_sample
from safe_data.shards.verify import verify_dataset

SHARDS = Path(__file__).resolve().parents[3] / "shards"
SAMPLE = SHARDS / "sample"
MAX_BYTES = 200_000


def test_it_is_written_again_with_the_same_bytes(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample")
    committed = {name: data for name, data in files_of(SAMPLE).items() if name != "options.yaml"}
    written = files_of(tmp_path / "sample")
    assert sorted(written) == sorted(committed)
    assert [name for name in written if written[name] != committed[name]] == []


def test_it_is_small_and_whole() -> None:
    assert sum(len(data) for data in files_of(SAMPLE).values()) < MAX_BYTES
    assert verify_dataset(SAMPLE).findings == ()


FENCES = re.findall(r"```python\n(.*?)```", (SHARDS / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("code", FENCES)
def test_the_readme_runs(code: str) -> None:
    assert len(code.strip().splitlines()) <= 5
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=SHARDS.parent, capture_output=True, text=True, timeout=120
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "clip-00000" in ran.stdout


def test_the_readme_shows_both_ways() -> None:
    assert ["webdataset" in code for code in FENCES] == [True, False]
    assert "ShardDataset" in FENCES[1]
