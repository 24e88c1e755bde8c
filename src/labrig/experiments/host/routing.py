"""``labrig-edge``: the edge's files of experiments, written and removed by root for the service user.

What nginx refuses, by itself or together with all else, never stays among its files: what was there before is put
back, so that the files always tell where requests go. When a call returns, no process of nginx begins one by older
files. Calls at one time share a reload.
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

    Whatever is raised, what was there before is there again.

    Raises:
        UsageError: It has no name of an experiment's file, nginx refuses it, or it is for a host name of another file.
        EnvironmentFailed: nginx does not run, or does not take all of its files.
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
        _change(path, new)
    finally:
        new.unlink(missing_ok=True)


def remove(name: str, folder: Path = Path(edge.FOLDER)) -> None:
    """Remove a file of the edge, if it is there, and put that into effect; an edge that does not run need not know.

    Raises:
        UsageError: It has no name of an experiment's file.
        EnvironmentFailed: nginx does not take all of its files; this one is there again.
    """
    _change(folder / _checked(name), None)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"expected the name of a file of an experiment, such as shop--login.conf, found {name!r}")
    return name


def _validate(file: Path, name: str) -> None:
    done = subprocess.run([*VALIDATE, str(file)], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().replace(str(file), name)
        raise UsageError(f"nginx refuses {name}: {said}")


def _change(path: Path, new: Path | None) -> None:
    """Let a new file take a file's place, or remove that; put it into effect, or back where that fails."""
    before = path.with_name(f".{path.name}.before")
    is_in_effect = path.suffix == ".conf" and (new is not None or _main_process() is not None)
    try:
        with _locked(CHANGES):
            if new is not None:
                _check_hosts(new, path)
            before.unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError):
                before.hardlink_to(path)
            if new is None:
                path.unlink(missing_ok=True)
            else:
                new.replace(path)
            # Before anybody else's reload meets it.
            if is_in_effect and (said := _refusal()):
                _put_back(path, before)
                raise EnvironmentFailed(
                    f"nginx refuses its files as a whole: {said}", hint="who keeps the lab host has to mend that first"
                )
        if is_in_effect:
            try:
                _put_into_effect(path.parent)
            except BaseException:
                with _locked(CHANGES):
                    _put_back(path, before)
                    # It may still take up what it was told before; what it is told last counts.
                    if main := _main_process():
                        os.kill(main, signal.SIGHUP)
                raise
    finally:
        before.unlink(missing_ok=True)


def _put_back(path: Path, before: Path) -> None:
    try:
        before.replace(path)
    except FileNotFoundError:
        path.unlink(missing_ok=True)


def _check_hosts(new: Path, path: Path) -> None:
    """Refuse a host name that another file has: of two, nginx answers by whichever it reads first."""
    wanted = edge.hosts(new.read_text(encoding="utf-8", errors="replace"))
    for other in sorted(path.parent.glob("[!.]*.conf")):
        if other != path and (both := wanted & edge.hosts(other.read_text(encoding="utf-8", errors="replace"))):
            raise UsageError(f"host name {min(both)} is that of {other.stem} already")


def _refusal() -> str:
    """Return why nginx refuses its files as they are; empty where it takes them."""
    done = subprocess.run(["nginx", "-t", "-q"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return (done.stderr.strip() or f"its test ends with {done.returncode}") if done.returncode else ""


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
            raise EnvironmentFailed(f"nginx does not take its files: {_refusal() or 'its error log tells why'}")
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
