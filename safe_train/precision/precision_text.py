"""Precision text: what `safe-train precision` prints in 80 columns, and the same in Markdown and CSV."""

import textwrap
from collections.abc import Iterator, Sequence

from safe_data.core import numerals
from safe_data.core.numerals import MISSING
from safe_data.core.table import COLUMNS, Table, Value, csv_text, render
from safe_train.parity.timing import TimeRatio
from safe_train.precision.result import Accuracy, Measured, Precisions
from safe_train.profiling.quantiles import Quantile

MB = 10**6


def precision_lines(found: Precisions) -> list[str]:
    """The measurement for a terminal."""
    lines = [*_wrapped(_head(found)), ""]
    for table in tables_of(found):
        lines += [*render([table], "text"), ""]
    for sentence in _sentences(found):
        lines += _wrapped(sentence)
    return [*lines, "", *_wrapped(conclusion(found))]


def precision_markdown(found: Precisions) -> str:
    """The content of precision.md."""
    lines = [_head(found), "", *render(tables_of(found), "markdown"), ""]
    lines += [f"- {sentence}" for sentence in _sentences(found)]
    return "\n".join([*lines, "", conclusion(found), ""])


def csv_of(found: Precisions) -> str:
    """The content of precision.csv: a row per precision, with every digit."""
    columns = [*flat_of(found.rows[0])]
    rows = [tuple(flat_of(row).values()) for row in found.rows]
    return csv_text([Table("Precisions", tuple(columns), rows, name="precisions")])


def tables_of(found: Precisions) -> list[Table]:
    """All tables: a row per precision in each."""
    ran = [row for row in found.rows if row.not_run is None]
    if not ran:
        return []
    return [_answers(ran), _drift(ran), _times(ran), _memory(ran), _gate(ran)]


def conclusion(found: Precisions) -> str:
    """What the closed gate shows, in a sentence."""
    ran = [row for row in found.rows if row.not_run is None]
    broken = [row.name for row in ran if row.gate_off_holds is False]
    unknown = [row.name for row in ran if row.gate_off_holds is None]
    if broken:
        return f"A closed gate changes what the base says at {', '.join(broken)}."
    if unknown or not ran:
        at = ", ".join(unknown) or "any precision"
        return f"It is not known whether a closed gate changes the base at {at}."
    names = ", ".join(row.name for row in ran)
    return f"A closed gate leaves every base as it is at its precision, to the bit: {names}."


def _head(found: Precisions) -> str:
    machine, first = found.machine, found.rows[0].name
    loads = " and ".join(f"{load:g}" for load in machine.loads)
    busy = f", load {loads} before and after" if machine.loads else ""
    count = sum(found.metrics.values())
    return (
        f"Precisions of {found.backbone} ({found.architecture}) and its pathway, asked {count:,} questions "
        f"of {found.dataset} ({found.split}), gate {found.gate}, on {machine.device}: {machine.processor}, "
        f"{machine.cores} cores, {machine.threads} threads{busy}. All are compared with {first}, and timed "
        f"in turns with it. Intervals: {numerals.percent(found.confidence)} of answers, "
        f"{numerals.percent(found.time_confidence)} of times; {found.seconds:.0f} s in all."
    )


def _answers(ran: Sequence[Measured]) -> Table:
    rows = []
    for row in ran:
        for name, one in _accuracies(row):
            rows.append(
                (
                    row.name,
                    name,
                    numerals.fraction(one.value),
                    numerals.interval(one.low, one.high),
                    numerals.difference(one.difference),
                    MISSING
                    if one.difference is None
                    else numerals.interval(one.difference_low, one.difference_high, signed=True),
                    numerals.p_value(one.mcnemar),
                )
            )
    counts = ", ".join(f"{one.questions:,} {name}" for name, one in _accuracies(ran[0]))
    columns = ("precision", "of", "score", "interval", "change", "its interval", "McNemar")
    return Table(f"Scores ({counts}); audio: questions that need the sound", columns, rows, name="scores")


def _drift(ran: Sequence[Measured]) -> Table:
    rows = [
        (
            row.name,
            _nats(one.kl_mean),
            _nats(one.kl_p95),
            numerals.share_text(one.same_answers),
            numerals.share_text(one.listens),
        )
        for row in ran
        if (one := row.answered)
    ]
    title = "KL divergence of the first answer token, in nats"
    return Table(title, ("precision", "mean", "p95", "same answers", "listens"), rows, name="drift")


