from __future__ import annotations

import pytest

from labrig.errors import UsageError
from labrig.experiments.host import session
from labrig.remote.ssh import quoted


@pytest.mark.parametrize(
    "argv",
    [["serve"], ["list"], ["sweep", "--dry-run"], ["enter", "shop", "login", "--", "sh", "-c", "a 'b'; $(c)\n"]],
)
@pytest.mark.parametrize("named", [[], ["labrig-lab"]])
def test_a_developer_gets_what_is_for_developers_word_for_word(argv: list[str], named: list[str]) -> None:
    assert session.command(quoted([*named, *argv])) == argv


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "labrig-lab",
        "bash",
        "sh -c serve",
        "edge put x.conf",
        "session root",
        "wake",
        "scp -t /",
        "serve'",
        "; serve",
    ],
)
def test_nothing_else_is_run(asked: str) -> None:
    with pytest.raises(UsageError) as refused:
        session.command(asked)
    assert "serve, list" in refused.value.hint


@pytest.mark.parametrize("name", ["", "-a", "an na", "Anna", "a\nb", "a;b"])
def test_a_developer_has_a_name_that_stands_in_a_line_of_the_journal(name: str) -> None:
    assert session.checked_developer("anna.b-c_1") == "anna.b-c_1"
    with pytest.raises(UsageError):
        session.checked_developer(name)
