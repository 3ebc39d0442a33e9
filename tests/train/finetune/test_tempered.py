"""Answers at a temperature: only confidences and probabilities change, by the seed's own temperature."""

import msgspec
import pytest

from safe_eval.calibration.choices import CalibratedChoices, ChoiceErrors
from safe_eval.prediction import Prediction
from safe_eval.statistics.calibration.calibration import Estimate
from safe_eval.statistics.intervals import Interval
from safe_train.finetune.tempered import temperatures, tempered

CHOICES = ("SPEECH", "NONSPEECH")
ROW = Prediction(
    example_id="a",
    references=("SPEECH",),
    answer="NONSPEECH",
    seed=1,
    choices=CHOICES,
    choice_probabilities={"SPEECH": 0.2, "NONSPEECH": 0.8},
    confidence=0.99,
    metadata={"snr_db": 5.0},
)


def fitted(seed: int, temperature: float | None) -> CalibratedChoices:
    none = Estimate(0.0, Interval())
    return CalibratedChoices(
        seed=seed,
        condition="full",
        choices=CHOICES,
        n=20,
        dev_n=20,
        temperature=temperature,
        before=ChoiceErrors(classwise_ece=none, brier=none, nll=none),
        after=None,
    )


def test_each_seed_has_its_own_temperature_and_no_answer_changes() -> None:
    found = temperatures([fitted(1, 2.0), fitted(2, 0.5), fitted(3, None)])
    rows = [msgspec.structs.replace(ROW, seed=seed) for seed in (1, 2, 3)]
    hot, cold, none = tempered(rows, found)
    assert none == rows[2]
    # softmax(log p / T): at 2, odds of 4 become 2; at one half, 16.
    assert hot.choice_probabilities == pytest.approx({"SPEECH": 1 / 3, "NONSPEECH": 2 / 3})
    assert cold.choice_probabilities == pytest.approx({"SPEECH": 1 / 17, "NONSPEECH": 16 / 17})
    assert (hot.confidence, cold.confidence) == pytest.approx((2 / 3, 16 / 17))
    assert hot.metadata == {"snr_db": 5.0, "temperature": 2.0}
    assert {row.answer for row in (hot, cold)} == {"NONSPEECH"}


def test_a_row_without_a_whole_distribution_stays() -> None:
    failed = msgspec.structs.replace(ROW, answer=None, error="no", choice_probabilities=None, confidence=None)
    assert tempered([failed], {(1, ("NONSPEECH", "SPEECH")): 2.0}) == [failed]
