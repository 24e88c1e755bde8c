"""Looking at the machines of a scenario, and deploying to them once more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from molecule.exceptions import ScenarioFailureError
from molecule.provisioner.ansible_playbook import AnsiblePlaybook

from labrig import clock
from labrig.ansible import events
from labrig.ansible.playbook import PlaybookRun, own_plugins
from labrig.engine.client import connect, engine_errors
from labrig.engine.machines import Machine, MachineSpec
from labrig.errors import EnvironmentFailed, UsageError
from labrig.molecule import names
from labrig.molecule.place import Place
from labrig.state import capture
from labrig.state.model import State

if TYPE_CHECKING:
    from molecule.config import Config

EVENTS = "deploy-again.events"


class Looking:
    """The machines of one scenario that Molecule runs.

    Raises:
        UsageError: The scenario's driver is neither labrig's nor Docker's.
        EnvironmentFailed: The engine does not answer, or a machine is not there.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        driver = config.driver.name
        if driver not in (names.NAME, "docker"):
            raise UsageError(
                f"verifier {names.NAME} looks at machines of the drivers {names.NAME} and docker, not of {driver}",
                hint="set `driver: {name: labrig}`, or use verifier testinfra",
            )
        client = connect()
        place = Place.of(config.scenario.ephemeral_directory)
        self._machines = []
        for platform in config.platforms.instances:
            name = str(platform["name"])
            container = place.container(name) if driver == names.NAME else name
            with engine_errors(f"look at machine {name}"):
                found = client.containers.list(all=True, filters={"name": f"^/{container}$"})
            if not found or found[0].status != "running":
                raise EnvironmentFailed(
                    f"machine {name} does not run (container {container})",
                    hint="`molecule destroy` and `molecule converge` make it anew",
                )
            spec = MachineSpec(name, str(platform.get("image")), str(platform.get("hostname") or name))
            self._machines.append(Machine(client, found[0], spec, boots=True))

    def states(self) -> dict[str, State]:
        """Return the states of the machines as they are now, by name."""
        addresses = {machine.name: machine.addresses() for machine in self._machines}
        found = {}
        for machine in self._machines:
            machine.settle()
            peers = {one: name for name, own in addresses.items() if name != machine.name for one in own}
            asked = capture.request(own_addresses=addresses[machine.name], peers=peers, key=capture.FINGERPRINT_KEY)
            found[machine.name] = capture.capture(
                machine.stream, asked=asked, python=machine.python(), source=f"the state of machine {machine.name}"
            )
        return found

    def deploy_again(self) -> PlaybookRun:
        """Run the scenario's converge playbook as Molecule does to ask for idempotence."""
        provisioner = self._config.provisioner
        assert provisioner is not None  # noqa: S101  # Molecule knows no other than Ansible
        told = Path(self._config.scenario.ephemeral_directory) / EVENTS
        told.write_text("", encoding="utf-8")
        action = self._config.action
        # What a playbook leaves out of the second deployment, Molecule leaves out where it is called so.
        self._config.action = "idempotence"
        try:
            playbook = AnsiblePlaybook(provisioner.playbooks.converge, self._config)
            settings = provisioner.config_options.get("defaults", {})
            for variable, key, own, separator in (
                ("ANSIBLE_CALLBACK_PLUGINS", "callback_plugins", str(own_plugins("callback")), ":"),
                ("ANSIBLE_CALLBACKS_ENABLED", "callbacks_enabled", "events", ","),
            ):
                asked = provisioner.env.get(variable) or settings.get(key)
                playbook.add_env_arg(variable, separator.join(filter(None, [own, asked])))
            playbook.add_env_arg("LABRIG_EVENTS_FILE", str(told))
            began = clock.monotonic()
            code, said = 0, ""
            try:
                playbook.execute()
            except ScenarioFailureError as error:
                code, said = error.code, str(error.ansible_output)
        finally:
            self._config.action = action or ""
        happened = tuple(events.parse(told.read_text(encoding="utf-8").splitlines()))
        return PlaybookRun(
            Path(str(provisioner.playbooks.converge)),
            code,
            happened,
            clock.monotonic() - began,
            timed_out=False,
            running=(),
            tail=said,
            log=told,
        )
