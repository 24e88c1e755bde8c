"""A whole deployment over one connection: the host's side of ``labrig.experiments.protocol``."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from labrig.errors import LabrigError, UsageError
from labrig.experiments import protocol
from labrig.experiments.host import journal, locks
from labrig.experiments.naming import Names, label
from labrig.experiments.protocol import Done, End, Hello, Lock, Piece, Request, Run

# A command that is told to end has so long to do so.
END_SECONDS = 5.0
_PIECE = 1 << 16


def serve(hello: Hello, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until their input ends; then end what still runs, and give the locks back.

    Args:
        hello: What the client is told first.
        requests: Where they are read.
        answers: Where they are answered; when nobody reads that any more, it is over as well.

    Raises:
        UsageError: A line is no request.
    """
    asyncio.run(_Server(hello.who, answers).run(hello, requests))


@dataclass(frozen=True)
class _Open:
    """A request that is not answered yet; when ``stop`` is set, it is ended."""

    task: asyncio.Task[None]
    stop: asyncio.Event


class _Server:
    """One connection."""

    def __init__(self, who: str, answers: BinaryIO) -> None:
        self._who = who
        self._journal = journal.Session(who)
        self._answers = answers
        self._locks: list[locks.Lock] = []
        self._open: dict[int, _Open] = {}
        self._is_over = asyncio.Event()
        self._wrong = ""

    async def run(self, hello: Hello, requests: BinaryIO) -> None:
        """Serve the connection."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, self._is_over.set)
        self._write(hello)
        # A thread: sshd gives one socket for both ends, which cannot be read without waiting and written with it.
        threading.Thread(target=self._read, args=(loop, requests), daemon=True).start()
        try:
            await self._is_over.wait()
        finally:
            for one in self._open.values():
                one.stop.set()
            await asyncio.gather(*(one.task for one in self._open.values()))
            # Last: until then what ran may have changed something.
            for lock in self._locks:
                lock.release()
        if self._wrong:
            raise UsageError(f"a line is no request: {self._wrong}")

    def _read(self, loop: asyncio.AbstractEventLoop, requests: BinaryIO) -> None:
        # The loop may be closed when a line comes in too late.
        with contextlib.suppress(RuntimeError):
            try:
                while line := requests.readline(protocol.LONGEST_LINE):
                    loop.call_soon_threadsafe(self._begin, protocol.request(line))
            except (OSError, ValueError) as error:
                self._wrong = str(error)
            loop.call_soon_threadsafe(self._is_over.set)

    def _begin(self, request: Request) -> None:
        if isinstance(request, End):
            if request.id in self._open:
                self._open[request.id].stop.set()
        elif request.id in self._open:
            self._wrong = f"request {request.id} is open already"
            self._is_over.set()
        else:
            stop = asyncio.Event()
            self._open[request.id] = _Open(asyncio.create_task(self._answer(request, stop)), stop)

    async def _answer(self, request: Run | Lock, stop: asyncio.Event) -> None:
        try:
            done = await (self._lock(request, stop) if isinstance(request, Lock) else self._run(request, stop))
        except LabrigError as error:
            done = Done(request.id, protocol.REFUSED, err=error.message)
        del self._open[request.id]
        self._write(done)

    async def _lock(self, request: Lock, stop: asyncio.Event) -> Done:
        for part in (request.app, request.name):
            if label(part) != part:
                return Done(request.id, protocol.REFUSED, err=f"{part!r} is no name of an application or experiment")
        lock = locks.Lock(Names(request.app, request.name))
        holder = f"{request.holder}, with the key of {self._who}" if self._who else request.holder
        for is_taken in lock.attempts(" ".join(holder.split()), request.wait):
            if is_taken:
                self._locks.append(lock)
                return Done(request.id, 0)
            if stop.is_set():
                break
            await asyncio.sleep(locks.BETWEEN_ATTEMPTS)
        return Done(request.id, protocol.LOCKED, err=lock.holder())

    async def _run(self, request: Run, stop: asyncio.Event) -> Done:
        program = request.argv[0]
        if program not in protocol.PROGRAMS:
            allowed = ", ".join(sorted(protocol.PROGRAMS))
            return Done(request.id, protocol.REFUSED, err=f"{program!r} is not run here: {allowed} are")
        self._journal.note(request.argv)
        try:
            process = await asyncio.create_subprocess_exec(
                *(one.encode("utf-8", "surrogateescape") for one in request.argv),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd="/",
                # A group of its own: it is ended with all that it has started.
                start_new_session=True,
            )
        except FileNotFoundError:
            return Done(request.id, protocol.NOT_FOUND, err=f"{program} is not installed on the lab host")
        except OSError as error:
            return Done(request.id, protocol.REFUSED, err=f"{program} cannot be started: {error.strerror}")
        return await self._finished(request, process, stop)

    async def _finished(self, request: Run, process: asyncio.subprocess.Process, stop: asyncio.Event) -> Done:
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        out: list[str] = []
        err: list[str] = []
        if request.stream:
            told = (
                lambda text: self._write(Piece(request.id, text)),
                lambda text: self._write(Piece(request.id, text, is_error=True)),
            )
        else:
            told = (out.append, err.append)
        talk = asyncio.gather(
            _feed(process.stdin, request.stdin.encode("utf-8", "surrogateescape")),
            _pass_on(process.stdout, told[0]),
            _pass_on(process.stderr, told[1]),
            process.wait(),
        )
        stopped = asyncio.create_task(stop.wait())
        either: set[asyncio.Future[Any]] = {talk, stopped}
        await asyncio.wait(either, timeout=request.seconds, return_when=asyncio.FIRST_COMPLETED)
        is_late = not talk.done() and not stopped.done()
        if not talk.done():
            await _end(process)
        # What it has written is read to its end, unless something of another user's still has it open.
        await asyncio.wait({talk}, timeout=END_SECONDS)
        for task in (talk, stopped):
            task.cancel()
        if is_late:
            err.append(f"{request.argv[0]} was ended: it took longer than {request.seconds:g} s")
            return Done(request.id, protocol.LATE, "".join(out), "".join(err))
        code = process.returncode if process.returncode is not None else -signal.SIGKILL
        return Done(request.id, code if code >= 0 else 128 - code, "".join(out), "".join(err))

    def _write(self, answer: protocol.Answer) -> None:
        try:
            self._answers.write(answer.line())
            self._answers.flush()
        except OSError:
            # Nobody reads any more: the connection is over.
            self._is_over.set()


async def _feed(stdin: asyncio.StreamWriter, content: bytes) -> None:
    # A command need not read what it is given.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(content)
        await stdin.drain()
    stdin.close()


async def _pass_on(stream: asyncio.StreamReader, tell: Callable[[str], object]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while piece := await stream.read(_PIECE):
        if text := decoder.decode(piece):
            tell(text)
    if text := decoder.decode(b"", final=True):
        tell(text)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a command with all of its group; one of root's ends when it has done its work."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), END_SECONDS)
