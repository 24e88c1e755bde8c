"""Containers and images without pytest's fixtures: what a script that uses them would notice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest

from labrig.containers import Container, Image, Owner, Session, waiting
from labrig.containers.errors import CommandFailed, NotReady
from labrig.engine import networks, ownership, sweep
from labrig.errors import EnvironmentFailed, UsageError

IMAGE = "labrig/debian-12"
SERVE = ("python3", "-u", "-m", "http.server")


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session("test") as opened:
        yield opened


@pytest.fixture
def owner(session: Session, request: pytest.FixtureRequest) -> Iterator[Owner]:
    with session.within(request.node.name) as made:
        yield made


@pytest.fixture(scope="module")
def sleeping(session: Session) -> Container:
    return session.container(IMAGE, "sleeping").run("sleep", "infinity")


def test_a_server_is_reached_at_the_port_it_was_given(owner: Owner, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("welcome")
    web = (
        owner.container(IMAGE, "web")
        .volume_from_host(tmp_path, "/srv", read_only=True)
        .expose(8000)
        .options(working_dir="/srv")
        .run(*SERVE, "8000")
        .wait_for(waiting.port(8000), waiting.http(8000, body="^welcome$"), seconds=20)
    )
    with urlopen(web.url(8000)) as answer:
        assert answer.read() == b"welcome"
    with pytest.raises(UsageError, match="port 81 of container web is not exposed"):
        web.host_port(81)


def test_what_it_prints_is_in_two_files_while_it_runs_and_after_another_start(owner: Owner, tmp_path: Path) -> None:
    talk = "echo one; echo two >&2; until test -e /go; do sleep 0.05; done; rm /go; echo end"
    talker = owner.container(IMAGE, "talker").log_to(tmp_path / "logs" / "talker").run("sh", "-c", talk)
    talker.wait_for(waiting.log("two"), waiting.log("one"), seconds=10)
    out, err = (tmp_path / "logs" / f"talker.{end}" for end in ("out", "err"))
    assert (out.read_text(), err.read_text()) == ("one\n", "two\n")
    assert talker.copy_in(b"", "/go").wait_until_exit(10) == 0
    assert talker.printed() == (b"one\nend\n", b"two\n")
    talker.start().wait_for(waiting.log("two"), seconds=10)
    assert err.read_text() == "two\ntwo\n"
    talker.copy_in(b"", "/go").wait_for(waiting.log("end"), seconds=10)
    assert out.read_text() == "one\nend\none\nend\n"
    assert talker.logs() == ("one\nend\none\nend\n", "two\ntwo\n")


def test_a_command_has_input_outputs_a_code_and_a_limit(sleeping: Container) -> None:
    script = "cat; echo $A $PWD >&2; exit 3"
    done = sleeping.execute("sh", "-c", script, stdin=b"in", env={"A": "a"}, folder="/usr", check=False)
    assert (done.code, done.stdout, done.stderr) == (3, "in", "a /usr\n")
    with pytest.raises(CommandFailed, match=r"sh in container sleeping ended with 3\ncannot tell"):
        sleeping.execute("sh", "-c", "echo cannot tell; exit 3")
    with pytest.raises(CommandFailed, match=r"could not run sleep in container sleeping within 0\.3 s"):
        sleeping.execute("sleep", "9", seconds=0.3)
    assert sleeping.execute("id", "-un", user="games").stdout == "games\n"
    large = sleeping.execute("head", "-c", "3000000", "/dev/zero").stdout
    assert len(large) == 3_000_000


def test_files_are_copied_both_ways(sleeping: Container, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "run").write_text("#!/bin/sh\necho hi\n")
    (folder / "sub" / "run").chmod(0o750)
    (folder / "link").symlink_to("sub/run")
    sleeping.copy_in(folder, "/opt/there").copy_in(b"secret", "/opt/there/key", mode=0o600)
    assert sleeping.execute("/opt/there/link").stdout == "hi\n"
    assert (
        sleeping.execute("stat", "-c", "%a %U", "/opt/there/key", "/opt/there/sub/run").stdout == "600 root\n750 root\n"
    )
    back = sleeping.copy_out("/opt/there", tmp_path / "back")
    assert (back / "link").read_text() == "#!/bin/sh\necho hi\n"
    assert (back / "link").is_symlink()
    assert sleeping.copy_out("/etc/hostname", tmp_path / "name").read_text().strip() == sleeping.id[:12]
    with pytest.raises(UsageError, match="container sleeping has no /nowhere"):
        sleeping.copy_out("/nowhere", tmp_path / "x")
    with pytest.raises(UsageError, match="x does not exist"):
        sleeping.copy_in(tmp_path / "x", "/x")


def test_it_is_paused_killed_stopped_and_started_again(owner: Owner) -> None:
    # Its first process ends when it is told to.
    script = "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done"
    one = owner.container(IMAGE, "one").options(stop_signal="SIGTERM").run("bash", "-c", script)
    one.wait_for(waiting.log("^up"), seconds=10)
    assert one.pause().state().status == "paused"
    assert one.unpause().state().status == "running"
    assert one.stop().state().code == 7
    assert one.start().kill().wait_until_exit(5) == 137
    one.remove()
    with pytest.raises(NotReady, match="container one is gone"):
        one.state()


def test_waiting_ends_at_once_when_it_has_exited(owner: Owner) -> None:
    began = time.monotonic()
    with pytest.raises(NotReady, match=r"(?s)container job has exited with code 3 before it was ready: 0 of 1 .*oh no"):
        owner.container(IMAGE, "job").run("sh", "-c", "echo oh no; exit 3").wait_for(waiting.log("ready"), seconds=60)
    assert time.monotonic() - began < 30


def test_a_job_that_said_it_and_exited_was_ready(owner: Owner) -> None:
    owner.container(IMAGE, "job").run("echo", "ready").wait_for(waiting.log("ready"), seconds=20)


@pytest.mark.parametrize(
    ("condition", "seen"),
    [
        (waiting.port(81), "port 81: connection refused"),
        (waiting.http(81, "/up"), "GET /up at port 81: "),
        (waiting.command("test", "-e", "/up"), "test ends with 1"),
        (waiting.log("up", times=2), "0 of 2 log lines match 'up'"),
    ],
)
def test_waiting_in_vain_tells_what_was_seen_last(sleeping: Container, condition: waiting.Condition, seen: str) -> None:
    with pytest.raises(NotReady) as told:
        sleeping.wait_for(condition, seconds=0.2)
    assert f"container sleeping is not ready after 0.2 s: {seen}" in told.value.message
    assert told.value.message.endswith("it is running\n(it has printed nothing)")


def test_a_published_port_is_not_ready_before_somebody_listens_behind_it(owner: Owner) -> None:
    """Docker's own proxy takes connections from the beginning on."""
    silent = owner.container(IMAGE, "silent").expose(80).run("sleep", "infinity")
    with pytest.raises(NotReady, match=r"port 80: (the connection is cut off at once|connection re)"):
        silent.wait_for(waiting.port(80), seconds=0.3)


