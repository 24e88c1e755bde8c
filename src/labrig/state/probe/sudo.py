"""Who may do what through sudo: the rules, aliases and defaults of its policy, each as one entry.

They are read as sudo reads them: included files in their order, names with a dot or a final ``~`` passed over, files
that others may write refused. The order of rules is a matter of the files, which are compared as they are.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from typing import TYPE_CHECKING, NamedTuple

from labrig.state.probe.masking import masked_inside
from labrig.state.probe.text import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labrig.state.probe.machine import Entries, Machine, Value

POLICY = "/etc/sudoers"
DEEPEST = 16
MISSING = os.strerror(errno.ENOENT)

ALIASES = ("User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias", "Cmd_Alias")
TAGS = [
    "NOPASSWD",
    "PASSWD",
    "NOEXEC",
    "EXEC",
    "SETENV",
    "NOSETENV",
    "LOG_INPUT",
    "NOLOG_INPUT",
    "LOG_OUTPUT",
    "NOLOG_OUTPUT",
    "FOLLOW",
    "NOFOLLOW",
    "MAIL",
    "NOMAIL",
    "INTERCEPT",
    "NOINTERCEPT",
]
TAG = re.compile(rf"({'|'.join(TAGS)})\s*:\s*")
OPTION = re.compile(
    r"(ROLE|TYPE|PRIVS|LIMITPRIVS|APPARMOR_PROFILE|NOTBEFORE|NOTAFTER|TIMEOUT|CWD|CHROOT)\s*=\s*(\"[^\"]*\"|\S+)\s*"
)
INCLUDE = re.compile(r"[@#](include|includedir)\s+(.+)")
RUNAS = re.compile(r"\(([^)]*)\)\s*")
PARAMETER = re.compile(r"(!*)([A-Za-z_]\w*)\s*(?:(\+=|-=|=)\s*(\"(?:[^\"\\]|\\.)*\"|(?:[^,\\]|\\.)*))?\s*")


def read(machine: Machine) -> Entries:
    """Yield rules (``%adm ALL=(root) /bin/ls``), aliases (``Cmnd_Alias X``), defaults (``Defaults env_reset``)."""
    found: dict[str, Value] = {}
    for path, line in _lines(machine, POLICY, ()):
        if line is None:
            found[f"file {path[0]}"] = {"ignored": path[1]}
            continue
        for key, value in entries(line):
            merged(found, key, {**value, "file": path[0]})
    for key in sorted(found):
        yield written(key.encode("utf-8", "surrogateescape")), found[key]


def merged(found: dict[str, Value], key: str, value: Value) -> None:
    """Put in an entry as sudo would: of two with one key the later holds, but lists grow and shrink."""
    before = found.get(key)
    if before and "list" in value and "list" in before:
        value = {**value, "list": before["list"] + value["list"]}
    elif before and "list" in value and "value" in before:
        value = {**before, **value}
    found[key] = value


def entries(line: str) -> Iterator[tuple[str, Value]]:
    """Yield key and value of all that a line of the policy says, its continuations joined.

    A line that is not understood is an entry of its own, as sudo goes on after one.
    """
    words = line.split(None, 1)
    try:
        if words[0].startswith("Defaults"):
            yield from _defaults(line)
        elif words[0] in ALIASES:
            for definition in _split(words[1], ":"):
                name, members = definition.split("=", 1)
                yield f"{words[0]} {name.strip()}", {"of": _names(members)}
        else:
            yield from _rules(line)
    except (ValueError, IndexError):
        yield "not understood " + masked_inside(line), {}


def _defaults(line: str) -> Iterator[tuple[str, Value]]:
    head = re.match(r"Defaults(?:\s*([:@>!])\s*((?:\\.|\"[^\"]*\"|[^\s,]|,\s*)+))?(?:\s+|$)", line)
    if head is None or head.end() == len(line):
        raise ValueError(line)
    scope = "Defaults" + (head.group(1) + ",".join(_names(head.group(2))) if head.group(1) else "")
    for said in _split(line[head.end() :], ","):
        parameter = PARAMETER.fullmatch(said)
        if parameter is None:
            raise ValueError(line)
        negated, name, operator, text = parameter.groups()
        text = (text or "").strip().strip('"')
        if operator in ("+=", "-="):
            yield f"{scope} {name}", {"list": [f"{operator[0]} {word}" for word in sorted(text.split())]}
        elif operator:
            yield f"{scope} {name}", {"value": masked_inside(text)}
        else:
            yield f"{scope} {name}", {"value": "off" if len(negated) % 2 else "on"}


class _Given(NamedTuple):
    """What holds for a command and, unless said otherwise, for those after it."""

    runas: str = ""
    tags: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


def _rules(line: str) -> Iterator[tuple[str, Value]]:
    privileges = _split(line, ":", tagged=True)
    who, first = _who(privileges[0])
    for privilege in [first, *privileges[1:]]:
        hosts, equals, commands = privilege.partition("=")
        if not equals or not commands.strip():
            raise ValueError(line)
        given = _Given()
        said: list[tuple[_Given, str]] = []
        for text in _split(commands, ","):
            given, command = _command(text, given)
            said.append((given, command))
        # What is taken away again means something only together with what was given before.
        if any(command.startswith("!") for _, command in said):
            whole = ", ".join("".join(f"{tag}: " for tag in held.tags) + command for held, command in said)
            said = [(given, whole)]
        for person in _apart(who):
            for held, command in said:
                value: Value = {"tags": list(held.tags)}
                if held.options:
                    value["settings"] = dict(held.options)
                yield f"{person} {','.join(_names(hosts))}={held.runas + ' ' if held.runas else ''}{command}", value


def _command(text: str, given: _Given) -> tuple[_Given, str]:
    runas, tags, options = given.runas, set(given.tags), dict(given.options)
    as_whom = RUNAS.match(text)
    if as_whom:
        runas = "(" + ":".join(",".join(_names(part)) for part in as_whom.group(1).split(":")) + ")"
        text = text[as_whom.end() :]
    while True:
        option, tag = OPTION.match(text), TAG.match(text)
        if option:
            options[option.group(1)] = option.group(2).strip('"')
            text = text[option.end() :]
        elif tag:
            tags.discard(_opposite(tag.group(1)))
            tags.add(tag.group(1))
            text = text[tag.end() :]
        else:
            break
    if not text:
        raise ValueError(text)
    return _Given(runas, tuple(sorted(tags)), tuple(sorted(options.items()))), masked_inside(" ".join(text.split()))


def _who(privilege: str) -> tuple[list[str], str]:
    """Return the users of a rule and what follows: a space ends the list unless a comma stands beside it."""
    found = re.match(
        r"((?:\"[^\"]*\"|\\.|[^\s,\"\\])+(?:\s*,\s*(?:\"[^\"]*\"|\\.|[^\s,\"\\])+)*)\s+(?=[^\s,])", privilege
    )
    if found is None:
        raise ValueError(privilege)
    return _names(found.group(1)), privilege[found.end() :]


def _apart(names: list[str]) -> list[str]:
    return [",".join(names)] if any(name.startswith("!") for name in names) else names


def _names(listed: str) -> list[str]:
    """Return the names of a list; in any order, unless some are taken away again."""
    names = [" ".join(name.split()) for name in _split(listed, ",")]
    return names if any(name.startswith("!") for name in names) else sorted(names)


def _opposite(tag: str) -> str:
    return tag[2:] if tag.startswith("NO") and tag[2:] in TAGS else "NO" + tag


def _split(text: str, mark: str, *, tagged: bool = False) -> list[str]:
    """Return the parts between marks that are not in quotes, in parentheses or after a backslash.

    A colon may also end a tag; with ``tagged`` it counts only where another ``HOSTS =`` follows.
    """
    parts = [""]
    quoted = False
    depth = 0
    at = 0
    while at < len(text):
        character = text[at]
        if character == "\\" and at + 1 < len(text):
            parts[-1] += text[at : at + 2]
            at += 2
            continue
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "()":
            depth += 1 if character == "(" else -1
        if character == mark and not quoted and depth == 0 and (not tagged or _next_hosts(text, at)):
            parts.append("")
        else:
            parts[-1] += character
        at += 1
    return [part.strip() for part in parts]


def _next_hosts(text: str, colon: int) -> bool:
    before = re.search(r"(\w+)\s*$", text[:colon])
    if before and before.group(1) in TAGS:
        return False
    return re.match(r"\s*[^\s=:]+(\s*,\s*[^\s=:]+)*\s*=", text[colon + 1 :]) is not None


def _lines(machine: Machine, path: str, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, str], str | None]]:
    """Yield (path, "") and a line; (path, reason) and None for a file that sudo does not take."""
    endless = path in above or len(above) > DEEPEST
    reason = "it includes itself" if endless else _refused(machine, path)
    if reason:
        # Without sudo there is no policy, and that is all.
        if reason != MISSING or above:
            yield (path, reason), None
        return
    for line in logical_lines(machine.text(path)):
        include = INCLUDE.fullmatch(line)
        if include is None:
            yield (path, ""), line
            continue
        kind, named = include.groups()
        target = named.strip().strip('"').replace("\\ ", " ").replace("%h", socket.gethostname().partition(".")[0])
        target = os.path.join(os.path.dirname(path), target)
        for inner in [target] if kind == "include" else _inside(machine, target):
            yield from _lines(machine, inner, (*above, path))


def logical_lines(text: str) -> Iterator[str]:
    """Yield lines without comments, those that end with a backslash joined; a comment ends where its line does."""
    joined = ""
    for line in text.splitlines():
        told = _without_comment(joined + line)
        if told.endswith("\\") and told == (joined + line).rstrip(" \t"):
            joined = told[:-1] + " "
            continue
        joined = ""
        if told.strip():
            yield " ".join(told.split())
    if joined.strip():
        yield " ".join(joined.split())


def _without_comment(line: str) -> str:
    """Return a line without its comment: a # that begins no user's number and no include, outside of quotes."""
    line = line.rstrip(" \t")
    if re.match(r"\s*#include(dir)?\s", line):
        return line.strip().partition(" #")[0]
    quoted = False
    for at, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        if character == "#" and not quoted and line[at - 1 : at] != "\\":
            number = re.match(r"#-?\d+(?=[\s,:)=]|$)", line[at:])
            if number is None or (at and line[at - 1] not in " \t,(!:%"):
                return line[:at]
    return line


def _refused(machine: Machine, path: str) -> str:
    """Return why sudo does not read a file, "" where it does."""
    try:
        status = os.stat(machine.root + os.fsencode(path))
    except OSError as problem:
        return problem.strerror or str(problem)
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file"
    if machine.live and status.st_uid != 0:
        return f"it belongs to {machine.owner(status.st_uid)} and not to root"
    if status.st_mode & stat.S_IWOTH:
        return "everybody may write it"
    by_group = status.st_mode & stat.S_IWGRP and machine.live and status.st_gid != 0
    return f"group {machine.group(status.st_gid)} may write it" if by_group else ""


def _inside(machine: Machine, folder: str) -> list[str]:
    try:
        names = os.listdir(machine.root + os.fsencode(folder))
    except FileNotFoundError:
        return []
    shown = (os.fsdecode(name) for name in sorted(names))
    return [f"{folder.rstrip('/')}/{name}" for name in shown if "." not in name and not name.endswith("~")]
