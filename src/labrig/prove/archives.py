"""The state of the apt archives that a machine saw, and of the same archives now.

An archive tells when it was published in the first lines of its release file. A machine keeps that file where it
fetched it from: comparing both dates costs one small request an archive, and no package needs to be looked at.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from labrig.engine.machines import Machine

SECONDS = 3.0
# The date stands in the first lines; a clear signature before it has a few more.
HEAD_BYTES = 4096
NOT_ASKED = "cannot be asked"
_DATE = re.compile(r"^Date: (.+)$", re.MULTILINE)

# Prints, for each archive whose lists are there: base URL, name of its release file, proxy for its host, first lines.
_SEEN = r"""
import glob, json, os, re, subprocess
def ask(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True).stdout
found = []
if glob.glob("/var/lib/apt/lists/*Release"):
    proxies = dict(re.findall(r'^Acquire::(https?)::Proxy "([^"]*)"', ask("apt-config", "dump"), re.M | re.I))
    for base in sorted(set(ask("apt-get", "indextargets", "--format", "$(BASE_URI)").split())):
        flat = re.sub(r"^[\w+]+://(?:[^/@]*@)?", "", base).replace("_", "%5f").replace("/", "_")
        for name in ("InRelease", "Release"):
            path = "/var/lib/apt/lists/" + flat + name
            if os.path.exists(path):
                with open(path, errors="replace") as file:
                    head = file.read(4096)
                found.append([base, name, proxies.get(base.split(":")[0].lower(), ""), head])
                break
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Archive:
    """An archive as a machine saw it.

    Attributes:
        url: The URL of its release file.
        proxy: The proxy that the machine asks it through; empty for none.
        published: When it was published, in the archive's own words.
    """

    url: str
    proxy: str
    published: str

    @property
    def name(self) -> str:
        """The name of the input: its URL, with the proxy where there is one."""
        return f"{self.url} {self.proxy}".strip()


def seen(machine: Machine) -> tuple[Archive, ...]:
    """Return the archives whose lists a machine holds; none where it has no apt."""
    said = machine.execute([machine.python(), "-I", "-S", "-c", _SEEN])
    if said.code != 0:
        return ()
    found = []
    for base, name, proxy, head in json.loads(said.stdout):
        date = _DATE.search(head)
        if date is not None:
            found.append(Archive(f"{base}{name}", proxy, date[1].strip()))
    return tuple(found)


def published(names: Iterable[str]) -> Mapping[str, str]:
    """Return when archives were published last, by their names; all are asked at once.

    What does not answer in time cannot be asked: whoever needs to know does the work itself.
    """
    wanted = list(names)
    if not wanted:
        return {}
    with ThreadPoolExecutor(max_workers=min(8, len(wanted)), thread_name_prefix="archive") as pool:
        return dict(zip(wanted, pool.map(_published, wanted), strict=True))


def _published(name: str) -> str:
    url, _, proxy = name.partition(" ")
    if not url.startswith(("http://", "https://")):
        return NOT_ASKED
    proxies = urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else None)
    try:
        with urllib.request.build_opener(proxies).open(url, timeout=SECONDS) as answer:
            head = answer.read(HEAD_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return NOT_ASKED
    date = _DATE.search(head)
    return date[1].strip() if date else NOT_ASKED
