"""The settings of an application's experiments: section ``experiment`` of labrig.yml, read and checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from labrig.errors import UsageError
from labrig.experiments import accounts, environment, naming
from labrig.experiments.secrets import AGE, ANSIBLE_VAULT, KMS, VAULT, PublicKey, sealed_parts
from labrig.experiments.services import PROVIDERS, Provision
from labrig.project_file import duration, nearest

NEVER = "never"
HOST_NAME = "$APP_NAME-$INSTANCE_NAME"
IMAGE = "$APP_NAME/$INSTANCE_NAME:latest"
# A host, or user@host, or an alias of ssh's configuration; nothing that ssh takes for an option.
_HOST = re.compile(r"[A-Za-z0-9_.%+@\[\]:][A-Za-z0-9_.%+@\[\]:-]*")
# What else it is, the engine checks; ``$`` and braces are of variables.
_IMAGE = re.compile(r"[A-Za-z0-9$][A-Za-z0-9$_.:/@{}-]*")
_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# Who one is to a server: with a password, or over HTTP, where a token may stand in the user's place.
_LOGIN = re.compile(r"^https?://[^/]*@|://[^/]*:[^/]*@", re.IGNORECASE)
# Password hashes that nginx can compare: those of crypt(3), of Apache, and of LDAP.
_HASH = re.compile(r"(\$(1|2[aby]|5|6|y|apr1)\$|\{(SSHA|SHA)\})[^:\s]+")


def _time(value: Any) -> Any:
    return duration(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else value


def _time_or_never(value: Any) -> Any:
    return None if value == NEVER else _time(value)


def _variables(value: Any) -> Any:
    """Return a mapping for a list of ``K=V``; numbers are texts, as in an environment."""
    if isinstance(value, list | tuple):
        pairs = {}
        for number, one in enumerate(value, 1):
            name, mark, text = str(one).partition("=")
            if not mark:
                raise ValueError(f"expected NAME=VALUE, and entry {number} has no =")
            pairs[name.strip()] = text
        value = pairs
    if not isinstance(value, dict):
        raise ValueError("expected a list of NAME=VALUE, or a mapping")  # noqa: TRY004  # pydantic's for a bad value
    found = {}
    for name, text in value.items():
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            reason = f"{name}: expected a text or a number; true and false need quotes"
            raise ValueError(reason)  # noqa: TRY004
        try:
            sealed_parts(str(text))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        found[environment.checked_variable(str(name))] = str(text)
    return found


def _hosts(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _checked_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ValueError(f"expected a host, user@host or a name of ssh's configuration, found {host!r}")
        if hosts.count(host) > 1:
            raise ValueError(f"{host} is named twice")
    return hosts


def _slug(text: str) -> str:
    try:
        return naming.checked_name(text, "the name")
    except UsageError as error:
        raise ValueError(f"{error.message}; {error.hint}") from error


def _repository(text: str) -> str:
    if _LOGIN.search(text):
        # Git would have it as an argument, and the lab host in its journal.
        raise ValueError(
            "a URL that says who logs in shows it to everybody on the lab host: leave it out, and give the host"
            " a deploy key or a credential helper of git"
        )
    if text.startswith("-") or "\n" in text or "::" in text:
        raise ValueError(f"expected the URL of a git repository, found {text!r}")
    return text


def _path(text: str) -> str:
    if not text.startswith("/") or "\n" in text:
        raise ValueError(f"expected a path on the lab host that begins with /, found {text!r}")
    return text


def _plain_path(text: str) -> str:
    # nginx replaces variables in such paths, and knows no way to write a plain dollar.
    if not re.fullmatch(r"/[A-Za-z0-9/_.+@-]*", text):
        raise ValueError(f"expected a path on the lab host of letters, digits and /_.+@-, found {text!r}")
    return text


def _network(text: str) -> str:
    if not _NETWORK.fullmatch(text):
        raise ValueError(f"expected the name of a network of the lab host's engine, found {text!r}")
    return text


def _server_name(text: str) -> str:
    # It becomes a part of a URL, in which it must not lead elsewhere.
    if text and any(one in {"", ".", ".."} for one in text.split("/")):
        raise ValueError(f"expected a name, found {text!r}")
    return text


def _names_only(text: str) -> str:
    return environment.checked_pattern(text, environment.NAMES)


def _kind(text: str) -> str:
    if text not in PROVIDERS:
        near = nearest(text, PROVIDERS)
        meant = f"did you mean {near}? " if near else ""
        raise ValueError(f"there is no service {text!r}: {meant}there are {', '.join(PROVIDERS)}")
    return text


def _image(text: str) -> str:
    if not _IMAGE.fullmatch(text):
        raise ValueError(f"expected the name of an image, found {text!r}")
    return text


def _secrets(value: Any) -> Any:
    """Return the mapping for a bare list of keys, which is age's."""
    return {"keys": value} if isinstance(value, list | tuple) else value


