"""An engine of one's own, beside the machine's: to stop it, to fill its disk, to give it another cgroup version.

It needs root and a dockerd, and no network: its machines have none, which the projects of these tests do not miss.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

IMAGE = "labrig/debian-12:latest"
START_SECONDS = 60
ENGINE = """
set -e
ip link set lo up
mount -t tmpfs -o size={size} none {folder}/data
if [ {cgroup} = 2 ]; then umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; fi
exec dockerd -H unix://{folder}/docker.sock --data-root {folder}/data --exec-root {folder}/run --pidfile {folder}/pid \
  --bridge=none --iptables=false --ip6tables=false
"""


@dataclass(frozen=True)
class Engine:
    """A Docker Engine that a test may do anything to."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def host(self) -> str:
        """What DOCKER_HOST is for it."""
        return f"unix://{self.folder}/docker.sock"

    def docker(self, *words: str) -> str:
        """Run docker on it."""
        done = subprocess.run(["docker", "-H", self.host, *words], check=True, capture_output=True, text=True)
        return done.stdout

    def stop(self) -> None:
        """End it and what it runs, at once."""
        self.process.kill()
        self.process.wait()
        for pid in _processes_in(self.folder):
            with_group = Path(f"/proc/{pid}")
            if with_group.exists():
                os.kill(pid, 9)


@contextmanager
def own_engine(folder: Path, *, cgroup: int = 1, size: str = "1500m") -> Iterator[Engine]:
    """Start an engine that has the base image; it and all of its files are gone in the end."""
    if os.getuid() != 0 or shutil.which("dockerd") is None:
        reason = "an engine of one's own needs root and dockerd"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    for name in ("data", "run"):
        (folder / name).mkdir(parents=True)
    script = ENGINE.format(folder=folder, size=size, cgroup=cgroup)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "--net", "--propagation", "private", "bash", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    engine = Engine(folder, process)
    try:
        _wait(engine)
        with subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE) as saved:
            subprocess.run(["docker", "-H", engine.host, "load"], stdin=saved.stdout, check=True, capture_output=True)
        yield engine
    finally:
        engine.stop()


def _wait(engine: Engine) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if subprocess.run(["docker", "-H", engine.host, "version"], capture_output=True, check=False).returncode == 0:
            return
        if engine.process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError("the engine did not start:\n" + (engine.folder / "log").read_text()[-3000:])


def _processes_in(folder: Path) -> list[int]:
    """Return what the engine started: containerd, shims, and what runs in its containers."""
    shims = []
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_text(errors="replace")
            parents[int(path.name)] = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if str(folder) in words and int(path.name) != os.getpid() and ("containerd" in words or "dockerd" in words):
            shims.append(int(path.name))
    found = list(shims)
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid and child not in found]
    return found
