"""Profile text: what `safe-train profile` prints in 80 columns, and the same tables in Markdown."""

import textwrap
from collections.abc import Iterator, Sequence

from safe_data.core.numerals import MISSING
from safe_data.core.table import COLUMNS, Table, render
from safe_train.parity.timing import TimeRatio
from safe_train.profiling.fitting_rows import GB
from safe_train.profiling.quantiles import Quantile
from safe_train.profiling.result import Finding, Ladder, Profile

MB = 10**6


def profile_lines(found: Profile) -> list[str]:
    """The profile for a terminal."""
    lines = [*_wrapped(_head(found)), ""]
    for table in tables_of(found):
        lines += [*render([table], "text"), ""]
    for sentence in _sentences(found):
        lines += _wrapped(sentence)
    lines += ["", f"decision: {found.decision}"]
    for finding in found.findings:
        lines += _finding_lines(finding)
    return lines


def profile_markdown(found: Profile, charts: Sequence[str]) -> str:
    """The content of profile.md, with the charts that were drawn."""
    lines = [_head(found), "", *render(tables_of(found), "markdown"), ""]
    lines += [f"- {sentence}" for sentence in _sentences(found)]
    lines += ["", f"decision: {found.decision}", ""]
    lines += [f"- {one.decision}: {one.name}: {one.evidence}" for one in found.findings]
    lines += ["", *(f"![{name.partition('.')[0]}]({name})" for name in charts)]
    return "\n".join(lines) + "\n"


def tables_of(found: Profile) -> list[Table]:
    """All tables."""
    sounds = [_sounds(found)] if found.sounds else []
    return [
        _training(found),
        _answering(found),
        _memory(found),
        _latency(found),
        _steps(found),
        *sounds,
        *_operations(found),
    ]


def _head(found: Profile) -> str:
    machine = found.machine
    loads = " and ".join(f"{load:g}" for load in machine.loads)
    busy = f", load {loads} before and after" if machine.loads else ""
    return (
        f"Profile of {found.subject} for {found.backbone} ({found.architecture}, {found.dtype}) on "
        f"{machine.device}: {machine.processor}, {machine.cores} cores, {machine.threads} threads, "
        f"{machine.memory_bytes / GB:.0f} GB{busy}. Medians of {found.repeats} repeats in turns, "
        f"[{found.confidence:.0%} interval]; {found.seconds:.0f} s in all."
    )


def _training(found: Profile) -> Table:
    rows = [
        (
            rung.rows,
            _quantile(rung.pass_ms),
            _quantile(rung.samples_per_second),
            _mb(rung.memory.peak_bytes),
            _mb(rung.memory.held_bytes),
        )
        for rung in found.training.rungs
    ]
    positions = found.training.rungs[-1].positions
    title = f"Training passes of stage A, {positions} positions a row (without the optimizer's step)"
    columns = ("rows", "ms a pass", "questions/s", "peak MB", "for backward MB")
    return Table(title, columns, rows, name="training")


def _answering(found: Profile) -> Table:
    rows = [
        (
            rung.rows,
            _quantile(rung.answers_per_second(with_sound=False)),
            _quantile(rung.answers_per_second(with_sound=True)),
            _mb(rung.without.peak_bytes),
            _mb(rung.with_sound.peak_bytes),
            _mb(rung.cache_bytes),
        )
        for rung in found.answering.rungs
    ]
    tokens, most = found.answering.rungs[-1].tokens, found.budgets[-1]
    title = f"Batches of answers of {tokens} tokens, without a sound and with {most} audio tokens"
    columns = ("rows", "answers/s without", "answers/s with", "MB without", "MB with", "KV MB")
    return Table(title, columns, rows, name="answering")


def _memory(found: Profile) -> Table:
    rows = [(part.name, _mb(part.size_bytes), part.counted) for part in found.components]
    return Table("Memory by component", ("component", "MB", "of"), rows, name="memory")


def _latency(found: Profile) -> Table:
    rows = [
        (
            one.name,
            _quantile(one.p50_ms),
            _quantile(one.p95_ms),
            _value(one.ratio),
            f"{100 * one.listens:.0f}",
        )
        for one in found.latency
    ]
    count = found.latency[0].p50_ms.n
    title = f"Latency of {count} questions asked alone, in ms; times against gate off"
    return Table(title, ("way", "p50", "p95", "times", "listens %"), rows, name="latency")


