"""run: ask a model every example of a dataset under every condition; one prediction per question asked."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from safe_data.core.errors import InputError
from safe_data.core.progress import Progress
from safe_data.core.terminal import printable
from safe_eval.condition import changes_picture, changes_sound
from safe_eval.models.model import Model
from safe_eval.prediction import Prediction
from safe_eval.runner.asker import Asker, hears, sees
from safe_eval.runner.media import Dataset
from safe_eval.runner.output import Tally
from safe_eval.runner.plan import Arm, make_plan


def run(
    model: Model, dataset: Dataset, conditions: Sequence[str], *, seed: int, batch_size: int = 32
) -> Iterator[Prediction]:
    """Yield one prediction per condition and example, in that order; failures are predictions with an error.

    Random choices (the noise, whose sound is swapped in) depend on the dataset and the seed, never on the
    model. The model named `base` cannot hear and is given no sound. If a batch fails, its examples are asked
    one by one, so that only the example that causes the error loses its answer. `latency_ms` is the mean of
    a batch, whose size is in the row's `metadata.batch`.

    Raises:
        InputError: at once, for conditions that are unknown, repeated or have nothing to change, and for a
            dataset without examples; at the end, if no example was answered.
    """
    if batch_size < 1:
        raise InputError(f"batch_size {batch_size} is less than 1")
    check_hearing(model, conditions)
    arms = [Arm(model.name, condition) for condition in conditions]
    plan = make_plan(dataset, arms, seed=seed, batch_size=batch_size)
    plans = [replace(plan, arms=(arm,)) for arm in arms]  # the batches are the same in every arm
    askers = [(Asker([model], dataset, one, seed=seed, latency="mean"), one.rows) for one in plans]
    return _predictions(model, askers)


def check_hearing(model: Model, conditions: Sequence[str]) -> None:
    """Refuse conditions that change the sound, or the picture, of a model that is sent none.

    Raises:
        InputError: there is one.
    """
    for condition in conditions:
        changed = {"sound": changes_sound(condition), "picture": changes_picture(condition)}
        sent = {"sound": hears(model), "picture": sees(model)}
        missing = [medium for medium, is_changed in changed.items() if is_changed and not sent[medium]]
        if missing and len(missing) == sum(changed.values()):
            raise InputError(
                f"{condition}: the model {model.name} is given no {' and no '.join(missing)}, so there is "
                "nothing to change"
            )


def _predictions(model: Model, askers: Sequence[tuple[Asker, list[int]]]) -> Iterator[Prediction]:
    tally = Tally()
    total = sum(sum(rows) for _, rows in askers)
    with Progress(printable(model.name), total, unit="example") as progress:
        for asker, rows in askers:
            for batch, count in enumerate(rows):
                found = asker.rows(batch)
                tally.count(found)
                yield from found
                progress.update(count)
    tally.check()
