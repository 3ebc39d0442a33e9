"""Prompts: which of several wordings of the questions the tables are about, and what the others answered.

Rows that differ in `prompt_id` alone are answers to one example in other words. Each table but `prompts` is
about one wording, so that an example counts once.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from safe_data.core.errors import InputError, did_you_mean
from safe_eval.arms.arm import Arm, ArmKey
from safe_eval.prediction import Prediction, quoted
from safe_eval.scorers.captions.caption_scores import TASKS as CAPTION_TASKS


class Worded(NamedTuple):
    """The arms of the wording that tables are about, and the arms of all wordings where there are several."""

    main: tuple[Arm, ...]
    several: tuple[Arm, ...] = ()


def by_prompt(arms: Sequence[Arm], asked: str | None = None) -> Worded:
    """Choose the wording of each dataset: the one that is asked for, or else the first by name.

    Raises:
        InputError: some rows of a dataset name a prompt and others do not; or a dataset, or every row, lacks
            the one that is asked for.
    """
    of_dataset = {dataset: _prompts(arms, dataset) for dataset in dict.fromkeys(a.key.dataset for a in arms)}
    if asked is not None and not any(of_dataset.values()):
        raise InputError(f"--prompt {asked}: no row has a 'prompt_id'; leave the option out")
    chosen: dict[str | None, str | None] = {}
    for dataset, prompts in of_dataset.items():
        if asked is not None and prompts and asked not in prompts:
            hint = did_you_mean(asked, prompts, f"its prompts are {', '.join(prompts)}")
            raise InputError(f"--prompt {asked}: {_named(dataset)} has no such 'prompt_id'; {hint}")
        chosen[dataset] = (asked or prompts[0]) if prompts else None
    main = tuple(arm for arm in arms if arm.prompt_id == chosen[arm.key.dataset])
    several = {key: own for key, own in arms_by_key(arms).items() if len(own) > 1}
    return Worded(main, tuple(arm for own in several.values() for arm in own))


def in_main_wording(predictions: Sequence[Prediction], asked: str | None = None) -> list[Prediction]:
    """The predictions in the wording of each dataset that tables are about."""
    first: dict[str | None, str] = {}
    for row in predictions:
        if row.prompt_id is not None:
            first[row.dataset] = min(row.prompt_id, first.get(row.dataset, row.prompt_id))
    return [row for row in predictions if row.prompt_id in (None, asked or first.get(row.dataset))]


def refuse_several_prompts(arms: Sequence[Arm]) -> None:
    """Refuse answers to several wordings, for what is about one.

    Raises:
        InputError: an arm has more than one.
    """
    for key, own in arms_by_key(arms).items():
        if len(own) > 1:
            raise InputError(
                f"{key.name}, seed {key.seed}, answers {len(own)} prompts ({_listed(own)}); keep the rows of "
                "one 'prompt_id' (safe-eval score reads several)"
            )


def arms_by_key(arms: Sequence[Arm]) -> dict[ArmKey, list[Arm]]:
    """The arms of each key, one per wording."""
    found: dict[ArmKey, list[Arm]] = {}
    for arm in arms:
        found.setdefault(arm.key, []).append(arm)
    return found


def prompt_notes(worded: Worded) -> Iterator[str]:
    """Which wording the tables are about, who did not answer it, and whose wordings cannot be compared."""
    main = {arm.key: arm.prompt_id for arm in worded.main}
    of_dataset: dict[str | None, list[Arm]] = {}
    for arm in worded.several:
        of_dataset.setdefault(arm.key.dataset, []).append(arm)
    for dataset, arms in of_dataset.items():
        prompt = next((arm.prompt_id for arm in worded.main if arm.key.dataset == dataset), None)
        yield (
            f"{_named(dataset)} is asked in {len(_prompts(arms, dataset))} wordings ({_listed(arms)}): the "
            f"table prompts is about all of them, and every other about {quoted(prompt)}; --prompt names "
            "another"
        )
    if any(
        asked.task in CAPTION_TASKS and not asked.choices for arm in worded.several for asked in arm.tasks
    ):
        yield "the table prompts holds no captions: their metrics are computed for one wording alone"
    for key, own in arms_by_key(worded.several).items():
        if key not in main:
            yield f"{key.name}, seed {key.seed}, did not answer the prompt that the tables are about"
        asked = len(np.unique(np.concatenate([arm.examples for arm in own])))
        lacking = {arm.prompt_id: asked - len(arm.examples) for arm in own}
        if any(lacking.values()):
            counts = ", ".join(f"{quoted(name)} lacks {count}" for name, count in lacking.items() if count)
            yield (
                f"{key.name}, seed {key.seed}: no spread over its {len(own)} prompts, which were not asked "
                f"about the same {asked} examples: {counts}"
            )


def _prompts(arms: Sequence[Arm], dataset: str | None) -> list[str]:
    """The wordings of a dataset in order.

    Raises:
        InputError: some rows name one, and others do not.
    """
    own = [arm for arm in arms if arm.key.dataset == dataset]
    named = sorted({arm.prompt_id for arm in own if arm.prompt_id is not None})
    without = next((arm for arm in own if arm.prompt_id is None), None)
    if named and without is not None:
        raise InputError(
            f"{_named(dataset)}: rows of {without.key.name} name no 'prompt_id', but other rows do; write it "
            "in every row of a dataset, or in none"
        )
    return named


def _named(dataset: str | None) -> str:
    return "the dataset without a name" if dataset is None else dataset


def _listed(arms: Sequence[Arm]) -> str:
    return ", ".join(sorted({str(arm.prompt_id) for arm in arms}))
