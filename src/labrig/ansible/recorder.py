"""Runs a Python program and writes down what it looks at: files, folders, variables, programs and other machines.

    python -m labrig.ansible.recorder RECORD MODULE [ARGUMENT ...]

appends one JSON array a line to RECORD, each thing once a process: ``["read", PATH]``, ``["absent", PATH]``,
``["listed", PATH, DIGEST]``, ``["write", PATH]``, ``["variable", NAME]``, ``["program", WORDS]``,
``["connect", ADDRESS]``. Paths are absolute, as the program named them. Forked processes are followed, programs that
are started are not: that they were is what the record says.

What a program opens, lists, starts and connects to comes from Python's audit events. That it looked for something in
vain does not, nor which variables it read: ``os.stat`` and ``os.environ`` are wrapped for that.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import runpy
import shlex
import sys
from collections.abc import Callable, Iterable
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Recorder:
    """Appends to a record; what was said once is not said again."""

    def __init__(self, path: str) -> None:
        self._out = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._said: set[tuple[str, str]] = set()
        self._is_looking = False
        # Before it is wrapped.
        self._stat = os.stat
        self._events: dict[str, Callable[[tuple[Any, ...]], None]] = {
            "open": self._opened,
            # Its library opens files without Python's knowing.
            "sqlite3.connect": lambda args: self._path("read", args[0]),
            "os.listdir": lambda args: self._listed(args[0]),
            "os.scandir": lambda args: self._listed(args[0]),
            "subprocess.Popen": lambda args: self._program(args[1]),
            "os.posix_spawn": lambda args: self._program(args[1]),
            "os.exec": lambda args: self._program(args[1]),
            "os.system": lambda args: self._program([args[0]]),
            "socket.connect": lambda args: self._connected(args[1]),
            "socket.sendto": lambda args: self._connected(args[1]),
            "socket.gethostbyname": lambda args: self._connected(args[0]),
        }

    def install(self) -> None:
        """Follow this process from now on; it cannot be undone."""
        self._wrap_stat("stat")
        self._wrap_stat("lstat")
        self._wrap_environment()
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        handle = self._events.get(event)
        if handle is not None and not self._is_looking:
            # Whatever is wrong with an argument is for the program itself to find.
            with contextlib.suppress(Exception):
                handle(arguments)

    def _say(self, kind: str, what: str, *more: str) -> None:
        if (kind, what) not in self._said:
            self._said.add((kind, what))
            os.write(self._out, json.dumps([kind, what, *more]).encode("ascii") + b"\n")

    def _path(self, kind: str, path: Any) -> None:
        if not isinstance(path, int):
            self._say(kind, _absolute(path))

    def _listed(self, path: Any) -> None:
        if isinstance(path, int) or ("listed", _absolute(path)) in self._said:
            return
        self._is_looking = True
        try:
            digest = names_digest(os.listdir(_absolute(path)))  # noqa: PTH208  # names alone
        except OSError:
            digest = ""
        finally:
            self._is_looking = False
        self._say("listed", _absolute(path), digest)

    def _opened(self, arguments: tuple[Any, ...]) -> None:
        path, mode, flags = arguments
        writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else flags & WRITING
        self._path("write" if writes else "read" if self._is_there(path) else "absent", path)

    def _is_there(self, path: Any) -> bool:
        try:
            self._stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    def _program(self, words: Any) -> None:
        listed = [words] if isinstance(words, str | bytes | os.PathLike) else list(words or ())
        self._say("program", shlex.join(os.fsdecode(word) for word in listed))

    def _connected(self, address: Any) -> None:
        if isinstance(address, tuple):
            address = address[0]
        self._say("connect", os.fsdecode(address))

    def _wrap_stat(self, name: str) -> None:
        looked = getattr(os, name)

        def look(path: Any, *args: Any, **options: Any) -> Any:
            try:
                return looked(path, *args, **options)
            except (FileNotFoundError, NotADirectoryError):
                if options.get("dir_fd") is None:
                    self._path("absent", path)
                raise

        setattr(os, name, look)
        if looked in os.supports_dir_fd:
            os.supports_dir_fd.add(look)
        if looked in os.supports_follow_symlinks:
            os.supports_follow_symlinks.add(look)
        if looked in os.supports_fd:
            os.supports_fd.add(look)

    def _wrap_environment(self) -> None:
        kind: Any = type(os.environ)
        get, iterate = kind.__getitem__, kind.__iter__

        def getitem(environ: Any, name: Any) -> Any:
            if isinstance(name, str):
                self._say("variable", name)
            return get(environ, name)

        def iterated(environ: Any) -> Any:
            # A copy to hand on to a program reads nothing of it: which programs are started is told anyway.
            caller = sys._getframe(1).f_code  # noqa: SLF001
            if "copy" not in caller.co_name:
                self._say("variable", "*")
            return iterate(environ)

        kind.__getitem__, kind.__iter__ = getitem, iterated


def names_digest(names: Iterable[str]) -> str:
    """Return what stands for the names in a folder; what Python itself puts there is left out."""
    found = sorted(name for name in names if name != "__pycache__")
    return hashlib.sha256("\0".join(found).encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _absolute(path: Any) -> str:
    # Links are not followed: one may lead elsewhere next time.
    return os.path.abspath(os.fsdecode(path) if path is not None else ".")  # noqa: PTH100


def main() -> None:
    """Record the program that the arguments name."""
    record, module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    Recorder(record).install()
    # The program finds nothing imported that it has not imported itself: pytest warns of plugins that are.
    for name in [name for name in sys.modules if name.partition(".")[0] == "labrig"]:
        del sys.modules[name]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
