"""What the playbooks of labrig's driver do: makes or removes the machines of the scenario that Molecule runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

from labrig.ansible import scenario
from labrig.errors import LabrigError
from labrig.molecule import machines
from labrig.molecule.building import Builder
from labrig.molecule.place import Place
from labrig.prove import configuration


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible has no types
    """Runs on the controller, without a connection to anything but the engine."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what was made or removed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _options, asked = self.validate_argument_spec(
            {
                "state": {"choices": ["present", "absent"], "required": True},
                "platforms": {"type": "list", "elements": "dict", "default": []},
                "images": {"type": "dict", "default": {}},
            }
        )
        place = Place.of(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
        try:
            if asked["state"] == "absent":
                gone = machines.destroy(place)
                return {**result, "changed": bool(gone), "removed": gone}
            # Plain values: Ansible's own strings remember where they come from, and cannot be written as YAML.
            return {**result, **self._create(place, json.loads(json.dumps(asked)))}
        except LabrigError as error:
            raise AnsibleActionFail(error.message + (f" ({error.hint})" if error.hint else "")) from error

    def _create(self, place: Place, asked: dict[str, Any]) -> dict[str, Any]:
        project = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
        builder = Builder(
            place,
            project.name,
            Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]),
            Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]),
            self._rendered,
        )
        made = machines.create(
            place,
            tuple(scenario.platform(one) for one in asked["platforms"]),
            project=project.name,
            images={**configuration.read(project).images, **asked["images"]},
            instance_config=Path(os.environ["MOLECULE_INSTANCE_CONFIG"]),
            builder=builder,
        )
        told = [{"name": one.name, "container": one.container, "image": one.image} for one in made]
        failed = [
            f"{one.name} is up, but systemd says {one.status}: {one.failed_units}"
            for one in made
            if one.status != "running"
        ]
        return {"changed": True, "machines": told, **({"warnings": failed} if failed else {})}

    def _rendered(self, text: str, variables: Any) -> str:
        templar = self._templar.copy_with_new_env(available_variables=variables)
        return str(templar.template(trust_as_template(text)))
