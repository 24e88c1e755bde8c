"""A verdict as JUnit XML, which every CI server reads: a suite for each path, a case for each check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from labrig.prove.verdict import Check, Finding, Verdict


def render(verdict: Verdict) -> str:
    """Return the document."""
    root = Element(
        "testsuites", name=f"labrig prove {verdict.project}/{verdict.scenario}", time=f"{verdict.seconds:.3f}"
    )
    for path in ("fresh", "upgrade", None):
        checks = [check for check in verdict.checks if check.path == path]
        suite = SubElement(
            root, "testsuite", name=path or "both", tests=str(len(checks)), time=f"{sum(c.seconds for c in checks):.3f}"
        )
        _fill(suite, checks, verdict, f"{verdict.project}.{verdict.scenario}")
    return _text(root)


def render_several(verdicts: Mapping[str, Verdict]) -> str:
    """Return the document of several proofs, a suite each, by what they are called."""
    root = Element("testsuites", name="labrig prove --all")
    for name, verdict in verdicts.items():
        checks = list(verdict.checks)
        suite = SubElement(root, "testsuite", name=name, tests=str(len(checks)), time=f"{verdict.seconds:.3f}")
        # Readers take a class's name apart at its dots, and show the parts as folders.
        _fill(suite, checks, verdict, name.replace(".", "_").replace("/", "."))
    return _text(root)


def _text(root: Element) -> str:
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _fill(suite: Element, checks: Sequence[Check], verdict: Verdict, name: str) -> None:
    for result, attribute in (("fail", "failures"), ("error", "errors"), ("skip", "skipped")):
        suite.set(attribute, str(sum(check.result == result for check in checks)))
    for check in checks:
        _case(suite, check, verdict, f"{name}.{check.path or 'both'}")


def _case(suite: Element, check: Check, verdict: Verdict, name: str) -> None:
    case = SubElement(suite, "testcase", classname=name, name=check.name, time=f"{check.seconds:.3f}")
    tags = {"fail": "failure", "error": "error", "skip": "skipped"}
    if check.result in tags:
        SubElement(case, tags[check.result], message=_printable(check.reason)).text = _printable(_body(check, verdict))


def _body(check: Check, verdict: Verdict) -> str:
    findings = [one for one in verdict.findings if (one.check, one.path) == (check.name, check.path)]
    lines = [line for finding in findings for line in _told(finding)]
    if findings and check.name == "survives-restart":
        return "\n".join(lines)
    lines += ["  ".join(f"{key}: {value}" for key, value in detail.items() if value) for detail in check.details]
    return "\n".join(lines)


def _told(finding: Finding) -> list[str]:
    told = {"class": finding.kind, "cause": finding.cause, "hint": finding.hint}
    return [finding.text, *(f"  {name}: {said}" for name, said in told.items() if said)]


def _printable(text: str) -> str:
    """Return text without the characters that XML cannot hold."""
    return "".join(
        char
        for char in text
        if char in "\t\n\r" or " " <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char > "\uffff"
    )
