r"""Reading a file for what it says: its settings, each with where it stands; pure.

A structure maps the place of a setting to its values, in their order. Most have one; a directive that may be
repeated, or a list, has several.

>>> structure("/etc/x.ini", "[mysqld]\nport = 3306\n")
{('[mysqld]', 'port'): ['3306']}
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

Place = tuple[str, ...]
Structure = dict[Place, list[str]]

# Beyond these, a file is read as text only.
SIZE_LIMIT = 256 << 10
SETTINGS_LIMIT = 20_000
DEPTH_LIMIT = 60


class Unclear(Exception):
    """The text is not of the form that was tried."""


def structure(path: str, text: str) -> Structure | None:
    """Return the settings that a file holds; None where its form is not known or it does not keep to it."""
    if len(text) > SIZE_LIMIT:
        return None
    for read in _readers(path, text):
        try:
            found = read(text)
        except (Unclear, ValueError, yaml.YAMLError, RecursionError):
            continue
        if len(found) <= SETTINGS_LIMIT:
            return found
    return None


def _readers(path: str, text: str) -> list[Callable[[str], Structure]]:
    name = posixpath.basename(path)
    for pattern, reader in _BY_PATH:
        if pattern.search(path):
            return [reader]
    start = text.lstrip()[:1]
    if start == "{" or (start == "[" and name.endswith((".conf", ".list")) is False and "\n[" not in text):
        return [_json, _sections]
    if re.search(r"^\[[^\]\n]+\][ \t]*$", text, re.MULTILINE):
        return [_sections]
    return [_assignments]


def _json(text: str) -> Structure:
    found: Structure = {}
    _flatten(json.loads(text), (), found)
    return found


def _yaml(text: str) -> Structure:
    if re.search(r"(?m)(^|[\s\[{,])\*\w", text):
        raise Unclear("aliases can make a small file endless")
    documents = list(yaml.safe_load_all(text))
    found: Structure = {}
    if len(documents) == 1:
        _flatten(documents[0], (), found)
    else:
        for number, document in enumerate(documents, 1):
            _flatten(document, (f"document {number}",), found)
    return found


def _flatten(value: Any, place: Place, found: Structure) -> None:
    if len(place) > DEPTH_LIMIT or len(found) > SETTINGS_LIMIT:
        raise Unclear("too much")
    if isinstance(value, dict):
        if not value:
            found[place] = ["{}"]
        for key, held in value.items():
            _flatten(held, (*place, str(key)), found)
    elif isinstance(value, list):
        if not any(isinstance(one, dict | list) for one in value):
            found[place] = [_scalar(one) for one in value] or ["[]"]
            return
        names = [_name(one) for one in value]
        unique = None not in names and len(set(names)) == len(names)
        for number, one in enumerate(value):
            _flatten(one, (*place, f"[{names[number] if unique else number}]"), found)
    else:
        found[place] = [_scalar(value)]


def _name(one: Any) -> str | None:
    if isinstance(one, dict):
        for key in ("name", "id", "key", "path"):
            if isinstance(one.get(key), str | int):
                return str(one[key])
    return None


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _sections(text: str) -> Structure:
    """Read INI files and systemd units: sections, ``key = value`` within them, keys that may come again."""
    found: Structure = {}
    section: Place = ()
    for line in _joined(text):
        header = re.fullmatch(r"\[([^\]\n]+)\]", line)
        if header:
            section = (f"[{header[1]}]",)
            continue
        setting = re.match(r"([^=:\s\[][^=]*?)\s*=\s*(.*)$", line) or re.match(r"([\w.-]+)\s*:\s+(.*)$", line)
        if setting:
            found.setdefault((*section, setting[1]), []).append(setting[2])
        elif section and re.fullmatch(r"[\w.@!-][^=]*", line):
            # MySQL's options without a value, an inventory's hosts.
            found.setdefault((*section, line.split()[0]), []).append(" ".join(line.split()[1:]))
        else:
            raise Unclear(line)
    return found


def _assignments(text: str) -> Structure:
    """Read ``key=value`` files; every line must be one."""
    found: Structure = {}
    for line in _joined(text):
        setting = re.match(r"(?:export\s+)?([A-Za-z_][\w./*-]*)\s*=\s*(.*)$", line)
        if not setting:
            raise Unclear(line)
        found.setdefault((setting[1],), []).append(_bare(setting[2]))
    return found


def _directives(text: str) -> Structure:
    """Read ``Key value`` files; sshd's Match blocks hold what follows them."""
    found: Structure = {}
    block: Place = ()
    for line in _joined(text):
        words = re.match(r"([\w.-]+)(?:\s+|\s*=\s*|$)(.*)$", line)
        if not words:
            raise Unclear(line)
        if words[1] in ("Match", "Host"):
            block = (line,)
        else:
            found.setdefault((*block, words[1]), []).append(words[2])
    return found


def _joined(text: str) -> list[str]:
    """Return the lines that say something, those that end in a backslash joined with the next."""
    lines = []
    for line in re.sub(r"\\\n[ \t]*", "", text.replace("\r\n", "\n")).split("\n"):
        bare = line.strip()
        if bare and not bare.startswith(("#", ";")):
            lines.append(bare)
    return lines


def _bare(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'" else value


_TOKEN = re.compile(r"""\s+|\#[^\n]*|([{};])|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?:\\.|\$\{|[^\s{};\\])+)""")


def _nginx(text: str) -> Structure:
    """Read nginx's form: directives that end in a semicolon, in blocks in braces."""
    found: Structure = {}
    place: list[str] = []
    # How often each block has been begun, within each block that is open.
    begun: list[dict[str, int]] = [{}]
    words: list[str] = []
    for mark, word in _tokens(text):
        if word:
            words.append(word)
            continue
        if bool(words) is (mark == "}") or (mark == "}" and not place):
            raise Unclear(f"{mark} without what belongs before it")
        if mark == ";":
            found.setdefault((*place, words[0]), []).append(" ".join(words[1:]))
        elif mark == "{":
            block = " ".join(words)
            count = begun[-1][block] = begun[-1].get(block, 0) + 1
            place.append(block if count == 1 else f"{block} ({count})")
            begun.append({})
        else:
            place.pop()
            begun.pop()
        words = []
    if place or words:
        raise Unclear("a brace or a semicolon too few")
    return found


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield either a mark, which is ``;`` or a brace, or a word."""
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise Unclear(text[position : position + 20])
        position = token.end()
        if token[1] or token[2]:
            yield token[1] or "", token[2] or ""


_BY_PATH: tuple[tuple[re.Pattern[str], Callable[[str], Structure]], ...] = (
    (re.compile(r"\.json$|/docker/daemon\.json"), _json),
    (re.compile(r"\.ya?ml$"), _yaml),
    (re.compile(r"/nginx/(?!.*\.(html|js|css|types\.hash)$).+|nginx[^/]*\.conf$"), _nginx),
    (
        re.compile(
            r"\.(service|socket|timer|path|mount|automount|swap|target|slice|network|netdev|link|nspawn|container|desktop)$"
            r"|/systemd/.+\.conf$|\.ini$|\.cnf$|\.cfg$|\.repo$"
        ),
        _sections,
    ),
    (re.compile(r"/sshd?_config(\.d/[^/]+)?$|/redis[^/]*/[^/]+\.conf$|/login\.defs$|/chrony[^/]*\.conf$"), _directives),
)
