"""What a developer's key may start: the commands of ``labrig-lab`` that are for developers, and nothing else."""

from __future__ import annotations

import re
import shlex

from labrig.errors import UsageError

PROGRAM = "labrig-lab"
# Where sshd puts what the client asked for, in place of running it.
VARIABLE = "SSH_ORIGINAL_COMMAND"
COMMANDS = ("serve", "list", "sweep", "enter", "logs", "version")
_WHO = re.compile(r"[a-z0-9][a-z0-9._-]*")


def command(asked: str) -> list[str]:
    """Return the arguments of ``labrig-lab`` that a client asked for, its name before them or not.

    >>> command("labrig-lab enter shop login -- ls 'a b'")
    ['enter', 'shop', 'login', '--', 'ls', 'a b']

    Raises:
        UsageError: It asked for something else, or for a shell.
    """
    hint = f"there are {', '.join(COMMANDS)}"
    try:
        words = shlex.split(asked)
    except ValueError as error:
        raise UsageError(f"the command cannot be read: {error}", hint=hint) from error
    if words[:1] == [PROGRAM]:
        words = words[1:]
    if not words:
        raise UsageError("this account has no shell: experiments are deployed from here", hint=hint)
    if words[0] not in COMMANDS:
        raise UsageError(f"{words[0]!r} is not for developers", hint=hint)
    return words


def checked_developer(text: str) -> str:
    """Return the name of a developer.

    Raises:
        UsageError: It is none that a role would have written.
    """
    if _WHO.fullmatch(text):
        return text
    raise UsageError(f"expected the name of a developer, found {text!r}", hint="labrig.core.lab_host writes it")
