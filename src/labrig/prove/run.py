"""One run of labrig on an engine: its name, its processes, its folder, and its end, however it ends."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from docker import DockerClient

from labrig import clock
from labrig.ansible.playbook import Processes
from labrig.ansible.scenario import Platform
from labrig.ansible.workspace import Workspace
from labrig.engine import networks, ownership, sweep
from labrig.engine.client import connect
from labrig.engine.machines import Machine, MachineSpec
from labrig.engine.ownership import RunLock
from labrig.engine.reaper import Reaper
from labrig.errors import Interrupted, LabrigError
from labrig.prove import platforms
from labrig.session.broker import Broker
from labrig.state.secrets import masked

KEPT_LOGS = 20


class Run:
    """Everything that is started for one proof or one snapshot; a context manager that leaves nothing behind.

    Attributes:
        id: The run's identifier, in the labels of all that it makes.
        folder: Its folder for temporary files.
        processes: Its child processes.
        machines: Those that run, in the order in which they were started.
        memories: What was last remembered of a machine of a name, on either path, as in ``capture.Memory``.
    """

    def __init__(self, project: str, *, keep: bool = False) -> None:
        self.id = ownership.new_run_id()
        self.project = project
        self.keep = keep
        self.client: DockerClient = connect()
        self._lock = RunLock(self.id)
        self._reaper = Reaper(self.id)
        self.processes = Processes(self._reaper.watch_group, self._reaper.forget_group)
        self.folder = Path()
        self.machines: list[Machine] = []
        self.memories: dict[str, str] = {}
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._exits.enter_context(self._lock)
        self._exits.enter_context(self._reaper)
        self.folder = Path(tempfile.mkdtemp(prefix=f"labrig-{self.id}-")).resolve()
        self._reaper.watch_folder(str(self.folder))
        with contextlib.suppress(LabrigError):
            sweep.sweep(self.client)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.processes.cancel()
        try:
            if not self.keep:
                self.remove_machines()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._exits.close()
            self.client.close()

    def cancel(self) -> None:
        """End what runs, at once; machines go too, so that nothing waits for one of them."""
        self.processes.cancel()
        with contextlib.suppress(LabrigError):
            self.remove_machines()

    def remove_machines(self) -> None:
        """Remove every container and network of this run."""
        sweep.remove_run(self.client, self.id)

    def labels(self, kind: str) -> dict[str, str]:
        """Return the labels of something that belongs to this run."""
        expires: datetime | None = clock.now() + ownership.KEPT_FOR
        return ownership.labels(kind=kind, project=self.project, run=self.id, expires=expires, keep=self.keep)

    def start_machine(self, spec: MachineSpec, path: str) -> Machine:
        """Start a machine of this run and wait until it has booted."""
        self.check()
        machine = Machine.create(
            self.client, spec, container=f"labrig-{self.id}-{path}-{spec.name}", labels=self.labels("machine")
        )
        self.machines.append(machine)
        machine.wait_until_booted()
        return machine

    def create_networks(self, names: tuple[str, ...], path: str) -> dict[str, str]:
        """Create a path's own networks; return the scenario's names with those on the engine."""
        own = {name: f"labrig-{self.id}-{path}-{name}" for name in names}
        for name in own.values():
            networks.create(self.client, name, self.labels("network"))
        return own

    def create_volumes(self, names: tuple[str, ...], path: str) -> dict[str, str]:
        """Create a path's own volumes; return the scenario's names with those on the engine."""
        own = {name: f"labrig-{self.id}-{path}-{name}" for name in names}
        for name in own.values():
            networks.create_volume(self.client, name, self.labels("volume"))
        return own

    def start_machines(self, chosen: tuple[Platform, ...], images: Mapping[str, str], path: str) -> list[Machine]:
        """Start the machines of a scenario, each from its image, on networks and volumes that only this path has."""
        own_networks = self.create_networks(platforms.network_names(chosen), path)
        own_volumes = self.create_volumes(platforms.volume_names(chosen), path)
        return [
            self.start_machine(platforms.machine(one, images[one.name], own_networks, own_volumes), path)
            for one in chosen
        ]

    def sessions(self, space: Workspace) -> AbstractContextManager[Broker | None]:
        """Open sessions in the machines of a workspace; to be closed before anybody looks at what runs there."""
        return Broker(self.client, space.sessions) if space.sessions else contextlib.nullcontext()

    def check(self) -> None:
        """Raise ``Interrupted`` once the run was cancelled."""
        if self.processes.cancelled:
            raise Interrupted("interrupted")

    def save_logs(self, extra: Mapping[str, Path]) -> Path:
        """Keep what Ansible and the machines said where it outlives the run; return that folder."""
        runs = ownership.cache_directory() / "logs"
        folder = runs / self.id
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in extra.items():
            with contextlib.suppress(OSError):
                said = path.read_text(encoding="utf-8", errors="surrogateescape")
                (folder / name).write_text(masked(said), encoding="utf-8", errors="surrogateescape")
        for machine in self.machines:
            with contextlib.suppress(LabrigError, OSError):
                (folder / f"{machine.container}.json").write_text(
                    json.dumps(machine.inspect(), indent=1), encoding="utf-8"
                )
                journal = machine.execute(["journalctl", "--boot", "--no-pager", "--lines=2000"])
                said = journal.stdout.decode("utf-8", "replace") or machine.log_tail(500)
                (folder / f"{machine.container}.journal").write_text(masked(said), encoding="utf-8")
        for old in sorted(runs.iterdir())[:-KEPT_LOGS]:
            shutil.rmtree(old, ignore_errors=True)
        return folder


Say = Callable[[str, str, str], None]
"""Called with the path, the step that is taken on it, and the task within that step; empty as the step begins."""
