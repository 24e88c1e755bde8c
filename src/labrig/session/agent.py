"""What stays in a machine while labrig deploys to it: starts commands on request and carries what they say.

Starting a process through the engine costs 0.06 s of the processor, most of it in the container runtime; here it is a
fork. Ansible's modules come as Python source for an interpreter of the machine. Where that is the one that runs this,
a fork of it takes the source itself: the standard library is loaded there, and what it compiles is kept for the next.
Everything else is started as it is asked for.

Needs Python 3.8 and its standard library. ``labrig.session.broker`` starts it.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import marshal
import os
import re
import selectors
import shlex
import shutil
import signal
import site
import stat
import struct
import sys
import threading
import time
import traceback
import types
import zipimport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # Module and source to what was compiled of it.
    Known = dict[tuple[str, str], types.CodeType]

HEADER = struct.Struct("!BII")
OPEN, INPUT, END_OF_INPUT, CLOSE, OUTPUT, ERRORS, EXIT, READY = range(1, 9)
PIECE = 1 << 16
CANNOT_EXECUTE = 126
NOT_FOUND = 127

# What an interpreter reads only when it starts.
READ_AT_START = re.compile(r"(PYTHON|LD_|LC_|LANG|TZ$|GLIBC_|MALLOC_)")
PAYLOAD = "_payload.zip"
# What Ansible's modules import before anything else. It belongs to the interpreter, and is the same in every process.
USUAL_IMPORTS = (
    *(
        "ast",
        "base64",
        "collections",
        "copy",
        "dataclasses",
        "datetime",
        "enum",
        "errno",
        "fnmatch",
        "functools",
        "glob",
    ),
    *("hashlib", "inspect", "io", "platform", "string", "subprocess", "tempfile", "textwrap", "typing", "zipfile"),
)


class Command:
    """One command: its process, its pipes, and what is still to be written to it."""

    def __init__(self, channel: int, arguments: list[str]) -> None:
        self.channel = channel
        self.arguments = arguments
        self.pid = 0
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
            command = self._commands[channel] = Command(channel, json.loads(payload))
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
        stdin = os.pipe()
        self._fork(command, stdin[0], lambda: _execute(command.arguments))
        command.stdin = stdin[1]
        os.set_blocking(command.stdin, False)

    def _start_warm(self, command: Command) -> None:
        source = bytes(command.pending)
        command.pending.clear()
        learned, telling = os.pipe()
        self._fork(
            command,
            os.open(os.devnull, os.O_RDONLY),
            lambda: self._interpreter.run(command.arguments, source, telling),
            telling,
        )
        os.close(telling)
        self._lessons[learned] = bytearray()
        self._watch(learned, selectors.EVENT_READ, self._learn)

    def _fork(self, command: Command, stdin: int, call: Callable[[], int], kept: int = -1) -> None:
        out, errors = os.pipe(), os.pipe()
        command.pid = os.fork()
        if not command.pid:
            code = CANNOT_EXECUTE
            try:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.setsid()
                for descriptor, number in ((stdin, 0), (out[1], 1), (errors[1], 2)):
                    os.dup2(descriptor, number)
                _close_all_but(kept)
                code = call()
            except BaseException:  # noqa: BLE001 - nothing of the parent may run here
                traceback.print_exc()
            finally:
                os._exit(code)
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
        _send(EXIT, command.channel, str(code).encode())


class Interpreter:
    """This interpreter, for commands that would start another one like it to read a source from its input.

    What a fork compiles out of the archive that Ansible sends along is known by the text it came from.
    """

    def __init__(self) -> None:
        self._known: Known = {}
        for name in USUAL_IMPORTS:
            importlib.import_module(name)
        self._like = self._signature()

    def takes(self, arguments: list[str]) -> bool:
        """Whether a command starts an interpreter that would be just like this one, to read its source from input."""
        return assignments(arguments) is not None and self._like == self._signature()

    def run(self, arguments: list[str], source: bytes, telling: int) -> int:
        """Run a source as a new interpreter would, and return its exit code. For a fork alone."""
        new: Known = {}
        os.environ.update(assignments(arguments) or {})
        # What the C library has read in the meantime may have changed: a new interpreter would read it now.
        time.tzset()
        sys.argv = [""]
        sys.path_hooks.insert(0, lambda path: Archive(path, self._known, new))
        sys.path_importer_cache.clear()
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        code = _code_of(lambda: exec(compile(source, "<stdin>", "exec", dont_inherit=True), main.__dict__))
        with contextlib.suppress(OSError), os.fdopen(telling, "wb") as stream:
            stream.write(marshal.dumps([(name, text, found) for (name, text), found in new.items()]))
        return code

    def learn(self, told: bytes) -> None:
        """Keep what a fork compiled; one that was killed tells half of it, or nothing."""
        with contextlib.suppress(EOFError, ValueError, TypeError):
            self._known.update({(name, text): found for name, text, found in marshal.loads(told)})

    def _signature(self) -> tuple[object, ...]:
        """What makes an interpreter: its file, and the folders and settings that it looks up when it starts."""
        found: list[object] = []
        for path in (sys.executable, *site.getsitepackages(), site.getusersitepackages()):
            try:
                about = os.stat(path)
            except OSError:
                found.append(None)
                continue
            if stat.S_ISDIR(about.st_mode):
                found.append(sorted(name for name in os.listdir(path) if name.endswith(".pth") or "customize" in name))
            else:
                found.append((about.st_dev, about.st_ino, about.st_mtime_ns))
        return tuple(found)


class Archive(zipimport.zipimporter):
    """The archive of one of Ansible's modules; compiles only what has not been compiled before."""

    def __init__(self, path: str, known: Known, new: Known) -> None:
        if PAYLOAD not in path:
            raise zipimport.ZipImportError(path)
        super().__init__(path)
        self._known = known
        self._new = new

    def get_code(self, fullname: str) -> types.CodeType:
        """Return the code of a module."""
        text = self.get_source(fullname)
        if text is None:
            return super().get_code(fullname)
        code = self._known.get((fullname, text))
        if code is None:
            code = self._new[fullname, text] = compile(text, self.get_filename(fullname), "exec", dont_inherit=True)
        return code

    def get_filename(self, fullname: str) -> str:
        """Return where a module would be; zipimport's own would compile it to tell."""
        place = os.path.join(self.archive, self.prefix + fullname.rpartition(".")[2])
        return os.path.join(place, "__init__.py") if self.is_package(fullname) else place + ".py"


