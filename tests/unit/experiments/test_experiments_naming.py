from __future__ import annotations

import re

import pytest

from labrig.errors import UsageError
from labrig.experiments import naming
from labrig.experiments.naming import Names, label

HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
BRANCHES = [
    "main", "feature/login", "Feature/LOGIN_form", "fix#42", "a" * 200, "x" * 62 + "-y", "ветка", "дом-1", "日本",
    "grün", "straße", "a;b$(c)`d`|e&f", "--", "é", "a--b", "1.2.x", "user@home/x", "\udcff",
]  # fmt: skip


@pytest.mark.parametrize("branch", BRANCHES)
def test_every_branch_has_a_label_and_a_label_is_its_own(branch: str) -> None:
    found = label(branch)
    assert HOST.fullmatch(found)
    assert "--" not in found
    assert label(found) == found


@pytest.mark.parametrize(
    ("branch", "expected"),
    [
        ("feature/login", "feature-login"),
        ("Release_1.2", "release-1-2"),
        ("grün", "grun"),
        ("straße", "strasse"),
        ("a--b", "a-b"),
    ],
)
def test_a_label_reads_as_the_branch(branch: str, expected: str) -> None:
    assert label(branch) == expected


def test_what_is_shortened_or_lost_is_told_apart_by_a_hash() -> None:
    one, other = label("long-" * 20 + "a"), label("long-" * 20 + "b")
    assert one != other
    assert len(one) == len(other) == 63
    assert label("дом-1") != label("сад-1")


def test_a_name_that_is_no_label_is_refused_with_one_that_would_do() -> None:
    with pytest.raises(UsageError, match=r"name 'My App;' cannot be part of a host name") as caught:
        naming.checked_name("My App;", "name")
    assert caught.value.hint == "my-app would do"


@pytest.mark.parametrize(
    "branch",
    ["", "-x", "--upload-pack=sh", "a b", "a..b", "a~1", "a^", "a:b", "a\nb", "a.lock", "/a", "a/", "@", "a@{1}"],
)
def test_a_branch_that_git_refuses_is_refused(branch: str) -> None:
    with pytest.raises(UsageError, match="git refuses it"):
        naming.checked_branch(branch)


@pytest.mark.parametrize("branch", ["main", "feature/login", "fix#42", "a;b$(c)", "ветка", "it's"])
def test_a_branch_that_git_accepts_is_accepted(branch: str) -> None:
    assert naming.checked_branch(branch) == branch


@pytest.mark.parametrize(("text", "expected"), [("Lab.Example.com.", "lab.example.com"), ("*.lab", "lab")])
def test_a_domain_is_read_as_people_write_it(text: str, expected: str) -> None:
    assert naming.checked_domain(text) == expected


@pytest.mark.parametrize("text", ["", "a..b", "-a.b", "a_b.c", "a b", "http://a.b", "a." * 120 + "b", "a;b"])
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a domain"):
        naming.checked_domain(text)


def test_experiments_whose_names_join_to_the_same_words_have_names_of_their_own() -> None:
    one, other = Names("a-b", "c"), Names("a", "b-c")
    assert one.base != other.base
    assert one.folder != other.folder
    assert set(one.selectors) != set(other.selectors)
    assert one.service("before") not in {one.before_start, one.build, one.container("before")}


def test_names_are_short_enough_for_dns_whatever_their_parts() -> None:
    names = Names("a" * 63, "b" * 63)
    every = [names.container("0123456789ab"), names.before_start, names.service("s" * 40), names.network]
    assert all(len(one) <= 63 for one in every)
    assert names.base != Names("a" * 63, "b" * 62).base


def test_the_labels_of_an_experiment_have_what_it_is_found_by() -> None:
    names = Names("shop", "login")
    found = names.labels("feature/login", creator="anna@desk", created="2027-01-01T00:00:00+00:00", expires="never")
    assert {f"{key}={value}" for key, value in found.items()} >= set(names.selectors)
    assert found["org.labrig.branch"] == "feature/login"
