"""Before a machine is looked at: wait until it is settled, find a Python there, and see who one is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from labrig.errors import EnvironmentFailed
from labrig.state.capture import Execute

_SETTLE = """
i=0
while [ -d /run/systemd/system ] && [ "$i" -lt 100 ]; do
  case "$(systemctl list-jobs --no-legend --no-pager 2>/dev/null | head -n 1)" in ''|"No jobs"*) break ;; esac
  sleep 0.2; i=$((i + 1))
done
"""
_LOOK = """
timeout 20 /bin/sh -c "$2" </dev/null
u=$(id -u)
for p in python3 /usr/libexec/platform-python python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 \
  python3.8; do
  p=$(command -v "$p" 2>/dev/null) || continue
  "$p" -I -S -B -c "import sys; sys.exit(sys.version_info < (3, 8))" </dev/null 2>/dev/null && break
  p=''
done
if [ "$u" != 0 ] && [ "$1" = become ]; then sudo -n true </dev/null || exit 1; fi
echo "labrig finds $u $p"
"""


@dataclass(frozen=True)
class Ready:
    """How to run the probe on a machine.

    Attributes:
        python: An interpreter there, 3.8 or newer; empty where there is none.
        prefix: What to put before the command so that it runs as root, where that was asked.
        root: Whether it then runs as root.
    """

    python: str
    prefix: tuple[str, ...]
    root: bool


def look(execute: Execute, name: str, *, become: bool = False) -> Ready:
    """Wait until a machine has no systemd job left, at most 20 seconds, and return how to run the probe there.

    Args:
        execute: Runs a command there.
        name: What messages call the machine.
        become: Use sudo where the user is not root.

    Raises:
        EnvironmentFailed: It is not reached, has no shell, or sudo wants a password.
    """
    argv = ["/bin/sh", "-c", _LOOK, "sh", "become" if become else "", _SETTLE]
    said = b"".join(piece if isinstance(piece, bytes) else piece.encode() for piece in execute(argv, b""))
    found = re.search(r"labrig finds (\d+) ?([^\r\n]*)", said.decode(errors="replace"))
    if found is None:
        raise EnvironmentFailed(f"{name} does not answer as a shell does: {said[:200]!r}")
    superuser = found[1] == "0"
    prefix = ("sudo", "-n", "--") if become and not superuser else ()
    return Ready(found[2].strip(), prefix, superuser or bool(prefix))


def no_python(name: str) -> EnvironmentFailed:
    """Return the error for a machine without Python."""
    return EnvironmentFailed(
        f"{name} has no Python 3.8 or newer, which reads its state", hint="install python3 there, as Ansible needs too"
    )