def test_health_is_dockers_own(owner: Owner, sleeping: Container) -> None:
    # Nanoseconds.
    check = {"test": ["CMD", "test", "-e", "/up"], "interval": 200_000_000, "timeout": 10**9, "retries": 1}
    one = owner.container(IMAGE, "one").options(healthcheck=check).run("sleep", "infinity")
    with pytest.raises(NotReady, match="its health is "):
        one.wait_for(waiting.healthy(), seconds=0.1)
    one.copy_in(b"", "/up").wait_for(waiting.healthy(), seconds=20)
    with pytest.raises(UsageError, match="container sleeping has no health check"):
        sleeping.wait_for(waiting.healthy())


def test_the_calling_user_runs_what_shares_folders_with_it(tmp_path: Path) -> None:
    """In a process whose real user is another: what is written belongs to that user, who can remove it."""
    tmp_path.chmod(0o777)
    code = f"""
import os
from labrig.containers import Session
with Session("test") as session:
    os.setresgid(1234, 0, 0)
    os.setresuid(1234, 0, 0)
    one = session.container({IMAGE!r}).volume_from_host({str(tmp_path)!r}, "/shared")
    assert one.run("touch", "/shared/file").wait_until_exit() == 0
    assert session.container({IMAGE!r}).run("test", "-O", "/root").wait_until_exit() == 0
    os.setresuid(0, 0, 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    found = (tmp_path / "file").stat()
    assert (found.st_uid, found.st_gid) == (1234, 1234)


def test_the_environment_is_clean(owner: Owner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"proxies": {"default": {"httpProxy": "http://127.0.0.1:9"}}}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("SECRET_TOKEN", "x")
    with Session("test") as session:
        one = session.container(IMAGE).env(MODE="test").run("env")
        one.wait_until_exit(10)
        names = {line.partition("=")[0] for line in one.logs()[0].splitlines()}
    assert "MODE" in names
    assert {name for name in names if "proxy" in name.lower() or "SECRET" in name} == set()


def test_containers_on_a_network_find_one_another(owner: Owner) -> None:
    inner, outer = owner.network("inner", internal=True), owner.network("outer", hosts=5)
    server = owner.container(IMAGE, "server").network(inner, "db").run(*SERVE, "5432")
    client = owner.container(IMAGE, "client").network(outer).network(inner).run("sleep", "infinity")
    server.wait_for(waiting.port(5432), seconds=20)
    address = client.execute("getent", "hosts", "db").stdout.split()[0]
    assert address == server.ip(inner)
    assert client.ip(outer)
    assert [owner.client.api.inspect_network(name)["Internal"] for name in (inner, outer)] == [True, False]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda one: one.expose(80), r"container sleeping has been run already"),
        (lambda one: one.run("true"), r"container sleeping has been run already"),
        (
            lambda one: one.copy_in(b"", "relative"),
            r"cannot copy into container sleeping: relative is no absolute path",
        ),
    ],
)
def test_calls_in_the_wrong_order_or_place_are_told(sleeping: Container, call: object, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        call(sleeping)  # type: ignore[operator]


def test_what_is_not_there_is_told(owner: Owner, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="container one has not been run yet"):
        owner.container(IMAGE, "one").stop()
    with pytest.raises(UsageError, match=f"volume {tmp_path}/none does not exist on this machine"):
        owner.container(IMAGE, "one").volume_from_host(tmp_path / "none", "/x")
    with pytest.raises(UsageError, match="there is no container nowhere"):
        Container.existing(owner, "nowhere")
    with pytest.raises(EnvironmentFailed, match="there is no image nowhere/none"):
        Image.existing(owner, "nowhere/none")
    with pytest.raises(EnvironmentFailed, match=r"(?s)start container one.*nowhere-to-be-found"):
        owner.container(IMAGE, "one").run("nowhere-to-be-found")
    stopped = owner.container(IMAGE, "ended").expose(80).run("true")
    stopped.wait_until_exit(10)
    with pytest.raises(NotReady, match="port 80 of container ended leads nowhere: it has exited with code 0"):
        stopped.host_port(80)
    with pytest.raises(NotReady, match="cannot run true in container ended: it has exited with code 0"):
        stopped.execute("true")


# Images


def test_a_dockerfile_is_built_with_other_images_files_and_arguments(owner: Owner, tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(
        "ARG VERSION=1\nFROM nowhere/base:$VERSION\nARG GREETING\nCOPY etc/ /etc/mine\nRUN echo $GREETING > /greeting\n"
    )
    asked = {
        "substitute": {"nowhere/base:2": IMAGE},
        "files": {"etc/a": "added"},
        "build_args": {"VERSION": "2", "GREETING": "hello"},
    }
    image = Image.from_dockerfile(owner, file, **asked)  # type: ignore[arg-type]
    one = owner.container(image).run("cat", "/greeting", "/etc/mine/a")
    one.wait_until_exit(10)
    assert one.logs()[0] == "hello\nadded"
    try:
        again = Image.from_dockerfile(owner, file, **asked)  # type: ignore[arg-type]
        assert again.id == image.id
        other = Image.from_dockerfile(owner, file, **{**asked, "files": {"etc/a": "other"}})  # type: ignore[arg-type]
        assert other.name != image.name
        sweep.discard(owner.client, "image", other.name)
    finally:
        one.remove()
        assert sweep.discard(owner.client, "image", image.name)


def test_a_build_that_fails_says_where(owner: Owner, tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(f"FROM {IMAGE}\nRUN echo cannot be; false\n")
    with pytest.raises(EnvironmentFailed, match=f"(?s)could not build an image with {file}: .*cannot be.*non-zero"):
        Image.from_dockerfile(owner, file)
    with pytest.raises(
        UsageError, match="Dockerfile: the Dockerfile is not built from image a, but from labrig/debian"
    ):
        Image.from_dockerfile(owner, file, substitute={"a": "b"})
    with pytest.raises(UsageError, match=r"the Dockerfile .*none does not exist"):
        Image.from_dockerfile(owner, tmp_path / "none")


def test_images_of_containers_and_blank_ones_go_with_their_owner(session: Session) -> None:
    with session.within("test") as owner:
        one = owner.container(IMAGE).run("sleep", "infinity").copy_in(b"kept", "/kept")
        committed = one.commit("kept")
        assert owner.container(committed).run("cat", "/kept").wait_until_exit(10) == 0
        blank = Image.blank(owner)
        owner.client.images.get(IMAGE).tag(blank.name)
        assert owner.container(blank).run("true").wait_until_exit(10) == 0
        # Docker passes the labels of an image on: what somebody makes of it is not ours.
        theirs = owner.client.containers.create(committed.name, ["true"])
    try:
        assert [thing.name for thing in owner.remove()] == [committed.name]
        theirs.reload()
        with pytest.raises(EnvironmentFailed, match="there is no image labrig/test"):
            _ = blank.id
    finally:
        theirs.remove()
    assert owner.remove() == []
    assert owner.found() == []


def test_an_image_that_cannot_be_pulled_is_told(owner: Owner) -> None:
    with pytest.raises(EnvironmentFailed, match="pull image localhost:1/none"):
        Image.pulled(owner, "localhost:1/none")
    with pytest.raises(EnvironmentFailed, match="image localhost:1/none is not on this engine and cannot be pulled"):
        owner.image("localhost:1/none")


# Whose they are


def test_everything_goes_with_its_owner_and_nothing_else_does(session: Session) -> None:
    stays = session.container(IMAGE).run("sleep", "infinity")
    with session.within("tests/test_a.py::test_a") as owner:
        network, volume = owner.network(), owner.volume()
        one = owner.container(IMAGE).network(network).volume(volume, "/data").run("sleep", "infinity")
        (owner.folder / "file").write_text("x")
        assert {thing.sort for thing in owner.found()} == {"container", "network", "volume"}
        assert one.inspect()["Config"]["Labels"][ownership.TEST] == "tests/test_a.py::test_a"
        folder = owner.folder
    assert owner.found() == []
    assert not folder.exists()
    assert stays.state().alive


def test_what_somebody_else_uses_is_told_and_stays(session: Session) -> None:
    owner = session.owner("test")
    network = owner.network()
    theirs = session.client.containers.run(IMAGE, ["sleep", "infinity"], network=network, detach=True)
    try:
        assert [thing.name for thing in owner.remove()] == [network]
    finally:
        theirs.remove(force=True)
    assert owner.remove() == []


def test_a_container_that_exists_is_removed_only_if_it_is_taken_over(session: Session) -> None:
    client = session.client
    one, two = (client.containers.run(IMAGE, ["sleep", "infinity"], detach=True) for _ in range(2))
    try:
        with session.within() as owner:
            assert Container.existing(owner, str(one.name)).execute("true").code == 0
            assert Container.existing(owner, str(two.id), own=True).state().alive
        assert sweep.find(client, part=owner.part) == []
        listed = {found["Id"] for found in client.api.containers(all=True)}
        assert str(one.id) in listed
        assert str(two.id) not in listed
    finally:
        one.remove(force=True)
        sweep.discard(client, "container", str(two.id))


def test_networks_that_are_made_at_once_do_not_overlap(session: Session) -> None:
    """More than Docker's own pools have room for, from several threads and clients."""
    with session.within() as owner, ThreadPoolExecutor(6) as pool:
        names = list(pool.map(lambda number: owner.network(f"n{number}", hosts=10), range(32)))
        found = [owner.client.api.inspect_network(name)["IPAM"]["Config"][0]["Subnet"] for name in names]
    assert len(set(found)) == len(names) == 32


