"""Out of the settings of a project: the order that deploys, removes or pins one of its experiments."""

from __future__ import annotations

from pathlib import Path

from labrig.experiments import configuration, connection, hosts, naming, sealing, state, state_defaults
from labrig.experiments.configuration import Source
from labrig.experiments.connection import Lab
from labrig.experiments.deploying import Order
from labrig.experiments.secrets import Provider
from labrig.experiments.settings import Settings


def order(
    project: Path,
    name: str,
    *,
    branch: str = "",
    host: str = "",
    dry_run: bool = False,
    wait: float = 0,
    ssh_config: Path | None = None,
    is_loud: bool = False,
) -> Order:
    """Return what somebody wants done to one experiment.

    The settings are the file's. What the lab host's state has besides is known once its host is connected to: the
    order asks for it then.

    Args:
        project: The folder whose settings hold, or those of the nearest above.
        name: The experiment.
        branch: Its branch; empty is the one that it has.
        host: The lab host, without asking others.
        dry_run: Nothing is changed.
        wait: Seconds to wait for somebody else who changes it.
        ssh_config: Another file than ~/.ssh/config.
        is_loud: What commands write is told.

    Raises:
        UsageError: The settings are wrong, or the name cannot be one.
    """
    source, settings = configuration.read(project)
    checked = naming.checked_name(name, "the name of an experiment")
    return Order(
        settings,
        checked,
        branch,
        host,
        opener=_opener(settings, source),
        refine=lambda lab: refined(lab, source, settings, checked),
        dry_run=dry_run,
        wait=wait,
        ssh_config=ssh_config,
        is_loud=is_loud or settings.verbose,
    )


def refined(lab: Lab, source: Source, settings: Settings, name: str) -> tuple[Settings, Provider]:
    """Return the settings of an experiment with what its lab host's state says, and what opens their secrets.

    Args:
        lab: The lab host.
        source: The application's file.
        settings: What that alone comes to.
        name: The experiment; empty asks for what holds for all of the application.

    Raises:
        UsageError: What the state says is wrong.
        EnvironmentFailed: It cannot be asked.
    """
    there = state.of_host(lab.run, lab.host)
    if there is not None:
        layers = state_defaults.layers(there, source, lab.host, settings.app, name)
        settings = configuration.settings(source, *layers, app=settings.app)
    return settings, _opener(settings, source)


def of_lab(source: Source, settings: Settings, *, host: str = "", config: Path | None = None) -> Settings:
    """Return the settings of an application with what its lab host's state says, of several the first one's.

    Args:
        source: The application's file.
        settings: What that alone comes to.
        host: Another one of its lab hosts.
        config: Another file than ~/.ssh/config.

    Raises:
        UsageError: What the state says is wrong, or the settings have no such host.
        EnvironmentFailed: The host cannot be asked.
    """
    first = hosts.chosen(settings, host)[0]
    with connection.lab(first, config=hosts.configuration(settings, config)) as lab:
        return refined(lab, source, settings, "")[0]


def _opener(settings: Settings, source: Source) -> Provider:
    return sealing.provider(settings.secrets, home=Path.home(), folder=source.path.parent)
