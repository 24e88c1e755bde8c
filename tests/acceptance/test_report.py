"""The report in a real browser, opened from disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import verdicts
from browser import Browser, required

from labrig.prove import report
from labrig.prove.verdict import Ran, Verdict
from labrig.state.content import ContentDiff

SHOWN = "[...document.querySelectorAll('.difference')].filter(one => one.checkVisibility())"
HEADINGS = "[...document.querySelectorAll('h3, h4')].filter(one => one.checkVisibility()).map(one => one.innerText)"
EVIL = "<img src=x onerror=document.title='taken'><script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(required(), tmp_path_factory.mktemp("browser")) as found:
        yield found


def page(verdict: Verdict, folder: Path) -> Path:
    return report.write(verdict, folder, None)


@pytest.fixture(autouse=True)
def nothing_fetched_and_nothing_complained(browser: Browser) -> Iterator[None]:
    browser.complaints.clear()
    yield
    assert [one for one in browser.requests if not one.startswith("file:")] == []
    assert len(browser.requests) == 1, "the page is one file"
    assert browser.complaints == []


def test_the_first_differences_are_open_with_their_contents_side_by_side(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(verdicts.motd(), tmp_path))
    assert browser.value("document.querySelector('h1').innerText") == "Disproved"
    assert browser.value(HEADINGS) == [
        "left behind 1 production has it, and a fresh deployment does not make it",
        "role motd 1",
        "not updated 1 the upgrade leaves it as production has it",
        "role motd 1",
    ]
    sides = "[...document.querySelectorAll('.diff tr.changed')].at(-1).querySelectorAll('td:not(.n)')"
    left, right = browser.value(f"[...{sides}].map(one => [one.innerText, one.getBoundingClientRect().x])")
    assert left[0].startswith("LINES_SHOWN=12")
    assert right[0].startswith("LINES_SHOWN=40")
    assert left[1] < right[1]
    assert browser.value("[...document.querySelectorAll('.diff mark')].map(one => one.innerText)") == ["12", "40"]


def test_hundreds_of_differences_are_filtered_down_to_one(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(verdicts.many(400), tmp_path))
    assert browser.value(f"{SHOWN}.length") == 400
    assert browser.value("document.querySelectorAll('.difference[open]').length") == report.OPEN

    browser.press("/")
    browser.type("thing-123 role4")
    assert browser.value(f"{SHOWN}.map(one => one.querySelector('.key').innerText)") == ["thing-123"]
    assert browser.value("document.querySelector('form output').innerText") == "1 of 400 shown"
    assert browser.value("[...document.querySelectorAll('h3 .count')].filter(e => e.checkVisibility()).length") == 1

    browser.press("Escape")
    assert browser.value(f"{SHOWN}.length") == 400
    browser.value("document.querySelector('.chip[data-value=\"left behind\"]').click()")
    browser.value("document.querySelector('.chip[data-value=\"role0\"]').click()")
    assert browser.value(f"{SHOWN}.length") == 10
    browser.value("document.querySelector('[data-fold=open]').click()")
    assert browser.value(f"{SHOWN}.every(one => one.open)")


def test_bars_are_read_with_the_keyboard_and_lead_to_what_their_task_touched(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(verdicts.motd(), tmp_path))
    browser.value("document.querySelector('.tasks .bar').focus()")
    readout = "document.querySelector('.readout').innerText"
    assert browser.value(readout).startswith("motd : Validating arguments")
    browser.press("ArrowRight")
    assert browser.value(readout).startswith("motd : Write the fixed part of the message, changed, 0.50 s;")
    browser.value("document.querySelector('.tasks .bar.touches').click()")
    assert browser.value(f"{SHOWN}.map(one => one.querySelector('.key').innerText)") == ["/etc/default/motd-news"]


def test_a_link_to_a_difference_opens_it(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(verdicts.many(30), tmp_path))
    browser.value("location.hash = '#difference-20'")
    browser.value("new Promise(done => setTimeout(done))")
    assert browser.value("document.getElementById('difference-20').open")


def test_what_machines_say_is_shown_and_never_run(browser: Browser, tmp_path: Path) -> None:
    finding = replace(
        verdicts.NOT_UPDATED,
        key=f"/srv/{EVIL}",
        text=EVIL,
        hint=EVIL,
        left={"target": EVIL},
        tasks=({"on": "fresh", "task": EVIL, "role": EVIL, "path": f'"{EVIL}:3', "result": "changed"},),
        diff=ContentDiff("text", ("@@ -1 +1 @@", f"-{EVIL}", "+</script>", EVIL)),
    )
    task = Ran("fresh", "deploy", "web", EVIL, f'" autofocus onfocus="{EVIL}', f'"{EVIL}:3', "changed", 1.0, 2.0)
    browser.open(page(verdicts.disproved(finding, ran=(task,)), tmp_path))
    assert browser.value("document.title") == "ansible-role-motd: disproved"
    assert browser.value("document.querySelectorAll('img').length") == 0
    assert browser.value("document.querySelectorAll('script').length") == 1
    assert browser.value("document.querySelector('.key').innerText") == f"/srv/{EVIL}"
    assert browser.value("document.querySelector('.tasks .bar').title").startswith(EVIL)


def test_it_is_a_plain_page_without_scripts(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(verdicts.many(30), tmp_path), script=False)
    tree = browser.ask("Accessibility.getFullAXTree")["nodes"]
    names = [node.get("name", {}).get("value") for node in tree if not node.get("ignored")]
    assert "thing-029" in names
    assert not any(node.get("role", {}).get("value") == "searchbox" for node in tree)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_a_telephone(browser: Browser, tmp_path: Path, dark: bool) -> None:
    browser.open(page(verdicts.motd(), tmp_path), width=390, height=844, dark=dark)
    assert browser.value("document.documentElement.scrollWidth <= innerWidth")
    shade = browser.value("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]")
    assert (shade < 60) is dark


def test_it_is_printed_dark_on_light_and_whole(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(verdicts.many(8), tmp_path), dark=True)
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.ask("Emulation.setEmulatedMedia", media="print", features=dark)
    browser.value("window.dispatchEvent(new Event('beforeprint'))")
    red = "getComputedStyle(document.querySelector('WHAT')).WAY.match(/\\d+/g).map(Number)[0]"
    assert browser.value(red.replace("WHAT", "body").replace("WAY", "color")) < 60
    assert browser.value(red.replace("WHAT", ".difference").replace("WAY", "backgroundColor")) > 200
    assert browser.value(f"{SHOWN}.every(one => one.open)")


def test_a_page_of_a_proof_that_went_well_has_no_differences_and_no_filter(browser: Browser, tmp_path: Path) -> None:
    proven = replace(
        verdicts.disproved(), checks=tuple(replace(one, result="pass") for one in verdicts.disproved().checks)
    )
    browser.open(page(proven, tmp_path))
    assert browser.value("document.querySelector('h1').innerText") == "Proven"
    assert browser.value("document.querySelector('#differences, form')") is None
