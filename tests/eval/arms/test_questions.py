"""Questions: prompts and choices that differ under one id are counted, and the first are shown."""

from made_rows import row

from safe_eval.arms.all_arms import all_arms
from safe_eval.arms.arm import make_arms
from safe_eval.arms.questions import question_notes
from safe_eval.prediction import Prediction
from safe_eval.scoring.score import score_predictions


def asked(field: str, **sides: object) -> list[Prediction]:
    return [row(f"q{i}", model=model, **{field: it}) for i in range(5) for model, it in sides.items()]


def test_other_prompts_are_counted_and_shown_by_score() -> None:
    rows = asked("prompt", base="What barks?", safe="Listen. What barks?")
    (note,) = [note for note in score_predictions(rows).notes if "prompts" in note]
    assert note.startswith(
        "5 of 5 examples have different prompts under one id: 'q0': 'What barks?' (base/full), "
        "'Listen. What barks?' (safe/full); 'q1': "
    )
    assert note.endswith("; …")
    assert "'q3'" not in note


def test_the_same_prompts_and_rows_without_one_make_no_note() -> None:
    assert list(question_notes(make_arms(asked("prompt", base="What?", safe="What?")))) == []
    assert list(question_notes(make_arms(asked("prompt", base="What?", safe=None)))) == []


def test_conditions_and_seeds_of_one_model_are_looked_at_too() -> None:
    rows = [row(prompt="A?"), row(prompt="B?", condition="mute_audio"), row(prompt="A?", seed=1)]
    (note,) = question_notes(make_arms(rows))
    assert note == (
        "1 of 1 examples have different prompts under one id: 'q1': 'A?' (model/full), "
        "'B?' (model/mute_audio)"
    )


def test_one_id_in_two_datasets_is_two_questions() -> None:
    rows = [row(prompt="A?", dataset="one"), row(prompt="B?", dataset="two")]
    assert list(question_notes(make_arms(rows))) == []


def test_choices_in_another_order_are_other_choices() -> None:
    (note,) = question_notes(all_arms(asked("choices", base=("yes", "no"), safe=("no", "yes"))).arms)
    assert note.startswith("5 of 5 examples have different choices under one id: 'q0': 'yes, no' (base/full)")


def test_long_prompts_are_cut_to_where_they_differ() -> None:
    start = "You are a helpful assistant. Answer in one word. " * 5
    rows = [row(prompt=f"{start}What {word} is heard in the clip?", model=word) for word in ("dog", "cat")]
    (note,) = question_notes(make_arms(rows))
    assert "What cat is heard" in note
    assert "What dog is heard" in note
    assert len(note) < 300
