"""Where an application's settings for experiments stand, and everything that is wrong with them, with file and line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from labrig import yaml_file
from labrig.errors import UsageError
from labrig.experiments import defaults as layers
from labrig.experiments import labtest, naming
from labrig.experiments.labtest import Way
from labrig.experiments.settings import Settings
from labrig.project_file import FILE, nearest, way

SECTION = "experiment"
Problem = tuple[Way, str]


class NoSettings(UsageError):
    """There are no settings for experiments."""


@dataclass(frozen=True)
class Source:
    """A file that has settings.

    Attributes:
        path: The file.
        text: Its content.
        section: Where in it they stand.
        options: The settings, by labrig's names.
        ways: For those that the file calls otherwise: what it calls them.
        problems: What could not be said by labrig's names.
        known: The options that the file may have.
        is_yaml: It is YAML, of which lines are known exactly.
    """

    path: Path
    text: str = field(repr=False)
    section: str
    options: Mapping[str, Any] = field(repr=False)
    ways: Mapping[Way, Way] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    known: tuple[str, ...] = tuple(Settings.model_fields)
    is_yaml: bool = True

    def has(self, steps: Way) -> bool:
        """Tell whether an option is given here, by labrig's names."""
        here: Any = self.options
        try:
            for step in steps:
                here = here[step]
        except (KeyError, IndexError, TypeError):
            return False
        return True

    def own_way(self, steps: Way) -> Way:
        """Return the way to an option as the file has it."""
        for count in range(len(steps), 0, -1):
            if steps[:count] in self.ways:
                return (*self.ways[steps[:count]], *steps[count:])
        return steps

    def line(self, steps: Way) -> int:
        """Return the line of an option as the file has it; of its section where it has none."""
        if self.is_yaml:
            return yaml_file.line_of(self.text, (*filter(None, (self.section,)), *steps))
        lines = self.text.splitlines()
        start = next((number for number, one in enumerate(lines) if self.section in one), 0)
        key = next((str(step) for step in reversed(steps) if isinstance(step, str)), "")
        is_it = re.compile(rf"""["']?{re.escape(key)}["']?\s*[:=]""")
        return next((start + at + 1 for at, one in enumerate(lines[start:]) if key and is_it.search(one)), start + 1)


def find(folder: Path) -> Source:
    """Return the settings for a folder: from labrig.yml or LabTest's files, in it or the nearest folder above.

    Raises:
        NoSettings: There are none.
        UsageError: A file cannot be read.
    """
    folder = folder.resolve()
    for place in (folder, *folder.parents):
        for name in (FILE, *labtest.FILES):
            if (place / name).is_file():
                source = read_source(place / name)
                if source is not None:
                    return source
    raise NoSettings(
        f"there are no settings for experiments in {folder} or above: no {FILE} with a section {SECTION}",
        hint="labrig experiment init writes one",
    )


def read_source(path: Path) -> Source | None:
    """Return the settings that a file has; None where it has no section for them.

    Raises:
        UsageError: It cannot be read.
    """
    text = yaml_file.read_text(path)
    if path.name in labtest.FILES:
        found = labtest.content(path, text)
        if found is None:
            return None
        options, ways, problems = labtest.translated(found)
        known = (*labtest.OPTIONS, *labtest.BUILT_IN, *(set(Settings.model_fields) - set(labtest.OPTIONS.values())))
        is_yaml = path.suffix in {".yml", ".yaml"}
        return Source(path, text, labtest.SECTION, options, ways, tuple(problems), known, is_yaml)
    content = yaml_file.parse_mapping(text, path)
    if SECTION not in content:
        return None
    section = content[SECTION] or {}
    if not isinstance(section, dict):
        line = yaml_file.line_of(text, [SECTION])
        raise UsageError(f"{path}:{line}: {SECTION}: expected a mapping, found {type(section).__name__}")
    own = {key: value for key, value in section.items() if not str(key).startswith("x-")}
    return Source(path, text, SECTION, own)


