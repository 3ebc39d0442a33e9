"""A power plan in any format: how many items show a difference, and what that rests on."""

from collections.abc import Iterator

import msgspec

from safe_data.core import numerals
from safe_data.core.table import Table
from safe_eval.comparison.power import PowerPlan

POWER_TABLES = ("plan",)  # their names


def power_tables(plan: PowerPlan) -> list[Table]:
    """The plan as a table of one row."""
    names = msgspec.structs.asdict(plan)
    shown = {name.replace("_", " "): value for name, value in names.items() if name != "like"}
    title = "Power" if plan.like is None else f"Power, as in {plan.like}"
    return [Table(title, tuple(shown), [tuple(shown.values())], name=POWER_TABLES[0])]


def power_lines(plan: PowerPlan) -> Iterator[str]:
    """The plan as text for people, and what it rests on."""
    yield f"difference      {numerals.fraction(plan.difference)}"
    yield f"items           {plan.items}"
    size = "one item each" if plan.cluster_size == 1 else f"{plan.cluster_size:.4g} items each on average"
    yield f"clusters        {plan.clusters}, {size}"
    at = f"two-sided at {numerals.percent(plan.confidence)} confidence"
    yield f"power           {numerals.percent(plan.power)}, {at}"
    correlation = "not known" if plan.correlation is None else numerals.fraction(plan.correlation)
    changed = numerals.percent(round(plan.changed, 4))
    yield f"rests on        {changed} of the scores changing (differences of std {plan.std:.3f})"
    yield f"                design effect {plan.design_effect:.2f}; correlation in a cluster {correlation}"
    if plan.like is not None:
        yield f"like            {plan.like}"
