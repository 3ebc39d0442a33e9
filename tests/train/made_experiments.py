"""Experiments that take no time, and plans on small shards that run them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tiny_runs import SMALL

from safe_train.experiments.experiment import Estimate, Experiment, Finding, Work
from safe_train.settings.plan import PlanConfig

OWN = {name: value for name, value in SMALL.items() if name != "quiet"}
Use = Callable[..., None]


@dataclass(frozen=True)
class Weight:
    """The options of a made experiment."""

    weight: int = 1


def made(
    name: str,
    needs: Sequence[str],
    ran: list[str],
    broken: Sequence[BaseException | None] = (),
    *,
    seconds: float = 0.0,
    version: int = 1,
) -> Experiment:
    """An experiment that says that it ran, and writes its evidence, or raises what `broken` holds."""

    def run(work: Work) -> list[Finding]:
        ran.append(name)
        time.sleep(seconds)
        for error in filter(None, broken):
            raise error
        (work.folder / "evidence.txt").write_text(f"{name} {work.settings.weight}")
        about = {"bound": ">= 1", "decision": "go", "evidence": "a | b", "judged_by": "me"}
        return [Finding(name="weighs <b>", file="evidence.txt", **about)]

    return Experiment(
        number=len(name),
        name=name,
        title=name.capitalize(),
        settings=Weight,
        needs=lambda _: tuple(needs),
        run=run,
        estimate=lambda *_: Estimate(),
        version=version,
    )


def plan_on(shards: Path, backbone: Path, **changes: object) -> PlanConfig:
    """A plan on a dataset and a base, with trainings that take half a second."""
    settings = {"shards": (shards,), "backbone": str(backbone), "seeds": (0,), "options": OWN, **changes}
    return PlanConfig(**settings)  # type: ignore[arg-type]
