"""``labrig-edge``: the edge's files of experiments, written and removed by root for the service user.

Nothing that nginx refuses ever lies among its files. When a call returns, requests go by the files as they are: no
process of nginx begins one by older files. Calls at one time share a reload.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from labrig import clock
from labrig.errors import EnvironmentFailed, UsageError
from labrig.experiments import edge

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*\.(conf|users)")
# A virtual host is judged together with what all of them share; role edge has put both there.
VALIDATE = ("/usr/local/sbin/edge-validate", "/etc/nginx/conf.d/edge-http.conf")
PID = Path("/run/nginx.pid")
# Who has the first may change files. The second has the time of the folder when nginx read it last.
CHANGES = Path("/run/labrig-edge.changes")
RELOADS = Path("/run/labrig-edge.reloads")
# New processes of nginx are there within moments; requests in old ones are let end for so long.
RELOAD_SECONDS = 10.0
DRAIN_SECONDS = 10.0
_PAUSE = 0.01
_TICK = 0.02


def put(name: str, content: bytes, folder: Path = Path(edge.FOLDER)) -> None:
    """Write a file of the edge, and put it into effect.

    Raises:
        UsageError: It has no name of an experiment's file, or nginx refuses it; what was there before is still there.
        EnvironmentFailed: nginx does not run, or does not take its files.
    """
    path = folder / _checked(name)
    # Its name does not end as those that nginx reads.
    descriptor, name_of_new = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
    new = Path(name_of_new)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        if path.suffix == ".conf":
            new.chmod(0o644)
            _validate(new, name)
        else:
            # Hashes of passwords: nginx reads them for each request, and nobody else need.
            shutil.chown(new, group="www-data")
            new.chmod(0o640)
        with _locked(CHANGES):
            new.replace(path)
    except BaseException:
        new.unlink()
        raise
    if path.suffix == ".conf":
        _put_into_effect(folder)


def remove(name: str, folder: Path = Path(edge.FOLDER)) -> None:
    """Remove a file of the edge, if it is there, and put that into effect; an edge that does not run need not know.

    Raises:
        UsageError: It has no name of an experiment's file.
        EnvironmentFailed: nginx does not take its files.
    """
    path = folder / _checked(name)
    with _locked(CHANGES):
        path.unlink(missing_ok=True)
    if path.suffix == ".conf" and _main_process():
        _put_into_effect(folder)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"expected the name of a file of an experiment, such as shop--login.conf, found {name!r}")
    return name


def _validate(file: Path, name: str) -> None:
    done = subprocess.run([*VALIDATE, str(file)], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().replace(str(file), name)
        raise UsageError(f"nginx refuses {name}: {said}")


def _put_into_effect(folder: Path) -> None:
    """Reload nginx, unless it was since the folder changed last."""
    with _locked(RELOADS) as last:
        with _locked(CHANGES):
            # A change is another time of the folder, whichever way the clock goes.
            changed = str(folder.stat().st_mtime_ns)
            if last.read() == changed:
                return
            last.seek(0)
            last.truncate()
            # The kernel's clock for files ticks: what changes after this has another time.
            clock.sleep(_TICK)
            # A file that goes while nginx reads them all is an error to it.
            old = _reload()
        _drain(old)
        last.write(changed)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[IO[str]]:
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def _reload() -> frozenset[int]:
    """Let nginx read its files; return the processes that still work by older ones."""
    main = _main_process()
    if main is None:
        raise EnvironmentFailed("nginx does not run on the lab host", hint="systemctl status nginx tells why")
    old = frozenset(_workers(main))
    os.kill(main, signal.SIGHUP)
    end = clock.monotonic() + RELOAD_SECONDS
    while old.issuperset(_workers(main)):
        if clock.monotonic() > end:
            said = subprocess.run(["nginx", "-t", "-q"], capture_output=True, text=True, check=False).stderr.strip()
            raise EnvironmentFailed(f"nginx does not take its files: {said or 'its error log tells why'}")
        clock.sleep(_PAUSE)
    return old


def _drain(old: frozenset[int]) -> None:
    # They take no new requests; those that they have may be long, as a download or a WebSocket is.
    end = clock.monotonic() + DRAIN_SECONDS
    while any(_title(worker) for worker in old) and clock.monotonic() < end:
        clock.sleep(_PAUSE)


def _main_process() -> int | None:
    """Return the number of nginx's main process; None where it does not run."""
    with contextlib.suppress(OSError, ValueError):
        number = int(PID.read_text(encoding="ascii"))
        if _title(number).startswith("nginx: master"):
            return number
    return None


def _workers(main: int) -> Iterator[int]:
    """Yield the processes that answer requests."""
    for word in Path(f"/proc/{main}/task/{main}/children").read_text(encoding="ascii").split():
        if _title(int(word)).startswith("nginx: worker"):
            yield int(word)


def _title(number: int) -> str:
    """Return what a process calls itself; empty where it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{number}/cmdline").read_bytes().decode(errors="replace").rstrip("\0 ")
    return ""
