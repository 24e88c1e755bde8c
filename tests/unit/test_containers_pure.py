"""What decides about containers in tests: no Docker."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from labrig.containers import artifacts, context, dockerfile, keeping, leaks
from labrig.containers.leaks import APPEARED, Left
from labrig.containers.owner import HINT_LENGTH, slug
from labrig.containers.waiting import LineSearch
from labrig.containers.wish import State, Wish
from labrig.engine import cli, subnets
from labrig.engine.reaper import Told
from labrig.errors import UsageError

ALICE = (1000, 1001)
RANGE = IPv4Network("10.0.0.0/24")


def networks(*texts: str) -> list[IPv4Network]:
    return [IPv4Network(text) for text in texts]


# Subnets


def test_a_range_of_a_16_holds_1024_usual_networks() -> None:
    assert len(list(subnets.free(subnets.RANGE, [], subnets.prefix(60)))) == 1024


@pytest.mark.parametrize(
    ("hosts", "length"), [(1, 30), (2, 29), (5, 29), (6, 28), (60, 26), (61, 26), (62, 25), (253, 24)]
)
def test_a_subnet_has_room_for_its_containers_a_gateway_a_network_and_a_broadcast(hosts: int, length: int) -> None:
    assert subnets.prefix(hosts) == length
    assert IPv4Network((0, length)).num_addresses >= hosts + 3


def test_what_overlaps_in_part_is_not_free() -> None:
    used = networks("10.0.0.8/29", "10.0.0.128/25")
    assert [str(one) for one in subnets.free(RANGE, used, 26)] == ["10.0.0.64/26"]


def test_search_begins_anywhere_and_goes_around() -> None:
    found = [str(one) for one in subnets.free(RANGE, networks("10.0.0.192/26"), 26, start=2)]
    assert found == ["10.0.0.128/26", "10.0.0.0/26", "10.0.0.64/26"]


def test_nothing_is_free_in_a_range_that_is_smaller_or_full() -> None:
    assert list(subnets.free(RANGE, [], 23)) == []
    assert list(subnets.free(RANGE, networks("10.0.0.0/25", "10.0.0.128/25"), 26)) == []


def test_a_network_around_the_whole_range_rules_all_out() -> None:
    assert list(subnets.free(RANGE, networks("10.0.0.0/8"), 26)) == []


def test_a_route_around_the_whole_range_rules_nothing_out() -> None:
    """A VPN often routes 10.0.0.0/8; a bridge's narrower route goes before it."""
    table = (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010013AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n"
        "br-1\t4000D50A\t00000000\t0001\t0\t0\t0\tC0FFFFFF\t0\t0\t0\n"
    )
    assert subnets.routes(table, subnets.RANGE) == networks("10.213.0.64/26")


def test_another_range_can_be_named_and_must_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(subnets.VARIABLE, "10.99.0.0/20")
    assert subnets.chosen_range() == IPv4Network("10.99.0.0/20")
    monkeypatch.setenv(subnets.VARIABLE, "10.99.0.1/20")
    with pytest.raises(UsageError, match=r"LABRIG_SUBNETS is not an IPv4 network: 10\.99\.0\.1/20 has host bits set"):
        subnets.chosen_range()


# Dockerfiles

STAGES = """\
ARG VERSION=12
FROM --platform=$BUILDPLATFORM debian:${VERSION} AS base
FROM base AS tools
FROM other/web:1
COPY --chown=1:1 --from=tools /a /a
COPY --from=busybox:1 /bin/sh /sh
"""


def test_stages_are_no_images_and_arguments_are_filled_in() -> None:
    assert dockerfile.images(STAGES) == ["debian:12", "other/web:1", "busybox:1"]
    assert dockerfile.images(STAGES, {"VERSION": "13"})[0] == "debian:13"


@pytest.mark.parametrize("name", ["debian:12", "debian:${VERSION}"])
def test_an_image_is_substituted_by_its_name_as_written_or_as_meant(name: str) -> None:
    text = dockerfile.substituted(STAGES, {name: "mine", "busybox:1": "tools/sh"})
    assert "FROM --platform=$BUILDPLATFORM mine AS base\nFROM base AS tools\n" in text
    assert "COPY --chown=1:1 --from=tools /a /a\nCOPY --from=tools/sh /bin/sh /sh\n" in text


def test_substituting_what_is_not_there_names_what_is() -> None:
    with pytest.raises(
        UsageError, match=r"not built from image other/web:2, but from debian:12, other/web:1, b"
    ) as told:
        dockerfile.substituted(STAGES, {"other/web:2": "mine"})
    assert told.value.hint == "did you mean other/web:1?"


def test_a_stage_is_never_substituted() -> None:
    with pytest.raises(UsageError, match="not built from image tools"):
        dockerfile.substituted(STAGES, {"tools": "mine"})


def test_files_are_added_to_a_copy_of_the_context(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "a").write_text("a")
    extra = tmp_path / "extra"
    extra.write_text("b")
    before = context.digest(own)
    with context.prepared(own, {"etc/b": extra, "a": "other", "c": b"\0"}, tmp_path) as folder:
        assert folder != own
        assert {str(path.relative_to(folder)) for path in folder.rglob("*")} == {"a", "c", "etc", "etc/b"}
        assert (folder / "a").read_text() == "other"
        assert context.digest(folder) != before
    assert not folder.exists()
    assert context.digest(own) == before


