from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from labrig.prove import allowed, checks
from labrig.prove.allowed import Allowed
from labrig.prove.verdict import Check, Ignored
from labrig.state.model import State

FILE = {"type": "file", "mode": "0644", "size": 1, "sha256": "a"}
TODAY = date(2026, 11, 20)


def entry(key: str = "/token", **over: Any) -> Allowed:
    fields = {"dimension": "file", "key": key, "reason": "made at random", "expires": date(2027, 2, 18)}
    return Allowed.model_validate({**fields, **over})


def states(machine: str = "web", **files: dict[str, Any]) -> dict[str, State]:
    return {machine: State(entries={("file", f"/{name}"): {**FILE, **over} for name, over in files.items()})}


def compared(*entries: Allowed, **upgrade: dict[str, Any]) -> tuple[str, list[str], tuple[Ignored, ...]]:
    """Compare a fresh machine that has /token with an upgraded one; return result, keys, what was set aside."""
    check, findings, ignored, _ = checks.same_state(
        states(token={}), states(**upgrade), {}, lambda: 0.0, allowances=entries
    )
    return check.result, [one.key for one in findings], ignored


def test_an_allowed_difference_is_set_aside_and_told_with_its_reason_and_last_day() -> None:
    result, keys, ignored = compared(entry(), token={"sha256": "b"})
    assert (result, keys) == ("pass", [])
    assert ignored == (Ignored("allowed by labrig.yml", "file /token: made at random (until 2027-02-18)", 1),)


def test_what_else_differs_still_fails() -> None:
    result, keys, _ = compared(entry(), token={"sha256": "b"}, other={})
    assert (result, keys) == ("fail", ["/other"])


@pytest.mark.parametrize(
    "other",
    [
        entry("/tok*"),
        entry("/TOKEN"),
        entry("/token/"),
        entry(machine="db"),
        entry(check="idempotent"),
        entry(fields=("mode",)),
        entry(dimension="unit"),
    ],
    ids=lambda one: one.label,
)
def test_what_is_not_named_exactly_is_not_allowed(other: Allowed) -> None:
    assert compared(other, token={"sha256": "b"})[:2] == ("fail", ["/token"])


def test_only_the_named_fields_may_differ() -> None:
    content = entry(fields=("content",))
    assert compared(content, token={"sha256": "b", "size": 2})[0] == "pass"
    check, (finding,), _, _ = checks.same_state(
        states(token={}), states(token={"sha256": "b", "mode": "0600"}), {}, lambda: 0.0, allowances=(content,)
    )
    assert check.result == "fail"
    assert finding.text == "file /token: mode is 0644 on fresh and 0600 on upgrade"
    assert "sha256" not in (finding.left or {})


def test_fields_say_nothing_of_what_is_not_there() -> None:
    assert compared(entry(fields=("content", "mode")))[:2] == ("fail", ["/token"])
    assert compared(entry())[0] == "pass"


def test_several_entries_may_allow_one_thing_together() -> None:
    both = (entry(fields=("mode",)), entry(fields=("content",)))
    result, _, ignored = compared(*both, token={"sha256": "b", "mode": "0600"})
    assert result == "pass"
    assert len(ignored) == 2


@pytest.mark.parametrize("named", [entry(machine="db"), entry("db: /token")], ids=["machine", "as in the verdict"])
def test_of_several_machines_one_is_named(named: Allowed) -> None:
    left = {**states("web", token={}), **states("db", token={})}
    right = {**states("web", token={"sha256": "b"}), **states("db", token={"sha256": "b"})}
    differences, _, _ = checks.across(left, right, allowances=(named,))
    assert [key for key, _ in differences] == ["web: /token"]


def test_a_dimension_that_could_not_be_read_is_never_allowed() -> None:
    blind = {"web": State(unreadable={"file": "no permission"})}
    check, _, _, _ = checks.same_state(states(token={}), blind, {}, lambda: 0.0, allowances=(entry("file"),))
    assert check.result == "fail"


def test_an_entry_holds_on_its_last_day_and_not_after() -> None:
    last = entry(expires=TODAY)
    assert allowed.holding((last,), TODAY) == (last,)
    assert allowed.holding((last,), date(2026, 11, 21)) == ()


ANSWERED = (
    Check("same-state", None, "pass"),
    Check("idempotent", "fresh", "pass"),
    Check("survives-restart", "fresh", "pass"),
)


def test_what_expired_and_what_matched_nothing_is_noted() -> None:
    old, unused, used = entry("/old", expires=date(2026, 11, 19)), entry("/etc/*"), entry()
    found = allowed.notes((old, unused, used), TODAY, ANSWERED, (Ignored(allowed.RULE, used.words, 1),))
    assert found == (
        "allowed difference file /old expired on 2026-11-19 and holds no more: made at random",
        "allowed difference file /etc/* matched nothing in this proof; its key is taken as it is, not as a pattern",
    )


def test_nothing_is_called_unused_where_its_check_was_not_asked() -> None:
    skipped = (*ANSWERED[:2], Check("survives-restart", "fresh", "skip"))
    assert allowed.notes((entry(), entry(check="survives-restart")), TODAY, skipped, ()) == ()
    assert len(allowed.notes((entry(check="same-state"),), TODAY, skipped, ())) == 1
