"""What an outcome hangs on that no file, variable or setting shows: clocks, chance, secrets, other machines.

Such an outcome is not stored: its inputs may all be the same and it another. Each reason is a sentence that names the
place. A word that only looks like one of these costs a proof its speed, never its truth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from labrig.ansible.events import Ended
from labrig.ansible.reads import Reads

# Modules that install from, or ask, somewhere that no archive of the distribution's is; by their last name.
ELSEWHERE = frozenset(
    {
        *("pip", "npm", "yarn", "pnpm", "gem", "bundler", "composer", "cpanm", "cargo", "bower", "go", "pipx", "uv"),
        *("git", "hg", "subversion", "bzr", "maven_artifact", "helm", "snap", "flatpak", "homebrew"),
        *("docker_image", "docker_image_pull", "docker_container", "docker_compose_v2", "podman_image"),
        *("podman_container", "rpm_key", "ansible_galaxy_install", "acme_certificate", "get_certificate"),
    }
)
# Their URLs name archives, whose state is asked for by itself.
ARCHIVES = frozenset({"apt_repository", "deb822_repository", "yum_repository"})
LOOPBACK = re.compile(r"localhost|127\.[\d.]+|0\.0\.0\.0|::1")
# ctypes asks it where libraries are.
HARMLESS = re.compile(r"(/\S*/)?ldconfig -p$")

_CLOCK = "reads the clock"
_CHANCE = "takes something by chance"
_HIDDEN = "holds a secret"
_TEXTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), what)
    for pattern, what in (
        (r"\A\$ANSIBLE_VAULT;|!vault\b", _HIDDEN),
        (r"ansible_date_time|facts\W{1,4}date_time|\bnow\s*\(|\|\s*strftime\b|\bstrftime\s*\(", _CLOCK),
        # The program `date`, where a shell would start it.
        (
            r"(?:^\s*|[;&|(`]\s*|(?:shell|command|cmd|raw):\s*[\"']?(?:/\S*/)?)date(?:\s+[-+\"']|\s*[)`|;&>]|\s*$)",
            _CLOCK,
        ),
        (r"\|\s*(?:random(?!\s*\([^)]*seed)|shuffle(?!\s*\([^)]*seed)|random_mac)\b", _CHANCE),
        (r"(?:lookup|query|q)\s*\(\s*['\"][\w.]*(?:random_\w+|password)['\"]", _CHANCE),
        (r"with_(?:random_choice|password):|\$RANDOM\b|/dev/u?random|openssl\s+rand\b|\b(?:pwgen|uuidgen)\b", _CHANCE),
    )
)
_PYTHON: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:datetime|date)\.(?:now|utcnow|today)\(|\btime\.(?:time|localtime|gmtime|strftime)\("), _CLOCK),
    (re.compile(r"\brandom\.\w+\(|\bsecrets\.\w+\(|\buuid\.uuid[14]\(|\bos\.urandom\("), _CHANCE),
)


def of_reads(reads: Reads, *, ours: Callable[[str], bool], own: Path, known: Collection[str]) -> Iterator[str]:
    """Yield what programs on this machine did that no input shows.

    Args:
        reads: What they did.
        ours: Whether a program, given with its arguments, is one that is followed as well or stays in the machines.
        own: The run's folder, where they may write and listen.
        known: Addresses of the machines, and sockets of the engine.
    """
    for words in sorted(reads.programs):
        if not HARMLESS.match(words) and not ours(words):
            yield f"a program on this machine is started: {_short(words)}"
    for address in sorted(reads.addresses):
        if address not in known and not address.startswith(f"{own}/"):
            yield f"{address} is connected to from this machine"
    for path in sorted(reads.wrote):
        if not path.startswith((f"{own}/", "/dev/", "/proc/", "/tmp/", "/var/tmp/")) and not _is_scratch(path):  # noqa: S108
            yield f"{path} is written on this machine"


def of_text(place: str, text: str) -> Iterator[str]:
    """Yield what a file of a project hangs on, each with the line that says so."""
    for pattern, what in _PYTHON if place.endswith(".py") else _TEXTS:
        found = pattern.search(text)
        if found is not None:
            line = text.count("\n", 0, found.start() + len(found[0]) - len(found[0].lstrip())) + 1
            yield f"{place}:{line} {what}: {_short(found[0].strip())}"


def of_tasks(tasks: Iterable[Ended], known: Collection[str] = ()) -> Iterator[str]:
    """Yield which tasks went elsewhere than to the archives of a distribution.

    ``known`` are names and addresses of the machines themselves.
    """
    for task in tasks:
        if task.result == "skipped":
            continue
        action = task.action.rsplit(".", 1)[-1]
        hosts = [url for url in task.reached if not _is_here(url.partition("://")[2].strip("[]"), known)]
        if action in ELSEWHERE:
            yield f"task '{task.task}' ({task.path}) takes from elsewhere, with {action}"
        elif hosts and action not in ARCHIVES:
            yield f"task '{task.task}' ({task.path}) reaches {', '.join(hosts)}"


def _is_here(host: str, known: Collection[str]) -> bool:
    return host in known or bool(LOOPBACK.fullmatch(host))


def _is_scratch(path: str) -> bool:
    return "/.ansible/tmp/" in path or "/__pycache__/" in path or path in ("/tmp", "/var/tmp")  # noqa: S108


def _short(words: str, limit: int = 80) -> str:
    line = " ".join(words.split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
