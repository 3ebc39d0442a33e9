"""Dev and test: one model's forecasts from two files, with labels that show which examples are in both."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from safe_data.core.errors import InputError
from safe_eval.arms.arm import ArmKey, cluster_field, make_arms
from safe_eval.arms.prompts import refuse_several_prompts
from safe_eval.arms.scored_arm import score_arms
from safe_eval.calibration.distributions import distributions_of
from safe_eval.prediction import Prediction
from safe_eval.results.calibration import confident_answers
from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.statistics.calibration.forecasts import Forecasts, joined

Place = tuple[str | None, str]  # a dataset and an example id


def model_meant(sides: Mapping[str, Sequence[Prediction]], asked: str | None) -> str:
    """The model to calibrate: the one asked for, or the only one with confidences in both dev and test.

    In dev, a model whose every answer failed counts too: that is how bad it is, and no mistake in the file.

    Raises:
        InputError: a side has no confidences, the model has none on both sides, or there are several models.
    """
    confident = {
        side: {row.model for row in rows if row.confidence is not None} for side, rows in sides.items()
    }
    answered = {row.model for row in sides["dev"] if row.error is None}
    confident["dev"] |= {row.model for row in sides["dev"]} - answered
    for side, models in confident.items():
        if not models:
            raise InputError(f"no row of {side} has a 'confidence'; write the probability of being right")
    both = sorted(confident["dev"] & confident["test"])
    if asked in both:
        return asked
    if asked is None and len(both) == 1:
        return both[0]
    listed = ", ".join(both) or "none"
    if asked is None:
        raise InputError(
            f"models with confidences in dev and in test: {listed}; choose one with --model NAME"
        )
    raise InputError(f"model {asked!r} has no confidences in dev and in test; models that have: {listed}")


def forecasts_of(
    rows: Sequence[Prediction], like: Sequence[Prediction] = ()
) -> dict[tuple[int, str], Forecasts]:
    """The forecasts by seed and condition, all datasets together.

    Examples and clusters are labelled by name. An example that is also in `like` gets the label it has there,
    even if its dataset has another name: the same id, prompt and references make the same example.
    """
    by_place = {(row.dataset, row.example_id) for row in like}
    by_content = {(row.example_id, row.prompt, row.references): row.dataset for row in like}
    field, labels, clusters = cluster_field(rows), {}, {}
    for row in rows:
        place: Place = (row.dataset, row.example_id)
        content = (row.example_id, row.prompt, row.references)
        is_renamed = place not in by_place and content in by_content
        labels[place] = _label((by_content[content], row.example_id) if is_renamed else place)
        clusters[place] = str(getattr(row, field))
    if not rows:
        return {}
    of_row = {(row.seed, row.condition, row.dataset, row.example_id): row for row in rows}
    arms = make_arms(rows)
    refuse_several_prompts(arms)
    names = {
        number: row.example_id
        for arm in arms
        for number, row in zip(arm.examples.tolist(), arm.rows, strict=True)
    }
    scored = {metric: score_arms(metric, arms) for metric in ANSWER_METRICS}
    parts: dict[tuple[int, str], list[Forecasts]] = {}
    answers: dict[tuple[int, str], list[Prediction]] = {}
    for key, forecasts in confident_answers(scored).items():
        places: list[Place] = [(key.dataset, names[number]) for number in forecasts.examples.tolist()]
        named = replace(
            forecasts,
            examples=np.array([labels[place] for place in places], dtype=object),
            clusters=np.array([clusters[place] for place in places], dtype=object),
        )
        place_of_arm = (key.seed, key.condition)
        parts.setdefault(place_of_arm, []).append(named)
        answers.setdefault(place_of_arm, []).extend(of_row[*place_of_arm, *place] for place in places)
    order = sorted(parts, key=lambda place: ArmKey(None, place[0], "", place[1]).order)
    return {
        place: replace(joined(parts[place]), distributions=distributions_of(answers[place]))
        for place in order
    }


def _label(place: Place) -> str:
    dataset, name = place
    return name if dataset is None else f"{dataset}/{name}"
