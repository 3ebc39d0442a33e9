"""What lets a build be stopped and go on: one build a directory, and only with the plan it began with."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from safe_data.errors import InputError
from safe_data.plan import Plan
from safe_data.shards import PLAN, ShardPaths, committing


@contextmanager
def only_build(out: Path) -> Iterator[None]:
    """Hold the directory alone, and clear away what a killed build left half-written."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; name a directory for the dataset")
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(f"{out}: another build is writing here; wait for it, or name another") from None
    try:
        for part in [*out.glob(".*.tmp"), *out.glob("*/.*.tmp")]:
            part.unlink()
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def adopt(plan: Plan, out: Path) -> None:
    """Write the plan into a new directory, or go on with it; refuse any other."""
    path = out / PLAN
    if not path.is_file():
        other = sorted(found.name for found in out.iterdir() if not found.name.startswith("."))
        if other:
            raise InputError(f"{out}: holds {other[0]!r} and no dataset; name an empty or new directory")
        with committing(path) as file:
            file.write(plan.to_json())
    elif path.read_bytes() != plan.to_json():
        raise InputError(
            f"{out}: was begun with another plan ({_difference(path.read_bytes(), plan)}); "
            "give the same records, media and options, or name a new directory"
        )


def _difference(found: bytes, plan: Plan) -> str:
    try:
        old = json.loads(found)
        new = json.loads(plan.to_json())
        for key in ("format_version", "name", "shard_size"):
            if old[key] != new[key]:
                return f"{key} was {old[key]!r}, is {new[key]!r}"
        for shard in old["shards"] | new["shards"]:
            if old["shards"].get(shard) != new["shards"].get(shard):
                return f"other records or media in {shard}"
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return f"{PLAN} is damaged"


def discard(plan: Plan, out: Path) -> None:
    """Remove what the plan wrote, and nothing else."""
    for shard in plan.shards:
        paths = ShardPaths(out, shard.split, shard.name)
        for path in (paths.done, paths.tar, paths.rows, *paths.sidecars()):
            path.unlink(missing_ok=True)
        if paths.folder.is_dir() and not any(paths.folder.iterdir()):
            paths.folder.rmdir()
    (out / PLAN).unlink(missing_ok=True)
