"""Running ansible-playbook, and what came of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from labrig import clock
from labrig.ansible import reads
from labrig.ansible.events import Ended, Event, Started, Stats, parse
from labrig.ansible.reads import Reads
from labrig.ansible.workspace import Workspace
from labrig.errors import Interrupted

# Molecule's own: tasks that people keep out of tests, and out of the second deployment.
SKIPPED_TAGS = ("molecule-notest", "notest")
SKIPPED_AGAIN = ("molecule-idempotence-notest",)
LOOK_EVERY_SECONDS = 0.05
TERMINATE_SECONDS = 3.0
TAIL_LINES = 30


@dataclass(frozen=True)
class PlaybookRun:
    """One run of one playbook.

    Attributes:
        code: The exit code of ansible-playbook.
        timed_out: It was ended because its time was over.
        running: The tasks that had begun and not ended.
        tail: The last lines that Ansible printed.
        log: All that it printed.
        reads: What it looked at on this machine.
    """

    playbook: Path
    code: int
    events: tuple[Event, ...]
    seconds: float
    timed_out: bool
    running: tuple[Started, ...]
    tail: str
    log: Path
    reads: Reads = field(default_factory=Reads)

    @property
    def tasks(self) -> tuple[Ended, ...]:
        """The tasks that ended, in that order."""
        return tuple(event for event in self.events if isinstance(event, Ended))

    @property
    def stats(self) -> Stats | None:
        """The totals; None where the playbook was ended before them."""
        return next((event for event in reversed(self.events) if isinstance(event, Stats)), None)

    @property
    def ok(self) -> bool:
        """Everything went well on at least one machine: a play that matches no machine deploys nothing."""
        return self.code == 0 and not self.timed_out and bool(self.stats and self.stats.hosts)


class Processes:
    """The child processes of a run, so that all of them end when it does."""

    def __init__(self, watch: Callable[[int], None], forget: Callable[[int], None]) -> None:
        self._watch = watch
        self._forget = forget
        self._groups: set[int] = set()
        self._cancelled = False

    @contextmanager
    def start(
        self, command: list[str], *, cwd: Path, env: Mapping[str, str], output: IO[bytes]
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Start a process in a group of its own; the group is gone when the context ends."""
        if self._cancelled:
            raise Interrupted("interrupted")
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._groups.add(process.pid)
        self._watch(process.pid)
        try:
            yield process
        finally:
            end_group(process)
            self._groups.discard(process.pid)
            self._forget(process.pid)

    @property
    def cancelled(self) -> bool:
        """Nothing more is to be started."""
        return self._cancelled

    def cancel(self) -> None:
        """End everything that runs; nothing more will start."""
        self._cancelled = True
        for group in list(self._groups):
            _signal(group, signal.SIGTERM)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children: ask first, then insist."""
    if process.poll() is None:
        _signal(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(TERMINATE_SECONDS)
    _signal(process.pid, signal.SIGKILL)
    process.wait()


def run(
    workspace: Workspace,
    playbook: Path,
    *,
    name: str,
    processes: Processes,
    timeout: float,
    again: bool = False,
    on_event: Callable[[Event], None] = lambda _: None,
) -> PlaybookRun:
    """Run a playbook on the workspace's machines.

    Args:
        workspace: Where, and with what; its sessions are open meanwhile.
        playbook: The playbook.
        name: The step's name, for its log and events: ``deploy``, ``deploy-again``.
        processes: Who ends it if the run is interrupted.
        timeout: Seconds after which it is ended.
        again: It is the second deployment, which leaves out what the scenario excepts from idempotence.
        on_event: Called with each event as it happens.

    Raises:
        Interrupted: The run was cancelled meanwhile.
    """
    events_file = workspace.folder / f"{name}.events"
    log = workspace.folder / f"{name}.log"
    record = workspace.folder / f"{name}.reads"
    env = {
        **workspace.env,
        "ANSIBLE_CALLBACK_PLUGINS": plugin_path(workspace, "callback"),
        "ANSIBLE_CONNECTION_PLUGINS": plugin_path(workspace, "connection"),
        **({"LABRIG_SESSIONS": str(workspace.sessions)} if workspace.sessions else {}),
        "ANSIBLE_CALLBACKS_ENABLED": ",".join(filter(None, ["events", _enabled(workspace)])),
        "LABRIG_EVENTS_FILE": str(events_file),
        "LABRIG_MODULES": str(workspace.modules),
    }
    workspace.modules.mkdir(exist_ok=True)
    events_file.touch()
    began = clock.monotonic()
    timed_out = False
    with log.open("wb") as output, events_file.open(encoding="utf-8") as told:
        command = recorded(record, arguments(workspace, playbook, again=again))
        with processes.start(command, cwd=workspace.scenario.directory, env=env, output=output) as process:
            while process.poll() is None and not timed_out:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_EVERY_SECONDS)
                _tell(told, on_event)
                timed_out = process.poll() is None and clock.monotonic() - began > timeout
        # The context has ended the process where its time was over.
        code = process.returncode
    if processes.cancelled:
        raise Interrupted("interrupted")
    events = tuple(parse(events_file.read_text(encoding="utf-8").splitlines()))
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:])
    seconds = clock.monotonic() - began
    looked = what_was_read(record)
    return PlaybookRun(playbook, code, events, seconds, timed_out, _unfinished(events), tail, log, looked)


def recorded(record: Path, command: Sequence[str]) -> list[str]:
    """Return the command that runs a Python module, as words for ``-m``, and writes down what it looks at."""
    return [sys.executable, "-m", "labrig.ansible.recorder", str(record), *command]


def what_was_read(record: Path) -> Reads:
    """Return what a recorded command looked at; nothing where it did not come to record."""
    try:
        return reads.parse(record.read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        return Reads()


def arguments(workspace: Workspace, playbook: Path, *, again: bool) -> list[str]:
    """Return the module ansible with the words that make it ansible-playbook, and the scenario's options."""
    scenario = workspace.scenario
    options = dict(scenario.options)
    skipped = [
        str(options.pop("skip-tags", options.pop("skip_tags", ""))),
        *SKIPPED_TAGS,
        *(SKIPPED_AGAIN if again else ()),
    ]
    options["skip-tags"] = ",".join(filter(None, skipped))
    if playbook != scenario.playbooks.get("converge"):
        options.pop("become", None)
    command = ["ansible", "playbook", "--inventory", str(workspace.inventory)]
    for key, value in options.items():
        command.extend(option(str(key), value))
    return [*command, *scenario.arguments, str(playbook)]


