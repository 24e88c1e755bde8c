"""The life of an experiment as plans: what there is and what is wanted in, steps out.

A plan is made anew from what there is, under the experiment's lock: one that was killed anywhere is simply made again.
Until the new container is healthy, nothing that the old one needs is touched, but for services that have to change.
"""

from __future__ import annotations

from collections.abc import Iterator

from labrig.errors import UsageError
from labrig.experiments import services, steps
from labrig.experiments.standing import Service, Standing, Wanted, WantedService
from labrig.experiments.steps import Step

SLOTS = (0, 1)
# Steps that leave containers of commands that have ended.
_JOBS = (steps.BuildApplication, steps.RunHook, steps.RunBeforeStart)


def deploy(standing: Standing, wanted: Wanted) -> tuple[Step, ...]:
    """Return the steps that create or update an experiment.

    Raises:
        UsageError: The experiment is another branch's, or another experiment has its host name.
    """
    if standing.branch and standing.branch != wanted.branch:
        raise UsageError(
            f"there is an experiment of this name already, of branch {standing.branch!r}, not {wanted.branch!r}",
            hint="--name gives this one another name; labrig experiment delete removes the other",
        )
    if standing.host_taken_by:
        raise UsageError(
            f"its host name is that of experiment {standing.host_taken_by} already",
            hint="--name gives it another name, and host_name in the configuration another pattern",
        )
    found = (
        *_ground(standing, wanted),
        *_services(standing, wanted),
        *_before(standing, wanted),
        *_container(standing, wanted),
    )
    has_jobs = standing.jobs or any(isinstance(step, _JOBS) for step in found)
    return (*found, *_rest(standing, wanted, has_jobs=has_jobs))


def restore(standing: Standing) -> tuple[Step, ...]:
    """Return the steps after a deployment that failed: what served before serves on, and what was to follow it goes."""
    kept = standing.routed
    found: list[Step] = []
    old = standing.containers.get(kept)
    if old is not None and not standing.asleep and not (old.running and old.enabled):
        found += [steps.StartContainer(kept)]
    for version in standing.containers:
        if version != kept:
            found += _removed(version)
    found += [steps.RemoveEnvironment(one) for one in sorted(standing.environments - {kept})]
    if standing.jobs:
        found += [steps.RemoveJobs()]
    return tuple(found)


def delete(standing: Standing, *, hooks: frozenset[str] = frozenset()) -> tuple[Step, ...]:
    """Return the steps that remove all of an experiment: what carries its labels, and its folder last.

    Args:
        standing: What there is.
        hooks: The services that have a command on_delete.
    """
    found: list[Step] = []
    if standing.routed or standing.folder:
        # Who may look is known to the edge before anything is routed.
        found += [steps.Unroute()]
    called: list[Step] = []
    if standing.images and standing.environments:
        build, version = max(standing.images), standing.routed or max(standing.environments)
        called = [
            steps.RunHook(name, "delete", build, version)
            for name, service in standing.services.items()
            if name in hooks and service.has_server
        ]
    found += called
    for version in standing.containers:
        found += _removed(version)
    if standing.jobs or called:
        # A hook leaves its container, and a container keeps its image.
        found += [steps.RemoveJobs()]
    for name, service in standing.services.items():
        found += _service_removed(name, service, "the experiment is deleted")
    if standing.network:
        found += [steps.RemoveNetwork()]
    found += [steps.RemoveImage(one) for one in sorted(standing.images)]
    if standing.folder:
        found += [steps.RemoveFolder()]
    return tuple(found)


def sleep(standing: Standing) -> tuple[Step, ...]:
    """Return the steps that put an experiment to sleep; none where it serves nothing. Its services run on."""
    old = standing.containers.get(standing.routed)
    if old is None:
        return ()
    found: list[Step] = [] if standing.asleep else [steps.RouteToSplash(standing.routed)]
    if old.running or old.enabled:
        found += [steps.StopContainer(standing.routed)]
    return tuple(found)


def wake(standing: Standing) -> tuple[Step, ...]:
    """Return the steps that wake a sleeping experiment; none where it does not sleep."""
    old = standing.containers.get(standing.routed)
    if old is None or not standing.asleep:
        return ()
    version = standing.routed
    return (steps.StartContainer(version), steps.AwaitHealthy(version, old.slot), steps.Route(version, old.slot))


def _ground(standing: Standing, wanted: Wanted) -> Iterator[Step]:
    """Yield what makes folder, record, image and network."""
    if not standing.folder:
        yield steps.MakeFolder()
    yield steps.WriteRecord(wanted.branch)
    if wanted.build not in standing.images:
        is_there = standing.code == wanted.release
        if not is_there:
            yield steps.FetchCode(wanted.release)
        if wanted.builds_application and not (is_there and standing.built == wanted.build):
            yield steps.BuildApplication(wanted.build)
        yield steps.BuildImage(wanted.build)
    if not standing.network:
        yield steps.MakeNetwork()


