"""Parity text: what `safe-train parity` prints."""

import textwrap

from safe_data.core.table import COLUMNS
from safe_train.parity.memory import CUDA, Memory
from safe_train.parity.parity import Finding, ParityReport

_NAME, _DECISION = 19, 15
_UNITS = ("B", "kB", "MB", "GB", "TB")


def parity_lines(report: ParityReport) -> list[str]:
    """The report in 80 columns: what was compared, what was found, and what that means."""
    asked = report.pathways[0].gate_off.questions
    what = (
        f"{report.architecture} ({report.parameters:,} parameters, {report.dtype.removeprefix('torch.')} on "
        f"{report.device}), asked {asked:,} VL questions of {report.dataset} ({report.split}): alone, before "
        f"anything was attached to it; then behind the closed gate of {len(report.pathways)} "
        f"pathway{'s' * (len(report.pathways) > 1)}."
    )
    lines = [*textwrap.wrap(what, COLUMNS), ""]
    for finding in report.findings:
        lines += _of_finding(finding)
    return [*lines, *_of_memory(report.memory), "", *_conclusion(report).splitlines()]


def _of_finding(finding: Finding) -> list[str]:
    head = f"  {finding.name:{_NAME}}{finding.decision:{_DECISION}}"
    rest = " " * (2 + _NAME + _DECISION)
    return textwrap.wrap(finding.evidence, COLUMNS, initial_indent=head, subsequent_indent=rest)


def _of_memory(memory: Memory) -> list[str]:
    share = memory.pathway_bytes / memory.base_bytes
    more = memory.gate_off_peak_bytes - memory.base_peak_bytes
    how = "by CUDA" if memory.measured_by == CUDA else "by live tensors"
    added = f"{'+' if more >= 0 else '-'}{_size(abs(more))}"
    evidence = (
        f"the pathway holds {_size(memory.pathway_bytes)} ({share:.1%} of the base); a forward pass peaks at "
        f"{_size(memory.base_peak_bytes)} above the weights, {added} behind the gate ({how})"
    )
    return _of_finding(Finding("memory", "no limit", evidence))


def _conclusion(report: ParityReport) -> str:
    if report.exit_code == 0:
        open_ = [one.name for one in report.findings if one.decision == "not shown"]
        more = f"\nNot shown: {' and '.join(open_)}; more --repeats may." if open_ else ""
        return f"The closed gate leaves the base as it was.{more}"
    if report.exit_code == 1:
        return "The closed gate does not leave the base as it was."
    return "It could not be judged whether the closed gate leaves the base as it was."


def _size(count: int) -> str:
    """
    >>> _size(812), _size(1_304_000)
    ('812 B', '1.3 MB')
    """
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g} {_UNITS[unit]}" if unit else f"{count} B"
