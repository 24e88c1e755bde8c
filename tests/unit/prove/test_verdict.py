from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from labrig.errors import ExitCode
from labrig.prove import junit
from labrig.prove.meaning import meaning
from labrig.prove.repository import Head
from labrig.prove.verdict import PATH_CHECKS, PATHS, Check, Finding, Ignored, Production, Verdict
from labrig.state.content import ContentDiff

HEAD = Head("main", "c" * 40, dirty=True)


def verdict(**bad: Any) -> Verdict:
    """Return a proven verdict, but for checks named like ``deploys_fresh`` or ``same_state``."""
    given = {name.replace("_", "-"): result for name, result in bad.items()}
    found = [
        Check(name, path, given.get(f"{name}-{path}", "pass"), "because", 1.0) for name in PATH_CHECKS for path in PATHS
    ]
    found.append(Check("same-state", None, given.get("same-state", "pass"), "because"))
    finding = Finding(
        "same-state",
        None,
        "file",
        "/old",
        None,
        {"mode": "0644"},
        "file /old exists only on the upgraded machine",
        kind="left behind",
        hint="remove it",
        diff=ContentDiff("text", ("+x",)),
    )
    return Verdict(
        "role",
        "default",
        "labrig/debian-12:latest",
        HEAD,
        Production("ref", "v1", "d" * 40),
        12.5,
        tuple(found),
        (finding,) if given.get("same-state") == "fail" else (),
        18080,
        (Ignored("logs", "content of logs", 3),),
    )


def test_the_json_form_has_exactly_the_fields_of_its_schema() -> None:
    found = json.loads(json.dumps(verdict(same_state="fail").as_json()))
    assert list(found) == [
        "schema",
        "project",
        "scenario",
        "platform",
        "head",
        "production",
        "verdict",
        "seconds",
        "cached",
        "made",
        "checks",
        "differences",
        "compared",
        "ignored",
        "notes",
    ]
    assert found["schema"] == "labrig.verdict/1"
    assert found["head"] == {"ref": "main", "commit": "c" * 40, "dirty": True}
    assert found["production"] == {"kind": "ref", "name": "v1", "id": "d" * 40}
    assert list(found["checks"][0]) == ["name", "path", "result", "seconds", "cached", "reason", "details"]
    assert found["differences"] == [
        {
            "check": "same-state",
            "dimension": "file",
            "key": "/old",
            "fresh": None,
            "upgrade": {"mode": "0644"},
            "explanation": {
                "class": "left behind",
                "package": None,
                "tasks": [],
                "text": "file /old exists only on the upgraded machine",
                "cause": "",
                "hint": "remove it",
                "diff": {"form": "text", "lines": ["+x"], "changes": [], "summary": ""},
            },
        }
    ]


def test_a_difference_in_time_says_before_after_and_where() -> None:
    finding = Finding("idempotent", "fresh", "file", "/a", {"size": 1}, {"size": 2}, "grew")
    base = verdict(idempotent_fresh="fail")
    found = Verdict(**{**base.__dict__, "findings": (finding,)}).as_json()["differences"][0]
    assert (found["before"], found["after"], found["path"]) == ({"size": 1}, {"size": 2}, "fresh")


@pytest.mark.parametrize(
    ("bad", "decision", "code", "means"),
    [
        ({}, "proven", ExitCode.OK, "safe"),
        ({"deploys_fresh": "fail"}, "disproved", ExitCode.FAILED, "works only where it is already installed"),
        ({"deploys_upgrade": "fail"}, "disproved", ExitCode.FAILED, "works only on new servers"),
        ({"verified_upgrade": "fail"}, "disproved", ExitCode.FAILED, "old servers stay as they are"),
        ({"same_state": "fail"}, "disproved", ExitCode.FAILED, "old and new servers end up different"),
        (
            {"idempotent_fresh": "fail", "idempotent_upgrade": "fail"},
            "disproved",
            ExitCode.FAILED,
            "changes something every time it runs",
        ),
        (
            {"survives_restart_upgrade": "fail"},
            "disproved",
            ExitCode.FAILED,
            "old servers are not the same after a restart",
        ),
        ({"deploys_upgrade": "error"}, "error", ExitCode.ENVIRONMENT, "no verdict: because"),
        (
            {"same_state": "error", "verified_fresh": "fail"},
            "error",
            ExitCode.ENVIRONMENT,
            "so far: new servers do not get",
        ),
    ],
)
def test_checks_make_a_decision_with_an_exit_code_and_a_meaning(
    bad: dict[str, str], decision: str, code: ExitCode, means: str
) -> None:
    found = verdict(**bad)
    assert (found.decision, found.exit_code) == (decision, code)
    assert means in meaning(found)


@pytest.mark.parametrize("skipped", ["deploys_fresh", "deploys_upgrade", "same_state"])
def test_nothing_is_proven_by_what_was_not_asked(skipped: str) -> None:
    assert verdict(**{skipped: "skip"}).decision == "error"


def test_a_proof_that_rests_on_allowed_differences_says_so() -> None:
    ignored = (Ignored("allowed by labrig.yml", "file /etc/token: made at random (until 2027-02-18)", 2),)
    found = meaning(replace(verdict(), ignored=ignored))
    assert found.startswith("safe: new and old servers end up the same but for 2 allowed differences, and")


def test_several_failures_are_said_the_gravest_first() -> None:
    assert meaning(verdict(same_state="fail", deploys_fresh="fail")).startswith("works only where")


def test_junit_has_a_case_for_each_check_and_survives_control_characters() -> None:
    base = verdict(verified_upgrade="fail")
    broken = Check("verified", "upgrade", "fail", "bad \x1b[31m byte", details=({"test": "t", "message": "\x00"},))
    checks = tuple(broken if (one.name, one.path) == ("verified", "upgrade") else one for one in base.checks)
    root = ElementTree.fromstring(junit.render(Verdict(**{**base.__dict__, "checks": checks})))
    assert [suite.get("name") for suite in root] == ["fresh", "upgrade", "both"]
    assert [suite.get("failures") for suite in root] == ["0", "1", "0"]
    assert len(root.findall(".//testcase")) == len(base.checks)
