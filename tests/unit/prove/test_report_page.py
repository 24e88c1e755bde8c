from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from labrig.errors import EnvironmentFailed
from labrig.prove import report
from labrig.prove.repository import Head
from labrig.prove.verdict import Check, Finding, Ignored, Kind, Verdict
from labrig.state.content import ContentDiff


def finding(key: str = "/old", **over: Any) -> Finding:
    made = Finding("same-state", None, "file", key, None, {"mode": "0644"}, f"file {key} exists only on upgrade")
    return replace(made, **over)


def verdict(*findings: Finding, **over: Any) -> Verdict:
    check = Check("same-state", None, "fail" if findings else "pass", "because")
    made = Verdict("role", "default", "image", Head("main", "c" * 40, dirty=False), None, 1.0, (check,), findings)
    return replace(made, **over)


def by(role: str | None, on: str = "fresh") -> dict[str, Any]:
    return {"on": on, "task": "Write it", "role": role, "path": "tasks/main.yml:3", "result": "changed"}


def test_it_holds_everything_and_loads_nothing() -> None:
    ignored = (
        Ignored("logs", "content of logs", 3),
        Ignored("allowed by labrig.yml", "file /token: made at random (until 2027-02-18)", 1),
    )
    notes = ("allowed difference file /x expired on 2026-11-19 and holds no more: once",)
    page = report.render(verdict(finding(hint="remove it"), ignored=ignored, notes=notes), ["fresh-deploy.log"])
    for said in ("/old", "exists only on upgrade", "remove it", "content of logs", *notes, "logs/fresh-deploy.log"):
        assert said in page
    assert "file /token: made at random (until 2027-02-18)" in page
    assert not any(word in page for word in ("http://", "https://", "@import", "src=", "url("))


def test_what_machines_say_is_escaped() -> None:
    evil = "<script>alert(1)</script>"
    found = finding(f"/{evil}", left={"x": evil}, text=evil, tasks=({**by(evil), "task": evil, "path": evil},))
    failed = Check("deploys", "fresh", "fail", evil, details=({"test": evil, "message": evil},))
    checks = (failed, Check("same-state", None, "fail", evil))
    page = report.render(verdict(found, checks=checks, notes=(evil,)), [evil])
    assert evil not in page
    assert page.count("<script>") == 1


def test_what_cannot_be_seen_or_encoded_is_shown(tmp_path: Path) -> None:
    found = finding("/a\udcff\x1b[31m\u202egnp.exe\r", text="file")
    page = report.write(verdict(found), tmp_path, None).read_text()
    assert "/a\\udcff\u241b[31m&lt;U+202E&gt;gnp.exe\u240d" in page


def test_differences_are_grouped_by_class_and_role_in_the_order_of_their_weight() -> None:
    found = report.groups(
        [
            finding("/1"),
            finding("/2", kind="created differently", tasks=(by("web"),)),
            finding("/3", kind="left behind", tasks=(by("old", "production"),)),
            finding("/4", kind="left behind", tasks=(by("old", "production"), by("web", "upgrade"))),
            finding("/5", kind="left behind", tasks=(by(None),)),
        ]
    )
    told = [(group.kind, [(role, [one.key for _, one in own]) for role, own in group.roles]) for group in found]
    assert told == [
        ("left behind", [("old", ["/3"]), ("web", ["/4"]), ("no role", ["/5"])]),
        ("created differently", [("web", ["/2"])]),
        ("not classified", [("no role", ["/1"])]),
    ]
    assert [number for group in found for _, own in group.roles for number, _ in own] == [1, 2, 3, 4, 5]
    assert [group.count for group in found] == [3, 1, 1]


def test_every_class_has_its_words() -> None:
    assert set(report.KINDS) == {*get_args(Kind), None}


def test_hundreds_of_long_contents_are_shown_by_their_first_lines() -> None:
    diff = ContentDiff("text", ("@@ -1,400 +1,400 @@", *(f"+line {number}" for number in range(400))))
    shown = report.contents(report.groups(finding(f"/{number}", diff=diff) for number in range(100)))
    assert len(shown) == 100
    assert sum(map(len, shown.values())) < 1.2 * report.LINES
    assert shown[1][-1].remark == ""
    assert shown[100][-1].remark == "371 more lines are in the JSON form"


def test_one_filters_only_by_what_tells_differences_apart() -> None:
    assert report.facets((finding("/1"), finding("/2"))) == ()
    both = (finding("/1"), finding("nginx", dimension="package"))
    assert report.facets(both) == (("dimension", (("file", 1), ("package", 1))),)


@pytest.mark.parametrize(
    ("key", "text", "rest"),
    [
        ("/old", "file /old exists only on upgrade", "exists only on upgrade"),
        ("/a", "file /a of package x: content differs", "of package x: content differs"),
        ("db: /a", "file /a: content differs", "content differs"),
        ("tcp 0.0.0.0:80", "listening socket tcp 0.0.0.0:80: its unit is a on fresh", "its unit is a on fresh"),
        ("unit", "dimension unit could not be read completely", "could not be read completely"),
        ("/a", "something else", "something else"),
    ],
)
def test_the_key_is_not_said_twice(key: str, text: str, rest: str) -> None:
    assert f"</code> {rest}</span>" in report.render(verdict(finding(key, text=text)), [])


def test_a_difference_in_time_names_its_sides_before_and_after() -> None:
    found = finding(check="idempotent", path="upgrade", left={"size": 1}, right={"size": 2})
    page = report.render(verdict(found), [])
    assert '<th scope="col">before</th><th scope="col">after</th>' in page
    assert "idempotent on upgrade" in page


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailed, match="the report cannot be written to"):
        report.write(verdict(), tmp_path / "file", None)


def test_a_stored_answer_says_so_and_when_it_was_found_out() -> None:
    made = datetime(2026, 1, 31, 12, 5, tzinfo=UTC)
    page = report.render(verdict(cached=True, made=made), [])
    assert "2026-01-31 12:05:00 UTC, and nothing that decides it has changed since" in page
    assert "2026-01-31 12:05:00 UTC</dd>" in report.render(verdict(made=made), [])
