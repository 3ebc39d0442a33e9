"""Classification: accuracy, balanced accuracy, and recalls by SNR and duration."""

import numpy as np
import pytest
from made_rows import row, shuffled
from sklearn.metrics import balanced_accuracy_score, recall_score

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.scorers import classification, scorer

QUICK = Sampling(resamples=200)
CHOICES = ("speech", "non-speech")


def clip(place: int, truth: str, answer: str | None, **metadata: float) -> Prediction:
    fields = {"references": (truth,), "choices": CHOICES, "task": "classify", "metadata": metadata or None}
    return row(f"c{place}", answer, **fields)


def measured(rows: list[Prediction]) -> dict[str, float | None]:
    return {found.name: found.value for found in classification.aggregates(rows)}


def test_equals_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth = rng.choice(CHOICES, 200, p=(0.8, 0.2))
    said = np.where(rng.random(200) < 0.7, truth, rng.choice(CHOICES, 200))
    found = measured([clip(i, t, a) for i, (t, a) in enumerate(zip(truth, said, strict=True))])
    assert found["accuracy"] == pytest.approx((truth == said).mean())
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, said))
    recalls = recall_score(truth, said, labels=list(CHOICES), average=None)
    assert [found["recall:speech"], found["recall:non-speech"]] == pytest.approx(recalls.tolist())


def test_speech_is_no_part_of_non_speech() -> None:
    rows = [clip(0, "non-speech", "It is non-speech."), clip(1, "speech", "Non-speech")]
    assert classification.score_all(rows).tolist() == [1, 0]


def test_unparsed_and_missing_answers_are_wrong() -> None:
    rows = [clip(0, "speech", "speech"), clip(1, "speech", "hard to say"), clip(2, "non-speech", "B")]
    np.testing.assert_array_equal(classification.score_all(rows), [1, np.nan, 1])
    assert measured(rows)["recall:speech"] == 0.5
    assert measured(rows)["balanced_accuracy"] == 0.75


def test_recalls_by_snr_and_duration() -> None:
    rows = [
        clip(0, "speech", "speech", snr_db=10, duration_seconds=1.0),
        clip(1, "speech", "non-speech", snr_db=-6.0, duration_seconds=0.5),
        clip(2, "non-speech", "non-speech", snr_db=25, duration_seconds=30),
    ]
    found = measured(rows)
    assert found["recall:speech, snr 10 to 20 dB"] == 1
    assert found["recall:speech, snr below -5 dB"] == 0
    assert found["recall:non-speech, snr 20 and more dB"] == 1
    assert found["recall:speech, duration below 1 s"] == 0
    assert found["recall:speech, duration 1 to 2 s"] == 1  # bins are [low, high)
    assert "class:speech, snr below -5 dB" in classification.slices(rows)
    assert found["recall:non-speech, snr below -5 dB"] is None


def test_the_snr_of_the_condition_wins() -> None:
    rows = [row("a", "yes", condition="snr_-10db", metadata={"snr_db": 30})]
    assert "class:yes, snr below -5 dB" in classification.slices(rows)


def test_without_the_facts_recalls_by_them_are_not_measured() -> None:
    found = {m.name: m for m in classification.aggregates([clip(0, "speech", "speech")])}
    assert found["recall by snr_db"].value is None
    assert found["recall by snr_db"].why_not == "no row has metadata 'snr_db'"
    assert found["recall by duration_seconds"].value is None


def test_without_choices_the_class_is_compared_as_it_stands() -> None:
    rows = [row(str(i), a, references=("dog barking",)) for i, a in enumerate(("A dog barking.", "dog", ""))]
    assert classification.score_all(rows).tolist() == [1, 0, 0]


def test_hundreds_of_classes_have_no_slices_of_their_own() -> None:
    rows = [row(str(i), "x", references=(f"class {i}",)) for i in range(classification.MOST_CLASSES + 1)]
    assert classification.slices(rows) == {}
    assert len(classification.slices(rows[1:])) == classification.MOST_CLASSES


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = [clip(i, CHOICES[i % 3 == 0], CHOICES[i % 2], snr_db=i) for i in range(30)]
    assert measured(shuffled(rows)) == measured(rows)


def test_aggregates_are_of_one_arm() -> None:
    with pytest.raises(InputError, match="2 models, conditions and seeds; aggregates are of one"):
        classification.aggregates([clip(0, "speech", "speech"), row("c1", model="other")])


def test_which_metric_judges_what() -> None:
    assert scorer.metrics_for("speech_commands", "classify") == ("accuracy",)
    assert scorer.metrics_for(None, None) == ("vqa_accuracy",)
    assert scorer.metrics_for("music_avqa", "vqa") == ("music_avqa_accuracy",)
    assert scorer.metrics_for("avqa", None) == ("avqa_accuracy",)
    assert scorer.judges("exact_match", row(dataset="gqa", task="vqa"))
    assert not scorer.judges("vqa_accuracy", row(dataset="gqa", task="vqa"))
    assert not scorer.judges("vqa_accuracy", row(task="classify"))
