"""A command in a new container of an experiment: its image, its environment, its network, its services."""

from __future__ import annotations

from collections.abc import Sequence

from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments.command import Command
from labrig.experiments.deploying import Order, unknown
from labrig.experiments.deployment import label_options
from labrig.experiments.naming import VERSION
from labrig.experiments.running import Hear
from labrig.experiments.survey import as_found, survey

# Docker's own exit code, as against those of the command (docker run's manual).
_DOCKER = 125


def run(order: Order, command: Sequence[str], hear: Hear) -> int:
    """Run a command in a container that is there for it alone; return its exit code.

    The experiment is locked meanwhile: nobody updates it under the command's feet.

    Args:
        order: Which experiment.
        command: Its words; a single one is a text for the shell.
        hear: Is told what it writes.

    Raises:
        UsageError: There is no such experiment, or it has never been ready.
        EnvironmentFailed: The host, its engine or the connection failed.
    """
    with order.lab() as lab:
        lab.lock(order.names, wait=order.wait)
        found = survey(lab, order.names, host=order.identity().virtual_host)
        standing, names = found.standing, order.names
        if not (standing.branch or standing.folder):
            raise unknown(lab, order)
        version = standing.routed
        if version not in standing.containers:
            raise UsageError(
                f"{names.app}/{names.name} has no container that serves, so there is no image to try it with",
                hint="`labrig experiment status` tells more",
            )
        at = as_found(names, found)
        asked = ("docker", "container", "inspect", "--format={{.Config.Image}}", names.container(version))
        image = lab.run(Command(asked)).out.strip()
        given = ("-c", *command) if len(command) == 1 else ("-c", 'exec "$@"', "sh", *command)
        lab.run(Command(("docker", "rm", "--force", names.trial), may_fail=True))
        try:
            done = lab.run(
                Command(
                    (
                        *("docker", "run", "--init", "--rm", f"--name={names.trial}"),
                        *label_options({**at.labels, VERSION: version}),
                        *at.kept.limits.options,
                        *(f"--network={names.network}", f"--env-file={names.environment(version)}"),
                        *("--entrypoint=sh", image, *given),
                    )
                ),
                seconds=None,
                hear=hear,
            )
        except KeyboardInterrupt:
            lab.run(Command(("docker", "rm", "--force", names.trial), may_fail=True))
            raise
        if done.code == _DOCKER:
            raise EnvironmentFailed(f"{lab.host} cannot run it: {done.err.strip()[-300:]}")
        return done.code