def _times(ran: Sequence[Measured]) -> Table:
    rows = [
        (
            row.name,
            _digits(one.p50_ms.value),
            _digits(one.p95_ms.value),
            _value(one.latency_ratio),
            _digits(one.answers_per_second.value),
            _value(one.batch_ratio),
        )
        for row in ran
        if (one := row.times)
    ]
    one = ran[0].times
    size = "" if one is None else f"{one.p50_ms.n} questions alone, batches of {one.batch_rows}"
    columns = ("precision", "p50 ms", "p95 ms", "times", "answers/s", "times")
    return Table(f"Time ({size}), and against the first", columns, rows, name="times")


def _memory(ran: Sequence[Measured]) -> Table:
    rows = [
        (row.name, _mb(one.base), _mb(one.pathway), f"{one.weights / _first_weights(ran):.2f}", _mb(one.peak))
        for row in ran
        if (one := row.memory)
    ]
    return Table(
        "Memory in MB",
        ("precision", "base", "pathway", "of the first", "peak of a batch"),
        rows,
        name="memory",
    )


def _gate(ran: Sequence[Measured]) -> Table:
    words = {True: "equal to the bit", False: "differs", None: "not known"}
    rows = []
    for row in ran:
        found = row.gate_off
        same = MISSING if found is None else f"{found.gate_off.same_answers} of {found.gate_off.questions}"
        least = MISSING if found is None else f"{found.gate_off.largest_difference:g}"
        opened = MISSING if found is None else f"{found.gate_on_difference:.3g}"
        rows.append((row.name, words[row.gate_off_holds], same, least, opened))
    title = "The base at each precision, alone and behind a closed gate"
    columns = ("precision", "logits", "same answers", "largest difference", "with it open")
    return Table(title, columns, rows, name="gate_off")


def _sentences(found: Precisions) -> Iterator[str]:
    for row in found.rows:
        if row.not_run is not None:
            yield f"{row.name}: not run: {row.not_run}."
        elif row.answered is not None and row.answered.not_finite:
            yield f"{row.name}: {row.answered.not_finite:,} answers begin at a logit that is not finite."
        if row.gate_off_unknown is not None:
            yield f"{row.name}: the closed gate was not tried: {row.gate_off_unknown}."
    for why, count in found.left_out.items():
        yield f"Left out: {count:,} questions {why}."
    yield f"Memory is counted by {found.memory_counted}. Not counted: {found.not_counted}."
    yield "Batches all hear with the most audio tokens; questions alone hear as the gate lets them."


def _accuracies(row: Measured) -> list[tuple[str, Accuracy]]:
    found = row.answered
    if found is None:
        return []
    return [(name, one) for name, one in (("audio", found.audio), ("VL", found.vl)) if one is not None]


def flat_of(row: Measured) -> dict[str, Value]:
    """All numbers of a precision, by the names of the columns of precision.csv."""
    said, times, memory = row.answered, row.times, row.memory
    flat: dict[str, Value] = {
        "precision": row.name,
        "dtype": row.dtype,
        "quantization": row.quantization,
        "pathway": row.pathway,
    }
    for name in ("audio", "vl"):
        one: Accuracy | None = getattr(said, name) if said else None
        for key in Accuracy.__struct_fields__:
            flat[f"{name}_{key}"] = getattr(one, key) if one else None
    for key in ("listens", "same_answers", "kl_mean", "kl_p95", "not_finite"):
        flat[key] = getattr(said, key) if said else None
    for key in ("p50_ms", "p95_ms", "latency_ratio", "answers_per_second", "batch_ratio"):
        for name, value in _ends(getattr(times, key) if times else None).items():
            flat[f"{key}{name}"] = value
    for key in ("base", "pathway", "peak"):
        flat[f"{key}_bytes"] = getattr(memory, key) if memory else None
    flat["gate_off_equal"] = row.gate_off_holds
    flat["gate_off_checksum"] = row.gate_off.gate_off.checksum if row.gate_off else None
    flat["not_run"] = row.not_run
    return flat


def _ends(one: Quantile | TimeRatio | None) -> dict[str, float | None]:
    """A value and its interval."""
    value = one.value if isinstance(one, Quantile) else one.ratio if one else None
    return {"": value, "_low": one.low if one else None, "_high": one.high if one else None}


def _first_weights(ran: Sequence[Measured]) -> int:
    return max(ran[0].memory.weights, 1) if ran[0].memory else 1


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS, break_long_words=False)


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _value(ratio: TimeRatio | None) -> str:
    return MISSING if ratio is None else f"{ratio.ratio:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"


def _nats(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2g}"


def _mb(count: int) -> str:
    return f"{count / MB:,.3g}" if count < 100 * MB else f"{count / MB:,.0f}"
