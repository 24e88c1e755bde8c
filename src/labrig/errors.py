"""The one tree of errors that labrig raises, and the exit code that each stands for.

Every message says what was expected, what was found, where, and (in ``hint``) what to do next.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What every labrig command returns to its caller."""

    OK = 0
    FAILED = 1
    USAGE = 2
    ENVIRONMENT = 3
    INTERRUPTED = 130


class LabrigError(Exception):
    """Base of all errors that are shown to a user as a message, never as a traceback.

    Attributes:
        message: What was expected, what was found, and where.
        hint: What to do next, one sentence; empty where nothing can be advised.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LabrigError):
    """The call or a configuration file is wrong; nothing was changed."""

    exit_code = ExitCode.USAGE


class EnvironmentFailed(LabrigError):
    """The surroundings failed: no engine, no disk, no image, a machine that does not boot."""

    exit_code = ExitCode.ENVIRONMENT


class Interrupted(LabrigError):
    """The user asked to stop."""

    exit_code = ExitCode.INTERRUPTED
