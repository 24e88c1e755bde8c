"""A lab host as the steps of a plan change it, for tests of plans: no Docker, no SSH."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import singledispatchmethod

from labrig.experiments import steps
from labrig.experiments.standing import Container, Service, Standing, Wanted
from labrig.experiments.steps import Step


class Failed(Exception):
    """A step ended badly, as a wait does that is over."""


@dataclass
class Lab:
    """What there is of one experiment, and what each step makes of it; refuses what a real host refuses."""

    wanted: Wanted
    standing: Standing = field(default_factory=Standing)
    unhealthy: frozenset[str] = frozenset()
    before_start_fails: bool = False

    @property
    def serves(self) -> str:
        """The version that a visitor sees; empty where he sees none."""
        routed = self.standing.containers.get(self.standing.routed)
        return self.standing.routed if routed and routed.running and routed.healthy and not self.standing.asleep else ""

    def change(self, **changes: object) -> None:
        self.standing = replace(self.standing, **changes)  # type: ignore[arg-type]

    def container(self, version: str, **changes: object) -> None:
        old = self.standing.containers[version]
        self.change(containers={**self.standing.containers, version: replace(old, **changes)})  # type: ignore[arg-type]

    def service(self, name: str, **changes: object) -> None:
        old = self.standing.services.get(name, Service())
        self.change(services={**self.standing.services, name: replace(old, **changes)})  # type: ignore[arg-type]

    @singledispatchmethod
    def do(self, step: Step) -> None:
        raise AssertionError(f"no such step: {step}")

    def carry_out(self, planned: Iterable[Step]) -> None:
        for step in planned:
            self.do(step)

    def begin(self, step: Step) -> None:
        """Leave what a step leaves that is killed before its end."""
        if isinstance(step, steps.FetchCode):
            self.change(code="", built="")
        elif isinstance(step, steps.BuildApplication | steps.RunBeforeStart | steps.RunHook):
            self.change(jobs=True)
        elif isinstance(step, steps.MakeService):
            self.service(step.service, **self._data(step.service))
        elif isinstance(step, steps.StartContainer):
            self.container(step.version, enabled=True)
        elif isinstance(step, steps.StopContainer):
            self.container(step.version, enabled=False)

    def reboot(self) -> None:
        """Start again what starts after a reboot."""
        for version, one in self.standing.containers.items():
            self.container(version, running=one.enabled, healthy=one.enabled and version not in self.unhealthy)

    @do.register
    def _(self, _: steps.MakeFolder) -> None:
        self.change(folder=True)

    @do.register
    def _(self, step: steps.WriteRecord) -> None:
        assert self.standing.folder
        self.change(branch=step.branch)

    @do.register
    def _(self, step: steps.FetchCode) -> None:
        assert self.standing.folder
        self.change(code=step.release, built="")

    @do.register
    def _(self, step: steps.BuildApplication) -> None:
        assert self.standing.code == self.wanted.release
        self.change(built=step.build, jobs=True)

    @do.register
    def _(self, step: steps.BuildImage) -> None:
        assert self.standing.code == self.wanted.release
        assert not self.wanted.builds_application or self.standing.built == step.build
        self.change(images=self.standing.images | {step.build})

    @do.register
    def _(self, _: steps.MakeNetwork) -> None:
        assert not self.standing.network, "docker refuses a second network of the name"
        self.change(network=True)

    @do.register
    def _(self, step: steps.FetchImage) -> None:
        assert step.service in self.standing.services, "a first server's image comes with its container"

    def _data(self, name: str) -> dict[str, object]:
        there = self.standing.services.get(name, Service())
        wanted = self.wanted.services[name]
        is_same = there.provision == wanted.provision
        assert is_same or there.filled_with is None, "the data of the other provision would stay for ever"
        if wanted.provision == "communal":
            return {"provision": "communal"}
        is_new = there.filled_with is None
        return {"filled_with": wanted.filling if is_new else there.filled_with, "provision": wanted.provision}

    @do.register
    def _(self, step: steps.MakeService) -> None:
        assert self.standing.network
        assert not self.standing.services.get(step.service, Service()).has_server, "docker refuses a second one"
        data = self._data(step.service)
        self.service(step.service, **data, has_server=True, made_of=self.wanted.services[step.service].record)

    @do.register
    def _(self, step: steps.StartService) -> None:
        assert self.standing.services[step.service].has_server
        self.service(step.service, enabled=True)

    @do.register
    def _(self, step: steps.AwaitService) -> None:
        there = self.standing.services[step.service]
        assert there.has_server
        assert there.enabled or there.provision != "independent"

    @do.register
    def _(self, step: steps.RemoveServer) -> None:
        self.service(step.service, has_server=False, made_of=None, enabled=False)
        self._forget(step.service)

    @do.register
    def _(self, step: steps.RemoveData) -> None:
        assert not self.standing.services[step.service].has_server, "docker refuses to remove a volume in use"
        self.service(step.service, filled_with=None, hooked=False)
        self._forget(step.service)

    def _forget(self, name: str) -> None:
        one = self.standing.services[name]
        if not one.has_server and one.filled_with is None:
            self.change(services={key: value for key, value in self.standing.services.items() if key != name})

    @do.register
    def _(self, step: steps.RunHook) -> None:
        assert self.standing.images
        assert self.standing.environments
        assert self.standing.services[step.service].has_server
        self.change(jobs=True)
        if step.moment == "create":
            self.service(step.service, hooked=True)

    @do.register
    def _(self, step: steps.WriteEnvironment) -> None:
        self.change(environments=self.standing.environments | {step.version})

    @do.register
    def _(self, step: steps.RunBeforeStart) -> None:
        assert self.wanted.build in self.standing.images, "it runs in the new image"
        assert step.version in self.standing.environments
        self.change(jobs=True)
        if self.before_start_fails:
            raise Failed
        self.change(prepared=step.version)

    @do.register
    def _(self, step: steps.CreateContainer) -> None:
        assert step.version not in self.standing.containers, "docker refuses a second container of the name"
        assert step.slot not in {one.slot for one in self.standing.containers.values()}, "the address is taken"
        assert self.wanted.build in self.standing.images
        assert step.version in self.standing.environments
        if self.wanted.before_start:
            assert self.standing.prepared == step.version
        self.change(containers={**self.standing.containers, step.version: Container(step.slot)})

    @do.register
    def _(self, step: steps.JoinNetworks) -> None:
        assert step.version in self.standing.containers

    @do.register
    def _(self, step: steps.StartContainer) -> None:
        self.container(step.version, running=True, enabled=True)

    @do.register
    def _(self, step: steps.AwaitHealthy) -> None:
        assert self.standing.containers[step.version].running
        if step.version in self.unhealthy:
            raise Failed
        self.container(step.version, healthy=True)

    @do.register
    def _(self, step: steps.Route) -> None:
        assert self.standing.containers[step.version].healthy, "traffic never moves to what is not healthy"
        assert self.standing.containers[step.version].slot == step.slot
        self.change(routed=step.version, asleep=False)

    @do.register
    def _(self, step: steps.RouteToSplash) -> None:
        self.change(routed=step.version, asleep=True)

    @do.register
    def _(self, _: steps.Unroute) -> None:
        self.change(routed="", asleep=False)

    @do.register
    def _(self, step: steps.StopContainer) -> None:
        self.container(step.version, running=False, healthy=False, enabled=False)

    @do.register
    def _(self, step: steps.RemoveContainer) -> None:
        assert not self.standing.containers[step.version].running
        self.change(containers={key: one for key, one in self.standing.containers.items() if key != step.version})

    @do.register
    def _(self, _: steps.RemoveJobs) -> None:
        self.change(jobs=False, prepared="")

    @do.register
    def _(self, step: steps.RemoveEnvironment) -> None:
        self.change(environments=self.standing.environments - {step.version})

    @do.register
    def _(self, step: steps.RemoveImage) -> None:
        assert not self.standing.jobs, "docker refuses to remove an image that a container was made of"
        self.change(images=self.standing.images - {step.build})

    @do.register
    def _(self, _: steps.RemoveNetwork) -> None:
        assert not self.standing.containers, "docker refuses to remove a network in use"
        assert not any(one.has_server for one in self.standing.services.values())
        self.change(network=False)

    @do.register
    def _(self, _: steps.RemoveFolder) -> None:
        self.change(folder=False, branch="", code="", built="", environments=frozenset())
