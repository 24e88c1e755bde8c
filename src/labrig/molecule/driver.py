"""The driver: Molecule's machines are labrig's, made and removed by the playbooks beside this module."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molecule.driver.base import Driver
from molecule.logger import get_logger
from molecule.util import sysexit_with_message

from labrig.ansible.workspace import LOCAL_ENGINE
from labrig.engine.ownership import RunLock
from labrig.errors import LabrigError
from labrig.molecule import inventory, names
from labrig.molecule.place import PREFIX, Place

if TYPE_CHECKING:
    from molecule.config import Config

LOG = get_logger(__name__)

names.make_known()


class Labrig(Driver):
    """Starts machines as ``labrig prove`` does: systemd, unprivileged, up in under a second.

    Reads the platforms of Molecule's docker driver. ``snapshot:`` names an image to start from instead of ``image:``.
    """

    title = "Machines of labrig: systemd containers, unprivileged, up in under a second."

    def __init__(self, config: Config | None = None) -> None:
        # Molecule asks for drivers without a scenario as well, to list or to reset them.
        super().__init__(config)  # type: ignore[arg-type]
        self._name = names.NAME
        self._lock: RunLock | None = None

    @property
    def name(self) -> str:
        """The driver's name."""
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name = value

    @property
    def login_cmd_template(self) -> str:
        """What `molecule login` runs."""
        return (
            "DOCKER_HOST={engine} docker exec -e COLUMNS={columns} -e LINES={lines} -e TERM=xterm "
            "-ti {container} /bin/sh -c 'exec $(command -v bash || echo sh) -l'"
        )

    def login_options(self, instance_name: str) -> dict[str, str]:
        """Return what stands for the names in the template."""
        return {
            "instance": instance_name,
            "container": self._place.container(instance_name),
            "engine": os.environ.get("DOCKER_HOST") or LOCAL_ENGINE,
        }

    @property
    def default_ssh_connection_options(self) -> list[str]:
        """No machine is reached by SSH."""
        return []

    @property
    def default_safe_files(self) -> list[str]:
        """Nothing is kept of what playbooks leave in the scenario's folder."""
        return []

    def ansible_connection_options(self, instance_name: str) -> dict[str, Any]:
        """Return the variables with which Ansible reaches a machine.

        Each command of Molecule asks for them. From then on, until its process ends, the machines are in use.
        """
        # Anew each time: with the machines, who removed them has removed what was locked.
        self._lock = RunLock(self._place.run, shared=True)
        try:
            self._lock.__enter__()
        except LabrigError as error:
            sysexit_with_message(f"{error.message} ({error.hint})")
        return self._place.connection(instance_name, os.environ, sessions=self._wants_sessions)

    @property
    def testinfra_options(self) -> dict[str, str]:
        """Return the options of Testinfra, whose inventory differs in the connection alone."""
        folder = inventory.for_tests(self._config, self._place)
        options = {"connection": "ansible", "ansible-inventory": str(folder)}
        # A pytest of another environment, which Molecule would run as well, does not know the option.
        is_own = shutil.which("pytest") == str(Path(sys.executable).parent / "pytest")
        return {**options, "docker-through": "session"} if is_own and self._wants_sessions else options

    def sanity_checks(self) -> None:
        """Nothing is to be checked beforehand: what fails says why, and the engine is asked only where it is needed."""

    def schema_file(self) -> str:
        """Return the schema of the driver's options."""
        return str(Path(__file__).parent / "schema" / "driver.json")

    def reset(self) -> None:
        """Remove all machines of Molecule's that this user has on this engine and that no other process uses."""
        from labrig.engine import ownership, sweep  # noqa: PLC0415  # Docker's library, where it is needed
        from labrig.engine.client import connect  # noqa: PLC0415

        try:
            client = connect()
            mine = [
                thing
                for thing in sweep.find(client)
                if thing.ownership.run.startswith(PREFIX)
                and thing.ownership.seat == ownership.here()
                and not ownership.is_alive(thing.ownership.run)
            ]
            sweep.remove(client, mine)
        except LabrigError as error:
            # Molecule resets all drivers that are installed, also where there is no engine.
            LOG.warning("Machines of labrig, if there are any, stay: %s", error.message)

    @property
    def _wants_sessions(self) -> bool:
        return bool(self.options.get("sessions", True))

    @property
    def _place(self) -> Place:
        return Place.of(self._config.scenario.ephemeral_directory)
