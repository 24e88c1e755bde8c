"""The example of a group as a reader of the manual runs it, and its page in a real browser."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from browser import Browser, required
from conftest import ROOT, environment

GROUP = ROOT / "examples/todo/services.py"
# The first time, both images are built out of Debian's archive.
SECONDS = 600
ITEMS = "[...document.querySelectorAll('li')].map(one => [one.className, one.querySelector('span')?.innerText])"


def group(*words: str) -> str:
    """Run the group's own command line; return what it prints."""
    done = subprocess.run(
        [sys.executable, str(GROUP), *words],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def address() -> str:
    return f"http://127.0.0.1:{json.loads(group('env', '--format', 'json'))['PYTHON_TODO_PORT_8080']}/"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(required(), tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
def started() -> Iterator[None]:
    group("start")
    try:
        yield
    finally:
        # The images stay, for the next time.
        group("stop", "--remove")


def until_items(browser: Browser, wanted: list[list[str]]) -> None:
    """Wait until the page that a form leads to lists these."""
    until = time.monotonic() + 20
    found: object = None
    while time.monotonic() < until:
        if browser.value("document.readyState") == "complete":
            found = browser.value(ITEMS)
            if found == wanted:
                return
        time.sleep(0.05)
    assert found == wanted


def test_the_list_is_that_of_the_person_created_in_post_start(started: None, browser: Browser) -> None:
    browser.open(address())
    assert browser.value("document.title") == "To do: Ada"
    assert browser.value("document.querySelector('h1').innerText") == "Ada's list"

    browser.type("Water the plants")
    browser.press("Enter")
    until_items(browser, [["open", "Water the plants"]])
    browser.value("document.querySelector('li button').click()")
    until_items(browser, [["done", "Water the plants"]])
    assert browser.complaints == []


def test_a_second_start_finds_it_as_it_was(started: None, browser: Browser) -> None:
    group("stop")
    group("start")
    browser.open(address())
    assert browser.value("document.title") == "To do: Ada"
    assert browser.value(ITEMS) == [["done", "Water the plants"]]


def test_the_value_is_there_for_commands_and_one_off_containers(started: None) -> None:
    person = json.loads(group("env", "--format", "json"))["USER_ID"]
    asked = f"SELECT name FROM person WHERE id = {person}"
    uri = "postgresql://dbuser:dbpwd@127.0.0.1/appdb"
    assert group("exec", "appdb", "psql", "--tuples-only", "--no-align", uri, "-c", asked) == "Ada\n"
    assert group("run", "python-todo", "printenv", "USER_ID") == f"{person}\n"
