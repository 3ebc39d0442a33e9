"""Engines: what runs the pieces of a build, in this process, in several of this machine, or on Ray.

A piece is a function of plain data, the same for every engine, so the engine changes no byte of the result.
"""

from contextlib import AbstractContextManager

from safe_data.build.engines.piece import Run
from safe_data.core.errors import InputError, did_you_mean


def start(engine: str, workers: int, ray_address: str | None = None) -> AbstractContextManager[Run]:
    """The engine of that name, with so many pieces in work at a time.

    Raises:
        InputError: no such engine, or one that does not go with the other options.
    """
    if workers < 1:
        raise InputError(f"{workers} workers: one or more can work")
    if ray_address is not None and engine != "ray":
        raise InputError(f"a Ray address ({ray_address}) without --engine ray is of no use")
    if engine == "local":
        from safe_data.build.engines.local import local_engine

        return local_engine(workers)
    if engine == "ray":
        from safe_data.build.engines.ray import ray_engine

        return ray_engine(workers, ray_address)
    hint = did_you_mean(engine, ("local", "ray"), "choose from local, ray")
    raise InputError(f"engine {engine!r} is unknown; {hint}")
