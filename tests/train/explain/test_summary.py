"""What is found of many questions: planted patterns are found, and nothing where nothing was planted."""

from itertools import product

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from safe_data.records import Example
from safe_eval.options import Sampling
from safe_eval.report.explanation import Completeness, Curve, Estimate, Shuffled
from safe_train.explain.asked import FULL, GATED, MUTE, OFF, SWAP, Outcome, Said
from safe_train.explain.associations import Seen, associations
from safe_train.explain.checks import checks_of
from safe_train.explain.deletion import Curves
from safe_train.explain.estimates import told_by
from safe_train.explain.modes import (
    BELIEVED,
    DISTURBED,
    HELPED,
    MISHEARD,
    MISLED,
    MISSED,
    MODES,
    NO_ANSWER,
    OVERRULED,
    SKIPPED,
    UNNEEDED,
    WRONG_ANYWAY,
    mode_of,
)
from safe_train.explain.summary import group_rows, sliced

SAMPLING = Sampling(resamples=500)


def outcome(
    full: str | None = "bell",
    mute: str = "bell",
    off: str = "bell",
    swap: str = "horn",
    *,
    right: str = "bell",
    audio: bool = True,
    tells: str | bool = False,
    gated: str | None = None,
    consulted: bool | None = None,
    number: int = 0,
    **facts: str | bool | float,
) -> Outcome:
    said = {FULL: full, MUTE: mute, OFF: off, SWAP: swap}
    if gated is not None:
        said[GATED] = gated
    return Outcome(
        example_id=f"q{number}",
        record=number,
        record_id=f"r{number}",
        group=f"g{number}",
        question_type="sound" if audio else "colour",
        needs_audio=audio,
        references=(right,),
        said={arm: Said(answer, float(answer == right)) for arm, answer in said.items()},
        influence_kl=0.0,
        doubt=0.5,
        consulted=consulted,
        facts={"picture_tells": tells, **facts},
    )


@pytest.mark.parametrize(
    ("one", "mode"),
    [
        (outcome(full=None), NO_ANSWER),
        (outcome(mute="none"), HELPED),
        (outcome(), UNNEEDED),
        (outcome(mute="none", off="horn", gated="horn", consulted=False), SKIPPED),
        (outcome(mute="none", gated="bell", consulted=False), UNNEEDED),
        (outcome(full="horn", audio=False), DISTURBED),
        (outcome("horn", "horn", "horn", "horn", audio=False), WRONG_ANYWAY),
        (outcome(full="horn", tells="bell"), OVERRULED),
        (outcome(full="horn"), MISLED),
        (outcome("horn", "none", "horn", tells="horn"), BELIEVED),
        (outcome("horn", "horn", "horn", "horn"), MISSED),
        (outcome("horn", "none", "none", "knock"), MISHEARD),
    ],
)
def test_each_pattern_has_its_mode(one: Outcome, mode: str) -> None:
    assert mode_of(one) == mode


def test_every_pattern_has_a_mode_that_is_listed() -> None:
    names = {mode.name for mode in MODES}
    for full, mute, off, swap, audio, tells in product(
        ("a", "b"), ("a", "b", "c"), ("a", "b"), ("a", "c"), (True, False), (False, "a", "b")
    ):
        one = outcome(full, mute, off, swap, right="a", audio=audio, tells=tells)
        assert mode_of(one) in names
        assert (mode_of(one) in (HELPED, UNNEEDED)) == (full == "a")