def option(key: str, value: Any) -> list[str]:
    """Return an option as Molecule writes it: ``True`` is the option alone, ``False`` nothing, a list several."""
    dashed = f"-{key}" if len(key) == 1 or set(key) == {"v"} else f"--{key}"
    if value is True:
        return [dashed]
    if value is False or value is None:
        return []
    values = value if isinstance(value, list) else [value]
    return [word for one in values for word in ([f"{dashed}={one}"] if len(key) > 1 else [dashed, str(one)])]


def plugin_path(workspace: Workspace, kind: str) -> str:
    """Return where Ansible looks for plugins of a kind: labrig's own first, then those of the scenario or the user."""
    asked = workspace.env.get(f"ANSIBLE_{kind.upper()}_PLUGINS")
    # What the environment says, Ansible does not read in its configuration any more.
    configured = workspace.scenario.settings.get("defaults", {}).get(f"{kind}_plugins")
    return _paths(str(own_plugins(kind)), asked or (str(configured) if configured else None))


def own_plugins(kind: str) -> Path:
    """Return the folder of labrig's own plugins of a kind: in the collection beside the package, or in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = Path("ansible_collections/labrig/core/plugins") / kind
    installed = package.parent / inside
    return installed if installed.is_dir() else package.parents[1] / "collections" / inside


def _enabled(workspace: Workspace) -> str:
    asked = workspace.scenario.settings.get("defaults", {})
    return str(
        workspace.env.get("ANSIBLE_CALLBACKS_ENABLED")
        or asked.get("callbacks_enabled")
        or asked.get("callback_whitelist")
        or ""
    )


def _paths(*paths: str | None) -> str:
    return ":".join(path for path in paths if path)


def _tell(told: IO[str], on_event: Callable[[Event], None]) -> None:
    while True:
        place = told.tell()
        line = told.readline()
        if not line.endswith("\n"):
            told.seek(place)
            return
        for event in parse([line]):
            on_event(event)


def _unfinished(events: tuple[Event, ...]) -> tuple[Started, ...]:
    running: dict[str, Started] = {}
    for event in events:
        if isinstance(event, Started):
            running[event.host] = event
        elif isinstance(event, Ended):
            running.pop(event.host, None)
    return tuple(running.values())


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
