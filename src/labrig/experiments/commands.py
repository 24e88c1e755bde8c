"""Each step of a plan as commands for the lab host: argument vectors that run nothing by themselves.

The host offers, besides Docker, git and systemd, ``labrig-edge put FILE`` and ``labrig-edge remove FILE`` to its
service user, by sudo: they check the whole configuration with a file of the edge's folder replaced or removed, put it
back where nginx refuses it, and return when no process of nginx works by the old one any more.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import singledispatch

from labrig.experiments import accounts, environment, steps
from labrig.experiments.command import Command, written
from labrig.experiments.deployment import Deployed, Deployment, ServiceDeployment, label_options, mount
from labrig.experiments.edge import VirtualHost
from labrig.experiments.naming import FILLING, RECORD, SERVICE, SLOT, VERSION, shared_server, unit
from labrig.experiments.services import PROVIDERS, credentials
from labrig.experiments.steps import Step

_SUDO = ("sudo", "--non-interactive")
# With the connection the host ends what runs, by a signal that number 1 of a container does not hear.
_RUN = ("docker", "run", "--init")


@singledispatch
def commands(step: Step, at: Deployed) -> tuple[Command, ...]:
    """Return the commands of a step.

    Those of ``AwaitService`` and ``AwaitHealthy`` ask once: 0 is yes. What makes something needs a ``Deployment``.
    """
    raise NotImplementedError(step)  # no step is left out: a test holds it


@commands.register
def _(_: steps.MakeFolder, at: Deployment) -> tuple[Command, ...]:
    return (Command(("install", "--directory", "--mode=0700", at.names.folder)),)


@commands.register
def _(_: steps.WriteRecord, at: Deployment) -> tuple[Command, ...]:
    # Before anything is made whose password depends on it.
    secret = (*written(at.names.key, f"{at.key}\n"), *written(at.names.sealed, f"{json.dumps(at.sealed)}\n"))
    return (*secret, *written(at.names.record, at.record.text()))


@commands.register
def _(step: steps.FetchCode, at: Deployment) -> tuple[Command, ...]:
    git = ("git", f"--git-dir={at.names.git}", f"--work-tree={at.names.code}")
    return (
        Command(("rm", "--force", at.names.built)),
        Command(("install", "--directory", at.names.code)),
        Command((*git, "init", "--quiet")),
        Command((*git, "fetch", "--quiet", "--depth=1", "--no-tags", "--", at.settings.repository, step.release)),
        # Cleaned before HEAD moves: a work tree whose HEAD is the commit has nothing else in it.
        Command((*git, "clean", "--quiet", "-ffdx")),
        Command((*git, "checkout", "--quiet", "--force", "--detach", step.release, "--")),
    )


@commands.register
def _(step: steps.BuildApplication, at: Deployment) -> tuple[Command, ...]:
    names, chosen = at.names, at.settings
    return (
        _gone(names.build),
        Command(
            (
                *(*_RUN, "--rm", f"--name={names.build}"),
                *label_options(at.labels),
                *at.limits,
                *([f"--user={at.user}"] if at.user else []),
                *(f"--env={name}={value}" for name, value in at.identity.variables.items()),
                f"--mount={mount(type='bind', source=names.code, target='/build')}",
                *("--workdir=/build", "--entrypoint=sh"),
                *(str(chosen.build_image), "-c", chosen.build_command),
            )
        ),
        *written(names.built, f"{step.build}\n"),
    )


@commands.register
def _(step: steps.BuildImage, at: Deployment) -> tuple[Command, ...]:
    names, chosen, variables = at.names, at.settings, at.identity.variables
    image = names.image(step.build)
    # What git does not clean: a build may have left settings there that run programs where git is called within.
    cleaned = Command(("rm", "--recursive", "--force", f"{names.code}/.git"))
    if not chosen.container_build_command:
        given = (f"--build-arg={one}={variables[one]}" for one in ("RELEASE", *environment.NAMES))
        options = (f"--tag={image}", *label_options(at.labels), *at.kept.limits.build_options)
        return (
            cleaned,
            Command(("docker", "build", "--force-rm", *options, *given, names.code)),
        )
    built = environment.substituted(chosen.image, variables)
    assigned = (f"{name}={value}" for name, value in variables.items())
    return (
        cleaned,
        Command(("env", f"--chdir={names.code}", *assigned, "sh", "-euc", chosen.container_build_command)),
        Command(("docker", "image", "tag", built, image)),
        # Nothing that removes the experiment knows that name; another of the application may have the same.
        Command(("docker", "image", "rm", built), may_fail=True),
    )


@commands.register
def _(_: steps.MakeNetwork, at: Deployment) -> tuple[Command, ...]:
    where = at.addresses
    given = (f"--subnet={where.subnet}", f"--gateway={where.gateway}", f"--ip-range={where.others}")
    return (Command(("docker", "network", "create", *given, *label_options(at.labels), at.names.network)),)


@commands.register
def _(step: steps.FetchImage, _: Deployed) -> tuple[Command, ...]:
    fetch = 'docker image inspect "$1" >/dev/null 2>&1 || exec docker pull "$1"'
    return (Command(("env", "sh", "-c", fetch, "sh", step.image)),)


@commands.register
def _(step: steps.MakeService, at: Deployment) -> tuple[Command, ...]:
    service = at.services[step.service]
    if service.settings.provision == "independent":
        return _server_made(step.service, service, at)
    server = at.server(step.service, service.settings)
    told: tuple[Command, ...] = ()
    if service.settings.provision == "shared":
        kind = service.settings.service
        # Noted before it is made, so that no database is ever left that nobody knows of.
        noted = written(at.names.account(step.service), f"{json.dumps(service.filling)}\n")
        told = (*noted, _told(server, kind, accounts.KINDS[kind].create(service.credentials)))
    told_of = {"provision": service.settings.provision, "server": server, "record": service.record}
    return (
        *told,
        Command(("docker", "network", "disconnect", "--force", at.names.network, server), may_fail=True),
        Command(("docker", "network", "connect", f"--alias={step.service}", at.names.network, server)),
        *written(at.names.connected(step.service), f"{json.dumps(told_of)}\n"),
    )


def _server_made(name: str, service: ServiceDeployment, at: Deployment) -> tuple[Command, ...]:
    provider = PROVIDERS[service.settings.service]
    called = at.names.service(name)
    labels = {**at.labels, SERVICE: name}
    filling = label_options({**labels, FILLING: json.dumps(service.filling)})
    variables = provider.container_environment(service.credentials, service.variables)
    path = at.names.service_environment(name)
    mounts = [mount(type="volume", source=called, target=provider.folder)]
    if service.dump:
        target = f"{provider.initial}/{service.dump.rpartition('/')[2]}"
        mounts += [mount(type="bind", source=service.dump, target=target, readonly="true")]
    return (
        *written(path, environment.file_text(variables)),
        Command(("docker", "volume", "create", *filling, called)),
        Command(
            (
                *("docker", "create", f"--name={called}"),
                *label_options({**labels, RECORD: json.dumps(service.record)}),
                *at.limits,
                *(f"--network={at.names.network}", f"--network-alias={name}"),
                *(f"--mount={one}" for one in mounts),
                f"--env-file={path}",
                service.settings.image or provider.image,
                *provider.arguments,
                *service.settings.command,
            )
        ),
    )


@commands.register
def _(step: steps.StartService, at: Deployed) -> tuple[Command, ...]:
    return (_enabled(at.names.service(step.service)),)


@commands.register
def _(step: steps.AwaitService, at: Deployment) -> tuple[Command, ...]:
    service = at.services[step.service].settings
    ready = PROVIDERS[service.service].ready
    return (Command(("docker", "exec", at.server(step.service, service), "sh", "-c", ready)),)


@commands.register
def _(step: steps.RemoveServer, at: Deployed) -> tuple[Command, ...]:
    if step.provision == "independent":
        return _container_removed(at.names.service(step.service))
    told: tuple[Command, ...] = ()
    server = at.connected.get(step.service, shared_server(step.kind))
    if step.provision == "shared":
        who = credentials(at.names, step.service, "")
        told = (_told(server, step.kind, accounts.KINDS[step.kind].lock(who.user)),)
    return (
        *told,
        Command(("docker", "network", "disconnect", "--force", at.names.network, server), may_fail=True),
        Command(("rm", "--force", at.names.connected(step.service))),
    )


@commands.register
def _(step: steps.RemoveData, at: Deployed) -> tuple[Command, ...]:
    own = Command(("rm", "--force", at.names.hooked(step.service), at.names.service_environment(step.service)))
    if step.provision == "shared":
        statements = accounts.KINDS[step.kind].drop(credentials(at.names, step.service, "").user)
        return (
            _told(shared_server(step.kind), step.kind, statements),
            own,
            Command(("rm", "--force", at.names.account(step.service))),
        )
    return (Command(("docker", "volume", "rm", at.names.service(step.service))), own)


@commands.register
def _(step: steps.RunHook, at: Deployed) -> tuple[Command, ...]:
    kept = at.kept
    text = (kept.on_create if step.moment == "create" else kept.on_delete)[step.service]
    done = written(at.names.hooked(step.service), "yes\n") if step.moment == "create" else ()
    return (*_job(at, at.names.hook, step.build, step.version, text), *done)


@commands.register
def _(step: steps.WriteEnvironment, at: Deployment) -> tuple[Command, ...]:
    return written(at.names.environment(step.version), environment.file_text(at.variables))


@commands.register
def _(step: steps.RunBeforeStart, at: Deployment) -> tuple[Command, ...]:
    # Its container stays: that it ended with 0 tells that this version is prepared.
    return _job(at, at.names.before_start, step.build, step.version, at.settings.before_start)


@commands.register
def _(step: steps.CreateContainer, at: Deployment) -> tuple[Command, ...]:
    address = at.addresses.slot(step.slot)
    return (
        Command(
            (
                *("docker", "create", f"--name={at.names.container(step.version)}"),
                *label_options({**at.labels, VERSION: step.version, SLOT: str(step.slot)}),
                *at.limits,
                *(f"--network={at.names.network}", f"--ip={address}"),
                f"--env-file={at.names.environment(step.version)}",
                at.names.image(step.build),
            )
        ),
    )


@commands.register
def _(step: steps.JoinNetworks, at: Deployment) -> tuple[Command, ...]:
    container = at.names.container(step.version)
    joined = tuple(
        command
        for network in at.settings.networks
        for command in (
            Command(("docker", "network", "disconnect", "--force", network, container), may_fail=True),
            Command(("docker", "network", "connect", network, container)),
        )
    )
    # That there is no such network, the engine says when the container starts; a unit would not say it.
    return (*joined, Command(("docker", "start", container)))


@commands.register
def _(step: steps.StartContainer, at: Deployed) -> tuple[Command, ...]:
    return (_enabled(at.names.container(step.version)),)


@commands.register
def _(step: steps.AwaitHealthy, at: Deployed) -> tuple[Command, ...]:
    health = at.kept.health
    if health.command:
        return (Command(("docker", "exec", at.names.container(step.version), "sh", "-c", health.command)),)
    asked = ("curl", "--fail", "--silent", "--show-error", "--output", "/dev/null", "--max-time", "5", "--globoff")
    url = f"http://{at.addresses.slot(step.slot)}:{at.kept.port}{health.path}"
    return (Command((*asked, "--header", f"Host: {at.kept.host}", "--", url)),)


@commands.register
def _(step: steps.Route, at: Deployed) -> tuple[Command, ...]:
    host = _virtual_host(at, step.version)
    upstream = f"{at.addresses.slot(step.slot)}:{at.kept.port}"
    # Only now: where this fails, its host goes on by the settings of before.
    return (*_put(at, host, host.awake(upstream)), *written(at.names.record, replace(at.record, kept=at.kept).text()))


@commands.register
def _(step: steps.RouteToSplash, at: Deployed) -> tuple[Command, ...]:
    host = _virtual_host(at, step.version)
    return _put(at, host, host.asleep())


@commands.register
def _(_: steps.Unroute, at: Deployed) -> tuple[Command, ...]:
    host = _virtual_host(at, "")
    return tuple(Command((*_SUDO, "labrig-edge", "remove", name)) for name in (host.file, host.users_file))


@commands.register
def _(step: steps.StopContainer, at: Deployed) -> tuple[Command, ...]:
    return (_disabled(at.names.container(step.version)),)


@commands.register
def _(step: steps.RemoveContainer, at: Deployed) -> tuple[Command, ...]:
    return (_gone(at.names.container(step.version)),)


@commands.register
def _(_: steps.RemoveJobs, at: Deployed) -> tuple[Command, ...]:
    return (_gone(*at.names.jobs),)


@commands.register
def _(step: steps.RemoveEnvironment, at: Deployed) -> tuple[Command, ...]:
    return (Command(("rm", "--force", at.names.environment(step.version))),)


@commands.register
def _(step: steps.RemoveImage, at: Deployed) -> tuple[Command, ...]:
    return (Command(("docker", "image", "rm", at.names.image(step.build))),)


@commands.register
def _(_: steps.RemoveNetwork, at: Deployed) -> tuple[Command, ...]:
    return (Command(("docker", "network", "rm", at.names.network)),)


@commands.register
def _(_: steps.RemoveFolder, at: Deployed) -> tuple[Command, ...]:
    of_application = at.names.folder.rpartition("/")[0]
    return (
        Command(("rm", "--recursive", "--force", "--one-file-system", at.names.folder)),
        # Another experiment of the application may be in it.
        Command(("rmdir", "--ignore-fail-on-non-empty", of_application), may_fail=True),
    )


def _job(at: Deployed, name: str, build: str, version: str, text: str) -> tuple[Command, ...]:
    """Return what runs a shell command as a new container would run, and leaves its container."""
    return (
        _gone(name),
        Command(
            (
                *(*_RUN, f"--name={name}"),
                *label_options({**at.labels, VERSION: version}),
                *at.kept.limits.options,
                f"--network={at.names.network}",
                f"--env-file={at.names.environment(version)}",
                *("--entrypoint=sh", at.names.image(build), "-c", text),
            )
        ),
    )


def _told(server: str, kind: str, statements: str) -> Command:
    return Command(("docker", "exec", "--interactive", server, "sh", "-c", PROVIDERS[kind].client), stdin=statements)


def _put(at: Deployed, host: VirtualHost, text: str) -> tuple[Command, ...]:
    users = at.kept.users
    # Who may look is known before the file that asks for it is, and is forgotten after.
    own = (*_SUDO, "labrig-edge", "put", host.users_file)
    before = (Command(own, stdin=host.users_text(users)),) if users else ()
    return (*before, Command((*_SUDO, "labrig-edge", "put", host.file), stdin=text))


def _virtual_host(at: Deployed, version: str) -> VirtualHost:
    tls = at.kept.tls
    return VirtualHost(
        names=at.names,
        host=at.kept.host,
        version=version,
        certificate=tls.certificate if tls else "",
        key=tls.key if tls else "",
        has_users=bool(at.kept.users),
    )


def _enabled(container: str) -> Command:
    return Command((*_SUDO, "systemctl", "enable", "--now", "--quiet", unit(container)))


def _disabled(container: str) -> Command:
    return Command((*_SUDO, "systemctl", "disable", "--now", "--quiet", unit(container)))


def _container_removed(name: str) -> tuple[Command, ...]:
    return (_disabled(name), _gone(name))


def _gone(*names: str) -> Command:
    """Return what removes containers; some versions of Docker fail where there are none."""
    return Command(("docker", "rm", "--force", *names), may_fail=True)
