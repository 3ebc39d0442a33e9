"""Damaged media of every format: what is accepted is the original, or no check of the format could tell.

`python tests/data/damage.py 0 1000 --table` prints what becomes of a thousand copies of each.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damage import FAULTS, SLOWEST_SECONDS, damaged, differences, judge, row
from effort import STATUS
from formats import Medium, media
from hostile import ROOM_BYTES

from safe_data.media.sound import Pcm

SCRIPT = Path(__file__).parents[1] / "damage.py"
needs_proc = pytest.mark.skipif(not STATUS.exists(), reason="memory is measured through /proc")


def judged(first: int, stop: int, *names: str, timeout: int = 120) -> list[dict[str, Any]]:
    """The output of the script, a dict per format; a crash, a hang or an error but MediaError fails."""
    ran = subprocess.run(
        [sys.executable, SCRIPT, str(first), str(stop), *names],
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return [json.loads(line) for line in ran.stdout.splitlines()]


def check(found: list[dict[str, Any]]) -> None:
    assert [(said["format"], said["wrong"]) for said in found if said["wrong"]] == []
    for said in found:
        assert said["grown_bytes"] < ROOM_BYTES / 2, said
        assert said["slowest_seconds"] < SLOWEST_SECONDS / 4, said
        tried = sum(said["outcomes"].values())  # each format notices a third, or the test would try nothing
        assert said["outcomes"].get("rejected", 0) > tried / 3, said


@needs_proc
def test_no_wrong_sample_is_kept() -> None:
    found = judged(0, 20)
    assert {said["format"] for said in found} == media().keys()
    check(found)


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("name", media())
def test_no_wrong_sample_is_kept_in_a_thousand_of_a_format(name: str) -> None:
    (said,) = judged(1_000, 3_000, name, timeout=600)
    print(row(said))
    check([said])


def test_every_fault_is_tried_and_the_same_for_a_seed() -> None:
    data = bytes(range(256)) * 20
    tried = {damaged(data, seed)[0] for seed in range(60)}
    assert tried == {fault.__name__.replace("_", " ") for fault in FAULTS}
    assert damaged(data, 7) == damaged(data, 7) != (damaged(data, 7)[0], data)


@pytest.mark.parametrize(
    ("samples", "file_bytes", "difference"),
    [
        ([1, 2, 3, 4], 8, None),
        ([1, 2, 3, 5], 8, "values"),
        ([1, 2, 3, 5], 9, "moved"),
        ([1, 2, 3], 8, "lost"),
        ([2, 3, 4], 7, "shorter"),
        ([1, 2, 3], 7, "end"),
        ([1, 2, 3, 4, 5], 8, "gained"),
        ([1, 2, 3, 4, 4], 9, "longer"),
    ],
)
def test_a_difference_has_a_name(samples: list[int], file_bytes: int, difference: str | None) -> None:
    def pcm(values: list[int]) -> Pcm:
        return Pcm(np.array(values, np.float32)[:, None], 4, None)

    original = {"whole": pcm([1, 2, 3, 4])}
    found = differences(Medium("sound", bytes(8), {}), bytes(file_bytes), {"whole": pcm(samples)}, original)
    assert found == ({difference} if difference else set())


def test_what_a_format_tells_is_not_accepted_unnoticed() -> None:
    wav = media()["WAV"]
    said = judge(Medium("sound", wav.data, {}), range(40))
    assert len(said["wrong"]) == said["outcomes"]["wrong"] > 5
    assert all(wrong.endswith("accepted with other values") for wrong in said["wrong"])
