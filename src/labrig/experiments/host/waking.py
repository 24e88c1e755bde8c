"""Sleep: experiments that nobody asks for give their memory back, and the first request wakes them.

The edge's file of a sleeping experiment hands each request on to a socket, as ``POST /APP/NAME``, and answers by itself
with a page that asks again. What listens there wakes the experiment, under its lock, by a plan as any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from datetime import datetime
from ipaddress import IPv4Address
from pathlib import Path

from labrig import clock
from labrig.errors import LabrigError
from labrig.experiments import edge, idleness, listing, plan
from labrig.experiments.carrying import Carrier
from labrig.experiments.failing import StepFailed
from labrig.experiments.host import looks
from labrig.experiments.host.engine import Engine
from labrig.experiments.host.locks import HOST, Lock
from labrig.experiments.host.requests import Growth
from labrig.experiments.naming import Names, label
from labrig.experiments.running import Runner
from labrig.experiments.survey import as_found, survey

WAKER, PUTTER = f"{HOST}, which wakes it", f"{HOST}, which lets it sleep"
# How soon after its time an experiment falls asleep at most.
SECONDS = 10.0
_LONGEST = 8192
_ANSWER = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
# The first of what systemd hands over (sd_listen_fds).
_HANDED_OVER = 3
_ESTABLISHED = "01"


def serve(runner: Runner, engine: Engine) -> None:
    """Wake experiments and let them sleep, until this process is ended; each plan may be broken off anywhere."""
    asyncio.run(_Sleep(runner, engine).run())


class _Sleep:
    """Whose request wakes what, and what falls asleep."""

    def __init__(self, runner: Runner, engine: Engine) -> None:
        self._runner = runner
        self._engine = engine
        self._waking: set[Names] = set()
        self._since = clock.now()
        self._asked: dict[str, datetime] = {}
        self._log = Growth(Path(idleness.ACCESS_LOG))

    async def run(self) -> None:
        """Serve."""
        server = await asyncio.start_unix_server(self._answer, sock=_socket(), limit=_LONGEST)
        async with server:
            while True:
                await asyncio.sleep(SECONDS)
                await asyncio.to_thread(self._let_sleep)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            request = await reader.readuntil(b"\r\n")
            # At once: the page asks again, and a browser need not wait for an answer that says so.
            writer.write(_ANSWER)
            await writer.drain()
            names = asked_for(request)
            if names is not None and names not in self._waking:
                self._waking.add(names)
                try:
                    await asyncio.to_thread(self._wake, names)
                except LabrigError as error:
                    _tell(f"{names.app}/{names.name} does not wake: {error.message}")
                finally:
                    self._waking.discard(names)
        writer.close()

    def _let_sleep(self) -> None:
        now = clock.now()
        self._hear()
        try:
            experiments = listing.listed(looks.look(self._engine))
        except LabrigError as error:
            _tell(error.message)
            return
        self._asked = {one.host: self._asked[one.host] for one in experiments if one.host in self._asked}
        for one in idleness.idle(experiments, self._asked, self._since, now):
            # While those before it fell asleep, somebody may have asked for this one.
            self._hear()
            if self._asked.get(one.host, self._since) >= now:
                continue
            # Where it does not come to sleep now, not every ten seconds again.
            self._asked[one.host] = now
            try:
                self._put_to_sleep(one.names)
            except LabrigError as error:
                _tell(f"{one.app}/{one.name} does not fall asleep: {error.message}")

    def _hear(self) -> None:
        self._asked |= dict.fromkeys(idleness.hosts(self._log.lines()), clock.now())

    def _wake(self, names: Names) -> None:
        with Lock(names) as lock:
            # Where somebody deploys it, it is awake after that; who wants to see it asks again.
            if not lock.take(WAKER):
                return
            found = survey(self._runner, names, host="")
            try:
                planned = plan.wake(found.standing)
                Carrier(self._runner, as_found(names, found)).carry_out(planned)
            except StepFailed:
                # As it was: the next request begins anew, and until then it takes no memory.
                found = survey(self._runner, names, host="")
                Carrier(self._runner, as_found(names, found)).carry_out(plan.sleep(found.standing))
                raise
        if planned:
            _tell(f"{names.app}/{names.name} is awake")

    def _put_to_sleep(self, names: Names) -> None:
        with Lock(names) as lock:
            if not lock.take(PUTTER):
                return
            found = survey(self._runner, names, host="")
            at, serving = as_found(names, found), found.standing.containers.get(found.standing.routed)
            if serving is None or in_use(at.addresses.slot(serving.slot)):
                return
            Carrier(self._runner, at).carry_out(plan.sleep(found.standing))
        _tell(f"{names.app}/{names.name} sleeps")


def asked_for(request: bytes) -> Names | None:
    """Return the experiment that the first line of a request is for; None where it is for none.

    >>> asked_for(b"POST /shop/login HTTP/1.0")
    Names(app='shop', name='login')
    """
    words = request.decode("ascii", "replace").split(" ")
    parts = words[1].split("/") if len(words) == 3 else []
    if len(parts) != 3 or words[0] != "POST" or not all(part and label(part) == part for part in parts[1:]):
        return None
    return Names(*parts[1:])


def in_use(address: IPv4Address, table: Path = Path("/proc/net/tcp")) -> bool:
    """Tell whether somebody has a connection to an address: one that is long, as a WebSocket, is in no log yet."""
    wanted = int.from_bytes(address.packed, sys.byteorder)
    rows = (line.split() for line in table.read_text(encoding="ascii").splitlines()[1:])
    return any(row[3] == _ESTABLISHED and int(row[2].partition(":")[0], 16) == wanted for row in rows)


def _socket() -> socket.socket:
    """Return the socket that systemd hands over, or one of our own."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        return socket.socket(fileno=_HANDED_OVER)
    Path(edge.WAKER).unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(edge.WAKER)
    return made


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
