from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from labrig.experiments import listing, record
from labrig.experiments.edge import VirtualHost
from labrig.experiments.kept import Kept
from labrig.experiments.listing import Container, Listed, Look
from labrig.experiments.naming import APP, BRANCH, NAME, SERVICE, SLOT, VERSION, Names

LOGIN = Names("shop", "login")
LABELS = {APP: "shop", NAME: "login", BRANCH: "feature/login"}
NOTED = replace(
    record.deployed(
        None, branch="feature/login", repository="/r", who="anna@desk", now=datetime(2027, 1, 1, tzinfo=UTC), stays=None
    ),
    kept=Kept(host="shop-login.lab.example", release="0" * 40, sleeps=60.0),
)
HOST = VirtualHost(LOGIN, "shop-login.lab.example", "v2")
AWAKE = HOST.awake("10.213.0.2:80")


def one(look: Look) -> Listed:
    (only,) = listing.listed(look)
    return only


@pytest.mark.parametrize(
    ("route", "engine", "state"),
    [
        (AWAKE, "running", "serves"),
        (AWAKE, "exited", "does not answer"),
        (HOST.asleep(), "exited", "sleeps"),
        ("", "running", "was never ready"),
        ("server {}", "running", "was never ready"),
    ],
)
def test_the_state_is_that_of_the_version_that_requests_go_to(route: str, engine: str, state: str) -> None:
    containers = (
        Container({**LABELS, VERSION: "v1", SLOT: "0"}, "running"),
        Container({**LABELS, VERSION: "v2", SLOT: "1"}, engine),
        # The command before the start bears the version as well, and serves nothing.
        Container({**LABELS, VERSION: "v2"}, "exited"),
    )
    found = one(Look(containers=containers, records={LOGIN: NOTED.text()}, routes=(route,)))
    assert found.state == state


def test_all_is_told_of_an_experiment_and_is_read_as_it_was_written() -> None:
    containers = (
        Container({**LABELS, VERSION: "v2", SLOT: "1"}, "running"),
        Container({**LABELS, SERVICE: "db"}, "running"),
        Container({**LABELS, SERVICE: "queue"}, "restarting"),
    )
    look = Look(containers, (LABELS,), {LOGIN: NOTED.text()}, (AWAKE,), {LOGIN: "ben@desk"})
    found = one(look)
    assert (found.branch, found.release, found.url) == ("feature/login", "0" * 40, "http://shop-login.lab.example/")
    assert (found.creator, found.expires, found.pinned, found.sleeps) == ("anna@desk", "", False, 60)
    assert found.services == {"db": True, "queue": False}
    assert (found.busy, found.names) == ("ben@desk", LOGIN)
    assert listing.read(json.loads(json.dumps(found.object()))) == found


def test_one_without_a_record_is_told_by_its_labels_and_one_without_anything_else_by_its_folder() -> None:
    labels = {**LABELS, "org.labrig.expires": "2027-01-01T00:00:00+00:00"}
    look = Look(labels=(labels,), records={Names("shop", "begun"): ""})
    begun, login = listing.listed(look)
    assert (begun.name, begun.state, begun.branch) == ("begun", "was never ready", "")
    assert (login.branch, login.expires, login.state) == (
        "feature/login",
        "2027-01-01T00:00:00+00:00",
        "was never ready",
    )


def test_what_is_no_experiments_is_not_listed() -> None:
    assert listing.listed(Look(containers=(Container({"org.labrig.kind": "experiment"}, "running"),))) == []


def test_one_whose_record_cannot_be_read_is_never_swept() -> None:
    labels = {**LABELS, "org.labrig.expires": "2027-01-01T00:00:00+00:00"}
    assert one(Look(labels=(labels,), records={LOGIN: '{"branch": "feature'})).pinned
    assert not one(Look(labels=(labels,), records={LOGIN: ""})).pinned
