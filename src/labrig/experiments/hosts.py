"""The lab host of an experiment: the only one of the settings, the one that is named, or the one where it belongs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from labrig.errors import EnvironmentFailed, LabrigError, UsageError
from labrig.experiments import placement
from labrig.experiments.command import Command
from labrig.experiments.connection import Lab, lab
from labrig.experiments.naming import Names
from labrig.experiments.placement import Seen
from labrig.experiments.running import Runner
from labrig.experiments.settings import Settings
from labrig.experiments.survey import is_unanswered
from labrig.project_file import nearest

# What ssh takes for "read no file of settings".
NO_CONFIG = Path("none")


def chosen(settings: Settings, host: str) -> tuple[str, ...]:
    """Return the lab hosts that are meant: the one that is named, else all of the settings.

    Raises:
        UsageError: The settings have no such host.
    """
    if not host:
        return settings.host
    if host in settings.host:
        return (host,)
    near = nearest(host, settings.host)
    raise UsageError(
        f"--host {host}: the settings have no such lab host",
        hint=f"did you mean {near}?" if near else f"there are {', '.join(settings.host)}",
    )


def configuration(settings: Settings, file: Path | None) -> Path | None:
    """Return the file of ssh's settings: the one that is named, or none where the settings want none to be read."""
    return file or (None if settings.ssh_config else NO_CONFIG)


@contextlib.contextmanager
def of(settings: Settings, names: Names, *, host: str = "", config: Path | None = None) -> Iterator[Lab]:
    """Hold a connection to the lab host of an experiment; of several, all are asked at once.

    Args:
        settings: The application's.
        names: The experiment's.
        host: The lab host, without asking the others.
        config: Another file than ~/.ssh/config.

    Raises:
        UsageError: It is on several, or there is no such host.
        EnvironmentFailed: None can be reached, or it may be on one that cannot.
    """
    meant = chosen(settings, host)
    file = configuration(settings, config)
    if len(meant) == 1:
        with lab(meant[0], config=file) as only:
            yield only
        return
    with contextlib.ExitStack() as kept:

        def seen(one: str) -> tuple[Seen, contextlib.ExitStack | None, Lab | None]:
            with contextlib.ExitStack() as mine:
                try:
                    there = mine.enter_context(lab(one, config=file))
                    free = there.hello.memory
                    return Seen(one, free=free, has_it=has(there, names)), mine.pop_all(), there
                except LabrigError as error:
                    return Seen(one, refused=error.message), None, None

        with ThreadPoolExecutor(len(meant)) as pool:
            found = list(pool.map(seen, meant))
        for _, closing, _ in found:
            if closing is not None:
                kept.push(closing)
        place = placement.place([one for one, _, _ in found], f"{names.app}/{names.name}")
        there = next(there for one, _, there in found if one.host == place.host)
        assert there is not None  # noqa: S101  # what refused is never chosen
        yield there


def where(settings: Settings, names: Names, *, host: str = "", config: Path | None = None) -> str:
    """Return the lab host of an experiment, as the settings name it; nobody is asked where there is only one.

    Raises:
        UsageError: It is on several, or there is no such host.
        EnvironmentFailed: None can be reached, or it may be on one that cannot.
    """
    meant = chosen(settings, host)
    if len(meant) == 1:
        return meant[0]
    with of(settings, names, config=config) as there:
        return there.host


def has(there: Runner, names: Names) -> bool:
    """Tell whether something of an experiment is on a host.

    Raises:
        EnvironmentFailed: It could not be asked: what it has may not be taken for absent, and be made elsewhere.
    """
    filters = tuple(f"--filter=label={one}" for one in names.selectors)
    asked = {
        "folder": Command(("find", names.folder, "-maxdepth", "0"), may_fail=True),
        "containers": Command(("docker", "ps", "--all", "--quiet", *filters)),
        "volumes": Command(("docker", "volume", "ls", "--quiet", *filters)),
    }
    answers = there.run_all(asked)
    for name, command in asked.items():
        if is_unanswered(command, answers[name]):
            said = answers[name].err.strip()[-200:]
            raise EnvironmentFailed(f"{there.host} cannot tell whether it has {names.app}/{names.name}: {said}")
    return any(one.out.strip() for one in answers.values())
