from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import get_args

import pytest

from labrig.experiments import command, record, steps
from labrig.experiments.addresses import Addresses
from labrig.experiments.command import Command
from labrig.experiments.commands import commands
from labrig.experiments.deployment import Deployment, ServiceDeployment
from labrig.experiments.environment import Identity, Masked
from labrig.experiments.record import Record
from labrig.experiments.services import Credentials
from labrig.experiments.settings import Health, Settings
from labrig.experiments.steps import Step
from labrig.remote.ssh import quoted

RELEASE = "0123456789abcdef0123456789abcdef01234567"
# Everything that a shell, ssh, git, Docker, nginx, SQL or an option parser could take for its own.
NASTY = [
    "; reboot", "$(reboot)", "`reboot`", "a && b || c", "x | y", "> /etc/passwd", "< /dev/zero", "'", '"', "\\",
    "it's \"x\"", "$HOME ${IFS}", "* ? [a] {a,b}", "!!", "~root", "#", "-rf /", "--privileged", "a\nreboot\n", "\t",
    " ", "=", ",", ":", "%h", "é\u202e", "\x1b[31m", "&", "()", "a=b c=d",
]  # fmt: skip
HARMFUL = " ".join(NASTY)
ONE_OF_EACH: tuple[Step, ...] = (
    steps.MakeFolder(),
    steps.WriteRecord("main"),
    steps.FetchCode(RELEASE),
    steps.BuildApplication("b1"),
    steps.BuildImage("b1"),
    steps.MakeNetwork(),
    *(steps.MakeService(name) for name in ("db", "ours", "theirs")),
    steps.FetchImage("db", "postgres:15"),
    steps.StartService("db"),
    *(steps.AwaitService(name) for name in ("db", "ours", "theirs")),
    *(steps.RemoveServer("db", "postgresql", how, "why") for how in ("independent", "shared", "communal")),
    *(steps.RemoveData("db", "postgresql", how, "why") for how in ("independent", "shared")),
    steps.RunHook("db", "create", "b1", "v1"),
    steps.RunHook("db", "delete", "b1", "v1"),
    steps.WriteEnvironment("v1"),
    steps.RunBeforeStart("b1", "v1"),
    steps.CreateContainer("b1", "v1", 1),
    steps.JoinNetworks("v1"),
    steps.StartContainer("v1"),
    steps.AwaitHealthy("v1", 1),
    steps.Route("v1", 1),
    steps.RouteToSplash("v1"),
    steps.Unroute(),
    steps.StopContainer("v1"),
    steps.RemoveContainer("v1"),
    steps.RemoveJobs(),
    steps.RemoveEnvironment("v1"),
    steps.RemoveImage("b1"),
    steps.RemoveNetwork(),
    steps.RemoveFolder(),
)


def deployment(text: str = "x", *, branch: str = "feature/login") -> Deployment:
    """Return a deployment that has a text in every field that takes any text."""
    settings = Settings.model_validate(
        {
            "host": "lab",
            "domain": "lab.example",
            "app": "shop",
            "repository": "git@git.example:shop.git",
            "build_image": "node:20",
            "build_command": text,
            "container_build_command": text,
            "before_start": text,
            "environment": {"OWN": text},
            "health": {"command": text},
            "networks": ["search"],
            "services": {
                "db": {
                    "service": "postgresql",
                    "command": [text],
                    "environment": {"OWN": text.replace("\n", " ")},
                    "initial_data": "/srv/dumps",
                    "on_create": text,
                    "on_delete": text,
                },
                "ours": {"service": "mariadb", "provision": "shared"},
                "theirs": {"service": "redis", "provision": "communal", "app": "core", "experiment": "main"},
            },
        }
    )
    identity = Identity("shop", "login", branch, RELEASE, "lab.example", settings.host_name)
    who = Credentials("shop_login", "shop_login", "hunter2")
    return Deployment(
        identity=identity,
        settings=settings,
        labels=identity.names.labels(branch, creator=text, created="2027-01-01T00:00:00+00:00", expires="never"),
        addresses=Addresses(IPv4Network("10.213.0.32/27")),
        record=Record(branch, "git@git.example:shop.git", text, "2027-01-01", "2027-01-01"),
        variables={"OWN": Masked("hunter2")},
        services={
            name: ServiceDeployment(
                one, who, {"kind": one.service, "x": text}, variables={"OWN": "opened"}, dump="/srv/dumps/a,b.sql"
            )
            for name, one in settings.services.items()
        },
        connected={"db": "labrig-lab--postgresql"},
        user="990:990",
        sealed=("s3aled",),
    )


def every(at: Deployment) -> Iterator[Command]:
    for step in ONE_OF_EACH:
        yield from commands(step, at)


