"""The order in which services start and stop: events in, instructions out; no Docker, no clock."""

import random

import pytest

from labrig.groups.order import (
    Abandon,
    Cancelled,
    Clean,
    Cleaned,
    Do,
    Failed,
    Finished,
    Resolved,
    StartOrder,
)
from labrig.groups.stop_order import Cancelled as StopCancelled
from labrig.groups.stop_order import NotStopped, Stop, StopOrder, Stopped

CHAIN = {"db": [], "app": ["db"], "web": ["app"]}


def bring_up(order, service, plan="create"):
    """Report each step of one service as done, from its resolution on; return what was instructed at the end."""
    told = order.handle(Resolved(service, plan))
    while mine := [one for one in told if isinstance(one, Do) and one.service == service]:
        told = order.handle(Finished(service, mine[0].step))
    return told


def test_a_created_service_takes_all_steps_and_frees_its_dependants_at_the_end():
    order = StartOrder(CHAIN)
    assert order.begin() == [Do("db", "resolve")]
    assert order.handle(Resolved("db", "create")) == [Do("db", "pre_start")]
    assert order.handle(Finished("db", "pre_start")) == [Do("db", "create")]
    assert order.handle(Finished("db", "create")) == [Do("db", "start")]
    assert order.handle(Finished("db", "start")) == [Do("db", "await")]
    assert order.handle(Finished("db", "await")) == [Do("db", "post_start")]
    assert order.handle(Finished("db", "post_start")) == [Do("app", "resolve")]
    assert order.states == {"db": "up", "app": "working", "web": "waiting"}


def test_a_woken_service_runs_no_hooks_but_must_be_ready_and_a_kept_one_is_up_at_once():
    order = StartOrder({"db": [], "cache": [], "app": ["db", "cache"]})
    order.begin()
    assert order.handle(Resolved("db", "wake")) == [Do("db", "start")]
    assert order.handle(Resolved("cache", "keep")) == []
    assert order.handle(Finished("db", "start")) == [Do("db", "await")]
    assert order.handle(Finished("db", "await")) == [Do("app", "resolve")]


def test_independent_services_go_on_when_one_fails_and_its_dependants_are_skipped_by_name():
    order = StartOrder({"db": [], "app": ["db"], "web": ["app"], "mail": []})
    order.begin()
    order.handle(Resolved("db", "create"))
    assert order.handle(Failed("db", "pre_start raised")) == [Clean("db", failed=True)]
    order.handle(Cleaned("db"))
    bring_up(order, "mail")
    assert order.is_over
    assert order.states == {"db": "failed", "app": "skipped", "web": "skipped", "mail": "up"}
    assert order.reasons == {"db": "pre_start raised", "app": "db failed", "web": "no app"}


@pytest.mark.parametrize("step", ["resolve", "pre_start", "create", "start", "await", "post_start"])
def test_a_failure_at_any_step_ends_the_start(step):
    order = StartOrder(CHAIN)
    told = order.begin()
    while told[0] != Do("db", step):
        told = order.handle(Resolved("db", "create") if told[0].step == "resolve" else Finished("db", told[0].step))
    assert order.handle(Failed("db", "it did")) == [Clean("db", failed=True)]
    assert not order.is_over
    order.handle(Cleaned("db"))
    assert order.is_over
    assert order.states == {"db": "failed", "app": "skipped", "web": "skipped"}


def test_a_service_that_ends_after_it_was_up_fails_and_what_waits_for_it_is_skipped():
    order = StartOrder({"db": [], "cache": [], "app": ["db", "cache"]})
    order.begin()
    bring_up(order, "db")
    assert order.handle(Failed("db", "exited with 1")) == [Clean("db", failed=True)]
    order.handle(Cleaned("db"))
    bring_up(order, "cache")
    assert order.states == {"db": "failed", "cache": "up", "app": "skipped"}
    assert order.is_over


def test_an_early_service_is_created_at_once_and_started_when_its_dependencies_are_up():
    order = StartOrder(CHAIN, early={"app"})
    assert order.begin() == [Do("db", "resolve"), Do("app", "resolve")]
    assert order.handle(Resolved("app", "create")) == [Do("app", "pre_start")]
    order.handle(Finished("app", "pre_start"))
    assert order.handle(Finished("app", "create")) == []
    assert order.states["app"] == "prepared"
    assert bring_up(order, "db") == [Do("app", "start")]


def test_an_early_service_is_taken_away_again_when_its_dependency_fails():
    order = StartOrder(CHAIN, early={"app", "web"})
    order.begin()
    bring_up(order, "app")
    assert order.states["app"] == "prepared"
    order.handle(Resolved("web", "create"))
    assert order.handle(Failed("db", "no image")) == [Clean("db", failed=True), Clean("app", failed=False)]
    # It was at a step; what it made goes when the step ends.
    order.handle(Finished("web", "pre_start"))
    order.handle(Cleaned("db"))
    order.handle(Cleaned("app"))
    assert order.states == {"db": "failed", "app": "skipped", "web": "skipped"}
    assert order.is_over


def test_cancelling_takes_down_what_was_started_dependants_first_and_leaves_what_ran_before():
    order = StartOrder({"old": [], "db": ["old"], "app": ["db"], "web": ["app"], "late": ["web"]})
    order.begin()
    bring_up(order, "old", "keep")
    bring_up(order, "db")
    bring_up(order, "app", "wake")
    order.handle(Resolved("web", "create"))
    assert order.handle(Cancelled()) == [Abandon("web")]
    assert order.handle(Finished("web", "pre_start")) == [Clean("app", failed=False)]
    assert order.handle(Cleaned("app")) == [Clean("db", failed=False)]
    assert not order.is_over
    assert order.handle(Cleaned("db")) == []
    assert order.is_over
    assert order.states == {"old": "up", "db": "cancelled", "app": "cancelled", "web": "cancelled", "late": "cancelled"}


