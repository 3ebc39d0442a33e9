"""Start an engine, which runs the pieces of a build: in this process, in several local ones, or on Ray.

The work is the same function of plain data for every engine, so the engine changes no byte of the result.
"""

from contextlib import AbstractContextManager

from safe_data.build.engines.piece import Run
from safe_data.core.errors import InputError, did_you_mean


def start(
    engine: str, workers: int, ray_address: str | None = None, *, whole: bool = False
) -> AbstractContextManager[Run]:
    """Start the engine `local` or `ray`; it runs up to `workers` pieces at the same time.

    With `whole`, the whole work on a piece needs a GPU where there is one, and not its encoders alone; and it
    computes with as many threads as this process would, since the last bits of a model depend on it.

    Raises:
        InputError: the engine is unknown or cannot start, or the options contradict each other.
    """
    if workers < 1:
        raise InputError(f"{workers} workers: give 1 or more")
    if ray_address is not None and engine != "ray":
        raise InputError(f"a Ray address ({ray_address}) needs --engine ray")
    if engine == "local":
        from safe_data.build.engines.local import local_engine

        return local_engine(workers, one_thread=not whole)
    if engine == "ray":
        from safe_data.build.engines.ray import ray_engine

        return ray_engine(workers, ray_address, whole=whole)
    hint = did_you_mean(engine, ("local", "ray"), "choose from local, ray")
    raise InputError(f"engine {engine!r} is unknown; {hint}")