def _steps(found: Profile) -> Table:
    rows = [
        (
            one.name,
            _digits(one.encode_ms.value),
            _quantile(one.first_ms),
            _value(one.first_ratio),
            _quantile(one.token_ms),
            MISSING if one.tokens_per_second is None else f"{one.tokens_per_second.value:.3g}",
        )
        for one in found.latency
    ]
    columns = ("way", "encode", "prefill", "times", "per token", "tokens/s")
    return Table(
        "The same by steps: prompt, first token, each further token, in ms", columns, rows, name="steps"
    )


def _sounds(found: Profile) -> Table:
    sounds = found.sounds
    parts = (
        ()
        if sounds is None
        else (
            ("read from the cache", sounds.read_ms),
            ("decode", sounds.decode_ms),
            ("resample and encode", sounds.encode_ms),
            ("project, either way", sounds.project_ms),
        )
    )
    count, length = (0, 0.0) if sounds is None else (sounds.sounds, sounds.seconds)
    by = "" if sounds is None else ", ".join(sounds.encoders)
    title = f"A sound of {length:.1f} s by {by}, in ms ({count} sounds)"
    return Table(title, ("step", "ms"), [(name, _quantile(part)) for name, part in parts], name="sounds")


def _operations(found: Profile) -> Iterator[Table]:
    for one in found.operations:
        rows = [(part.name, part.calls, f"{100 * part.share:.0f}") for part in one.largest]
        title = f"Where {one.what} spends its time ({one.count:,} operations)"
        yield Table(title, ("operation", "calls", "%"), rows, name="operations")


def _sentences(found: Profile) -> Iterator[str]:
    training, largest = found.training, found.largest
    yield f"Memory is counted by {found.memory_counted}. Not counted: {found.not_counted}."
    yield (
        f"The optimizer's step takes {_quantile(training.step_ms)} ms for {training.trained_parameters:,} "
        f"parameters. A question is put into a batch in {_quantile(training.making_ms)} ms."
    )
    for name, ladder in (("Training", training.ladder), ("Answers", found.answering.ladder)):
        yield f"{name}: {_ended(ladder)}{_line(ladder)}."
    free = f"{100 * largest.headroom:g} % of {largest.card_bytes / GB:.3g} GB ({largest.card_from}) free"
    always = f"beside {largest.always_bytes / MB:,.0f} MB that are always there"
    if largest.rows is None:
        yield f"No number of rows is known to fit with {free}, {always}."
    else:
        checked = "by the line alone; so many were not run"
        if largest.checked_bytes is not None:
            share = 1 - largest.checked_bytes / largest.card_bytes
            taken = f"{largest.checked_bytes / MB:,.0f} MB ({100 * share:.0f} % free)"
            checked = f"checked by a run, which took {taken}"
        yield f"The most rows of a pass with {free}, {always}: {largest.rows:,}, {checked}."
    if found.sounds_missing:
        yield f"Sounds on the fly were not measured: {found.sounds_missing}"
    if found.gate is not None:
        yield f"Its gate is {found.gate}; a gate that needs a state reads the prompt twice where it listens."
    for note in found.notes:
        yield f"Note: {note}."


def _ended(ladder: Ladder) -> str:
    at = "" if ladder.at is None else f" before {ladder.at} rows"
    return f"the ladder was ended by {ladder.stopped_by}{at}"


def _line(ladder: Ladder) -> str:
    model = ladder.model
    if model is None:
        return "; too few sizes to predict memory"
    return (
        f"; memory = {model.intercept_bytes / MB:.3g} MB + {model.bytes_per_row / MB:.3g} MB · rows, off by "
        f"{100 * model.worst_error:.2g} % at most"
    )


def _finding_lines(finding: Finding) -> list[str]:
    return textwrap.wrap(
        f"{finding.decision:<12}  {finding.name}: {finding.evidence}",
        COLUMNS,
        initial_indent="  ",
        subsequent_indent=16 * " ",
    )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS, break_long_words=False)


def _quantile(value: Quantile | None) -> str:
    """A value with its interval, to three digits."""
    if value is None:
        return MISSING
    ends = ", ".join(MISSING if end is None else _digits(end) for end in (value.low, value.high))
    return f"{_digits(value.value)} [{ends}]"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _value(ratio: TimeRatio | None) -> str:
    """A ratio; its interval stands in the finding that it decides."""
    return MISSING if ratio is None else f"{ratio.ratio:.2f}"


def _mb(count: int | None) -> str:
    return MISSING if count is None else f"{count / MB:,.2f}" if count < 100 * MB else f"{count / MB:,.0f}"
