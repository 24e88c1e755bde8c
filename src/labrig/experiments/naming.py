"""What everything of an experiment is called: its host name, containers, network, volumes, folder and labels.

Two experiments never share a name: parts are slugs, which never hold two hyphens in a row, and are joined with two.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from labrig.engine.ownership import CREATED, EXPIRES, KIND, OWNER, PREFIX
from labrig.errors import UsageError

# What a label of DNS may have (RFC 1035).
LONGEST = 63
LONGEST_HOST = 253
HASH_LENGTH = 8
KIND_OF_EXPERIMENTS = "experiment"
APP = PREFIX + "app"
NAME = PREFIX + "experiment"
BRANCH = PREFIX + "branch"
VERSION = PREFIX + "version"
SERVICE = PREFIX + "service"
SLOT = PREFIX + "slot"
# What a server is made of, and what its data began with, as JSON.
RECORD = PREFIX + "service.record"
FILLING = PREFIX + "service.filling"
ROOT = "/srv/labrig/experiments"
# Gone after a reboot, as whoever held them is.
LOCKS = "/run/lock/labrig"
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_NO_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|^[-./]|[./]$|^@$")


def label(text: str, longest: int = LONGEST) -> str:
    """Return the label of a host name that stands for a text: lower case, digits, single hyphens.

    A part of the text's hash is added where it had to be shortened, or where letters are lost that Latin has not.

    >>> label("feature/Login_Form")
    'feature-login-form'
    """
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    plain = "".join(one for one in plain if not unicodedata.combining(one)).lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    is_whole = bool(slug) and not any(one.isalnum() and not one.isascii() for one in plain)
    if is_whole and len(slug) <= longest:
        return slug
    return _hashed(slug or "branch", text, longest)


def fitted(name: str, longest: int = LONGEST) -> str:
    """Return a name that already is one of slugs, shortened with a part of its hash where it is too long."""
    return name if len(name) <= longest else _hashed(name, name, longest)


def _hashed(slug: str, text: str, longest: int) -> str:
    mark = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:HASH_LENGTH]
    return f"{slug[: longest - HASH_LENGTH - 1].strip('-')}-{mark}"


def checked_name(text: str, what: str) -> str:
    """Return a name that is a slug already.

    Raises:
        UsageError: It is none; the message has the slug that stands for it.
    """
    if label(text) == text:
        return text
    raise UsageError(
        f"{what} {text!r} cannot be part of a host name: lower-case letters, digits and single hyphens, "
        f"at most {LONGEST} characters",
        hint=f"{label(text)} would do",
    )


def checked_branch(text: str) -> str:
    """Return the name of a branch that git accepts and that no command takes for an option.

    Raises:
        UsageError: Git refuses such a name.
    """
    if text and not _NO_REF.search(text):
        return text
    raise UsageError(f"{text!r} is no name of a branch: git refuses it", hint="git branch --all lists the branches")


def checked_domain(text: str) -> str:
    """Return a domain in lower case, without a dot at its end.

    Raises:
        ValueError: It is no domain.
    """
    domain = text.strip().lower().removeprefix("*.").removesuffix(".")
    labels = domain.split(".")
    is_domain = all(_LABEL.fullmatch(one) and len(one) <= LONGEST for one in labels)
    if not is_domain or len(domain) > LONGEST_HOST - LONGEST - 1:
        raise ValueError(f"expected a domain such as lab.example.com, found {text!r}")
    return domain


def virtual_host(first: str, domain: str) -> str:
    """Return the host name of an experiment: one label before the domain, as one wildcard certificate covers it.

    >>> virtual_host("shop-feature/login", "lab.example.com")
    'shop-feature-login.lab.example.com'
    """
    return f"{label(first)}.{domain}"


@dataclass(frozen=True)
class Names:
    """The names of one experiment.

    Attributes:
        app: The application, a slug.
        name: The experiment, a slug, unique within the application.
    """

    app: str
    name: str

    @property
    def base(self) -> str:
        """What all names on the engine begin with, short enough for what follows it."""
        return fitted(f"{self.app}--{self.name}", LONGEST - 2 - 12)

    def container(self, version: str) -> str:
        """Return the name of the container that runs a version."""
        return f"{self.base}--{version}"

    @property
    def before_start(self) -> str:
        """The container of the command before the start."""
        return f"{self.base}--before"

    @property
    def hook(self) -> str:
        """The container of a service's own command."""
        return f"{self.base}--hook"

    @property
    def trial(self) -> str:
        """The container of a command that somebody tries the experiment with."""
        return f"{self.base}--trial"

    @property
    def build(self) -> str:
        """The container in which the application is built."""
        return f"{self.base}--build"

    @property
    def jobs(self) -> tuple[str, ...]:
        """All containers that run one command and end."""
        return (self.build, self.before_start, self.hook, self.trial)

    def service(self, service: str) -> str:
        """Return the name of a service's container and of its volume."""
        return fitted(f"{self.base}--s-{service}")

    def image(self, version: str) -> str:
        """Return the image of a version where the configuration names none."""
        return f"labrig-lab/{self.app}/{self.name}:{version}"

    @property
    def network(self) -> str:
        """The network of the experiment."""
        return self.base

    @property
    def folder(self) -> str:
        """Where code, environment and records lie on the lab host."""
        return f"{ROOT}/{self.app}/{self.name}"

    @property
    def code(self) -> str:
        """The work tree of the branch."""
        return f"{self.folder}/code"

    @property
    def git(self) -> str:
        """What git keeps of it; not in the work tree, where a build could change what the host's own git runs."""
        return f"{self.folder}/git"

    @property
    def built(self) -> str:
        """The file that tells which build the application in the work tree is of."""
        return f"{self.folder}/built"

    @property
    def record(self) -> str:
        """The file that tells branch, expiry and pin."""
        return f"{self.folder}/experiment.json"

    @property
    def key(self) -> str:
        """The file with the secret that the passwords of the experiment's services are made of."""
        return f"{self.folder}/key"

    @property
    def sealed(self) -> str:
        """The file with what was sealed in the settings, for whoever shows what the experiment's commands write."""
        return f"{self.folder}/sealed"

    @property
    def lock(self) -> str:
        """The file that is locked while something is done; not in the folder, which a delete removes."""
        return f"{LOCKS}/{self.base}"

    def environment(self, version: str) -> str:
        """Return the file of a version's environment."""
        return f"{self.folder}/environment-{version}"

    def service_environment(self, service: str) -> str:
        """Return the file of a service's environment."""
        return f"{self.folder}/service-{service}"

    def hooked(self, service: str) -> str:
        """Return the file that tells that a service's on_create has ended well."""
        return f"{self.folder}/hooked-{service}"

    def account(self, service: str) -> str:
        """Return the file that tells that an experiment may have a database on a shared server."""
        return f"{self.folder}/account-{service}"

    def connected(self, service: str) -> str:
        """Return the file that tells which server of others a service is."""
        return f"{self.folder}/connected-{service}"

    def labels(self, branch: str, *, creator: str, created: str, expires: str) -> dict[str, str]:
        """Return the labels that everything of the experiment carries on the engine.

        Args:
            branch: The branch that is deployed.
            creator: ``user@host`` that made it.
            created: When, ISO 8601.
            expires: Until when it stays, ISO 8601, or ``never``.
        """
        return {
            OWNER: f"{creator}/{self.app}",
            KIND: KIND_OF_EXPERIMENTS,
            APP: self.app,
            NAME: self.name,
            BRANCH: branch,
            CREATED: created,
            EXPIRES: expires,
        }

    @property
    def selectors(self) -> tuple[str, ...]:
        """The labels, exactly as they are, that an object of this experiment has and none of another."""
        return (f"{KIND}={KIND_OF_EXPERIMENTS}", f"{APP}={self.app}", f"{NAME}={self.name}")


def shared_server(kind: str) -> str:
    """Return the container of a lab host's own server, which experiments share; no experiment has such a name."""
    return f"labrig-lab--{kind}"


def unit(container: str) -> str:
    """Return the systemd unit that starts a container again after a reboot."""
    return f"labrig-container@{container}.service"
