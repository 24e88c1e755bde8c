"""What goes wrong with containers in tests."""

from __future__ import annotations

from labrig.errors import LabrigError


class NotReady(LabrigError):
    """A container was not ready in time, or has exited before it was; the message has its last lines."""


class CommandFailed(LabrigError):
    """A command in a container did not end with 0, or not in time; the message has its last lines."""
