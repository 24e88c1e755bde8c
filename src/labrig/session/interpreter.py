"""An interpreter that is there already, for sources that would have one started to read them.

Part of the agent in a machine: Python 3.8 and its standard library.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import marshal
import os
import re
import shlex
import shutil
import site
import stat
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
        call_itself(os.path.basename(sys.executable))
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


def call_itself(name: str) -> None:
    """Change what lists of processes call this one; where /proc is not to be written, it keeps its name."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "w") as stream:
        stream.write(name)
