"""Files of a machine that are not in its image: Docker mounts them into it, and writes them anew at each start."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

PATHS = ("/etc/hosts", "/etc/resolv.conf")


@dataclass(frozen=True)
class MountedFiles:
    """The content of the files that Docker mounts into a machine, by path, and the addresses it had with them."""

    content: Mapping[str, str]
    addresses: tuple[str, ...]

    def now(self, other: MountedFiles) -> dict[str, str]:
        """Return which of these contents differ from what Docker wrote since.

        The machine's addresses of now are in them, and in the lines that Docker writes its name of now: the machine of
        a snapshot may have been called otherwise.
        """
        found = {}
        for path, content in self.content.items():
            for before, after in zip(self.addresses, other.addresses, strict=False):
                here, there = (
                    re.search(rf"^{re.escape(address)}\t.+$", text, re.MULTILINE)
                    for address, text in ((before, content), (after, other.content.get(path, "")))
                )
                if here and there:
                    content = content.replace(here[0], there[0])  # noqa: PLW2901
                content = re.sub(rf"(?<![\w.:]){re.escape(before)}(?![\w.:])", after, content)  # noqa: PLW2901
            if content != other.content.get(path):
                found[path] = content
        return found

    def as_text(self) -> str:
        """Return a text that ``of_text`` reads."""
        return json.dumps({"content": dict(self.content), "addresses": list(self.addresses)})

    @classmethod
    def of_text(cls, text: str) -> MountedFiles:
        """Return what ``as_text`` wrote."""
        found = json.loads(text)
        return cls(found["content"], tuple(found["addresses"]))