def assignments(arguments: list[str]) -> dict[str, str] | None:
    """Return the variables that a command sets for this very interpreter; None where it does anything else.

    >>> assignments(["/bin/sh", "-c", "/bin/sh -c 'A=1 /usr/bin/python3 && sleep 0'"])
    {'A': '1'}
    """
    words = arguments
    while len(words) == 3 and words[:2] == ["/bin/sh", "-c"]:
        if re.search(r"[$`\\<>|;*?~]", words[2]):
            return None
        try:
            words = shlex.split(words[2])
        except ValueError:
            return None
    if words[-3:] == ["&&", "sleep", "0"]:
        del words[-3:]
    set_by_it = {}
    for word in words[:-1]:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier() or READ_AT_START.match(name):
            return None
        set_by_it[name] = value
    found = shutil.which(words[-1]) if words else None
    return set_by_it if found and _place(found) == _place(sys.executable) else None


def _place(interpreter: str) -> tuple[str, str]:
    # A virtual environment has a link to the same file, in a folder of its own.
    return os.path.realpath(os.path.dirname(interpreter)), os.path.realpath(interpreter)


def _code_of(call: Callable[[], None]) -> int:
    """Return the exit code with which an interpreter would end that runs this."""
    code = 0
    try:
        call()
    except SystemExit as asked:
        if isinstance(asked.code, int):
            code = asked.code & 0xFF
        elif asked.code is not None:
            sys.stderr.write(f"{asked.code}\n")
            code = 1
    except BaseException:  # noqa: BLE001 - as at the top of any interpreter
        traceback.print_exc()
        code = 1
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = 120
    return code


def _execute(arguments: list[str]) -> int:
    # An interpreter ignores these for itself; what it starts is to have them as any process has.
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(arguments[0], arguments)
    except OSError as problem:
        os.write(2, f"{arguments[0]}: {problem.strerror}\n".encode())
        return NOT_FOUND if isinstance(problem, FileNotFoundError) else CANNOT_EXECUTE


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


if __name__ == "__main__":
    Agent().run()
