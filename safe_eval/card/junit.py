"""JUnit: a verdict as JUnit XML, which CI systems show as tests. The form is the one pytest writes.

A criterion that holds passes, one that does not fails, and one that was not measured is an error: it must not
look green. A warning that does not hold is skipped, since it decides nothing.
"""

from xml.etree import ElementTree

from safe_data.core import numerals
from safe_data.core.terminal import printable
from safe_eval.judging.judged import GO, NO_GO, Judged
from safe_eval.judging.verdict import Verdict

_SUITE = "safe-eval"
_TIME = "0.000"


def junit_xml(verdict: Verdict, run: str, timestamp: str) -> bytes:
    """The XML of a verdict. `run` names the run, `timestamp` is in ISO 8601."""
    suites = ElementTree.Element("testsuites", name=_SUITE)
    suite = ElementTree.SubElement(suites, "testsuite", name=_SUITE)
    for judged in verdict.criteria:
        _add_case(suite, judged, run)
    counts = {
        "errors": len(suite.findall("testcase/error")),
        "failures": len(suite.findall("testcase/failure")),
        "skipped": len(suite.findall("testcase/skipped")),
        "tests": len(verdict.criteria),
    }
    for name, count in counts.items():
        suite.set(name, str(count))
    suite.set("time", _TIME)
    suite.set("timestamp", timestamp)
    return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True))


def _add_case(suite: ElementTree.Element, judged: Judged, run: str) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", classname=printable(f"verdict.{run}"), name=printable(judged.name), time=_TIME
    )
    if judged.decision == GO:
        return
    message = printable(f"{judged.decision}: {_asked(judged)}")
    if judged.severity == "warning":
        outcome = ElementTree.SubElement(case, "skipped", type="safe-eval.warning", message=message)
    else:
        tag = "failure" if judged.decision == NO_GO else "error"
        outcome = ElementTree.SubElement(case, tag, message=message)
    outcome.text = printable(judged.evidence)


def _asked(judged: Judged) -> str:
    found = "no number" if judged.value is None else f"{judged.value:.6g}"
    if judged.use != "value" and judged.value is not None:  # an end of the interval decides, not the value
        found += f" {numerals.interval(*judged.ends)}"
    by = "" if judged.use == "value" else f" by {judged.use}"
    return f"{found}, asked for {judged.bound}{by}"
