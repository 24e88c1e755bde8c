"""How an agent begins in a machine, whoever starts it: the command, what it reads first, and what is asked of it."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from importlib import resources

START_SECONDS = 30.0

# As Ansible looks for one, the usual first.
_FIND = """\
for p in python3 /usr/libexec/platform-python python3.13 python3.12 python3.11 python3.10 python3.9 python3.8; do
  if command -v "$p" >/dev/null; then exec "$p" -c "$1"; fi
done
exit 127
"""
_PARTS = ("interpreter", "agent")
# What the parts are called is not to be seen by sources that run there and may import something of that name.
_LOADER = """\
import sys, types
for name, source in {sources!r}:
    module = sys.modules["labrig.session." + name] = types.ModuleType("labrig.session." + name)
    sys.modules.setdefault("labrig", types.ModuleType("labrig"))
    sys.modules.setdefault("labrig.session", types.ModuleType("labrig.session"))
    exec(compile(source, "<labrig " + name + ">", "exec"), module.__dict__)
for name in [name for name in sys.modules if name.partition(".")[0] == "labrig"]:
    del sys.modules[name]
module.Agent().run()
"""
# Reads its own source from the input, exactly; what follows there is for the agent.
_START = """\
import os
source = b""
while len(source) < {length}:
    source += os.read(0, {length} - len(source))
exec(compile(source, "<labrig agent>", "exec"), {{"__name__": "__main__"}})
"""


@functools.cache
def agent_source() -> bytes:
    """Return what the command reads before anything else."""
    folder = resources.files("labrig.session")
    sources = [(part, folder.joinpath(f"{part}.py").read_text(encoding="utf-8")) for part in _PARTS]
    return _LOADER.format(sources=sources).encode()


def agent_command() -> list[str]:
    """Return the command that becomes an agent; it ends with 127 where the machine has no Python."""
    return ["/bin/sh", "-c", _FIND, "sh", _START.format(length=len(agent_source()))]


def opening(arguments: Sequence[str], *, has_input: bool) -> bytes:
    """Return what a frame ``OPEN`` holds; a command without input reads from /dev/null."""
    return json.dumps({"arguments": list(arguments), "input": has_input}).encode()
