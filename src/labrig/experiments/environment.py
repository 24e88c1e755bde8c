"""The environment of an experiment: the variables that it is given, and what they stand for in its configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from labrig.errors import UsageError
from labrig.experiments import naming
from labrig.project_file import nearest

VIRTUAL_HOST = "VIRTUAL_HOST"
# Known before anything is built, so that host names and images can be made of them.
NAMES = ("APP_NAME", "INSTANCE_NAME", "BRANCH_NAME")
VARIABLES = (VIRTUAL_HOST, *NAMES, "RELEASE")
_REFERENCE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Masked(str):
    """A text that may be secret: no representation of it, or of what holds it, shows it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@dataclass(frozen=True)
class Identity:
    """What an experiment is: all its variables follow from it.

    Attributes:
        release: The commit, 40 hexadecimal digits.
        host_name: The pattern of the first label of its host name.
    """

    app: str
    name: str
    branch: str
    release: str
    domain: str
    host_name: str

    @property
    def names(self) -> naming.Names:
        """What everything of it is called."""
        return naming.Names(self.app, self.name)

    @property
    def virtual_host(self) -> str:
        """Its host name.

        >>> Identity("shop", "login", "feature/login", "0" * 40, "lab.example", "$APP_NAME-$INSTANCE_NAME").virtual_host
        'shop-login.lab.example'
        """
        values = {"APP_NAME": self.app, "INSTANCE_NAME": self.name, "BRANCH_NAME": self.branch}
        return naming.virtual_host(substituted(self.host_name, values), self.domain)

    @property
    def variables(self) -> dict[str, str]:
        """The variables that every experiment is given, in this order."""
        return {
            VIRTUAL_HOST: self.virtual_host,
            "APP_NAME": self.app,
            "INSTANCE_NAME": self.name,
            "BRANCH_NAME": self.branch,
            "RELEASE": self.release,
        }


def substituted(text: str, values: Mapping[str, str]) -> str:
    """Return a text with the known variables replaced; all else, other ``$`` too, stays as it is.

    >>> substituted("https://$VIRTUAL_HOST:${PORT}/$VIRTUAL_HOSTS", {"VIRTUAL_HOST": "a.lab.example"})
    'https://a.lab.example:${PORT}/$VIRTUAL_HOSTS'
    """
    return _REFERENCE.sub(lambda found: values.get(found[1] or found[2], found[0]), text)


def checked_pattern(text: str, known: tuple[str, ...]) -> str:
    """Return a pattern all of whose variables are known.

    Raises:
        ValueError: One is not.
    """
    for found in _REFERENCE.finditer(text):
        name = found[1] or found[2]
        if name not in known:
            near = nearest(name, known)
            meant = f"did you mean ${near}? " if near else ""
            raise ValueError(f"there is no variable ${name}: {meant}there are {', '.join(f'${one}' for one in known)}")
    return text


def checked_variable(name: str) -> str:
    """Return the name of a variable.

    Raises:
        ValueError: No shell takes it as one, or labrig sets it.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a variable: letters, digits and _, no digit first")
    if name in VARIABLES:
        raise ValueError(f"{name} is set by labrig: {', '.join(VARIABLES)} are")
    return name


def assembled(identity: Identity, own: Mapping[str, str], of_services: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of an experiment; the configuration's own variables win over those of services.

    All values but labrig's own are masked.

    Args:
        identity: The experiment.
        own: The variables of its configuration, secrets opened.
        of_services: What its services tell: host, port, user, password.
    """
    variables = identity.variables
    chosen = {name: substituted(value, variables) for name, value in own.items()}
    return {**variables, **{name: Masked(value) for name, value in {**of_services, **chosen}.items()}}


def file_text(variables: Mapping[str, str]) -> str:
    r"""Return the text of an environment file as ``docker --env-file`` reads it: nothing is quoted.

    >>> file_text({"A": "1 $x", "B": ""})
    'A=1 $x\nB=\n'

    Raises:
        UsageError: A value has several lines; the message has its name alone.
    """
    for name, value in variables.items():
        if "\n" in value or "\r" in value or "\0" in value:
            raise UsageError(
                f"the value of {name} has several lines, and an environment file has one line for each variable",
                hint="encode it, for example with base64, and decode it where it is used",
            )
    return "".join(f"{name}={value}\n" for name, value in variables.items())
