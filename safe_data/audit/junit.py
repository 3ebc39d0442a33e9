"""JUnit: what came of a check as JUnit XML, which CI systems show as tests: one test per rule.

A rule that does not hold fails, and one that could not be judged is an error: it must not look green. A
warning, and a rule about something that a dataset does not have, is skipped, since it decides nothing.

Source: the form that pytest writes, which GitLab, Jenkins and GitHub's actions read.
"""

from itertools import groupby
from operator import attrgetter
from xml.etree import ElementTree

from safe_data.audit.judged import Judged
from safe_data.audit.rule_results import RuleResult
from safe_data.core.terminal import printable

_PROGRAM = "safe-data check"
_TIME = "0.000"  # the same results give the same file


def junit_xml(judged: Judged) -> bytes:
    """The XML of a check; what XML cannot hold is replaced."""
    suites = ElementTree.Element("testsuites", name=_PROGRAM)
    for name, results in groupby(judged.results, attrgetter("suite")):
        suite = ElementTree.SubElement(suites, "testsuite", name=printable(name))
        for result in results:
            _add_case(suite, result, judged.title)
    if judged.unjudged:
        suite = ElementTree.SubElement(suites, "testsuite", name=_PROGRAM)
        for sentence in judged.unjudged:
            case = _case(suite, judged.title, "what was asked for")
            ElementTree.SubElement(case, "error", message=printable(sentence))
    if judged.outlook is not None:
        suite = ElementTree.SubElement(suites, "testsuite", name="curriculum")
        for stage in judged.outlook.stages:
            case = _case(suite, judged.title, stage.name)
            for fault in stage.faults[:1]:
                ElementTree.SubElement(case, "failure", message=printable(fault))
    for suite in suites:
        _count(suite)
    return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(suite: ElementTree.Element, title: str, name: str) -> ElementTree.Element:
    classname = printable(f"{title}.{suite.get('name')}")
    return ElementTree.SubElement(suite, "testcase", classname=classname, name=printable(name), time=_TIME)


def _add_case(suite: ElementTree.Element, result: RuleResult, title: str) -> None:
    case = _case(suite, title, result.name)
    if result.label == "ok":
        return
    tag = {"FAIL": "failure", "not judged": "error"}.get(result.label, "skipped")
    asked = f"{result.seen}, asked for {result.bound}" if result.success is not None else ""
    message = f"{result.label}: {asked or (result.reasons or [''])[0]}"
    outcome = ElementTree.SubElement(case, tag, message=printable(message))
    outcome.text = "\n".join(result.reasons)  # each is printable


def _count(suite: ElementTree.Element) -> None:
    counts = {
        "errors": len(suite.findall("testcase/error")),
        "failures": len(suite.findall("testcase/failure")),
        "skipped": len(suite.findall("testcase/skipped")),
        "tests": len(suite.findall("testcase")),
    }
    for name, count in counts.items():
        suite.set(name, str(count))
    suite.set("time", _TIME)
