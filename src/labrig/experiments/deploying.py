"""Creating, updating, deleting an experiment on its lab host: locked, looked at, planned, carried out or put back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from labrig import clock
from labrig.errors import EnvironmentFailed, LabrigError, UsageError
from labrig.experiments import assembling, branches, failing, hosts, kept, plan, steps, wanting
from labrig.experiments.carrying import Carrier, Silent, Watcher
from labrig.experiments.command import written
from labrig.experiments.commands import commands
from labrig.experiments.connection import Lab, who
from labrig.experiments.deployment import Deployed, Deployment
from labrig.experiments.environment import Identity
from labrig.experiments.naming import Names
from labrig.experiments.secrets import Age, Provider
from labrig.experiments.settings import Settings
from labrig.experiments.standing import Standing
from labrig.experiments.steps import Step
from labrig.experiments.survey import Survey, as_found, existing, survey, with_healthy
from labrig.project_file import nearest

# What a deployment does each time, also where nothing has changed.
_ALWAYS = (steps.WriteRecord, steps.AwaitService, steps.AwaitHealthy)


Refine = Callable[[Lab], tuple[Settings, Provider]]


class Unknown(UsageError):
    """There is no such experiment."""


@dataclass(frozen=True)
class Order:
    """What somebody wants done to one experiment.

    Attributes:
        settings: The application's.
        name: The experiment, a slug.
        branch: Its branch; empty is the one that it has.
        opener: Opens the secrets of the settings; needed to deploy.
        refine: Returns settings and opener with what the lab host's state says; None where nobody asks it.
        host: The lab host, without asking others; empty is the one where it is, or where it belongs.
        dry_run: Nothing is changed.
        wait: Seconds to wait for somebody else who changes it.
        ssh_config: Another file than ~/.ssh/config.
        watcher: Is told how far it is.
        is_loud: It is also told what commands write.
    """

    settings: Settings
    name: str
    branch: str = ""
    host: str = ""
    opener: Provider = field(default_factory=Age)
    refine: Refine | None = None
    dry_run: bool = False
    wait: float = 0
    ssh_config: Path | None = None
    watcher: Watcher = field(default_factory=Silent)
    is_loud: bool = False

    @property
    def names(self) -> Names:
        """What everything of it is called."""
        return Names(self.settings.app, self.name)

    def identity(self, branch: str = "", release: str = "") -> Identity:
        """Return what it is."""
        return wanting.identity(self.settings, branch or self.branch, self.name, release)

    def watched(self, watcher: Watcher) -> Order:
        """Return the same order, with somebody who is told how far it is."""
        return replace(self, watcher=watcher)

    def refined(self, lab: Lab) -> Order:
        """Return the same order, with settings and opener as the lab host's state would have them."""
        if self.refine is None:
            return self
        settings, opener = self.refine(lab)
        return replace(self, settings=settings, opener=opener)

    def lab(self) -> contextlib.AbstractContextManager[Lab]:
        """Return a connection to its lab host."""
        return hosts.of(self.settings, self.names, host=self.host, config=self.ssh_config)