def test_a_step_that_fails_while_it_is_cancelled_is_cleaned_before_what_it_depends_on():
    order = StartOrder(CHAIN)
    order.begin()
    bring_up(order, "db")
    order.handle(Resolved("app", "create"))
    order.handle(Finished("app", "pre_start"))
    assert order.handle(Cancelled()) == [Abandon("app")]
    assert order.handle(Failed("app", "abandoned")) == [Clean("app", failed=True)]
    assert order.handle(Cleaned("app")) == [Clean("db", failed=False)]


def test_an_end_of_a_container_that_is_cleaned_away_is_no_failure():
    order = StartOrder({"db": []})
    order.begin()
    bring_up(order, "db")
    order.handle(Cancelled())
    assert order.handle(Failed("db", "exited with 137")) == []
    order.handle(Cleaned("db"))
    assert order.states == {"db": "cancelled"}


def answered(order, instruction, chance, fails):
    """Report one instruction as ended, in whatever way; return what is to be done then."""
    match instruction:
        case Abandon():
            return []
        case Clean(name):
            return order.handle(Cleaned(name))
        case Do(name) if chance.random() < fails:
            return order.handle(Failed(name, "it did"))
        case Do(name, "resolve"):
            return order.handle(Resolved(name, chance.choice(["keep", "wake", "create", "create"])))
        case Do(name, step):
            return order.handle(Finished(name, step))


def a_start(chance):
    """Carry a start of a random graph through, with random plans, failures and a moment of Ctrl-C; return it."""
    names = [f"s{number}" for number in range(chance.randint(1, 12))]
    graph = {name: chance.sample(names[:at], min(at, chance.randint(0, 3))) for at, name in enumerate(names)}
    order = StartOrder(graph, early={name for name in names if chance.random() < 0.4})
    fails, cancel_at = chance.choice([0, 0.05, 0.3]), chance.choice([None, chance.randint(0, 40)])
    pending = list(order.begin())
    for turn in range(2000):
        if not pending:
            return graph, order
        if turn == cancel_at:
            pending += order.handle(Cancelled())
        up = [name for name, state in order.states.items() if state == "up"]
        if up and chance.random() < fails / 4:
            pending += order.handle(Failed(chance.choice(up), "ended"))
        pending += answered(order, pending.pop(chance.randrange(len(pending))), chance, fails)
    pytest.fail("it goes on for ever")


@pytest.mark.parametrize("seed", range(300))
def test_whatever_happens_a_start_ends_and_keeps_its_promises(seed):
    graph, order = a_start(random.Random(seed))
    assert order.is_over

    has_been_up = set()
    for told in order.story:
        match told:
            case Do(name, "start"):
                assert all(needed in has_been_up for needed in graph[name]), "it started before what it needs"
            case Do(name, "post_start") | Finished(name, "await") | Resolved(name, "keep"):
                has_been_up.add(name)

    cleaned = [told.service for told in order.story if isinstance(told, Clean)]
    touched = {told.service for told in order.story if isinstance(told, Do) and told.step in ("create", "start")}
    still_up = {name for name, state in order.states.items() if state == "up"}
    assert len(cleaned) == len(set(cleaned))
    assert touched - still_up <= set(cleaned), "something was made and left"
    assert not still_up & set(cleaned)
    if Cancelled() in order.story:
        assert not still_up & touched, "Ctrl-C left something that it had started"
    assert all(order.reasons[name] for name, state in order.states.items() if state in ("failed", "skipped"))


def test_what_a_cancelled_start_started_goes_dependants_first():
    for seed in range(300):
        graph, order = a_start(random.Random(seed))
        if Cancelled() not in order.story:
            continue
        after = order.story[order.story.index(Cancelled()) :]
        ran = {told.service for told in order.story if isinstance(told, Do) and told.step == "start"}
        gone = [told.service for told in after if isinstance(told, Clean) and told.service in ran]
        for at, name in enumerate(gone):
            assert not any(name in graph[later] for later in gone[at + 1 :])


def test_services_stop_dependants_first():
    order = StopOrder({"db": [], "cache": [], "app": ["db", "cache"]})
    assert order.begin() == [Stop("app")]
    assert order.handle(Stopped("app")) == [Stop("db"), Stop("cache")]
    order.handle(Stopped("db"))
    assert not order.is_over
    order.handle(Stopped("cache"))
    assert order.is_over


def test_a_service_that_does_not_stop_holds_up_none_of_the_others():
    order = StopOrder(CHAIN)
    order.begin()
    assert order.handle(NotStopped("web", "pre_stop raised")) == [Stop("app")]
    order.handle(Stopped("app"))
    order.handle(Stopped("db"))
    assert order.is_over
    assert order.reasons == {"web": "pre_stop raised"}


def test_a_cancelled_stop_lets_what_is_stopping_stop_and_leaves_the_rest():
    order = StopOrder(CHAIN)
    order.begin()
    assert order.handle(StopCancelled()) == []
    assert not order.is_over
    assert order.handle(Stopped("web")) == []
    assert order.states == {"db": "cancelled", "app": "cancelled", "web": "stopped"}
    assert order.is_over
