"""The names `labrig` of driver and verifier, which Molecule's own schema would not let pass.

Molecule accepts as a driver's name one of a list, or one that begins with ``molecule-`` or ``custom-``, and as a
verifier's name one of four. It loads the plugins of drivers before it looks at any scenario, so this is in time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from molecule.model import schema_v3

NAME = "labrig"
DEFINITIONS = ("MoleculeDriverModel", "VerifierModel")


def make_known() -> None:
    """Let Molecule accept the names; more than once does no harm."""
    own = vars(schema_v3)
    validate = own.get("jsonschema_validate")
    if validate is not None and not isinstance(validate, _Knowing):
        own["jsonschema_validate"] = _Knowing(validate)


class _Knowing:
    """Validates against a schema that knows labrig's names as well."""

    def __init__(self, validate: Callable[..., None]) -> None:
        self._validate = validate

    def __call__(self, instance: Any, schema: dict[str, Any], *rest: Any, **options: Any) -> None:
        for definition in DEFINITIONS:
            name = schema.get("$defs", {}).get(definition, {}).get("properties", {}).get("name", {})
            for known in (name, *name.get("anyOf", ())):
                if "enum" in known and NAME not in known["enum"]:
                    known["enum"].append(NAME)
                    break
        self._validate(instance, schema, *rest, **options)
