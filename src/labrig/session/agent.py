"""What stays in a machine while labrig deploys to it: starts commands on request and carries what they say.

Starting a process through the engine costs 0.06 s of the processor, most of it in the container runtime; here it is a
fork. Ansible's modules come as Python source for an interpreter of the machine. Where that is the one that runs this,
a fork of it takes the source itself: the standard library is loaded there, and what it compiles is kept for the next.
Everything else is started as it is asked for.

Needs Python 3.8 and its standard library. ``labrig.session.broker`` starts it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import selectors
import signal
import struct
import time
import traceback

from labrig.session.interpreter import Interpreter, call_itself

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # Input, output and errors.
    Streams = tuple[int, int, int]

HEADER = struct.Struct("!BII")
OPEN, INPUT, END_OF_INPUT, CLOSE, OUTPUT, ERRORS, EXIT, READY = range(1, 9)
PIECE = 1 << 16
NAME = "labrig-agent"
# For itself; what it starts is to have them as any process has.
IGNORED_BY_INTERPRETERS = (signal.SIGPIPE, signal.SIGXFSZ)
CANNOT_EXECUTE = 126
NOT_FOUND = 127


class Command:
    """One command: its process, its pipes, and what is still to be written to it."""

    def __init__(self, channel: int, arguments: list[str], *, has_input: bool = True) -> None:
        self.channel = channel
        self.arguments = arguments
        self.has_input = has_input
        self.pid = 0
        self.began = 0.0
        self.stdin = -1
        self.outputs: dict[int, int] = {}
        self.pending = bytearray()
        self.input_ended = False


class Agent:
    """The loop between the session's other end and the commands that run."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._commands: dict[int, Command] = {}
        self._received = bytearray()
        self._interpreter = Interpreter()
        self._lessons: dict[int, bytearray] = {}
        self._woken, waker = os.pipe()
        for descriptor in (self._woken, waker):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)

    def run(self) -> None:
        """Serve until the other end closes; what still runs is ended with it."""
        self._watch(0, selectors.EVENT_READ, self._receive)
        self._watch(self._woken, selectors.EVENT_READ, self._reap)
        # Whoever counts the machine's interpreters, or ends them by name, does not mean this one.
        call_itself(NAME)
        _send(READY, 0, b"")
        while 0 in self._selector.get_map():
            for key, _ in self._selector.select():
                # Something earlier in this round may have closed it.
                if self._selector.get_map().get(key.fd) is key:
                    key.data(key.fd)
        for command in self._commands.values():
            _kill(command)

    def _watch(self, descriptor: int, event: int, call: Callable[[int], object]) -> None:
        self._selector.register(descriptor, event, call)

    def _forget(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)

    def _receive(self, descriptor: int) -> None:
        piece = os.read(descriptor, PIECE)
        if not piece:
            self._selector.unregister(descriptor)
            return
        self._received += piece
        while len(self._received) >= HEADER.size:
            kind, channel, length = HEADER.unpack_from(self._received)
            end = HEADER.size + length
            if len(self._received) < end:
                break
            payload = bytes(self._received[HEADER.size : end])
            del self._received[:end]
            self._take(kind, channel, payload)

    def _take(self, kind: int, channel: int, payload: bytes) -> None:
        if kind == OPEN:
            asked = json.loads(payload)
            command = self._commands[channel] = Command(channel, asked["arguments"], has_input=asked["input"])
            if not self._interpreter.takes(command.arguments):
                self._start(command)
            return
        found = self._commands.get(channel)
        if found is None:
            return
        if kind == CLOSE:
            _kill(found)
        elif kind == INPUT:
            found.pending += payload
        else:
            found.input_ended = True
            if not found.pid:
                self._start_warm(found)
        if found.pid and found.stdin >= 0 and found.stdin not in self._selector.get_map():
            self._watch(found.stdin, selectors.EVENT_WRITE, lambda _: self._feed(found))

    def _start(self, command: Command) -> None:
        if command.has_input:
            stdin, command.stdin = os.pipe()
            os.set_blocking(command.stdin, False)
        else:
            stdin = os.open(os.devnull, os.O_RDONLY)
        self._begin(command, stdin, lambda streams: _spawn(command.arguments, streams))

    def _start_warm(self, command: Command) -> None:
        source = bytes(command.pending)
        command.pending.clear()
        learned, telling = os.pipe()
        run = functools.partial(self._interpreter.run, command.arguments, source, telling)
        self._begin(command, os.open(os.devnull, os.O_RDONLY), lambda streams: _fork(run, streams, telling))
        os.close(telling)
        self._lessons[learned] = bytearray()
        self._watch(learned, selectors.EVENT_READ, self._learn)

    def _begin(self, command: Command, stdin: int, start: Callable[[Streams], int]) -> None:
        out, errors = os.pipe(), os.pipe()
        command.began = time.monotonic()
        command.pid = start((stdin, out[1], errors[1]))
        for descriptor in (stdin, out[1], errors[1]):
            os.close(descriptor)
        command.outputs = {out[0]: OUTPUT, errors[0]: ERRORS}
        for descriptor in command.outputs:
            os.set_blocking(descriptor, False)
            self._watch(descriptor, selectors.EVENT_READ, lambda number: self._carry(command, number))

    def _feed(self, command: Command) -> None:
        try:
            if command.pending:
                del command.pending[: os.write(command.stdin, command.pending[:PIECE])]
        except BlockingIOError:
            return
        except OSError:
            command.pending.clear()
            command.input_ended = True
        if not command.pending:
            self._selector.unregister(command.stdin)
            if command.input_ended:
                os.close(command.stdin)
                command.stdin = -1

    def _carry(self, command: Command, descriptor: int) -> bool:
        """Pass on what a command wrote; return whether there may be more."""
        try:
            piece = os.read(descriptor, PIECE)
        except BlockingIOError:
            return False
        if piece:
            _send(command.outputs[descriptor], command.channel, piece)
            return True
        del command.outputs[descriptor]
        self._forget(descriptor)
        return False

    def _learn(self, descriptor: int) -> None:
        piece = os.read(descriptor, PIECE)
        self._lessons[descriptor] += piece
        if not piece:
            self._interpreter.learn(bytes(self._lessons.pop(descriptor)))
            self._forget(descriptor)

    def _reap(self, descriptor: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(descriptor, PIECE)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for command in list(self._commands.values()):
                if command.pid == pid:
                    self._end(command, status)

    def _end(self, command: Command, status: int) -> None:
        # Whoever it started may keep the pipes open for as long as it lives; the command itself has said all.
        for descriptor in list(command.outputs):
            while self._carry(command, descriptor):
                pass
        for descriptor in list(command.outputs):
            self._forget(descriptor)
        if command.stdin >= 0:
            if command.stdin in self._selector.get_map():
                self._selector.unregister(command.stdin)
            os.close(command.stdin)
        del self._commands[command.channel]
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        if os.WIFSIGNALED(status) and self._interpreter.takes(command.arguments):
            # The shell that would have started the interpreter says so.
            _send(ERRORS, command.channel, f"{signal.strsignal(os.WTERMSIG(status))}\n".encode())
        _send(EXIT, command.channel, f"{code} {time.monotonic() - command.began:.6f}".encode())


def _spawn(arguments: list[str], streams: Streams) -> int:
    """Start a command; return its process."""
    # Text may hold bytes that are no text, and this interpreter's own encoding is not the one that they came in.
    words = [word.encode("utf-8", "surrogateescape") for word in arguments]
    try:
        # A third of what a fork costs: the memory of an interpreter is not copied.
        return os.posix_spawnp(
            words[0],
            words,
            _environment(),
            file_actions=[(os.POSIX_SPAWN_DUP2, stream, number) for number, stream in enumerate(streams)],
            setsid=True,
            setsigdef=IGNORED_BY_INTERPRETERS,
        )
    except (OSError, ValueError, NotImplementedError):
        # It cannot be executed, which a fork tells to whoever asked; or the C library is an old one.
        return _fork(lambda: _execute(words), streams)


def _fork(call: Callable[[], int], streams: Streams, kept: int = -1) -> int:
    pid = os.fork()
    if not pid:
        code = CANNOT_EXECUTE
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            _close_all_but(kept)
            code = call()
        except BaseException:  # noqa: BLE001 - nothing of the parent may run here
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


def _execute(words: list[bytes]) -> int:
    for ignored in IGNORED_BY_INTERPRETERS:
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvpe(words[0], words, _environment())
    except OSError as problem:
        os.write(2, words[0] + f": {problem.strerror}\n".encode())
        return NOT_FOUND if isinstance(problem, FileNotFoundError) else CANNOT_EXECUTE


def _environment() -> dict[bytes, bytes]:
    """Return the environment that this process was given; an interpreter adds to its own where it finds no locale."""
    with open("/proc/self/environ", "rb") as stream:
        pairs = (pair.partition(b"=") for pair in stream.read().split(b"\0"))
        return {name: value for name, equals, value in pairs if equals}


def _close_all_but(kept: int) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != kept:
            with contextlib.suppress(OSError):
                os.close(int(name))


def _kill(command: Command) -> None:
    if command.pid:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(command.pid, signal.SIGKILL)


def _send(kind: int, channel: int, payload: bytes) -> None:
    rest = memoryview(HEADER.pack(kind, channel, len(payload)) + payload)
    while rest:
        rest = rest[os.write(1, rest) :]