def one(step: Step, at: Deployment | None = None) -> str:
    (only,) = commands(step, at or deployment())
    return str(only)


def as_a_shell_has_them(texts: list[str]) -> list[list[str]]:
    """Return the arguments that a real shell makes of quoted commands."""
    script = "".join(f'set -- {text}\nprintf \'%s\\0\' "$#" "$@"\n' for text in texts)
    said = subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout.decode().split("\0")
    found = []
    while len(said) > 1:
        count = int(said[0])
        found.append(said[1 : count + 1])
        said = said[count + 1 :]
    return found


def test_every_step_has_its_commands() -> None:
    assert {type(step) for step in ONE_OF_EACH} == set(get_args(Step))
    for step in ONE_OF_EACH:
        assert commands(step, deployment()), step


@pytest.mark.parametrize("text", [*NASTY, HARMFUL])
def test_a_real_shell_gets_exactly_the_arguments_whatever_is_in_a_field(text: str) -> None:
    found = list(every(deployment(text, branch="a;b$(c)'d`e`")))
    assert as_a_shell_has_them([str(one) for one in found]) == [list(one.argv) for one in found]
    assert [shlex.split(str(one)) for one in found] == [list(one.argv) for one in found]


@pytest.mark.parametrize("text", ["-rf", "--privileged", "--upload-pack=sh", "-o ProxyCommand=x"])
def test_no_text_of_a_user_is_taken_for_an_option(text: str) -> None:
    """It stands after an option that takes it whole, after the image, or after -c: never where options are read."""
    for found in every(deployment(text, branch="main")):
        for place, word in enumerate(found.argv):
            if word == text:
                assert found.argv[place - 1] in {"-c", "-euc"} or "postgres:15" in found.argv[:place]


def test_no_secret_stands_in_an_argument_and_it_is_shown_nowhere() -> None:
    at = deployment()
    for found in every(at):
        assert "hunter2" not in str(found) + repr(found)
    assert "hunter2" not in repr(at)
    assert "s3aled" not in str(list(every(at))) + repr(at)
    told = "".join(found.stdin for found in every(at))
    assert told.count("s3aled") == 1, "a file beside the key tells what nobody may be shown"
    assert told.count("hunter2") >= 3, "the environment, the service's and the statements hold it"


def test_an_argument_with_a_nul_is_refused_and_not_told() -> None:
    with pytest.raises(ValueError, match="an argument of sh has a NUL") as caught:
        quoted(["sh", "-c", "hunter2\0"])
    assert "hunter2" not in str(caught.value)


def test_code_is_fetched_without_history_and_never_more_than_the_commit() -> None:
    folder = "/srv/labrig/experiments/shop/login"
    git = f"git --git-dir={folder}/git --work-tree={folder}/code"
    assert [str(one) for one in commands(steps.FetchCode(RELEASE), deployment())] == [
        f"rm --force {folder}/built",
        f"install --directory {folder}/code",
        f"{git} init --quiet",
        f"{git} fetch --quiet --depth=1 --no-tags -- git@git.example:shop.git {RELEASE}",
        f"{git} clean --quiet -ffdx",
        f"{git} checkout --quiet --force --detach {RELEASE} --",
    ]