@dataclass(frozen=True)
class Planned:
    """A step of a report.

    Attributes:
        text: What it does.
        commands: Its commands, as a shell takes them; no secret is in them.
    """

    text: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What an order came to.

    Attributes:
        app: The application.
        name: The experiment.
        host: The lab host.
        url: Where it is seen.
        branch: Its branch.
        release: The branch's commit; empty where nothing was deployed.
        changed: Something was changed, or would be.
        steps: What was done, or would be.
        seconds: How long it took.
    """

    app: str
    name: str
    host: str
    url: str
    branch: str = ""
    release: str = ""
    changed: bool = True
    steps: tuple[Planned, ...] = ()
    seconds: float = 0.0

    def content(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        told = {key: getattr(self, key) for key in ("app", "name", "host", "url", "branch", "release", "changed")}
        return {**told, "seconds": round(self.seconds, 1), "steps": [one.text for one in self.steps]}


def deploy(order: Order) -> Report:
    """Create an experiment, or update it.

    Raises:
        UsageError: Something that is wanted cannot be; nothing was changed.
        StepFailed: A step failed; what served before serves on.
        EnvironmentFailed: The host, its engine or the connection failed.
    """
    began = clock.monotonic()
    with order.lab() as lab:
        order = order.refined(lab)
        values = assembling.opened(order.settings, order.opener)
        if not order.dry_run:
            lab.lock(order.names, wait=order.wait)
        branch = order.branch or _branch_of(lab, order)
        found = survey(
            lab, order.names, host=order.identity(branch).virtual_host, settings=order.settings, branch=branch
        )
        what = order.identity(branch, _release(lab, order.settings, branch, found))
        wanted = wanting.wanted(order.settings, what)
        # Decided before anything else is asked for: whose name it is.
        plan.deploy(found.standing, wanted)
        at = assembling.assembled(order.settings, what, wanted, found, lab.hello, values, who=who(), now=lab.now)
        passwords = (one.credentials.password for one in at.services.values())
        masked = (*at.sealed, at.key, *passwords, *assembling.unshown(found))
        carrier = Carrier(lab, at, masked, order.watcher, order.is_loud)
        there = found.standing.containers.get(wanted.version)
        if there is not None and there.running and carrier.is_healthy(wanted.version, there.slot):
            found = with_healthy(found, wanted.version)
        planned = plan.deploy(found.standing, wanted)
        report = Report(
            order.settings.app,
            order.name,
            lab.host,
            kept.of(order.settings, what).url,
            branch,
            what.release,
            changed=_changes(planned, found, at),
            steps=_told(planned, at),
        )
        if not order.dry_run:
            _carry_out(lab, carrier, order, planned)
        return replace(report, seconds=clock.monotonic() - began)


def delete(order: Order) -> Report:
    """Remove all of an experiment.

    Raises:
        Unknown: There is no such experiment.
        StepFailed: A step failed; the same order again goes on.
        EnvironmentFailed: The host, its engine or the connection failed.
    """
    began = clock.monotonic()
    with order.lab() as lab:
        if not order.dry_run:
            lab.lock(order.names, wait=order.wait)
        found = survey(lab, order.names, host=order.identity().virtual_host)
        at = as_found(order.names, found)
        planned = plan.delete(found.standing, hooks=frozenset(at.kept.on_delete))
        if not planned:
            raise unknown(lab, order)
        report = Report(
            order.settings.app,
            order.name,
            lab.host,
            at.kept.url,
            found.standing.branch,
            steps=_told(planned, at),
        )
        if not order.dry_run:
            carrier = Carrier(lab, at, assembling.unshown(found), order.watcher, order.is_loud)
            try:
                carrier.carry_out(planned)
            except EnvironmentFailed as error:
                raise EnvironmentFailed(
                    error.message, hint="delete it again: what is left is found by its labels"
                ) from error
        return replace(report, seconds=clock.monotonic() - began)


def pin(order: Order, *, pinned: bool) -> Report:
    """Let an experiment stay until it is deleted by hand, or let its time run again.

    Raises:
        Unknown: There is no such experiment.
        EnvironmentFailed: The host, its engine or the connection failed.
    """
    began = clock.monotonic()
    with order.lab() as lab:
        if not order.dry_run:
            lab.lock(order.names, wait=order.wait)
        found = survey(lab, order.names, host=order.identity().virtual_host)
        if found.record is None:
            raise unknown(lab, order)
        changed = found.record.pinned != pinned
        noted = replace(found.record, pinned=pinned)
        for command in written(order.names.record, noted.text()) if changed and not order.dry_run else ():
            done = lab.run(command)
            if done.code:
                raise EnvironmentFailed(f"{lab.host} cannot write {order.names.record}: {done.err.strip()}")
        return Report(
            order.settings.app,
            order.name,
            lab.host,
            found.record.kept.url,
            found.record.branch,
            changed=changed,
            seconds=clock.monotonic() - began,
        )


def _carry_out(lab: Lab, carrier: Carrier, order: Order, planned: Sequence[Step]) -> None:
    try:
        carrier.carry_out(planned)
    except KeyboardInterrupt:
        _put_back(carrier, order)
        raise
    except LabrigError as error:
        if lab.is_over:
            raise failing.connection_lost(error) from error
        left = _put_back(carrier, order)
        if isinstance(error, failing.StepFailed):
            error.left = left
        raise
    except Exception:
        # Somebody's watcher may be at fault: nobody watches then.
        _put_back(replace(carrier, watcher=Silent()), order)
        raise


def _put_back(carrier: Carrier, order: Order) -> str:
    """Let what served before serve on; return how it stands with the experiment."""
    try:
        # Looked at anew: the plan broke off, and nobody knows exactly where.
        found = survey(carrier.lab, order.names, host=carrier.at.kept.host)
        carrier.carry_out(plan.restore(found.standing))
    except LabrigError as error:
        return f"what served before could not be put back: {error.message}"
    return _in_words(found.standing, carrier.at.kept.url)


def _in_words(standing: Standing, where: str) -> str:
    if not standing.routed:
        return "there was none before, so nothing is served yet"
    return f"{'what sleeps there' if standing.asleep else 'what served before'} is left as it was: {where}"


def _branch_of(lab: Lab, order: Order) -> str:
    found = survey(lab, order.names, host=order.identity().virtual_host)
    if not found.standing.branch:
        raise unknown(lab, order)
    return found.standing.branch


def _release(lab: Lab, settings: Settings, branch: str, found: Survey) -> str:
    release = (found.branches or {}).get(branch)
    if release is None:
        known = branches.reached(lab.run(branches.question(settings.repository)), settings.repository, lab.host)
        raise branches.missing(branch, known, settings.repository)
    return release


def unknown(lab: Lab, order: Order) -> Unknown:
    """Return the error for an experiment that there is not, with the one that may have been meant."""
    known = existing(lab, order.settings.app)
    near = nearest(order.name, known)
    others = f"there are {', '.join(known)}" if known else "`labrig experiment create BRANCH` makes one"
    return Unknown(
        f"there is no experiment {order.name!r} of {order.settings.app} on {lab.host}",
        hint=f"did you mean {near}?" if near else others,
    )


def _changes(planned: Iterable[Step], found: Survey, at: Deployment) -> bool:
    # The edge's file and its users follow from what the host keeps, and from the version.
    if found.record is None or found.record.kept != at.kept:
        return True
    standing = found.standing
    return any(
        standing.asleep or standing.routed != step.version
        if isinstance(step, steps.Route)
        else not isinstance(step, _ALWAYS)
        for step in planned
    )


def _told(planned: Iterable[Step], at: Deployed) -> tuple[Planned, ...]:
    return tuple(Planned(str(step), tuple(str(one) for one in commands(step, at))) for step in planned)
