"""How it stands with one experiment, as a person asks: does it answer, and if not, why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from labrig.experiments import assembling, carrying, failing, steps
from labrig.experiments.carrying import Carrier
from labrig.experiments.commands import commands
from labrig.experiments.deploying import Order, unknown
from labrig.experiments.listing import State
from labrig.experiments.masking import mask
from labrig.experiments.standing import Service, Standing
from labrig.experiments.survey import as_found, survey


@dataclass(frozen=True)
class Status:
    """How it stands.

    Attributes:
        app: The application.
        name: The experiment.
        host: The lab host.
        url: Where it is seen.
        state: In a word.
        reason: Why it does not answer; empty where it does, or sleeps.
        branch: Its branch.
        release: The commit that is deployed.
        creator: Who made it.
        created: When, ISO 8601, as all times here.
        deployed: When it was last deployed.
        expires: When its time is over; empty is never.
        pinned: It stays until it is deleted by hand.
        services: Each in words.
        logs: The last lines that its container wrote; only where it does not answer.
    """

    app: str
    name: str
    host: str
    url: str
    state: State
    reason: str = ""
    branch: str = ""
    release: str = ""
    creator: str = ""
    created: str = ""
    deployed: str = ""
    expires: str = ""
    pinned: bool = False
    services: Mapping[str, str] = field(default_factory=dict)
    logs: tuple[str, ...] = ()

    def content(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return asdict(self)


def status(order: Order) -> Status:
    """Tell how it stands with an experiment; nothing is changed, and no lock is taken.

    Raises:
        UsageError: There is no such experiment.
        EnvironmentFailed: The host, its engine or the connection failed.
    """
    with order.lab() as lab:
        found = survey(lab, order.names, host=order.identity().virtual_host)
        standing = found.standing
        if not (standing.branch or standing.folder):
            raise unknown(lab, order)
        at = as_found(order.names, found)
        state, reason, logs = _state(Carrier(lab, at, assembling.unshown(found)), standing)
        noted = at.record
        return Status(
            order.settings.app,
            order.name,
            lab.host,
            at.kept.url,
            state,
            reason,
            standing.branch,
            at.kept.release,
            noted.creator,
            noted.created,
            noted.deployed,
            noted.expires,
            noted.pinned,
            {name: _in_words(one) for name, one in standing.services.items()},
            logs,
        )


def _state(carrier: Carrier, standing: Standing) -> tuple[State, str, tuple[str, ...]]:
    """Return the state, why it is so, and what was written last."""
    if not standing.routed:
        return "was never ready", "no deployment of it has ended well", ()
    if standing.asleep:
        return "sleeps", "", ()
    version = standing.routed
    container = carrier.at.names.container(version)
    there = standing.containers.get(version)
    if there is None:
        return "does not answer", f"its container {container} is gone; `labrig experiment update` makes it anew", ()
    (asked,) = commands(steps.AwaitHealthy(version, there.slot), carrier.at)
    answers = carrier.lab.run_all(
        {
            "healthy": asked,
            "state": carrying.state(container),
            "logs": carrying.logs(container, failing.LINES),
        }
    )
    if answers["healthy"].code == 0:
        return "serves", "", ()
    words = failing.last_lines(mask(answers["healthy"].err or answers["healthy"].out, carrier.secrets), 1)
    reason = f"its container is {carrying.state_in_words(answers['state']) or 'gone'}"
    said = mask("\n".join(carrying.merged(answers["logs"])), carrier.secrets)
    return "does not answer", "; ".join([reason, *words]), tuple(failing.last_lines(said))


def _in_words(one: Service) -> str:
    kind = one.kind or "unknown"
    if not one.has_server:
        return f"{kind}, {one.provision}: only its data are there"
    if one.provision != "independent":
        return f"{kind}, {one.provision}"
    return f"{kind}, {'runs' if one.enabled else 'does not run'}"