def test_a_full_range_is_told(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABRIG_SUBNETS", "10.77.1.0/29")
    with session.within() as owner:
        owner.network(hosts=5)
        with pytest.raises(EnvironmentFailed, match=r"no subnet for 5 containers \(/29\) is left in 10\.77\.1\.0/29"):
            owner.network(hosts=5)
    assert networks.HOSTS == 60


def test_shared_things_are_made_once_and_removed_by_the_last() -> None:
    name = f"test-{ownership.new_run_id()}"
    made: list[str] = []

    def make(owner: Owner) -> Container:
        made.append(owner.part)
        return owner.container(IMAGE, "shared").run("sleep", "infinity")

    with Session("test", shared=name) as first:
        with Session("test", shared=name) as second:
            ids: list[str] = []
            several = [
                threading.Thread(target=lambda one=one: ids.append(one.shared_container("db", make).id))
                for one in (first, second)
            ]
            for thread in several:
                thread.start()
            for thread in several:
                thread.join()
            assert len(set(ids)) == len(made) == 1
        assert Container.existing(first, ids[0]).state().alive
        client = first.client
        assert len(sweep.find(client, run=name)) == 1
    with Session("test") as later:
        assert sweep.find(later.client, run=name) == []
    assert not ownership.run_path(name).exists()


def test_what_could_not_be_made_for_all_is_made_by_the_next() -> None:
    with Session("test") as session:

        def fails(owner: Owner) -> Container:
            owner.container(IMAGE).run("sleep", "infinity")
            raise UsageError("half made")

        with pytest.raises(UsageError, match="half made"):
            session.shared_container("db", fails)
        assert session.together()[0].found() == []
        assert session.shared("db", lambda _: {"port": 5432}) == {"port": 5432}
        assert session.shared("db", fails) == {"port": 5432}


def test_a_process_that_was_forked_neither_removes_nor_protects_what_there_is(session: Session) -> None:
    """The child of a test process ends before it, then another child outlives it."""
    code = f"""
import os, signal, sys, time
from labrig.containers import Session
session = Session("test")
one = session.container({IMAGE!r}).run("sleep", "infinity")
if os.fork() == 0:
    session.close()
    os._exit(0)
os.wait()
print(session.run, one.state().alive, flush=True)
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        run, alive = process.stdout.readline().split()
        child = int(process.stdout.readline())
        try:
            assert alive == "True"
            end = time.monotonic() + 30
            while sweep.find(session.client, run=run):
                assert time.monotonic() < end, "the reaper removed nothing"
                time.sleep(0.1)
        finally:
            os.kill(child, signal.SIGKILL)


def test_what_was_kept_outlives_its_process_with_the_folder_that_it_shares(session: Session) -> None:
    with Session("test", keepable=True) as other:
        kept, plain = other.owner("kept"), other.owner("plain")
        one = kept.container(IMAGE).volume_from_host(kept.folder, "/shared").run("sleep", "infinity")
        plain.container(IMAGE).run("sleep", "infinity")
        folder = kept.folder
        kept.keep()
    try:
        assert [thing.id for thing in sweep.find(session.client, run=kept.run)] == [one.id]
        assert sweep.find(session.client, part=kept.part)[0].name not in {o.name for o in sweep.orphans(session.client)}
        assert folder.is_dir()
    finally:
        sweep.remove_run(session.client, kept.run)
        folder.rmdir()