def test_auroc_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    helps = rng.random(200) < 0.3
    scores = np.round(rng.random(200) + 0.4 * helps, 1)  # with ties
    found = told_by(scores, helps, np.arange(200) // 2, 0.95, score="added", slice_name="all")
    assert found.auroc == pytest.approx(roc_auc_score(helps, scores))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.auroc < found.high
    none = told_by(scores, helps & False, np.arange(200), 0.95, score="added", slice_name="all")
    assert (none.auroc, none.why_not) == (None, "the sound helps none of these questions")


def seen(effect: float) -> list[Seen]:
    """Forty pictures without red beside three sounds, of which one makes red likelier by so much."""
    rng = np.random.default_rng(1)
    rows = []
    for number in range(40):
        for heard in ("bell", "horn", "knock"):
            noise = 0.02 * rng.random(2)
            chances = {"red": 0.1 + noise[0] + effect * (heard == "bell"), "blue": 0.2 + noise[1]}
            rows.append(Seen(f"q{number}", f"g{number // 2}", "colour", ("sound", heard), chances))
    return rows


def prompts(text: str) -> dict[str, Example]:
    example = Example(id="q", task="vqa", prompt=text, references=("green",), needs_audio=False)
    return {f"q{number}": example for number in range(40)}


def test_a_planted_association_is_found_and_no_other() -> None:
    found = associations(seen(0.3), prompts("what colour ?"), SAMPLING)
    first = found[0]
    assert (first.heard, first.seen, first.named) == ("sound: bell", "colour: red", False)
    assert first.effect.value == pytest.approx(0.3, abs=0.01)
    assert (first.effect.n, first.effect.groups) == (40, 20)
    assert first.holm_p < 0.05
    assert all(row.holm_p > 0.05 for row in found if "red" not in row.seen)
    assert all(row.holm_p > 0.05 for row in associations(seen(0.0), prompts("what colour ?"), SAMPLING))


def test_a_yes_says_that_the_sounds_class_is_seen() -> None:
    """Is there a bell? asked of a picture without one, beside a bell."""
    rows = [
        Seen(one.example_id, one.group, "object", one.heard, {"yes": one.chances["red"]}) for one in seen(0.3)
    ]
    found = associations(rows, prompts("is there a bell ?"), SAMPLING)
    named = [row for row in found if row.named]
    assert [(row.heard, row.seen) for row in named] == [("sound: bell", "object: bell, yes")]
    assert named[0].effect.value == pytest.approx(0.3, abs=0.01)


def test_groups_are_what_the_metadata_say() -> None:
    outcomes = [
        outcome(
            "bell", "none" if number % 2 else "bell", number=number, noise="loud" if number % 2 else "low"
        )
        for number in range(60)
    ]
    rows = {(row.field, row.value): row for row in group_rows(outcomes, sliced(outcomes, SAMPLING))}
    assert rows["noise", "loud"].gain.value == 1
    assert rows["noise", "low"].gain.value == 0
    assert rows["noise", "loud"].holm_p < 0.05 < rows["noise", "low"].holm_p
    assert {field for field, _ in rows} == {"noise"}  # what all questions share makes no group


def test_checks_hold_fail_or_are_not_measured() -> None:
    def estimate(value: float, reach: float | None = 0.1) -> Estimate:
        ends = (None, None) if reach is None else (value - reach, value + reach)
        return Estimate(value, *ends, 50, 25)

    def decide(better: Estimate, alike: Estimate, error: float) -> list[str]:
        curves = [
            Curve(kind=kind, order="attributed", values=(1.0, 0.0), area=estimate(0.5), better=better)
            for kind in ("deletion", "insertion")
        ]
        shuffled = [
            Shuffled(map=name, stage="projector", correlation=alike)
            for name in ("words, picture and sound", "numbers of the sound's embedding")
        ]
        complete = [Completeness(method="gradients", error=error, difference=1.0, n=50)]
        made = checks_of(complete, shuffled, curves, most_similar=0.5, delta=0.05, why_not=None)
        return [one.decision for one in made]

    assert decide(estimate(0.2), estimate(0.1), 0.01) == ["go"] * 5
    assert decide(estimate(-0.2), estimate(0.8), 0.2) == ["no-go"] * 5
    assert decide(estimate(0.05), estimate(0.5), 0.01)[1:] == ["not measured"] * 4
    assert decide(estimate(0.2, None), estimate(0.1, None), 0.01)[1:] == ["not measured"] * 4


def test_a_falling_curve_is_better_for_deletion_and_a_rising_one_for_insertion() -> None:
    falls, rises, straight = np.array([1.0, 0, 0]), np.array([0, 1.0, 1.0]), np.full(3, 0.5)
    found = Curves({"deletion": falls, "insertion": rises}, {"deletion": straight, "insertion": straight})
    assert found.better("deletion") == pytest.approx(1 / 6)
    assert found.better("insertion") == pytest.approx(1 / 6)
