"""Finetune text: each seed's temperature and calibration, and the verdict in words."""

from pathlib import Path

from safe_data.core import numerals
from safe_data.core.table import Table, render
from safe_eval.calibration.choices import CalibratedChoices
from safe_eval.statistics.calibration.calibration import Estimate
from safe_train.demo_text import verdict_lines
from safe_train.finetune.finetune import Finetuned

COLUMNS = ("seed", "temperature", "dev", "test", "ECE before", "ECE after", "NLL before", "NLL after")


def finetune_lines(found: Finetuned, out: Path) -> list[str]:
    """What a fine-tuning found, for the terminal."""
    answered = found.answered
    lines = [f"{out}: {answered.trained_parameters:,} parameters trained for each seed, the base frozen", ""]
    table = Table("Temperature, fitted on dev", COLUMNS, [_line(one) for one in answered.choices])
    lines += [*render([table], "text"), ""]
    lines += [f"note: {note}" for note in answered.notes]
    return [*lines, *verdict_lines(found.verdict)]


def _line(one: CalibratedChoices) -> list[str]:
    after = one.after
    return [
        str(one.seed),
        numerals.MISSING if one.temperature is None else f"{one.temperature:.3f}",
        str(one.dev_n),
        str(one.n),
        _number(one.before.classwise_ece),
        _number(None if after is None else after.classwise_ece),
        _number(one.before.nll),
        _number(None if after is None else after.nll),
    ]


def _number(estimate: Estimate | None) -> str:
    return numerals.MISSING if estimate is None else f"{estimate.value:.3f}"
