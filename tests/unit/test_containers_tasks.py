"""How far containers and tasks are: ready, waited for, failed. And a stack fitted to one node."""

from pathlib import Path

import pytest

from labrig.containers import parts
from labrig.containers.stack import fitted
from labrig.containers.tailoring import Sample, Tailoring
from labrig.containers.tasks import Task, Wanted, newest, standing


def container(status, **state):
    return {"State": {"Status": status, "ExitCode": 0, **state}}


@pytest.mark.parametrize(
    ("found", "readiness", "told"),
    [
        (container("running"), "ready", "is running"),
        (container("running", Health={"Status": "healthy"}), "ready", "is healthy"),
        (container("running", Health={"Status": "starting"}), "waiting", "is starting"),
        (
            container("running", Health={"Status": "unhealthy", "Log": [{"Output": "a"}, {"Output": "no disk\n"}]}),
            "failed",
            "is unhealthy; its health check said: no disk",
        ),
        (container("exited"), "ready", "has exited with code 0"),
        (container("exited", ExitCode=4), "failed", "has exited with code 4"),
        (container("exited", ExitCode=137, OOMKilled=True), "failed", "has exited with code 137 (out of memory)"),
        (container("restarting", ExitCode=1), "waiting", "is restarting"),
        (container("created"), "waiting", "is created"),
        (container("dead"), "failed", "is dead"),
    ],
)
def test_how_far_a_container_is(found, readiness, told):
    assert (parts.readiness(found), parts.told(found)) == (readiness, told)


def task(state, slot=1, created="1", wanted="running", service="s"):
    return Task(service=service, slot=slot, created=created, state=state, wanted=wanted)


WEB = Wanted("s", "web", 2, restarts=True)


def test_service_runs_when_each_of_its_slots_does():
    assert standing([WEB], [task("running"), task("running", slot=2)]) == ([], [])
    assert standing([WEB], [task("running"), task("starting", slot=2)]) == (["web"], [])
    assert standing([WEB], [task("running")]) == (["web"], [])


def test_service_that_is_scaled_down_waits_for_those_that_are_too_many():
    assert standing([WEB], [task("running", slot=slot) for slot in (1, 2, 3)]) == (["web"], [])
    gone = task("running", slot=3, wanted="remove")
    assert standing([WEB], [task("running"), task("running", slot=2), gone]) == ([], [])


def test_task_that_was_replaced_is_history():
    tasks = [task("failed", created="1"), task("running", created="2"), task("complete", slot=2)]

    assert [one.state for one in newest(tasks)] == ["running", "complete"]
    assert standing([WEB], tasks) == ([], [])


def test_failure_is_final_only_where_nothing_is_started_again():
    failed = task("failed")

    assert standing([WEB], [failed, task("running", slot=2)]) == (["web"], [])
    assert standing([Wanted("s", "web", 1, restarts=False)], [failed]) == (["web"], [failed])


def test_service_as_the_engine_describes_it():
    spec = {"Name": "web", "TaskTemplate": {"RestartPolicy": {"Condition": "none"}}}

    assert Wanted.read({"ID": "s", "Spec": {**spec, "Mode": {"Replicated": {"Replicas": 3}}}}).count == 3
    everywhere = Wanted.read({"ID": "s", "Spec": {**spec, "Mode": {"Global": {}}}})
    assert (everywhere.count, everywhere.restarts) == (1, False)


def stack(*ports):
    model = {"services": {"web": {"image": "x", "ports": [*ports]}}, "networks": {}, "volumes": {}}
    return Sample(Path("/s/stack.yaml"), Path("/s"), {**model, "secrets": {}, "configs": {}})


def fit(given, *, mesh, **how):
    return fitted(given, Tailoring(**how), project="demo", room=Path("/r"), mesh=mesh).model["services"]["web"]


def test_free_port_of_a_stack_is_the_containers_own():
    given = stack({"target": 80, "published": 8080, "mode": "ingress"})

    assert fit(given, mesh=True) == {"image": "x", "ports": [{"target": 80, "mode": "host"}]}
    assert fit(given, mesh=False)["deploy"] == {"endpoint_mode": "dnsrr"}


def test_port_that_a_test_fixes_stays_in_the_mesh():
    given = stack({"target": 80, "published": 8080, "mode": "ingress"})

    service = fit(given, mesh=False, external_ports={8080: 18080})

    assert service == {"image": "x", "ports": [{"target": 80, "published": 18080, "mode": "ingress"}]}