def _services(standing: Standing, wanted: Wanted) -> Iterator[Step]:
    """Yield what makes the services that are wanted."""
    made = {
        name: tuple(_made(name, standing.services.get(name, Service()), one)) for name, one in wanted.services.items()
    }
    for name, found in made.items():
        is_replaced = any(isinstance(step, steps.RemoveServer | steps.RemoveData) for step in found)
        service = wanted.services[name]
        # A mistake in an image's name must not take away what the old version works with.
        if is_replaced and service.provision == "independent":
            yield steps.FetchImage(name, service.record["image"])
    for found in made.values():
        yield from found
    for name, service in wanted.services.items():
        # One that nothing was done about is asked too: it may have stopped.
        if service.waits:
            yield steps.AwaitService(name)


def _made(name: str, there: Service, wanted: WantedService) -> Iterator[Step]:
    reasons = []
    is_moved = there.provision != wanted.provision and (there.has_server or there.filled_with is not None)
    if is_moved:
        reasons = [f"provision was {there.provision}, is {wanted.provision}"]
    elif there.has_server:
        reasons = services.changes(there.made_of, wanted.record)
    has_server = there.has_server and not reasons
    if there.has_server and reasons:
        yield steps.RemoveServer(name, there.kind, there.provision, "; ".join(reasons))
    if there.filled_with is not None and (is_moved or dict(there.filled_with) != wanted.filling):
        why = "; ".join(reasons if is_moved else services.changes(there.filled_with, wanted.filling))
        if has_server:
            yield steps.RemoveServer(name, there.kind, there.provision, why)
            has_server = False
        yield steps.RemoveData(name, there.kind, there.provision, why)
    if not has_server:
        yield steps.MakeService(name)
    if wanted.provision == "independent" and not (has_server and there.enabled):
        yield steps.StartService(name)


def _before(standing: Standing, wanted: Wanted) -> Iterator[Step]:
    """Yield what happens before a container of the new version is made."""
    if wanted.version not in standing.environments:
        yield steps.WriteEnvironment(wanted.version)
    for name, service in wanted.services.items():
        there = standing.services.get(name)
        if service.hook and not (there and there.hooked and _keeps(there, service)):
            yield steps.RunHook(name, "create", wanted.build, wanted.version)
    if wanted.before_start and wanted.version not in standing.containers and standing.prepared != wanted.version:
        yield steps.RunBeforeStart(wanted.build, wanted.version)


def _keeps(there: Service, wanted: WantedService) -> bool:
    return there.provision == wanted.provision and dict(there.filled_with or {}) == wanted.filling


def _container(standing: Standing, wanted: Wanted) -> Iterator[Step]:
    """Yield what makes the new container serve, and what rids the experiment of the old one after that."""
    version = wanted.version
    others = {name: one for name, one in standing.containers.items() if name != version}
    for name in others:
        # It never came to serve: what a killed deployment left.
        if name != standing.routed:
            yield from _removed(name)
    there = standing.containers.get(version)
    serving = others.get(standing.routed)
    slot = there.slot if there else next(one for one in SLOTS if serving is None or one != serving.slot)
    if there is None:
        yield steps.CreateContainer(wanted.build, version, slot)
    is_stuck = there is not None and there.running and not there.healthy
    if is_stuck:
        # It does not get well by being waited for, and serves nobody just now.
        yield steps.StopContainer(version)
    if there is None or is_stuck or not (there.running and there.enabled):
        # Of one that was made, it is not known whether that was the last that was done.
        if wanted.joins:
            yield steps.JoinNetworks(version)
        yield steps.StartContainer(version)
    if there is None or not there.healthy:
        yield steps.AwaitHealthy(version, slot)
    # The virtual host is written each time: users, certificate or host name may be others.
    yield steps.Route(version, slot)
    if serving is not None:
        yield from _removed(standing.routed)


def _rest(standing: Standing, wanted: Wanted, *, has_jobs: bool) -> Iterator[Step]:
    """Yield what removes that which no version needs any more."""
    for name, service in standing.services.items():
        if name not in wanted.services:
            yield from _service_removed(name, service, "the configuration no longer has it")
    if has_jobs:
        yield steps.RemoveJobs()
    for version in sorted(standing.environments - {wanted.version}):
        yield steps.RemoveEnvironment(version)
    for build in sorted(standing.images - {wanted.build}):
        yield steps.RemoveImage(build)


def _removed(version: str) -> tuple[Step, Step]:
    return steps.StopContainer(version), steps.RemoveContainer(version)


def _service_removed(name: str, service: Service, why: str) -> Iterator[Step]:
    if service.has_server:
        yield steps.RemoveServer(name, service.kind, service.provision, why)
    if service.filled_with is not None:
        yield steps.RemoveData(name, service.kind, service.provision, why)