def settings(source: Source, *defaults: Source, app: str = "") -> Settings:
    """Return checked settings.

    Args:
        source: The file's.
        defaults: What holds where the file says nothing, the most general first.
        app: The application where nothing names one.

    Raises:
        UsageError: All that is wrong, each with its line.
    """
    named = {"app": naming.label(app)} if app else {}
    try:
        checked = Settings.model_validate(layers.merged(named, *(one.options for one in defaults), source.options))
    except ValidationError as error:
        own = [(source, steps, text) for steps, text in source.problems]
        problems = [*own, *_problems((source, *reversed(defaults)), error)]
        raise _wrong(source, problems, _missing(source, error)) from error
    if source.problems:
        raise _wrong(source, [(source, steps, text) for steps, text in source.problems], [])
    return checked


def read(folder: Path) -> tuple[Source, Settings]:
    """Return the settings for a folder, and where they stand; the application is called as its repository's folder is.

    Raises:
        UsageError: There are none, or something is wrong with them.
    """
    source = find(folder)
    return source, settings(source, app=_top(source.path.parent).name)


def _top(folder: Path) -> Path:
    """Return the top folder of the repository that a folder is in; the folder itself where it is in none."""
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)


def _missing(source: Source, error: ValidationError) -> list[str]:
    """Return the required options of the whole that are missing."""
    ways = {one: own for own, one in labtest.OPTIONS.items()} if source.section == labtest.SECTION else {}
    steps = [one["loc"] for one in error.errors() if one["type"] == "missing" and len(one["loc"]) == 1]
    return [ways.get(str(one[0]), str(one[0])) for one in steps]


def _problems(sources: Sequence[Source], error: ValidationError) -> list[tuple[Source, Way, str]]:
    """Return what is wrong, each with the source that says it, the uppermost of those that do."""
    found: list[tuple[Source, Way, str]] = []
    for one in error.errors():
        steps = tuple(step for step in one["loc"] if step != "[key]")
        if one["type"] == "missing":
            steps = steps[:-1]
        source = next((each for each in sources if each.has(steps)), sources[0])
        if one["type"] == "missing":
            if steps:
                found.append((source, source.own_way(steps), f"{one['loc'][-1]} is missing"))
        elif one["type"] == "extra_forbidden":
            known = source.known if len(steps) == 1 else tuple(_model_of(Settings, steps[:-1]).model_fields)
            near = nearest(str(steps[-1]), known)
            meant = f"did you mean {near}?" if near else f"there are {', '.join(known)}"
            found.append((source, source.own_way(steps), f"unknown option: {meant}"))
        else:
            found.append((source, source.own_way(steps), str(one["msg"]).removeprefix("Value error, ")))
    return found


def _model_of(model: type[BaseModel], steps: Sequence[str | int]) -> type[BaseModel]:
    """Return the model of the section to which keys lead; keys of mappings and places in lists lead nowhere else."""
    for step in steps:
        known = model.model_fields.get(str(step))
        model = (_section_in(known.annotation) if known else None) or model
    return model


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _section_in(one))), None)


def _wrong(source: Source, problems: Sequence[tuple[Source, Way, str]], missing: Sequence[str]) -> UsageError:
    # A problem of a union is told once for each member.
    by_way: dict[tuple[Path, Way], tuple[Source, str]] = {}
    for where, steps, text in problems:
        by_way.setdefault((where.path, steps), (where, text))
    lines = sorted((str(path), where.line(steps), way(steps), text) for (path, steps), (where, text) in by_way.items())
    words = [f"{path}:{line}: {': '.join(filter(None, (name, text)))}" for path, line, name, text in lines]
    if missing:
        words.append(f"{source.path}:{source.line(())}: {source.section} lacks {', '.join(missing)}")
    hint = "labrig experiment init prints every option with its meaning" if missing else ""
    return UsageError("\n  ".join(words), hint=hint)
