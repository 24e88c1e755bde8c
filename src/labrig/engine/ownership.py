"""Whose a Docker object is: the labels that everything of labrig carries from the moment it is made.

Objects are found and removed by exact label match alone, never by name. Labels of a container pass on to
images committed from it, and from an image to containers made of it, so ``labels`` always sets every one.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Self

from labrig import clock
from labrig.errors import EnvironmentFailed

PREFIX = "org.labrig."
OWNER = PREFIX + "owner"
KIND = PREFIX + "kind"
RUN = PREFIX + "run"
CREATED = PREFIX + "created"
EXPIRES = PREFIX + "expires"
KEEP = PREFIX + "keep"
# Of what tests make: the part of a run that it goes with, and the test as pytest calls it.
PART = PREFIX + "part"
TEST = PREFIX + "test"

NEVER = "never"
KEPT_FOR = timedelta(days=2)

# What belongs to one run and goes with it, against what is stored for later runs.
PASSING_KINDS = frozenset(
    {"machine", "network", "volume", "test", "test-image", "service", "secret", "config", "swarm"}
)
STORED_KINDS = frozenset({"image", "snapshot"})
# What a group of services consists of: it stands until somebody stops the group.
GROUP_KIND = "group"
# Docker passes the labels of an image on to every container made of it, and those of a container to images made of
# that: only these kinds are what labrig itself made as a container, a network, a volume, an image.
KINDS = {
    "container": frozenset({"machine", "test", GROUP_KIND}),
    "network": frozenset({"network", GROUP_KIND}),
    "volume": frozenset({"volume"}),
    "image": STORED_KINDS | {"test-image", GROUP_KIND},
    "service": frozenset({"service"}),
    "secret": frozenset({"secret"}),
    # A hold on the swarm is a config as well.
    "config": frozenset({"config", "swarm"}),
}
# And only names in labrig's own name space are its images: what somebody builds FROM one of them bears its labels too.
IMAGES = "labrig/"
# Images that people have named: they go when they are pruned, not when their time is over.
NAMED_IMAGES = "labrig/production/"


def here() -> str:
    """Return ``user@host``: the seat whose runs this process can tell alive from dead."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def cache_directory() -> Path:
    """Return labrig's folder for what is remembered between runs; ``LABRIG_CACHE`` moves it."""
    chosen = os.environ.get("LABRIG_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "labrig"


def labels(
    *, kind: str, project: str, run: str = "", expires: datetime | None = None, keep: bool = False
) -> dict[str, str]:
    """Return the complete label set of one object.

    Args:
        kind: ``machine``, ``test`` (a container in a test), ``network``, ``volume``, ``snapshot``, ``image``,
            ``test-image`` (one that goes with its run) or ``group``.
        project: The project's name.
        run: The run that the object belongs to; empty for what outlives its run.
        expires: When a sweep may remove it although its run is not known to be dead; None is never.
        keep: The user asked to keep it: only its expiry or ``labrig clean`` removes it.
    """
    return {
        OWNER: f"{here()}/{project}",
        KIND: kind,
        RUN: run,
        CREATED: clock.now().isoformat(timespec="seconds"),
        EXPIRES: expires.isoformat(timespec="seconds") if expires else NEVER,
        KEEP: "yes" if keep else "no",
    }


@dataclass(frozen=True)
class Ownership:
    """What the labels of one object say.

    ``seat`` is the ``user@host`` that made it; ``part`` and ``test`` are empty but for what tests make.
    """

    seat: str
    project: str
    kind: str
    run: str
    created: str
    expires: datetime | None
    keep: bool
    part: str = ""
    test: str = ""

    @classmethod
    def read(cls, found: Mapping[str, str] | None) -> Ownership | None:
        """Return the ownership that labels declare, or None for an object that is not labrig's."""
        if not found or not found.get(OWNER) or not found.get(KIND):
            return None
        seat, _, project = found[OWNER].partition("/")
        expires: datetime | None = None
        with contextlib.suppress(ValueError):
            expires = datetime.fromisoformat(found.get(EXPIRES, ""))
            if expires.tzinfo is None:
                expires = expires.replace(tzinfo=UTC)
        return cls(
            seat=seat,
            project=project,
            kind=found[KIND],
            run=found.get(RUN, ""),
            created=found.get(CREATED, ""),
            expires=expires,
            keep=found.get(KEEP) == "yes",
            part=found.get(PART, ""),
            test=found.get(TEST, ""),
        )

    def expired(self) -> bool:
        """Tell whether its time is over."""
        return self.expires is not None and self.expires <= clock.now()


def new_run_id() -> str:
    """Return an identifier that no other run on the engine has, for example ``20260131-1205-9f3c2a``."""
    return f"{clock.now():%Y%m%d-%H%M}-{secrets.token_hex(3)}"


class RunLock:
    """Shows other processes of this seat that a run is alive, for as long as this process lives.

    The kernel releases the lock when the process ends, however it ends, so nothing can go stale. A run that is
    ``shared`` by several processes is alive as long as one of them is.
    """

    def __init__(self, run: str, *, shared: bool = False) -> None:
        self._path = run_path(run)
        # Whoever asks at this moment whether a run is alive holds its lock; the next moment it is to be had.
        self._kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB
        self._shared = shared
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            if self._path.parent.stat().st_uid != os.getuid():
                raise EnvironmentFailed(f"{self._path.parent} belongs to somebody else", hint="remove it")
            self._file = self._path.open("w")
            fcntl.flock(self._file, self._kind)
        except OSError as error:
            raise EnvironmentFailed(
                f"cannot write {self._path}: {error.strerror}", hint="make /tmp a folder that can be written"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        if not self._shared:
            self._path.unlink(missing_ok=True)
        if self._file is not None:
            self._file.close()

    def after_fork(self) -> None:
        """Let go of it in a forked process; in the one that it was forked from it stays."""
        if self._file is not None:
            self._file.close()


def forget(run: str) -> None:
    """Remove what a shared run leaves on the disk, once nothing of it is there any more."""
    run_path(run).unlink(missing_ok=True)


@contextlib.contextmanager
def turn(name: str, *, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Let one process of this user at a time do something; the others wait for their turn.

    Args:
        name: What is done; no two things have one name.
        on_wait: Called each time that another process has to be waited for.
    """
    path = run_path(name)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    while True:
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(file, fcntl.LOCK_EX)
            # Whoever had it before may have removed the file: then others hold another one of that name.
            if not _is_at(path, file.fileno()):
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def is_alive(run: str) -> bool:
    """Tell whether a run of this seat is still going on."""
    try:
        with run_path(run).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def is_orphan(ownership: Ownership) -> bool:
    """Tell whether an object may be swept: its time is over, or its run is known to be dead and nobody keeps it."""
    mine = bool(ownership.run) and ownership.seat == here()
    if ownership.expired():
        return not (mine and is_alive(ownership.run))
    if ownership.keep or ownership.kind not in PASSING_KINDS:
        return False
    return mine and not is_alive(ownership.run)


def run_path(run: str, suffix: str = ".lock") -> Path:
    """Return where something of a run lies that all processes of a user have to see, whatever their variables."""
    # One that does not see another's lock sweeps it.
    return Path("/tmp") / f"labrig-{os.getuid()}" / f"{run}{suffix}"  # noqa: S108  # the folder is checked