def _key(value: Any) -> Any:
    return PublicKey.read(value) if isinstance(value, str) else value


def _hash(text: str) -> str:
    if not _HASH.fullmatch(text):
        raise ValueError("expected the hash of a password, as `openssl passwd -6` prints it")
    return text


Duration = Annotated[timedelta, BeforeValidator(_time)]
DurationOrNever = Annotated[timedelta | None, BeforeValidator(_time_or_never)]
Variables = Annotated[dict[str, str], BeforeValidator(_variables)]
Hosts = Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_hosts), AfterValidator(_checked_hosts)]
Path = Annotated[str, AfterValidator(_path)]
Slug = Annotated[str, AfterValidator(_slug)]
Image = Annotated[str, AfterValidator(_image)]
ServerName = Annotated[str, AfterValidator(_server_name)]


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return (*value, *value.values())
    return value if isinstance(value, tuple) else (value,)


class Section(BaseModel):
    """What all parts have in common: unknown keys are errors, and no error has a value that was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="after")
    @classmethod
    def _can_be_told(cls, value: Any) -> Any:
        """Refuse what no command can be given, and no variable can hold."""
        if any(isinstance(one, str) and "\0" in one for one in _parts(value)):
            raise ValueError("a NUL byte cannot stand in an option")
        return value


class ServiceSettings(Section):
    """One service.

    Attributes:
        service: Its kind, a name of ``services.PROVIDERS``.
        provision: Whose it is.
        image: Its image [the kind's].
        command: Arguments of its server.
        environment: Variables of its container.
        initial_data: A dump on the lab host that a new one is filled with, or a folder whose newest dump is taken.
        wait: Whether the experiment starts only when it answers a query.
        wait_timeout: How long it may take to answer.
        wait_attempts: How many queries at most; 0 is as many as the time allows.
        app: Of a communal one: the application that has it [this one].
        experiment: Of a communal one: the experiment that has it [the lab host itself; redis alone].
        on_create: A command in the experiment's image after it was made.
        on_delete: A command in the experiment's image before it is removed.
    """

    service: Annotated[str, AfterValidator(_kind)]
    provision: Provision = "independent"
    image: Image | None = None
    command: tuple[str, ...] = ()
    environment: Variables = Field(default_factory=dict, repr=False)
    initial_data: Path | None = None
    wait: bool = True
    wait_timeout: Duration = timedelta(seconds=60)
    wait_attempts: int = Field(default=0, ge=0)
    app: Slug | None = None
    experiment: Slug | None = None
    on_create: str = ""
    on_delete: str = ""

    @model_validator(mode="after")
    def _fits(self) -> ServiceSettings:
        if self.provision != "communal" and (self.app or self.experiment):
            raise ValueError(f"app and experiment name whose communal service it is, and this one is {self.provision}")
        if self.provision != "independent" and (self.image or self.command or self.initial_data or self.environment):
            raise ValueError(f"image, command, environment and initial_data are not for a {self.provision} service")
        if self.provision == "shared" and self.service not in accounts.KINDS:
            kinds = ", ".join(accounts.KINDS)
            raise ValueError(f"{self.service} cannot be shared: {kinds} have a database and a user for each experiment")
        if self.provision == "communal" and not self.experiment and self.service in accounts.KINDS:
            raise ValueError(
                f"a communal {self.service} needs experiment, whose it is: of the lab host's own server it would be the"
                " administrator; `provision: shared` gives this one its own database there"
            )
        if self.provision == "communal" and (self.on_create or self.on_delete):
            raise ValueError("on_create and on_delete are not for a communal service: it is there already")
        return self


class Limits(Section):
    """What each container of an experiment may use at most.

    Attributes:
        memory: Bytes.
        cpus: Processors.
        processes: Processes and threads.
    """

    # From the least that the engine takes to what no machine has.
    memory: ByteSize = Field(default=ByteSize(2**30), ge=6 * 2**20, le=2**50)
    cpus: float = Field(default=1.0, ge=0.01, le=8192, allow_inf_nan=False)
    processes: int = Field(default=512, gt=0, le=2**22)


class Health(Section):
    """When a new container is healthy.

    Attributes:
        path: What is asked for over HTTP; any answer below 400 is healthy.
        command: A command in the container instead; 0 is healthy.
        timeout: How long it may take to become healthy.
        interval: Between two looks.
    """

    path: Annotated[str, Field(pattern=r"^/[!-~]*$")] = "/"
    command: str = ""
    timeout: Duration = timedelta(seconds=60)
    interval: Duration = timedelta(seconds=1)


class Tls(Section):
    """HTTPS at the edge: files on the lab host."""

    certificate: Annotated[str, AfterValidator(_plain_path)]
    key: Annotated[str, AfterValidator(_plain_path)]


# What each provider of secrets can be told besides ``provider``.
SECRETS_OPTIONS: Mapping[str, tuple[str, ...]] = {
    AGE: ("keys",),
    ANSIBLE_VAULT: ("password_file", "vault_id"),
    VAULT: ("key", "address", "mount", "namespace"),
    KMS: ("key", "region", "endpoint"),
}


class SecretsSettings(Section):
    """What seals secrets and opens them.

    Attributes:
        provider: A name of ``SECRETS_OPTIONS``.
        keys: Of age: public SSH keys that are sealed to.
        password_file: Of ansible-vault: the file of the password, or a program that prints it [Ansible's own settings].
        vault_id: Of ansible-vault: the name of the password.
        key: Of vault and kms: the key, by its name or id.
        address: Of vault: the server's URL [$VAULT_ADDR].
        mount: Of vault: where its transit engine is.
        namespace: Of vault: its namespace [$VAULT_NAMESPACE].
        region: Of kms: its region [as AWS's own tools know it].
        endpoint: Of kms: the URL of a server that stands for it.
    """

    provider: Literal["age", "ansible-vault", "vault", "kms"] = "age"
    keys: tuple[Annotated[PublicKey, BeforeValidator(_key)], ...] = ()
    password_file: str = ""
    vault_id: Annotated[str, Field(pattern=r"^[^;\s]*$")] = ""
    key: ServerName = ""
    address: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    mount: Annotated[ServerName, Field(min_length=1)] = "transit"
    namespace: str = ""
    region: str = ""
    endpoint: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""

    @property
    def options(self) -> tuple[str, ...]:
        """The options that mean something to the provider."""
        return ("provider", *SECRETS_OPTIONS[self.provider])

    @model_validator(mode="after")
    def _fits(self) -> SecretsSettings:
        own = SECRETS_OPTIONS[self.provider]
        foreign = sorted(self.model_fields_set - set(self.options))
        if foreign:
            raise ValueError(f"{foreign[0]} is no option of {self.provider}: it has {', '.join(own)}")
        if "key" in own and not self.key:
            raise ValueError(f"{self.provider} needs key: the name of the key that seals")
        return self


class Settings(Section):
    """All options.

    Attributes:
        host: The lab host, for ssh; or several, of which each experiment is on one.
        domain: The domain below which all experiments are; a wildcard record leads to the host.
        app: The application.
        repository: The URL of its git repository, as the lab host reaches it.
        build_image: An image with what builds the application; used with ``build_command`` only.
        build_command: A command in that image, in the work tree, before the container is built.
        container_build_command: A shell command in the work tree that builds ``image`` [docker build].
        image: What ``container_build_command`` calls the image.
        before_start: A command in the new image, before its container takes over: for migrations.
        environment: Variables; ``$VIRTUAL_HOST`` and the other variables are replaced, ``ENC[...]`` is opened.
        host_name: The first label of the host name.
        port: Where the application listens in its container.
        services: By name, which is the host name that the application finds each under.
        networks: Networks of others that its container is in besides its own: of a swarm, for example.
        ssh_config: Whether ssh reads its configuration files.
        verbose: Whether what commands on the lab host print is shown.
        limits: Of each container.
        health: When a new container is healthy.
        expires: How long an experiment stays after it was last deployed; None is for ever.
        sleeps: After how long without a request it sleeps; None is never.
        tls: HTTPS.
        users: Who may look, for basic authentication: hashes of passwords by name; empty is everybody.
        secrets: What seals secrets; a list of public SSH keys is age's.
    """

    host: Hosts
    domain: Annotated[str, AfterValidator(naming.checked_domain)]
    app: Slug
    repository: Annotated[str, Field(min_length=1), AfterValidator(_repository)]
    build_image: Image | None = None
    build_command: str = ""
    container_build_command: str = ""
    image: Annotated[Image, AfterValidator(_names_only)] = IMAGE
    before_start: str = ""
    environment: Variables = Field(default_factory=dict, repr=False)
    host_name: Annotated[str, AfterValidator(_names_only)] = HOST_NAME
    port: int = Field(default=80, ge=1, le=65535)
    services: dict[Slug, ServiceSettings] = Field(default_factory=dict)
    networks: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    ssh_config: bool = True
    verbose: bool = False
    limits: Limits = Limits()
    health: Health = Health()
    expires: DurationOrNever = timedelta(days=7)
    sleeps: DurationOrNever = None
    tls: Tls | None = None
    users: dict[Annotated[str, Field(pattern=r"^[^:\s]+$")], Annotated[str, AfterValidator(_hash)]] = Field(
        default_factory=dict, repr=False
    )
    secrets: Annotated[SecretsSettings, BeforeValidator(_secrets)] = SecretsSettings()

    @model_validator(mode="after")
    def _fits(self) -> Settings:
        if bool(self.build_image) != bool(self.build_command):
            has, lacks = ("build_image", "build_command") if self.build_image else ("build_command", "build_image")
            raise ValueError(f"{has} needs {lacks} too: the application is built with both or not at all")
        return self
