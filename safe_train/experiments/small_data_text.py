"""Small-data text: the tables of the study, its decision, and the recipe to scale, in Markdown and CSV."""

from collections.abc import Sequence

from safe_data.core import numerals
from safe_data.core.table import Table, csv_text, render
from safe_eval.judging.judged import GO
from safe_train.experiments.small_data_arms import FREQ_MASK, TIME_MASK, TIME_SHIFT_MS, TRAIN_SHARE, Size
from safe_train.experiments.small_data_decision import Compared
from safe_train.experiments.small_data_result import ArmRow, Slice, SmallDataResult

ARM_COLUMNS = (
    "arm",
    "seeds",
    "trained",
    "balanced accuracy",
    "sd",
    "SPEECH",
    "NONSPEECH",
    "ECE, worst seed",
    "temperatures",
    "wrong in every seed",
    "verdict",
)
COMPARED_COLUMNS = (
    "arm − reference",
    "seeds",
    "difference",
    "bootstrap",
    "p",
    "p, Holm",
    "McNemar by seed",
    "told apart",
)
WRONG_COLUMNS = ("arm", "example_id", "label", "group", "kind", "snr_db", "duration_ms")


def study_markdown(result: SmallDataResult, size: Size) -> str:
    """The content of small_data.md."""
    lines = [
        f"Size {result.size}: {size.clips} clips, {size.steps} steps a seed, speaker {result.speaker}. "
        f"Accuracies in percent on the test split, [{result.confidence:.0%} interval].",
        "",
        *render([_arms(result.arms), _compared(result)], "markdown"),
        "",
        *render([_slices(result.slices, fact) for fact in ("snr_db", "duration_ms")], "markdown"),
        "",
        f"decision: {result.decision}: {result.statement}",
        f"LoRA targets: {result.chosen.statement}",
        "",
        *recipe_lines(result, size),
    ]
    return "\n".join(lines) + "\n"


def study_csv(result: SmallDataResult) -> bytes:
    """The table of arms with every digit."""
    columns = tuple(name for name in ArmRow.__struct_fields__ if name != "criteria")
    criteria = tuple(dict.fromkeys(name for row in result.arms for name in row.criteria))
    rows = [
        [_cell(getattr(row, name)) for name in columns] + [row.criteria.get(name) for name in criteria]
        for row in result.arms
    ]
    return csv_text([Table("Arms", (*columns, *criteria), rows)]).encode()


def wrong_csv(result: SmallDataResult) -> bytes:
    """The clips that an arm gets wrong with every seed."""
    rows = [[getattr(one, name) for name in WRONG_COLUMNS] for one in result.wrong]
    return csv_text([Table("Wrong", WRONG_COLUMNS, rows)]).encode()


def recipe_lines(result: SmallDataResult, size: Size) -> list[str]:
    """The recipe to scale, as commands: of the arm that was chosen, or of the reference where none was.

    It passes over the clips as often as the study did.
    """
    epochs = max(1, round(size.steps * size.batch_size / (size.clips * TRAIN_SHARE)))
    by_name = {row.arm: row for row in result.arms}
    row = by_name[result.chosen.winner or result.arms[0].arm]
    masks = [one for one in result.compared if by_name[one.a].augmented and one.told_apart]
    augment = (
        f" --freq-mask {FREQ_MASK} --time-mask {TIME_MASK} --time-shift-ms {TIME_SHIFT_MS:g}"
        if masks and masks[0].difference > 0
        else ""
    )
    why = "" if result.decision == GO else "; the decision above is no go, so mend what it names first"
    return [
        f"The recipe to scale{why}:",
        "",
        "    safe-data split CORPUS SPLITS --fractions .85 .15 --dev .2 --stratify label --merge-duplicates",
        "    safe-data build CORPUS SHARDS --splits SPLITS/splits.csv --encoder logmel --encoder clap:CLAP",
        f"    safe-train finetune SHARDS --backbone MODEL --encoder clap --out RUN --epochs {epochs} "
        + " ".join(f"--seed {seed}" for seed in row.seeds)
        + " \\",
        f"        --lora-targets {row.targets} --lora-rank {row.rank} --lora-alpha {row.alpha} "
        f"--lora-dropout {row.dropout:g}{augment}",
    ]


def _arms(rows: Sequence[ArmRow]) -> Table:
    return Table("Arms", ARM_COLUMNS, [_arm(row) for row in rows])


def _arm(row: ArmRow) -> list[str]:
    return [
        row.arm,
        ", ".join(map(str, row.seeds)),
        f"{row.trained_parameters:,}",
        _percent(row.balanced_accuracy, row.ci_low, row.ci_high),
        numerals.MISSING if row.sd is None else f"{100 * row.sd:.1f}",
        _percent(row.speech),
        _percent(row.non_speech),
        numerals.MISSING if row.ece is None else f"{row.ece:.3f}",
        ", ".join(numerals.MISSING if one is None else f"{one:.2f}" for one in row.temperatures),
        str(row.wrong_in_every_seed),
        row.decision,
    ]


def _compared(result: SmallDataResult) -> Table:
    title = (
        f"Differences in points: interval over seeds and groups, BCa bootstrap of groups "
        f"({result.resamples:,} resamples)"
    )
    return Table(title, COMPARED_COLUMNS, [_difference(one) for one in result.compared])


def _difference(one: Compared) -> list[str]:
    return [
        f"{one.a} − {one.b}",
        ", ".join(map(str, one.seeds)),
        _percent(one.difference, one.ci_low, one.ci_high),
        _interval(one.bootstrap_low, one.bootstrap_high) or numerals.MISSING,
        _p(one.p_value),
        _p(one.p_holm),
        ", ".join(_p(one) for one in one.mcnemar),
        "yes" if one.told_apart else "no",
    ]


def _slices(slices: Sequence[Slice], fact: str) -> Table:
    """Accuracy by one fact: a line for each arm and class."""
    of_fact = [one for one in slices if one.fact == fact]
    values = sorted({one.value for one in of_fact})
    lines: dict[tuple[str, str], dict[float, float]] = {}
    for one in of_fact:
        lines.setdefault((one.arm, one.label), {})[one.value] = one.accuracy
    unit = "dB" if fact == "snr_db" else "ms"
    rows = [
        [arm, label, *(_percent(found[v]) if v in found else numerals.MISSING for v in values)]
        for (arm, label), found in lines.items()
    ]
    title = "Accuracy by signal-to-noise ratio" if fact == "snr_db" else "Accuracy by duration"
    return Table(title, ("arm", "class", *(f"{value:g} {unit}" for value in values)), rows)


def _percent(share: float, low: float | None = None, high: float | None = None) -> str:
    shown = f"{100 * share:.1f} {_interval(low, high)}".strip()
    return _signed(shown)


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else _signed(f"[{100 * low:.1f}, {100 * high:.1f}]")


def _p(value: float | None) -> str:
    return numerals.MISSING if value is None else f"{value:.3f}"


def _signed(text: str) -> str:
    """A true minus, and none before a zero."""
    return text.replace("-0.0", "0.0").replace("-", "−")


def _cell(value: object) -> str | int | float | None:
    """A value of a row as a cell: several are one text."""
    if isinstance(value, tuple):
        return " ".join("" if one is None else f"{one:g}" for one in value)
    return value if isinstance(value, str | int | float) or value is None else str(value)