def test_the_work_tree_is_exactly_the_commit(tmp_path: Path) -> None:
    """With a real git: what an earlier build left is gone, ignored files too, and no history is there."""
    origin, code = tmp_path / "origin", tmp_path / "code"

    def git(*argv: str, of: Path = origin) -> str:
        done = subprocess.run(["git", "-C", of, *argv], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    origin.mkdir()
    git("init", "--quiet", "--initial-branch=main")
    for text in ("first", "second"):
        (origin / "file").write_text(text)
        (origin / ".gitignore").write_text("built\n")
        git("add", ".")
        git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", text)
    for commit, text in ((git("rev-parse", "main"), "second"), (git("rev-parse", "main~1"), "first")):
        at = deployment()
        at = replace(at, settings=at.settings.model_copy(update={"repository": f"file://{origin}"}))
        for found in commands(steps.FetchCode(commit), at):
            argv = [word.replace(at.names.folder, str(tmp_path)) for word in found.argv]
            # As a lab host does it: in no folder of the experiment's.
            subprocess.run(argv, check=True, capture_output=True, cwd="/")
        assert (code / "file").read_text() == text
        assert sorted(one.name for one in code.iterdir() if one.name != ".git") == [".gitignore", "file"]
        assert git("rev-list", "--count", "HEAD", of=tmp_path / "git") == "1"
        (code / "built").mkdir()
        (code / "file").write_text("changed")
        # A build may write whatever it wants into the work tree, and nothing of it is ever run by the host's own git.
        git("init", "--quiet", of=code)
        git("config", "core.fsmonitor", f"touch {tmp_path}/owned; false", of=code)
        hook = code / ".git" / "hooks" / "post-checkout"
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/owned\n")
        hook.chmod(0o755)
    assert not (tmp_path / "owned").exists()


def test_a_file_is_there_as_a_whole_or_not_at_all_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "environment"
    path.write_text("old")
    first, second = command.written(str(path), "A=1\n")
    subprocess.run(first.argv, input=first.stdin, text=True, check=True)
    assert path.read_text() == "old"
    subprocess.run(second.argv, check=True)
    assert path.read_text() == "A=1\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_image_is_built_of_the_work_tree_with_what_the_experiment_is() -> None:
    at = deployment()
    plain = replace(at, settings=at.settings.model_copy(update={"container_build_command": ""}))
    cleaned, built = map(str, commands(steps.BuildImage("b1"), plain))
    assert cleaned == "rm --recursive --force /srv/labrig/experiments/shop/login/code/.git"
    assert built.startswith("docker build --force-rm --tag=labrig-lab/shop/login:b1 --label=org.labrig.owner=x/shop ")
    assert " --memory=1073741824 --memory-swap=1073741824 --cpu-period=100000 --cpu-quota=100000 " in built
    assert built.endswith(
        f" --build-arg=RELEASE={RELEASE} --build-arg=APP_NAME=shop --build-arg=INSTANCE_NAME=login"
        " --build-arg=BRANCH_NAME=feature/login /srv/labrig/experiments/shop/login/code"
    )


def test_an_own_build_command_runs_in_the_work_tree_and_its_image_gets_the_builds_name() -> None:
    _, own, tag, untag = commands(steps.BuildImage("b1"), deployment("docker build -t $APP_NAME/$INSTANCE_NAME ."))
    assert own.argv[:2] == ("env", "--chdir=/srv/labrig/experiments/shop/login/code")
    assert "RELEASE=" + RELEASE in own.argv
    assert own.argv[-3:] == ("sh", "-euc", "docker build -t $APP_NAME/$INSTANCE_NAME .")
    assert str(tag) == "docker image tag shop/login:latest labrig-lab/shop/login:b1"
    # What a delete does not know of would stay for ever.
    assert str(untag) == "docker image rm shop/login:latest"


def test_a_network_has_a_place_for_two_versions_and_for_the_rest() -> None:
    found = one(steps.MakeNetwork())
    assert "--subnet=10.213.0.32/27 --gateway=10.213.0.33 --ip-range=10.213.0.48/28" in found
    addresses = deployment().addresses
    fixed = {addresses.gateway, addresses.slot(0), addresses.slot(1)}
    assert len(fixed) == 3
    assert not any(one in addresses.others for one in fixed)


def test_a_container_has_its_address_limits_labels_and_environment_file() -> None:
    argv = commands(steps.CreateContainer("b1", "v1", 1), deployment())[0].argv
    assert argv[:3] == ("docker", "create", "--name=shop--login--v1")
    assert argv[-1] == "labrig-lab/shop/login:b1"
    assert {
        "--label=org.labrig.kind=experiment",
        "--label=org.labrig.app=shop",
        "--label=org.labrig.experiment=login",
        "--label=org.labrig.version=v1",
        "--memory=1073741824",
        "--memory-swap=1073741824",
        "--cpus=1",
        "--pids-limit=512",
        "--security-opt=no-new-privileges",
        "--network=shop--login",
        "--ip=10.213.0.35",
        "--env-file=/srv/labrig/experiments/shop/login/environment-v1",
    } <= set(argv)


def test_everything_that_is_made_on_the_engine_carries_the_experiments_labels() -> None:
    at = deployment()
    for found in every(at):
        words = found.argv
        is_made = words[:2] in {("docker", "create"), ("docker", "run"), ("docker", "build")} or words[2:3] == (
            "create",
        )
        if is_made:
            assert {f"--label={one}" for one in at.names.selectors} <= set(words), found


@pytest.mark.parametrize(
    "step", [steps.BuildApplication("b1"), steps.RunHook("db", "create", "b1", "v1"), steps.RunBeforeStart("b1", "v1")]
)
def test_a_command_ends_with_the_connection_that_runs_it(step: Step) -> None:
    """Number 1 of a container hears no signal that it does not ask for: a shell would run on, unlocked."""
    (ran,) = (one for one in commands(step, deployment()) if one.argv[:2] == ("docker", "run"))
    assert "--init" in ran.argv


def test_a_path_with_a_comma_stays_one_mount() -> None:
    created = next(one for one in commands(steps.MakeService("db"), deployment()) if one.argv[1] == "create")
    assert (
        '--mount=type=bind,"source=/srv/dumps/a,b.sql","target=/docker-entrypoint-initdb.d/a,b.sql",readonly=true'
        in created.argv
    )
    assert created.argv[-2:] == ("postgres:15", "x")


def test_a_shared_service_is_noted_then_an_account_then_a_way_to_it() -> None:
    found = commands(steps.MakeService("ours"), deployment())
    assert [" ".join(one.argv[:3]) for one in found] == [
        "install --mode=0600 /dev/stdin",
        "mv --force --no-target-directory",
        "docker exec --interactive",
        "docker network disconnect",
        "docker network connect",
        "install --mode=0600 /dev/stdin",
        "mv --force --no-target-directory",
    ]
    assert found[1].argv[-1].endswith("/account-ours")
    assert found[2].argv[3] == "labrig-lab--mariadb"
    assert "CREATE DATABASE IF NOT EXISTS `shop_login`" in found[2].stdin
    assert found[-1].argv[-1].endswith("/connected-ours")


def test_what_is_locked_or_dropped_on_a_shared_server_is_the_one_services_own() -> None:
    (locked, *_) = commands(steps.RemoveServer("db", "postgresql", "shared", "why"), deployment())
    (dropped, *_) = commands(steps.RemoveData("db", "postgresql", "shared", "why"), deployment())
    assert 'ALTER ROLE "shop__login__db" NOLOGIN' in locked.stdin
    assert 'DROP DATABASE IF EXISTS "shop__login__db"' in dropped.stdin


def test_a_communal_service_is_a_way_to_that_of_another_experiment() -> None:
    ways = [str(one) for one in commands(steps.MakeService("theirs"), deployment())]
    assert "docker network connect --alias=theirs shop--login core--main--s-theirs" in ways
    assert not any("exec" in one for one in ways)
    assert one(steps.AwaitService("theirs")).startswith("docker exec core--main--s-theirs sh -c ")


def test_a_container_is_healthy_by_its_command_or_by_what_it_answers() -> None:
    at = deployment("test -f /ok")
    assert one(steps.AwaitHealthy("v1", 0), at) == "docker exec shop--login--v1 sh -c 'test -f /ok'"
    plain = at.settings.model_copy(update={"health": Health(path="/up")})
    assert one(steps.AwaitHealthy("v1", 0), replace(at, settings=plain)) == (
        "curl --fail --silent --show-error --output /dev/null --max-time 5 --globoff"
        " --header 'Host: shop-login.lab.example' -- http://10.213.0.34:80/up"
    )


def test_who_may_look_is_known_before_the_virtual_host_asks_for_it() -> None:
    at = deployment()
    users = at.settings.model_copy(update={"users": {"anna": "$6$salt$hash"}})
    first, second, *_ = commands(steps.Route("v1", 0), replace(at, settings=users))
    assert str(first) == "sudo --non-interactive labrig-edge put shop--login.users"
    assert first.stdin == "anna:$6$salt$hash\n"
    assert str(second) == "sudo --non-interactive labrig-edge put shop--login.conf"
    assert "proxy_pass http://10.213.0.34:80;" in second.stdin


def test_its_host_keeps_the_settings_that_it_serves_by() -> None:
    """An update that fails leaves the old version, which sleeps and wakes by the settings that it was made with."""
    at = deployment()
    *_, written, _ = commands(steps.Route("v1", 0), at)
    first = record.read(written.stdin)
    assert first
    assert first.kept == at.kept
    plain = at.settings.model_copy(update={"port": 8000, "services": {}})
    again = {"branch": "main", "repository": "/r", "who": "anna@desk", "now": datetime(2027, 1, 1, tzinfo=UTC)}
    second = replace(at, settings=plain)
    noted = record.deployed(first, **again, stays=None, settings=second.kept)
    assert (noted.kept.port, noted.kept.on_delete) == (80, {"db": "x"})
    *_, written, _ = commands(steps.Route("v1", 0), replace(second, record=noted))
    assert (record.read(written.stdin).kept.port, "services" in written.stdin) == (8000, False)


def test_what_runs_is_started_by_systemd_so_that_it_starts_after_a_reboot() -> None:
    unit = "labrig-container@shop--login--v1.service"
    assert one(steps.StartContainer("v1")) == f"sudo --non-interactive systemctl enable --now --quiet {unit}"
    assert one(steps.StopContainer("v1")) == f"sudo --non-interactive systemctl disable --now --quiet {unit}"


def test_a_container_is_let_into_networks_of_others_and_started_so_that_a_missing_one_is_told() -> None:
    container = deployment().names.container("v1")
    said = [(" ".join(one.argv), one.may_fail) for one in commands(steps.JoinNetworks("v1"), deployment())]
    assert said == [
        # Once more is as good as once.
        (f"docker network disconnect --force search {container}", True),
        (f"docker network connect search {container}", False),
        (f"docker start {container}", False),
    ]
