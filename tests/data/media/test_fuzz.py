"""Damaged media of every format: what is accepted is the original, or no check of the format could tell."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from damage import FAULTS, SLOWEST_SECONDS
from effort import STATUS
from formats import media
from hostile import ROOM_BYTES

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
    assert [said["wrong"] for said in found if said["wrong"]] == []
    for said in found:
        assert said["grown_bytes"] < ROOM_BYTES / 2, said
        assert said["slowest_seconds"] < SLOWEST_SECONDS / 4, said


@needs_proc
def test_no_wrong_sample_is_kept() -> None:
    found = judged(0, 2 * len(FAULTS))
    assert {said["format"] for said in found} == media().keys()
    check(found)
    for said in found:  # each format notices something, or the test would try nothing
        assert sum(count.get("rejected", 0) for count in said["outcomes"].values()) > 0, said


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("name", media())
def test_no_wrong_sample_is_kept_in_a_thousand_of_a_format(name: str) -> None:
    (said,) = judged(1_000, 2_000, name, timeout=600)
    print(json.dumps(said))
    check([said])
