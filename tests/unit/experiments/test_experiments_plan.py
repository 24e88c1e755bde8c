"""Plans against a lab host that is simulated: killed before, within and after every step, and run again."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from simulated_lab import Failed, Lab

from labrig.errors import UsageError
from labrig.experiments import plan, steps
from labrig.experiments.standing import Container, Service, Standing, Wanted, WantedService
from labrig.experiments.steps import Step

NOTHING = Standing()
DB = WantedService(record={"kind": "postgresql", "image": "postgres:15"}, hook=True)
FIRST = Wanted(
    branch="feature/login",
    release="1" * 40,
    build="b1",
    version="v1",
    services={"db": DB, "cache": WantedService(record={"kind": "redis", "image": "redis:7.2"}, waits=False)},
    builds_application=True,
    before_start=True,
)
SECOND = replace(FIRST, release="2" * 40, build="b2", version="v2")
NEWER_DB = replace(DB, record={"kind": "postgresql", "image": "postgres:16"})
UPDATES = {
    "another commit": SECOND,
    "another environment": replace(FIRST, version="v2"),
    "nothing new": FIRST,
    "no more services": replace(SECOND, services={}),
    "a newer server": replace(SECOND, services={**FIRST.services, "db": NEWER_DB}),
    "other initial data": replace(
        SECOND, services={"db": replace(DB, record={**DB.record, "initial_data": "/srv/dump.sql"})}
    ),
    "a shared database": replace(SECOND, services={"db": replace(DB, provision="shared")}),
    "a communal database": replace(
        SECOND, services={"db": WantedService(record={"kind": "postgresql", "image": "lab"}, provision="communal")}
    ),
    "networks of others": replace(SECOND, joins=True),
    "no commands": replace(SECOND, builds_application=False, before_start=False),
}
Planner = Callable[[Standing], tuple[Step, ...]]


def deployed(wanted: Wanted, standing: Standing = NOTHING) -> Lab:
    lab = Lab(wanted, standing)
    lab.carry_out(plan.deploy(lab.standing, wanted))
    return lab


def kills(start: Standing, wanted: Wanted, planner: Planner) -> Iterator[tuple[Step, Lab]]:
    """Yield a lab for each step of a plan in which it was killed before, and one in which it was killed within it."""
    planned = planner(start)
    for number, step in enumerate(planned):
        for is_within in (False, True):
            lab = Lab(wanted, start)
            for done in planned[:number]:
                lab.do(done)
            if is_within:
                lab.begin(step)
            yield step, lab


def kinds(planned: tuple[Step, ...]) -> list[type]:
    return [type(step) for step in planned]


def test_a_first_deployment_reads_in_order() -> None:
    found = [str(step) for step in plan.deploy(NOTHING, FIRST)]
    assert found == [
        "make the folder",
        "record branch feature/login and how long it stays",
        "fetch commit 111111111111",
        "build the application",
        "build image b1",
        "make the network",
        "make service db",
        "start service db",
        "make service cache",
        "start service cache",
        "wait until service db answers a query",
        "write the environment of v1",
        "run on_create of service db",
        "run the command before the start, with the image of v1",
        "create container v1",
        "start container v1",
        "wait until container v1 is healthy",
        "lead requests to container v1",
        "remove the containers of finished commands",
    ]


def test_what_is_deployed_is_only_looked_at_again() -> None:
    again = plan.deploy(deployed(FIRST).standing, FIRST)
    assert kinds(again) == [steps.WriteRecord, steps.AwaitService, steps.Route]


def test_the_command_before_the_start_has_ended_before_the_old_container_stops() -> None:
    planned = plan.deploy(deployed(FIRST).standing, SECOND)
    order = [planned.index(step) for step in (steps.RunBeforeStart("b2", "v2"), steps.AwaitHealthy("v2", 1))]
    moved, stopped = planned.index(steps.Route("v2", 1)), planned.index(steps.StopContainer("v1"))
    assert [*order, moved, stopped] == sorted([*order, moved, stopped])


@pytest.mark.parametrize("wanted", UPDATES.values(), ids=UPDATES)
def test_an_update_serves_at_every_moment_and_ends_as_a_first_deployment_does(wanted: Wanted) -> None:
    lab = deployed(FIRST)
    lab.wanted = wanted
    for step in plan.deploy(lab.standing, wanted):
        lab.do(step)
        assert lab.serves, f"nothing serves after: {step}"
    expected = deployed(wanted).standing
    slots = {one.slot for one in lab.standing.containers.values()}
    for version in expected.containers:
        lab.container(version, slot=0)
    assert lab.standing == expected
    assert len(slots) == 1


@pytest.mark.parametrize("wanted", UPDATES.values(), ids=UPDATES)
@pytest.mark.parametrize("start", [NOTHING, deployed(FIRST).standing], ids=["create", "update"])
@pytest.mark.parametrize("reboots", [False, True], ids=["", "reboot"])
def test_killed_anywhere_it_ends_right_when_run_again(start: Standing, wanted: Wanted, *, reboots: bool) -> None:
    expected = deployed(wanted, start).standing
    for step, lab in kills(start, wanted, lambda standing: plan.deploy(standing, wanted)):
        assert not start.routed or lab.serves, f"nothing serves when killed at: {step}"
        if reboots:
            lab.reboot()
        lab.carry_out(plan.deploy(lab.standing, wanted))
        for version, one in expected.containers.items():
            lab.container(version, slot=one.slot)
        assert lab.standing == expected, f"killed at: {step}"


def test_killed_twice_it_ends_right_as_well() -> None:
    start = deployed(FIRST).standing
    for _, lab in kills(start, SECOND, lambda standing: plan.deploy(standing, SECOND)):
        for step, once_more in kills(lab.standing, SECOND, lambda standing: plan.deploy(standing, SECOND)):
            for again in plan.deploy(once_more.standing, SECOND):
                once_more.do(again)
            assert once_more.serves == "v2", step
            assert set(once_more.standing.containers) == {"v2"}, step


def test_killed_and_then_wanted_otherwise_it_ends_right_as_well() -> None:
    third = replace(SECOND, release="3" * 40, build="b3", version="v3")
    for step, lab in kills(deployed(FIRST).standing, SECOND, lambda standing: plan.deploy(standing, SECOND)):
        lab.wanted = third
        for again in plan.deploy(lab.standing, third):
            lab.do(again)
            assert lab.serves, f"killed at: {step}, nothing serves after: {again}"
        assert set(lab.standing.containers) == {"v3"}
        assert lab.standing.environments == {"v3"}
        assert lab.standing.images == {"b3"}


@pytest.mark.parametrize(
    "failing", [{"before_start_fails": True}, {"unhealthy": frozenset({"v2"})}], ids=["before start", "unhealthy"]
)
@pytest.mark.parametrize("wanted", [SECOND, UPDATES["another environment"]], ids=["commit", "environment"])
def test_after_a_failure_the_old_container_serves_and_nothing_of_the_new_one_runs(
    failing: dict[str, object], wanted: Wanted
) -> None:
    lab = Lab(wanted, deployed(FIRST).standing, **failing)  # type: ignore[arg-type]
    with pytest.raises(Failed):
        lab.carry_out(plan.deploy(lab.standing, wanted))
    for step, killed in kills(lab.standing, wanted, plan.restore):
        assert killed.serves == "v1", step
        for again in plan.restore(killed.standing):
            killed.do(again)
        assert killed.serves == "v1"
        assert set(killed.standing.containers) == set(killed.standing.environments) == {"v1"}
        assert not killed.standing.jobs
        killed.reboot()
        assert killed.serves == "v1", "it is what starts after a reboot"


def test_after_a_failed_first_deployment_nothing_runs_and_the_next_one_begins_where_it_can() -> None:
    lab = Lab(FIRST, before_start_fails=True)
    with pytest.raises(Failed):
        lab.carry_out(plan.deploy(lab.standing, FIRST))
    for step in plan.restore(lab.standing):
        lab.do(step)
    assert not lab.standing.containers
    again = plan.deploy(lab.standing, FIRST)
    assert steps.BuildImage not in kinds(again)
    assert steps.RunBeforeStart in kinds(again)


def test_what_runs_but_would_not_after_a_reboot_is_started_again() -> None:
    lab = deployed(FIRST)
    lab.container("v1", enabled=False)
    assert steps.StartContainer("v1") in plan.deploy(lab.standing, FIRST)
    assert plan.restore(lab.standing) == (steps.StartContainer("v1"),)


def test_what_runs_but_does_not_answer_is_started_anew() -> None:
    """A process that hangs does not get well by being waited for."""
    lab = deployed(FIRST)
    lab.container("v1", healthy=False)
    found = plan.deploy(lab.standing, FIRST)
    order = [steps.StopContainer("v1"), steps.StartContainer("v1"), steps.AwaitHealthy("v1", 0), steps.Route("v1", 0)]
    assert [one for one in found if one in order] == order
    lab.carry_out(found)
    assert lab.serves == "v1"


@pytest.mark.parametrize("update", ["a newer server", "other initial data"])
def test_no_server_is_removed_before_the_image_of_the_next_one_is_there(update: str) -> None:
    """A mistake in its name would leave the version that serves without its database."""
    found = plan.deploy(deployed(FIRST).standing, UPDATES[update])
    removed = [place for place, one in enumerate(found) if isinstance(one, steps.RemoveServer | steps.RemoveData)]
    assert kinds(found).index(steps.FetchImage) < min(removed)
    assert steps.FetchImage not in kinds(plan.deploy(deployed(FIRST).standing, UPDATES["a shared database"]))


def test_a_delete_removes_what_the_edge_may_have_of_a_deployment_that_never_served() -> None:
    assert plan.delete(Standing(folder=True)) == (steps.Unroute(), steps.RemoveFolder())


def test_an_experiment_that_was_killed_as_it_woke_can_sleep_again() -> None:
    lab = deployed(FIRST)
    lab.carry_out(plan.sleep(lab.standing))
    lab.begin(steps.StartContainer("v1"))
    lab.carry_out(plan.sleep(lab.standing))
    lab.reboot()
    assert not lab.standing.containers["v1"].running


def test_an_update_of_a_sleeping_experiment_wakes_it_and_a_failed_one_lets_it_sleep() -> None:
    asleep = deployed(FIRST)
    for step in plan.sleep(asleep.standing):
        asleep.do(step)
    assert deployed(SECOND, asleep.standing).serves == "v2"
    assert deployed(FIRST, asleep.standing).serves == "v1"
    lab = Lab(SECOND, asleep.standing, before_start_fails=True)
    with pytest.raises(Failed):
        lab.carry_out(plan.deploy(lab.standing, SECOND))
    for step in plan.restore(lab.standing):
        lab.do(step)
    assert lab.standing.asleep
    assert not lab.standing.containers["v1"].running


def anything(seed: int) -> Standing:
    """Return something that may be there, however it came about: what people removed by hand, what was half made."""
    chance = random.Random(seed)

    def some(of: Sequence[str]) -> list[str]:
        return [one for one in of if chance.random() < 0.5]

    versions = some(["v0", "v1", "v2"])[:2]
    routed = chance.choice([*versions, "", "v9"])
    services = {
        name: Service(
            provision=chance.choice(["independent", "shared"]),
            made_of=chance.choice([None, dict(one.record), {"kind": "mysql"}]),
            has_server=chance.random() < 0.5,
            filled_with=chance.choice([None, one.filling, {"kind": "mysql"}]),
            enabled=chance.random() < 0.5,
            hooked=chance.random() < 0.5,
        )
        for name, one in {**SECOND.services, "old": DB}.items()
        if chance.random() < 0.6
    }
    # What is neither is no service, and what is in a folder is not there without it.
    services = {name: one for name, one in services.items() if one.has_server or one.filled_with is not None}
    folder, jobs = chance.random() < 0.8, chance.random() < 0.5
    return Standing(
        branch=chance.choice([SECOND.branch, ""]) if folder else "",
        folder=folder,
        code=chance.choice(["", "1" * 40, "2" * 40]) if folder else "",
        built=chance.choice(["", "b1", "b2"]) if folder else "",
        images=frozenset(some(["b0", "b1", "b2"])),
        network=any(one.has_server for one in services.values()) or bool(versions) or chance.random() < 0.5,
        services=services,
        environments=frozenset(some(["v0", "v1", "v2"]) if folder else []),
        prepared=chance.choice(["", "v1", "v2"]) if jobs else "",
        jobs=jobs,
        containers={
            version: Container(slot, running=chance.random() < 0.5, enabled=chance.random() < 0.5)
            for version, slot in zip(versions, chance.sample([0, 1], 2), strict=False)
        },
        routed=routed,
        asleep=bool(routed) and chance.random() < 0.3,
    )


@pytest.mark.parametrize("seed", range(300))
def test_from_whatever_is_there_a_deployment_ends_right_and_a_delete_leaves_nothing(seed: int) -> None:
    lab = deployed(SECOND, anything(seed))
    assert lab.serves == "v2"
    assert set(lab.standing.containers) == lab.standing.environments == {"v2"}
    assert lab.standing.images == {"b2"}
    assert set(lab.standing.services) == set(SECOND.services)
    assert all(one.made_of == SECOND.services[name].record for name, one in lab.standing.services.items())
    lab = Lab(SECOND, anything(seed))
    lab.carry_out(plan.delete(lab.standing, hooks=frozenset({"db"})))
    assert lab.standing == NOTHING


def test_sleep_and_wake_end_right_when_killed_anywhere() -> None:
    awake = deployed(FIRST).standing
    asleep = Lab(FIRST, awake)
    for step in plan.sleep(awake):
        asleep.do(step)
    assert not asleep.serves
    assert not plan.sleep(asleep.standing)
    for start, planner, expected in ((awake, plan.sleep, ""), (asleep.standing, plan.wake, "v1")):
        for step, lab in kills(start, FIRST, planner):
            for again in planner(lab.standing):
                lab.do(again)
            assert lab.serves == expected, step
    asleep.reboot()
    assert not asleep.standing.containers["v1"].running, "a reboot wakes nobody"


def test_a_delete_leaves_nothing_and_its_folder_goes_last() -> None:
    start = deployed(FIRST).standing
    hooks = frozenset({"db"})

    def planner(standing: Standing) -> tuple[Step, ...]:
        return plan.delete(standing, hooks=hooks)

    planned = planner(start)
    assert planned[-1] == steps.RemoveFolder()
    assert planned.index(steps.RunHook("db", "delete", "b1", "v1")) < planned.index(steps.StopContainer("v1"))
    for step, lab in kills(start, FIRST, planner):
        lab.carry_out(planner(lab.standing))
        assert lab.standing == NOTHING, f"killed at: {step}"
        assert not planner(lab.standing)


def test_a_delete_takes_what_a_killed_deployment_left() -> None:
    for start in (NOTHING, deployed(FIRST).standing):
        for step, lab in kills(start, SECOND, lambda standing: plan.deploy(standing, SECOND)):
            for again in plan.delete(lab.standing):
                lab.do(again)
            assert lab.standing == NOTHING, f"killed at: {step}"


def test_another_branch_takes_no_experiment_away() -> None:
    with pytest.raises(UsageError, match=r"of branch 'feature/login', not 'feature-login'") as caught:
        plan.deploy(deployed(FIRST).standing, replace(FIRST, branch="feature-login"))
    assert "--name" in caught.value.hint


def test_another_experiments_host_name_is_not_taken() -> None:
    with pytest.raises(UsageError, match="its host name is that of experiment shop/log already"):
        plan.deploy(Standing(host_taken_by="shop/log"), FIRST)


def test_data_stay_where_only_the_server_changes_and_go_with_their_initial_data() -> None:
    start = deployed(FIRST).standing
    newer = plan.deploy(start, UPDATES["a newer server"])
    assert steps.RemoveServer("db", "postgresql", "independent", "image was postgres:15, is postgres:16") in newer
    assert steps.RemoveData not in kinds(newer)
    assert steps.RunHook not in kinds(newer)
    other = plan.deploy(start, UPDATES["other initial data"])
    assert steps.RemoveData("db", "postgresql", "independent", "initial_data was not set, is /srv/dump.sql") in other
    assert steps.RunHook("db", "create", "b2", "v2") in other


def test_no_step_is_forgotten_by_the_tests() -> None:
    lived = [
        *plan.deploy(NOTHING, FIRST),
        *plan.deploy(deployed(FIRST).standing, UPDATES["other initial data"]),
        *plan.delete(deployed(FIRST).standing),
        *plan.sleep(deployed(FIRST).standing),
        *itertools.chain.from_iterable(plan.deploy(deployed(FIRST).standing, one) for one in UPDATES.values()),
    ]
    assert {type(step) for step in lived} == set(steps.Step.__args__)


def test_a_container_is_in_networks_of_others_before_it_starts_also_where_it_was_made_by_a_killed_plan() -> None:
    wanted = replace(FIRST, joins=True)
    for killed, lab in kills(NOTHING, wanted, lambda standing: plan.deploy(standing, wanted)):
        again = plan.deploy(lab.standing, wanted)
        if steps.StartContainer("v1") in again:
            at = again.index(steps.StartContainer("v1"))
            assert again[at - 1] == steps.JoinNetworks("v1"), killed