@pytest.mark.parametrize("name", ["/etc/b", "../b", "a/../../b", ""])
def test_files_outside_of_the_context_are_refused(name: str, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="is to lie in the build context"),
        context.prepared(None, {name: "x"}, tmp_path),
    ):
        pass


def test_a_context_has_another_hash_with_another_mode_name_or_link(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "link").symlink_to("a")
    seen = {context.digest(tmp_path)}
    (tmp_path / "a").chmod(0o755)
    seen.add(context.digest(tmp_path))
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("b")
    seen.add(context.digest(tmp_path))
    (tmp_path / "a").rename(tmp_path / "c")
    seen.add(context.digest(tmp_path))
    assert len(seen) == 4


# What a container is to be like


def test_only_where_folders_are_shared_the_caller_runs_it() -> None:
    assert Wish(volumes=["data:/data"]).arguments(caller=ALICE, local=True)["user"] is None
    assert Wish(shares=True).arguments(caller=ALICE, local=True)["user"] == "1000:1001"
    assert Wish(shares=True, user="web").arguments(caller=ALICE, local=True)["user"] == "web"


def test_ports_are_reached_from_this_machine_alone_where_the_engine_is_here() -> None:
    assert Wish(ports={"80/tcp"}).arguments(caller=ALICE, local=True)["ports"] == {"80/tcp": ("127.0.0.1", None)}
    assert Wish(ports={"80/tcp"}).arguments(caller=ALICE, local=False)["ports"] == {"80/tcp": None}


def test_nothing_of_the_callers_environment_goes_into_a_container_or_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    monkeypatch.setenv("DOCKER_HOST", "tcp://lab:2375")
    given = Wish().arguments(caller=ALICE, local=True)
    assert (given["environment"], given["use_config_proxy"]) == ({}, False)
    assert {"SECRET_TOKEN", "DOCKER_CONTEXT"}.isdisjoint(cli.environment())
    assert cli.environment({"A": "1"})["DOCKER_HOST"] == "tcp://lab:2375"


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (State("running", 0, alive=True), "is running"),
        (State("exited", 3, alive=False), "has exited with code 3"),
        (State("created", 127, alive=False, error="no such file"), "is created (no such file)"),
    ],
)
def test_a_state_is_told_as_the_end_of_a_sentence(state: State, told: str) -> None:
    assert state.told() == told


def test_a_container_that_is_being_restarted_is_alive() -> None:
    assert State.read({"Status": "restarting", "Running": False, "Restarting": True, "ExitCode": 1}).alive


def test_a_log_is_searched_as_it_grows() -> None:
    search = LineSearch(re.compile(b"ready"))
    text = b"starting\nrea"
    assert search.feed(text[search.offset :]) == 0
    text += b"dy\nready"
    assert search.feed(text[search.offset :]) == 2
    text += b" again\nno\n"
    assert search.feed(text[search.offset :]) == 2
    assert search.offset == len(text)


# What is told of tests


def test_tests_whose_names_differ_in_odd_characters_have_folders_of_their_own() -> None:
    names = ["t.py::test[a/b]", "t.py::test[a.b]", "t.py::test[a b]", "t.py::test[" + "x" * 400 + "]", "t.py::test"]
    found = {artifacts.folder_for(Path("/o"), name) for name in names}
    assert len(found) == len(names)
    assert all(path.parent == Path("/o") and len(path.name) < 200 for path in found)


def test_names_that_nobody_reads_stay_short_enough_for_dns() -> None:
    assert len(f"labrig-20260131-1205-9f3c2a-{slug('x' * 90)}-12345") <= 63
    assert slug("tests/a.py::test_Ünicode[--]") == "test-nicode"
    assert slug("[--]") == "thing"
    assert len(slug("x" * 90)) == HINT_LENGTH


def test_what_appeared_names_every_test_that_ran_then() -> None:
    before = {("volume", "old"): "old"}
    after = {**before, ("volume", "new"): "data"}
    found = [*leaks.appeared(before, after, "t::a"), *leaks.appeared(before, after, "t::b")]
    assert leaks.told(found) == [f"t::a or t::b left volume data: it {APPEARED}"]
    assert Left(**found[0].as_json()) == found[0]


def test_how_to_enter_depends_on_whether_it_runs() -> None:
    assert keeping.enter("web", State("running", 0, alive=True)) == "docker exec -it web sh"
    assert "docker unpause web" in keeping.enter("web", State("paused", 0, alive=True))
    assert "docker start web" in keeping.enter("web", State("exited", 1, alive=False))


# The reaper


def test_the_reaper_forgets_what_has_ended_and_does_not_stumble_over_half_a_line() -> None:
    told = Told.read(
        ['folder "/a"\n', 'folder "/b"\n', 'unfolder "/a"\n', "group 7\n", 'keep "p"\n', 'own ["image", "x']
    )
    assert (told.folders, told.groups, told.kept, told.objects, told.done) == (["/b"], [7], ["p"], [], False)


def test_the_reaper_has_nothing_to_do_once_it_is_told_so() -> None:
    assert Told.read(["group 7\n", "ungroup 7\n", "done\n"]).done
