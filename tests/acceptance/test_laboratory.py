"""A day in the laboratory: three branches as three experiments on a lab host, with readers, failures and a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from browser import Browser, required

from trials.desk import Desk, Readers, host_name, released, until
from trials.lab_hosts import LabHost, Laboratory
from trials.lab_image import DOMAIN, SHOP

BRANCHES = {"main": "main", "feature/cups": "feature-cups", "feature/sale": "feature-sale"}
CUPS = "INSERT INTO goods (title, price) VALUES ('Cups', 12.00);\n"
SALE = "UPDATE goods SET price = price / 2;\n"
TITLES = "[...document.querySelectorAll('.title')].map(one => one.innerText)"
ORDERED = "[...document.querySelectorAll('.orders')].map(one => one.innerText)"
# What an administrator of the host, and not labrig, has made there; two are called much like what an experiment has.
FOREIGN = """
docker volume create shop--feature-cups--s-db-old
docker volume create backup
docker network create shop--feature-cups-old
docker create --name shop-feature-cups postgres:15
docker run -d --name registry --network shop--feature-cups-old -v backup:/backup --entrypoint sleep postgres:15 infinity
"""


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(tmp_path_factory.mktemp("laboratory")) as made:
        yield made


@pytest.fixture(scope="module")
def host(laboratory: Laboratory) -> LabHost:
    return laboratory.start("lab-1")


@pytest.fixture(scope="module")
def anna(laboratory: Laboratory, host: LabHost) -> Desk:
    shop = laboratory.repository("shop", SHOP)
    shop.branch("feature/cups", {"migrations/0003-cups.sql": CUPS})
    shop.branch("feature/sale", {"migrations/0003-sale.sql": SALE})
    desk = Desk(laboratory, shop)
    desk.settings()
    return desk


@pytest.fixture(scope="module")
def ben(anna: Desk) -> Desk:
    return replace(anna, developer="ben")


@pytest.fixture(scope="module")
def three(anna: Desk) -> dict[str, str]:
    """Deploy three branches, each on its own; return their host names by branch."""
    hosts = {branch: host_name(name) for branch, name in BRANCHES.items()}
    for branch, host in hosts.items():
        assert f"http://{host}/" in anna.labrig("create", branch).out
    return hosts


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, host: LabHost) -> Iterator[Browser]:
    rules = f"--host-resolver-rules=MAP *.{DOMAIN} {host.address}"
    with Browser(required(), tmp_path_factory.mktemp("browser"), rules) as found:
        yield found


def test_each_url_answers_its_own_branch_in_a_browser(three: dict[str, str], browser: Browser) -> None:
    goods = {"main": ["Tea", "Kettle"], "feature/cups": ["Tea", "Kettle", "Cups"], "feature/sale": ["Tea", "Kettle"]}
    for branch, name in three.items():
        browser.open(f"http://{name}/")
        assert browser.value("document.title") == f"Shop: {branch}"
        assert browser.value(TITLES) == goods[branch]
    browser.value("document.querySelector('button').click()")
    until(lambda: browser.value("document.readyState") == "complete" and browser.value(ORDERED) == ["1", "0"])
    # The others have a database of their own each.
    browser.open(f"http://{three['main']}/")
    assert browser.value(ORDERED) == ["0", "0"]
    assert browser.complaints == []


def test_what_is_there_is_listed_told_and_tested(anna: Desk, ben: Desk, three: dict[str, str]) -> None:
    assert set(ben.list()) == set(BRANCHES.values())
    assert three["feature/cups"] in anna.labrig("status", "feature-cups").out
    assert "Serving on" in anna.labrig("logs", "feature-cups").err
    assert anna.labrig("exec", "feature-cups", "printenv", "BRANCH_NAME").out.strip() == "feature/cups"
    assert "OK" in (said := anna.labrig("test", "feature-sale", "python3", "-m", "unittest")).out + said.err
    assert anna.labrig("exec", "feature-cups", "false", code=1).code == 1


def test_readers_notice_neither_a_good_update_nor_a_bad_one(anna: Desk, host: LabHost, three: dict[str, str]) -> None:
    name, before = three["feature/cups"], released(host, "feature-cups")
    with Readers(host, name) as readers:
        good = anna.repository.commit("feature/cups", {"migrations/0004-mugs.sql": CUPS.replace("Cups", "Mugs")})
        anna.labrig("update", "feature-cups")
        assert released(host, "feature-cups") == good

        anna.repository.commit("feature/cups", {"migrations/0005-broken.sql": "SELECT 1 / 0;\n"})
        said = anna.labrig("update", "feature-cups", code=1)
        assert "division by zero" in said.err
        assert released(host, "feature-cups") == good
        until(lambda: readers.count > 200)
    assert readers.failed == []
    releases = {json.loads(text)["release"] for text in readers.answered}
    assert releases == {before, good}
    anna.repository.commit("feature/cups", {"migrations/0005-broken.sql": None})


def test_of_two_developers_at_once_the_second_is_told_who_is_at_work(
    anna: Desk, ben: Desk, host: LabHost, three: dict[str, str]
) -> None:
    slow = anna.repository.commit("feature/sale", {"migrations/0004-slow.sql": "SELECT pg_sleep(4);\n"})
    with anna.start("update", "feature-sale") as first:
        until(lambda: "shop--feature-sale--before" in host.root("docker ps --format '{{.Names}}'"), seconds=60)
        refused = ben.labrig("update", "feature-sale", code=None)
        assert refused.code != 0
        assert "anna" in refused.err
        # Others wait for nobody, and whoever says so waits.
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(ben.labrig, "update", "feature-sale", "--wait", "1m")
            assert ben.labrig("status", "main").code == 0
            waiting.result()
        out, err = first.communicate(timeout=60)
        assert first.returncode == 0, out + err
    assert released(host, "feature-sale") == slow


def test_a_deployment_whose_connection_breaks_is_told_and_ends_right_when_it_is_run_again(
    anna: Desk, host: LabHost, three: dict[str, str]
) -> None:
    before = released(host, "main")
    after = anna.repository.commit("main", {"migrations/0003-slow.sql": "SELECT pg_sleep(8);\n"})
    with Readers(host, three["main"]) as readers:
        with anna.start("update", "main") as process:
            until(lambda: "shop--main--before" in host.root("docker ps --format '{{.Names}}'"), seconds=60)
            # As where a network goes: nothing is said, and the process at the other end is gone.
            host.root("pkill -KILL -u labrig -x sshd")
            # What ran ends with it, and does not run on beside the next deployment.
            until(lambda: "shop--main--before" not in host.root("docker ps --format '{{.Names}}'"), seconds=4)
            out, err = process.communicate(timeout=60)
        assert process.returncode == 3, out + err
        assert "lab-1" in err
        assert "Traceback" not in err
        assert released(host, "main") == before
        # The host notices by itself, and gives the lock back.
        anna.labrig("update", "main", "--wait", "1m")
        assert released(host, "main") == after
    assert readers.failed == []
    left = host.root("docker ps --all --format '{{.Names}}' --filter label=org.labrig.experiment=main").split()
    assert len(left) == 2, f"one container and its database, and there are {left}"


def test_a_host_that_restarts_brings_all_of_them_back(anna: Desk, host: LabHost, three: dict[str, str]) -> None:
    before = {branch: released(host, name) for branch, name in BRANCHES.items()}
    orders = host.ask(three["feature/sale"]).text
    host.restart()
    until(lambda: all(host.ask(name, "/health").status == 200 for name in three.values()), seconds=60)
    assert {branch: released(host, name) for branch, name in BRANCHES.items()} == before
    assert host.ask(three["feature/sale"]).text == orders
    anna.labrig("update", "main")


def test_a_delete_leaves_everything_else_as_it_was(anna: Desk, host: LabHost, three: dict[str, str]) -> None:
    host.root(FOREIGN)
    before = host.objects()
    own = {key for key in before if is_of_cups(key)}
    plan = anna.labrig("delete", "feature-cups", "--dry-run").out
    assert host.objects() == before
    anna.labrig("delete", "feature-cups")
    assert host.objects() == {key: one for key, one in before.items() if key not in own}
    assert {kind for kind, _ in map(str.split, own)} == {"container", "volume", "network", "image"}
    assert "remove the data of service db" in plan
    assert "remove the network" in plan
    assert host.root("find /srv/labrig/experiments/shop -mindepth 1 -maxdepth 1 -printf '%f\\n' | sort").split() == [
        "feature-sale",
        "main",
    ]
    assert released(host, "main")
    assert "Nothing is deployed under this name" in host.ask(three["feature/cups"]).text
    assert set(anna.list()) == {"main", "feature-sale"}


def is_of_cups(key: str) -> bool:
    kind, name = key.split()
    if kind == "image":
        return name.startswith("labrig-lab/shop/feature-cups:")
    return name == "shop--feature-cups" or (name.startswith("shop--feature-cups--") and not name.endswith("-old"))


def test_what_is_over_is_swept_where_its_branch_is_gone(anna: Desk, host: LabHost, three: dict[str, str]) -> None:
    anna.repository.drop("feature/sale")
    assert "feature-sale" in anna.labrig("sweep", "--dry-run").out
    assert set(anna.list()) == {"main", "feature-sale"}
    anna.labrig("sweep")
    assert set(anna.list()) == {"main"}
    assert json.loads(host.ask(three["main"], "/health").text)["branch"] == "main"
