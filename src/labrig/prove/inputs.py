"""What decides an outcome, by content: files, folders, variables, settings; and what of it has changed since.

An outcome is stored with everything that was looked at on the way to it. It still holds where all of that is what it
was. So nothing has to be foretold of what a playbook can reach: what it looked for in vain counts as well, and a file
that it never asked for does not.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labrig import __version__
from labrig.ansible.reads import Reads
from labrig.ansible.recorder import names_digest

ABSENT, FOLDER, SPECIAL, UNREADABLE = "absent", "a folder", "a special file", "unreadable"
# What a terminal or a shell sets, and what only says how output looks or where things are kept for a while.
IDLE_VARIABLES = frozenset(
    {
        *("COLUMNS", "LINES", "TERM", "PWD", "OLDPWD", "SHLVL", "_", "NO_COLOR", "EDITOR", "PAGER"),
        *("TMPDIR", "TEMP", "TMP", "LABRIG_CACHE", "LABRIG_DEBUG", "PYTEST_CURRENT_TEST"),
    }
)
BY_PYTHON = "__pycache__"
KINDS = ("setting", "variable", "file", "folder", "archive")


@dataclass(frozen=True)
class Input:
    """One thing that decided.

    Attributes:
        digest: What it was: a keyed hash of a content, or the value itself where that is short and no secret.
        signature: What the file system says of a file, by which it is known to be untouched without being read.
    """

    digest: str
    signature: tuple[int, ...] = ()


@dataclass(frozen=True)
class Change:
    """An input that is not what it was; both sides in words."""

    name: str
    before: str
    now: str


@dataclass(frozen=True)
class Trace:
    """Everything that decided an outcome.

    Attributes:
        inputs: By name: ``file roles/web/tasks/main.yml``, ``folder ...``, ``variable HOME``, ``setting image web``,
            ``archive URL``. Paths in the project's repository are relative to its root.
        outside: Why the outcome may be another next time although every input is the same, one sentence each.
    """

    inputs: Mapping[str, Input] = field(default_factory=dict)
    outside: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The hash of all inputs."""
        digest = hashlib.sha256()
        for name, one in sorted(self.inputs.items()):
            digest.update(f"{name}\0{one.digest}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()[:16]

    def __or__(self, other: Trace) -> Trace:
        """Return what decided either."""
        return Trace({**self.inputs, **other.inputs}, tuple(dict.fromkeys([*self.outside, *other.outside])))

    def as_json(self) -> dict[str, Any]:
        """Return what ``of_json`` reads."""
        inputs = {name: [one.digest, *one.signature] for name, one in self.inputs.items()}
        return {"inputs": inputs, "outside": list(self.outside)}

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> Trace:
        """Return what ``as_json`` wrote."""
        inputs = {str(name): Input(str(one[0]), tuple(one[1:])) for name, one in found["inputs"].items()}
        return cls(inputs, tuple(found["outside"]))


@dataclass(frozen=True)
class World:
    """Where inputs are looked up as they are now.

    Attributes:
        root: The root of the repository, or of the project where there is none.
        environment: The variables that labrig was called with.
        settings: Names and values of all that is no file and no variable.
        key: Hashes contents, so that a stored digest tells nobody a password by trying many.
        ask: Returns when archives were published last, by their names.
    """

    root: Path
    environment: Mapping[str, str]
    settings: Mapping[str, str]
    key: bytes
    ask: Callable[[Iterable[str]], Mapping[str, str]]
    # Files whose content is known: four programs of one proof look at the same two thousand.
    _known: dict[str, Input] = field(default_factory=dict, repr=False, compare=False)

    def trace(self, reads: Reads, *, own: Path, began: float) -> Trace:
        """Return what programs looked at with what it is now.

        Args:
            reads: What they looked at.
            own: The run's folder: what labrig itself wrote there is decided by the settings.
            began: When they began, in seconds since 1970: what was changed after that may not be what they saw.
        """
        inputs: dict[str, Input] = {f"setting {name}": self._setting(name) for name in self.settings}
        outside: list[str] = []
        for path in sorted(reads.files | reads.absent):
            place = self._place(path, own)
            if place is None:
                continue
            found = self._file(place)
            if found.digest == FOLDER or (found.digest == ABSENT and ".git" in Path(place).parts):
                # Git writes there at any time; who looks for something that is not there looks everywhere.
                continue
            inputs[f"file {place}"] = found
            if self._is_another(place, found, reads, path, own, began):
                outside.append(f"{place} was changed while it was in use")
        for path, names_then in sorted(reads.folders.items()):
            place = self._place(path, own)
            if place is not None and not _is_temporary(self._path(place)):
                inputs[f"folder {place}"] = self._folder(place)
                if names_then != self._names(place) and not self._path(place).is_relative_to(own):
                    outside.append(f"{place} was changed while it was in use")
        names = set(self.environment) if "*" in reads.variables else reads.variables
        for name in sorted(names - IDLE_VARIABLES):
            inputs[f"variable {name}"] = self._variable(name)
        return Trace(inputs, tuple(outside))

    def changes(self, trace: Trace) -> Iterator[Change]:
        """Yield what is not as it was, what is asked for fastest first; a setting that there is only now is one too."""
        for name in self.settings:
            if f"setting {name}" not in trace.inputs:
                yield Change(f"setting {name}", "not there", self.settings[name])
        kinds: dict[str, dict[str, Input]] = {kind: {} for kind in KINDS}
        for name, known in trace.inputs.items():
            kind, _, what = name.partition(" ")
            kinds[kind][what] = known
        for kind, inputs in kinds.items():
            # Asked for only now: whoever has seen one change needs no answer of another machine.
            published = self.ask(inputs) if kind == "archive" else {}
            for what, known in inputs.items():
                now = Input(published[what]) if kind == "archive" else self._now(kind, what, known)
                if now.digest != known.digest:
                    yield Change(f"{kind} {what}", *_words(kind, known.digest, now.digest))

    def _now(self, kind: str, what: str, known: Input) -> Input:
        match kind:
            case "file":
                return self._file(what, known)
            case "folder":
                return self._folder(what)
            case "variable":
                return self._variable(what)
            case _:
                return Input(self.settings.get(what, "not there"))

    def _setting(self, name: str) -> Input:
        return Input(self.settings[name])

    def _variable(self, name: str) -> Input:
        value = self.environment.get(name)
        return Input("not set" if value is None else self._hash(value.encode("utf-8", "surrogateescape")))

    def _file(self, place: str, known: Input | None = None) -> Input:
        try:
            return self._content(place, known or self._known.get(place))
        except (FileNotFoundError, NotADirectoryError):
            return Input(ABSENT)
        except OSError:
            return Input(UNREADABLE)

    def _content(self, place: str, known: Input | None) -> Input:
        path = self._path(place)
        about = path.stat()
        if stat.S_ISDIR(about.st_mode):
            return Input(FOLDER)
        if not stat.S_ISREG(about.st_mode):
            return Input(SPECIAL)
        signature = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino, about.st_mode)
        if known is None or known.signature != signature:
            known = Input(f"{about.st_mode & 0o7777:o} {self._hash(path.read_bytes())}", signature)
        self._known[place] = known
        return known

    def _folder(self, place: str) -> Input:
        try:
            return Input(self._names(place) or ABSENT)
        except OSError:
            return Input(UNREADABLE)

    def _names(self, place: str) -> str:
        """Return what stands for the names in a folder; nothing where there is no such folder."""
        try:
            return names_digest(one.name for one in self._path(place).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def _is_another(self, place: str, found: Input, reads: Reads, path: str, own: Path, began: float) -> bool:
        """Tell whether a file may have been another when it was looked at: nobody else writes in own folder."""
        if self._path(place).is_relative_to(own):
            return False
        if found.signature:
            return path in reads.absent or found.signature[2] / 1e9 >= began
        # Elsewhere programs have files of their own for a while.
        return found.digest == ABSENT and path in reads.files and not place.startswith(os.sep)

    def _place(self, path: str, own: Path) -> str | None:
        """Return the name of a path; None for what is labrig's own or no file."""
        through = _through_links(path, own, self.root)
        if through is None or through.startswith(("/proc/", "/dev/", "/sys/")):
            return None
        root = f"{self.root}{os.sep}"
        if self.root.is_relative_to(own):
            # The tree of a commit: what git ignores is linked there, and stands elsewhere.
            through = os.path.realpath(through)
        return through.removeprefix(root) if through.startswith(root) else through

    def _path(self, place: str) -> Path:
        return self.root / place

    def _hash(self, content: bytes) -> str:
        return hashlib.blake2b(content, key=self.key, digest_size=12).hexdigest()


def _through_links(path: str, own: Path, root: Path) -> str | None:
    """Return where a path leads that begins in the run's folder; None where it stays there.

    The root itself may be in that folder: the tree of a commit is laid out there.
    """
    steps = 0
    while path.startswith(f"{own}{os.sep}") and not path.startswith(f"{root}{os.sep}") and path != str(root):
        link = next((one for one in _prefixes(path, own) if one.is_symlink()), None)
        steps += 1
        if link is None or steps > 40:
            return None
        path = os.path.normpath(str(link.parent / link.readlink()) + path[len(str(link)) :])
    return path


def _prefixes(path: str, own: Path) -> Iterable[Path]:
    whole = Path(path)
    return reversed([one for one in (whole, *whole.parents) if one.is_relative_to(own) and one != own])


def _is_temporary(path: Path) -> bool:
    return str(path) in ("/tmp", "/var/tmp", os.environ.get("TMPDIR", "/tmp"))  # noqa: S108  # everybody writes there


def _words(kind: str, before: str, now: str) -> tuple[str, str]:
    plain = {ABSENT, FOLDER, SPECIAL, UNREADABLE, "not set", "not there"}
    if kind in ("setting", "archive"):
        return before, now
    if before in plain or now in plain:
        held = "set" if kind == "variable" else "there"
        return (before if before in plain else held), (now if now in plain else held)
    if kind == "file" and before.partition(" ")[2] == now.partition(" ")[2]:
        return f"mode {before.partition(' ')[0]}", f"mode {now.partition(' ')[0]}"
    return "as it was", {"folder": "other names in it"}.get(kind, "another content")


def programs() -> dict[str, str]:
    """Return what labrig and Ansible are, by content where it is labrig's own."""
    package = Path(__file__).resolve().parents[1]
    collection = Path("ansible_collections/labrig/core/plugins")
    plugins = (package.parent / collection, package.parents[1] / "collections" / collection)
    digest = _digest_of_tree(package, *[one for one in plugins if one.is_dir()])
    return {
        "labrig": f"{__version__} {digest}",
        "python": platform.python_version(),
        "ansible-core": importlib.metadata.version("ansible-core"),
    }


@functools.cache
def _digest_of_tree(*folders: Path) -> str:
    """Return a digest of all files below folders, of names and contents; byte code aside."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and BY_PYTHON not in path.parts:
                digest.update(f"{path.relative_to(folder)}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
