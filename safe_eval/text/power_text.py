"""A power plan in any format: how many items show what is planned for, and what that rests on."""

import textwrap
from collections.abc import Iterator

import msgspec

from safe_data.core import numerals
from safe_data.core.table import COLUMNS, Table
from safe_eval.comparison.power import PowerPlan

POWER_TABLES = ("plan",)  # their names
_NAME = 16  # columns of a name and the spaces after it


def power_tables(plan: PowerPlan) -> list[Table]:
    """The plan as a table of one row."""
    names = msgspec.structs.asdict(plan)
    shown = {
        name.replace("_", " "): value
        for name, value in names.items()
        if name != "like" and (value is not None or name == "correlation")
    }
    title = "Power" if plan.like is None else f"Power, as in {plan.like}"
    return [Table(title, tuple(shown), [tuple(shown.values())], name=POWER_TABLES[0])]


def power_lines(plan: PowerPlan) -> Iterator[str]:
    """The plan as text for people, and what it rests on."""
    for name, text in _lines(plan):
        yield from textwrap.wrap(
            text, COLUMNS, initial_indent=f"{name:<{_NAME}}", subsequent_indent=" " * _NAME
        )


def _lines(plan: PowerPlan) -> Iterator[tuple[str, str]]:
    yield "shows", _shown(plan)
    size = "one item each" if plan.cluster_size == 1 else f"{plan.cluster_size:.4g} items each on average"
    if plan.right_answers is None:
        yield "items", str(plan.items)
        yield "clusters", f"{plan.clusters}, {size}"
    else:
        of = "" if plan.right_answers == plan.items else f", of which {plan.right_answers} are answered right"
        yield "items", f"{plan.items}{of}"
        yield "clusters", f"{plan.clusters} of right answers, {size}"
    if plan.seeds is not None:
        yield "seeds", str(plan.seeds)
    yield "power", f"{numerals.percent(round(plan.power, 3))}, {_judged_by(plan)}"
    yield "rests on", "; ".join(_rests_on(plan))
    if plan.like is not None:
        yield "like", plan.like


def _shown(plan: PowerPlan) -> str:
    """What the plan is to show, in words."""
    if plan.goal == "superiority":
        return f"that a true difference of {numerals.difference(plan.difference)} is not 0"
    if plan.goal == "lomo_drop":
        return f"that at least {numerals.percent(plan.bound or 0)} of the right answers are lost"
    if plan.goal == "seeds":
        return f"that the standard deviation between seeds is at most {numerals.effect(plan.bound or 0)}"
    margin = numerals.effect(plan.margin or 0)
    if plan.goal == "equivalence":
        return f"that the difference is within ±{margin}"
    return f"that no more than {margin} is lost"


def _judged_by(plan: PowerPlan) -> str:
    """The interval that shows it, which is that of a verdict."""
    at = f"at {numerals.percent(plan.confidence)} confidence"
    over = f" over clusters and {plan.seeds} seeds" if plan.seeds is not None else ""
    return {
        "superiority": f"by the two-sided interval{over} {at}",
        "equivalence": f"by two one-sided tests{over} {at}",
        "non_inferiority": f"by the one-sided test{over} {at}",
        "lomo_drop": f"by the low end of the two-sided interval {at}",
        "seeds": f"by the one-sided upper limit {at}",
    }[plan.goal]


def _rests_on(plan: PowerPlan) -> Iterator[str]:
    """What is assumed, or was observed."""
    if plan.goal == "lomo_drop":
        yield f"{numerals.percent(round(plan.share_lost or 0, 4))} of the right answers lost in truth"
    else:
        changed = numerals.percent(round(plan.changed, 4))
        between = " between two seeds" if plan.goal == "seeds" else ""
        yield f"{changed} of the scores changing{between} (differences of std {plan.std:.3f})"
    if plan.goal in ("equivalence", "non_inferiority"):
        yield f"a true difference of {numerals.difference(plan.difference)}"
    if plan.seed_std is not None:
        yield f"a true standard deviation of {numerals.effect(plan.seed_std)} between seeds"
    correlation = "not known" if plan.correlation is None else numerals.fraction(plan.correlation)
    yield f"design effect {plan.design_effect:.2f}; correlation in a cluster {correlation}"
