from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from test_verdict import verdict

from labrig.errors import EnvironmentFailed, ExitCode, UsageError
from labrig.prove import junit, overview
from labrig.prove.apart import Apart, Failed
from labrig.prove.meaning import summary
from labrig.prove.plan import Planned
from labrig.prove.proof import Options, Proven, unanswered
from labrig.prove.room import Room
from labrig.prove.several import Answer, Answers, gravest, prove
from labrig.prove.verdict import Verdict

OK, FAILED, USAGE, ENVIRONMENT = ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.ENVIRONMENT
# No engine answers there, so that a proof comes to its end at once.
NOWHERE = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}


@pytest.mark.parametrize(
    ("codes", "all_of_them"),
    [
        ([OK, OK], OK),
        ([OK, ENVIRONMENT], ENVIRONMENT),
        ([ENVIRONMENT, USAGE, OK], USAGE),
        ([ENVIRONMENT, USAGE, FAILED, OK], FAILED),
        ([ENVIRONMENT, FAILED], FAILED),
    ],
)
def test_what_no_second_try_mends_decides_the_exit_code(codes: list[ExitCode], all_of_them: ExitCode) -> None:
    assert gravest(codes) == all_of_them


def answers(**verdicts: Verdict) -> Answers:
    """Return answers by name; ``__`` in a name is a slash."""
    each = [
        Answer(Planned(name.replace("__", "/"), Options(Path(), "default")), Proven(one, None, ()))
        for name, one in verdicts.items()
    ]
    return Answers(tuple(each), 20.0)


def test_the_json_form_holds_each_verdict_and_what_it_is_called() -> None:
    found = answers(roles__web__default=verdict(), roles__db__default=verdict(same_state="fail"))
    form = json.loads(json.dumps(found.as_json(["web/index.html", None])))
    verdicts = form.pop("verdicts")
    assert form == {"schema": "labrig.verdicts/1", "verdict": "disproved", "exit_code": 1, "seconds": 20.0}
    assert [(one["name"], one["exit_code"], one["report"]) for one in verdicts] == [
        ("roles/web/default", 0, "web/index.html"),
        ("roles/db/default", 1, None),
    ]
    alone = verdict(same_state="fail").as_json()
    assert {key: verdicts[1][key] for key in alone} == json.loads(json.dumps(alone))


def test_the_last_line_counts() -> None:
    good, bad, error = verdict(), verdict(same_state="fail"), verdict(deploys_fresh="error")
    assert summary([good]) == "safe in the one proof"
    assert summary([good, good]) == "safe in each of 2 proofs"
    assert summary([good, bad, error, error]) == "1 disproved, 2 errors, 1 proven"


def test_junit_has_a_suite_for_each_proof() -> None:
    text = junit.render_several({"roles/web/default": verdict(), "roles/db/default": verdict(same_state="fail")})
    suites = ElementTree.fromstring(text)
    assert [(one.get("name"), one.get("tests"), one.get("failures")) for one in suites] == [
        ("roles/web/default", "9", "0"),
        ("roles/db/default", "9", "1"),
    ]
    assert {case.get("classname") for case in suites[0]} == {
        f"roles.web.default.{path}" for path in ("fresh", "upgrade", "both")
    }


def test_the_page_leads_to_each_report_and_says_what_each_means() -> None:
    found = answers(a=verdict(), b=replace(verdict(same_state="fail"), project="<b>"))
    page = overview.render(found, {"a": "a/index.html", "b": "b 1/index.html"})
    assert 'href="a/index.html"' in page
    assert 'href="b%201/index.html"' in page
    assert "old and new servers end up different" in page
    assert "<h1>Disproved</h1>" in page


def test_folders_of_reports_are_told_apart_on_every_file_system() -> None:
    found = overview.folders(["roles/web", "roles-web", "Roles/Web", "..", "on x:1"])
    assert list(found.values()) == ["roles-web", "roles-web-2", "Roles-Web-3", "proof", "on-x-1"]


def project(folder: Path) -> Options:
    directory = folder / "molecule/default"
    directory.mkdir(parents=True)
    (directory / "molecule.yml").write_text('{"platforms": [{"name": "m", "image": "acme/none"}]}')
    (directory / "converge.yml").write_text("[]")
    return Options(folder, "default")


def test_each_one_fails_for_itself_and_a_wrong_one_is_told_without_being_started(tmp_path: Path) -> None:
    wrong = UsageError("molecule.yml: not YAML", hint="write YAML")
    plan = [
        Planned("wrong", Options(tmp_path, "default"), error=wrong),
        Planned("no-engine", project(tmp_path / "one"), 3),
        Planned("no-project", Options(tmp_path / "gone", "default"), 3),
    ]
    begun: list[str] = []

    found = prove(
        plan,
        NOWHERE,
        Room(2),
        on_event=lambda planned, event: begun.append(planned.name) if event is None else None,
        on_answer=lambda _: None,
    )

    assert begun == ["no-engine", "no-project"]
    assert [one.planned.name for one in found.each] == ["wrong", "no-engine", "no-project"]
    assert [one.exit_code for one in found.each] == [USAGE, ENVIRONMENT, USAGE]
    assert found.exit_code == USAGE
    assert {one.verdict.decision for one in found.each} == {"error"}
    error = found.each[1].error
    assert isinstance(error, EnvironmentFailed)
    assert "no Docker Engine answers" in error.message
    assert "labrig doctor" in error.hint


def test_a_process_that_is_killed_is_an_error_of_its_proof(tmp_path: Path) -> None:
    apart = Apart(project(tmp_path / "one"), NOWHERE, tmp_path / "log")
    os.killpg(apart.group, signal.SIGKILL)
    event = apart.receive()
    apart.end(10)
    assert isinstance(event, Failed)
    assert "was ended by SIGKILL without an answer" in event.error.message
    assert "--jobs" in event.error.hint


def test_a_verdict_of_what_could_not_begin_says_why(tmp_path: Path) -> None:
    found = unanswered(Options(tmp_path, "default"), UsageError("no converge.yml"))
    assert (found.decision, found.scenario) == ("error", "default")
    assert {check.reason for check in found.checks if check.result == "error"} == {"no converge.yml"}
