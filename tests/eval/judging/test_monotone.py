"""A worse model never passes where a better one fails: from planted answers to the decision."""

from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import row

from safe_eval.judging.criterion import Criterion
from safe_eval.judging.judged import Judged, judge
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.scoring.score import score_predictions

QUICK = Sampling(resamples=100)

# Of each question, its group, and whether the base and the tested model are right.
WORLDS = st.lists(st.tuples(st.integers(0, 11), st.booleans(), st.booleans()), min_size=13, max_size=70)


def answered(world: list[tuple[int, bool, bool]]) -> list[Prediction]:
    return [
        row(
            f"q{place}",
            "yes" if is_right else "no",
            group=f"g{group}",
            model=model,
            task="vqa",
            dataset="made",
        )
        for place, (group, base, safe) in enumerate(world)
        for model, is_right in (("base", base), ("safe", safe))
    ]


def kept(rows: list[Prediction], bound: float, **fields: str) -> Judged:
    asked = {"condition": "safe/full", "against": "base/full", "use": "non_inferiority"} | fields
    criterion = Criterion(name="kept", metric="accuracy", bound=f">= {bound:.12f}", **asked)
    return judge(criterion, score_predictions(rows, QUICK))


@settings(max_examples=8, deadline=None)
@given(WORLDS, st.data())
def test_no_answer_lost_turns_no_go_into_go(world: list[tuple[int, bool, bool]], data: st.DataObject) -> None:
    """The bound lies just above what the better model shows, so that it fails by a hair."""
    before = kept(answered(world), -1)
    right = [place for place, (_, _, safe) in enumerate(world) if safe]
    if before.equivalence_low is None or not right:
        return
    lost = data.draw(st.sets(st.sampled_from(right), min_size=1))
    worse = [(group, base, safe and place not in lost) for place, (group, base, safe) in enumerate(world)]
    bound = min(before.equivalence_low + 1e-7, 1.0)
    assert kept(answered(world), bound).decision == "no-go"
    assert kept(answered(worse), bound).decision == "no-go"


def test_identical_answers_pass_where_one_lost_answer_does() -> None:
    """100 groups of 10 questions, as many as bear a margin of 5 points."""
    same = [(place // 10, True, True) for place in range(1000)]
    one_lost = [(0, True, False), *same[1:]]
    bounds = [-0.05, -0.04, -0.03, -0.02, -0.01]
    passed = [[kept(answered(world), bound).decision for bound in bounds] for world in (same, one_lost)]
    assert all(better == "go" or worse != "go" for better, worse in zip(*passed, strict=True))
    assert (passed[0][0], passed[1][-1]) == ("go", "no-go")
