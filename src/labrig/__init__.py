"""Prove an infrastructure change before it reaches a server."""

__version__ = "0.1.0"
