"""Sections: the parts of a run, each a dataset asked with one seed, in the order in which they are asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safe_data.core.errors import InputError, first_errors
from safe_data.records import Example
from safe_data.shards.dataset import ShardDataset
from safe_eval.run_options import RunOptions
from safe_eval.runner.plan import Arm, Choose, Plan, make_plan

TYPE = "type:"


@dataclass(frozen=True)
class Section:
    """A dataset that is asked with one seed."""

    dataset: ShardDataset
    plan: Plan
    seed: int


def sections_of(
    roots: Sequence[Path], arms: Sequence[Arm], options: RunOptions, batch_size: int
) -> list[Section]:
    """Plan a run: for each seed, each dataset.

    Raises:
        InputError: there is no dataset or one stands there twice, no dataset has an example that a file of
            ids names, or see `choice_of` and `make_plan`.
    """
    if not roots:
        raise InputError("no dataset: name the folder of a built one with --data ROOT")
    datasets = [ShardDataset(root, options.split) for root in roots]
    names = [dataset.name for dataset in datasets]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"--data: {min(twice)!r} is the name of two datasets; ask them in two runs")
    choose = choice_of(options.subset)
    sections = [
        Section(
            dataset,
            make_plan(dataset, arms, seed=seed, batch_size=batch_size, choose=choose, limit=options.limit),
            seed,
        )
        for seed in options.seeds
        for dataset in datasets
    ]
    if isinstance(choose, _Listed) and (missing := sorted(choose.ids - choose.seen)):
        faults = [f"{name!r} is an example of none of {', '.join(names)}" for name in missing]
        raise InputError(f"--subset {options.subset}:", *first_errors(faults))
    return sections


class _Listed:
    """The examples of a file of ids; it remembers which of them it has seen."""

    def __init__(self, file: Path) -> None:
        try:
            text = file.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--subset {file}: is no list of example ids in UTF-8 ({error})") from None
        self.ids = {line.strip() for line in text.split("\n")} - {""}
        self.seen: set[str] = set()
        if not self.ids:
            raise InputError(f"--subset {file}: holds no example id; write one on each line")

    def __call__(self, example: Example) -> bool:
        is_listed = example.id in self.ids
        if is_listed:
            self.seen.add(example.id)
        return is_listed


def choice_of(subset: str) -> Choose | None:
    """Which examples a subset holds; None for all.

    Raises:
        InputError: it is neither a kind of example nor a file of ids, or that file holds none.
    """
    if subset == "all":
        return None
    if subset in ("audio", "vl"):
        return lambda example: example.needs_audio is (subset == "audio")
    if subset.startswith(TYPE):
        wanted = subset.removeprefix(TYPE)
        return lambda example: example.question_type == wanted
    file = Path(subset)
    if not file.is_file():
        raise InputError(
            f"--subset {subset}: is neither all, audio, vl nor {TYPE}NAME, and no such file of example ids"
        )
    return _Listed(file)


def rows_of(sections: Sequence[Section]) -> list[int]:
    """The number of predictions of each batch of a run."""
    return [count for section in sections for count in section.plan.rows]


def place_of(sections: Sequence[Section], batch: int) -> tuple[int, int]:
    """The section of a batch of a run, and its number in that section."""
    for number, section in enumerate(sections):
        if batch < len(section.plan.batches):
            return number, batch
        batch -= len(section.plan.batches)
    raise IndexError(f"a run of {len(rows_of(sections))} batches has no batch {batch}")
