"""Alone: questions asked one by one, which gives each the time that it takes at batch 1."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from safe_data.shards.dataset import ShardDataset
from safe_eval.models.model import Model
from safe_eval.prediction import Prediction
from safe_eval.runner.asker import Asker
from safe_eval.runner.plan import Arm, Choose, make_plan
from safe_train.predict.predictor import Predictor


def asked_alone(
    predictors: Sequence[Predictor], dataset: ShardDataset, *, seed: int, choose: Choose
) -> Iterator[Prediction]:
    """Ask each question alone, of every model before the next, so that a busy moment slows all of them.

    Args:
        predictors: of one model and its base, which is asked too; each with `latency` and a batch size of 1
        dataset: whose questions are asked, with their own sounds
        seed: of the conditions
        choose: which questions are asked
    """
    models: tuple[Model, ...] = (predictors[0].base, *predictors)
    for one in predictors:
        one.prepare(dataset, ())
    arms = [Arm(one.name, "full") for one in models]
    plan = make_plan(dataset, arms, seed=seed, batch_size=1, choose=choose)
    asker = Asker(models, dataset, plan, seed=seed, latency="each")
    for batch in range(len(plan.batches)):
        yield from asker.rows(batch)


def with_times(rows: Sequence[Prediction], alone: Iterable[Prediction]) -> list[Prediction]:
    """The rows with the times of those that were also asked alone; the answers stay those of the batch.

    Rounding may let a question at the threshold be decided otherwise alone than in its batch. Its time would
    be that of another decision, and is left out, of all models alike.
    """
    times = {(row.model, row.condition, row.example_id): row for row in alone}
    pairs = [(row, times.get((row.model, row.condition, row.example_id))) for row in rows]
    otherwise = {row.example_id for row, timed in pairs if timed and timed.audio_tokens != row.audio_tokens}
    found = []
    for row, timed in pairs:
        if timed is not None and row.example_id not in otherwise:
            facts = {**(row.metadata or {}), "batch": 1}
            row = replace(row, latency_ms=timed.latency_ms, gate_ms=timed.gate_ms, metadata=facts)
        found.append(row)
    return found
