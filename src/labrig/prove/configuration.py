"""labrig.yml: a project's own settings. A project needs none."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from labrig import yaml_file
from labrig.errors import UsageError
from labrig.project_file import FILE, SECTIONS, duration, nearest, way
from labrig.prove.allowed import Allowed


class Configuration(BaseModel):
    """The content of labrig.yml, but for the sections of others.

    Attributes:
        scenario: The Molecule scenario to prove where there are several.
        production: A git ref or an image: production's state.
        main: The branch that production is deployed from.
        images: Image names, or patterns of them, that a scenario has, with the image to use instead.
        matrix: Image names, or patterns of them, with the images that a proof of all scenarios uses in turn.
        timeout: How long a path may take.
        restart: Whether machines are restarted and must be the same after it.
        allowed: Differences that do not count.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenario: str | None = None
    production: str | None = None
    main: str | None = None
    images: dict[str, str] = Field(default_factory=dict)
    matrix: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    timeout: timedelta = timedelta(minutes=30)
    restart: bool = True
    allowed: tuple[Allowed, ...] = ()

    @field_validator("timeout", mode="before")
    @classmethod
    def _read_duration(cls, value: Any) -> Any:
        return duration(value) if isinstance(value, str | int | float) else value


def read(project: Path) -> Configuration:
    """Return a project's settings; keys that begin with ``x-`` are the project's own.

    Raises:
        UsageError: The file is not YAML, or has an unknown key or value; with the nearest known name.
    """
    path = project / FILE
    if not path.exists():
        return Configuration()
    text = yaml_file.read_text(path)
    content = yaml_file.parse_mapping(text, path)
    content = {key: value for key, value in content.items() if not str(key).startswith("x-") and key not in SECTIONS}
    try:
        return Configuration.model_validate(content)
    except ValidationError as error:
        # A key that is misspelt is the cause of one that is missing.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        steps = first["loc"]
        where = f"{path}:{yaml_file.line_of(text, steps)}"
        if first["type"] == "extra_forbidden":
            known = [*Configuration.model_fields, *SECTIONS] if len(steps) == 1 else list(Allowed.model_fields)
            raise UsageError(f"{where}: unknown key {steps[-1]!r}", hint=_meant(str(steps[-1]), known)) from error
        reason = str(first["msg"]).removeprefix("Value error, ")
        if first["type"] == "missing":
            reason = f"an entry needs {', '.join(_needed(Allowed))}"
        raise UsageError(f"{where}: {way(steps)}: {reason}") from error


def _meant(key: str, known: list[str]) -> str:
    near = nearest(key, known)
    return f"{f'did you mean {near}? ' if near else ''}known keys: {', '.join(known)}"


def _needed(model: type[BaseModel]) -> list[str]:
    return [name for name, field in model.model_fields.items() if field.is_required()]
