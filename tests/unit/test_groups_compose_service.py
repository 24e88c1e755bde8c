"""A service in Compose's normal form as a definition: what is carried over and where it goes, and what is refused."""

import pytest

from labrig.engine.compose import ComposeFile
from labrig.errors import UsageError
from labrig.groups.compose_file import Composed, conditions, definitions
from labrig.groups.compose_service import Given, seconds
from labrig.groups.definition import Build, HealthCheck, Limits, Membership, Mount, Network, Port


@pytest.fixture
def group(tmp_path):
    """Make a compose file of the text of one, and its normal form of the parts."""

    def make(text="", variables=None, **parts):
        file = tmp_path / "compose.yaml"
        file.write_text(text)
        model = {"name": "shop", "networks": {}, "volumes": {}, "secrets": {}, "configs": {}, **parts}
        return Composed(ComposeFile([file], environment=variables or {}), model, None)

    return make


@pytest.fixture
def web(group):
    def make(networks=None, volumes=None, secrets=None, configs=None, variables=None, **service):
        parts = {"networks": networks, "volumes": volumes, "secrets": secrets, "configs": configs}
        given = {name: part for name, part in parts.items() if part is not None}
        services = {"web": {"image": "nginx", **service}}
        return definitions(group(variables=variables, services=services, **given))["web"]

    return make


def test_what_is_not_said_is_as_the_image_has_it(web):
    found = web(command=None, entrypoint=None)

    assert (found.name, found.image) == ("web", "nginx")
    assert (found.command, found.entrypoint, found.user, found.stop_signal, found.healthcheck) == (None,) * 5
    assert found.config == found.host_config == {}


def test_process_and_variables(web):
    found = web(
        command=[],
        entrypoint=["/run"],
        user="1000:1000",
        stop_signal="SIGINT",
        init=True,
        environment={"A": "1", "B": "$x", "UNSET": None},
    )

    assert (found.command, found.entrypoint, found.user, found.stop_signal) == ((), ("/run",), "1000:1000", "SIGINT")
    assert found.init
    assert found.env == {"A": "1", "B": "$x"}


def test_ports_free_fixed_and_on_one_address(web):
    found = web(
        ports=[
            {"mode": "ingress", "target": 80, "published": "8080", "protocol": "tcp"},
            {"mode": "ingress", "target": 53, "protocol": "udp"},
            {"mode": "host", "target": 443, "published": "443", "protocol": "tcp", "host_ip": "127.0.0.1"},
        ],
        expose=["9000-9001", "53/udp"],
    )

    assert found.ports == (Port(80, "tcp", 8080), Port(53, "udp"), Port(443, "tcp", 443, "127.0.0.1"))
    assert found.config["ExposedPorts"].keys() == {"80/tcp", "53/udp", "443/tcp", "9000/tcp", "9001/tcp"}


def test_mounts(group):
    service = {
        "image": "nginx",
        "volumes": [
            {"type": "bind", "source": "/srv", "target": "/a", "read_only": True, "bind": {"create_host_path": True}},
            {"type": "bind", "source": "/srv", "target": "/b", "bind": {"propagation": "rslave", "selinux": "z"}},
            {"type": "volume", "source": "data", "target": "/c", "volume": {"nocopy": True}},
            {"type": "volume", "source": "theirs", "target": "/d", "volume": {}},
            {"type": "volume", "target": "/e", "volume": {}},
            {"type": "tmpfs", "target": "/f", "tmpfs": {"size": "1000", "mode": 0o700}},
        ],
        "tmpfs": ["/run:size=1m", "/tmp"],
        "configs": [{"source": "conf", "target": "/etc/conf"}, {"source": "conf"}],
    }
    found = definitions(
        group(
            services={"web": service},
            volumes={"data": {"name": "shop_data"}, "theirs": {"name": "of-others", "external": True, "driver": "nfs"}},
            configs={"conf": {"name": "shop_conf", "file": "/srv/conf"}},
        )
    )["web"]

    assert found.mounts == (
        Mount("/srv", "/a", "ro"),
        Mount("/srv", "/b", "rw,z,rslave"),
        Mount("shop_data", "/c", "rw,nocopy"),
        Mount("of-others", "/d", "rw"),
        Mount("/srv/conf", "/etc/conf", "ro"),
        Mount("/srv/conf", "/conf", "ro"),
    )
    assert found.config["Volumes"] == {"/e": {}}
    assert found.host_config["Tmpfs"] == {"/f": "size=1000,mode=700", "/run": "size=1m", "/tmp": ""}


def test_networks_with_aliases_internal_and_external(group):
    services = {"web": {"image": "x", "networks": {"front": {"aliases": ["www"]}, "back": None, "theirs": None}}}
    networks = {
        "front": {"name": "shop_front", "ipam": {}},
        "back": {"name": "shop_back", "internal": True},
        "theirs": {"name": "of-others", "external": True},
    }

    found = definitions(group(services=services, networks=networks))["web"]

    assert found.networks == (
        Membership(Network("front"), ("www",)),
        Membership(Network("back", internal=True)),
        Membership(Network("of-others", external=True)),
    )


def test_network_mode_stands_for_networks(web):
    found = web(network_mode="none")

    assert found.networks == ()
    assert found.host_config == {"NetworkMode": "none"}


def test_health_check_times_are_seconds_and_none_is_none(web):
    check = {"test": ["CMD", "true"], "interval": "1m30s", "timeout": "500ms", "retries": 3}

    assert web(healthcheck=check).healthcheck == HealthCheck(("CMD", "true"), interval=90.0, timeout=0.5, retries=3)
    assert web(healthcheck={"disable": True}).healthcheck == HealthCheck(("NONE",))
    assert web(healthcheck={"start_period": "5s"}).healthcheck == HealthCheck((), start_period=5.0)


@pytest.mark.parametrize(("text", "found"), [("1m30s", 90.0), ("1h0m1s", 3601.0), ("500ms", 0.5), ("1.5s", 1.5)])
def test_durations(text, found):
    assert seconds(text) == pytest.approx(found)


def test_limits_from_either_place(web):
    deploy = {"resources": {"limits": {"cpus": 0.5, "memory": "67108864", "pids": 9}}, "placement": {}, "replicas": 1}

    assert web(deploy=deploy).limits == Limits(67108864, 0.5, 9)
    assert web(mem_limit="1024", cpus=2, pids_limit=7).limits == Limits(1024, 2.0, 7)


def test_build_names_the_image_where_the_file_does_not(web):
    build = {"context": "/srv/app", "dockerfile": "Dockerfile", "args": {"A": "1"}, "target": "base"}

    found = web(image=None, build=build)

    assert found.image == "shop-web"
    assert found.build == Build("/srv/app", "Dockerfile", {"A": "1"}, "base")


def test_secrets_of_a_service(group, tmp_path):
    (tmp_path / "password").write_bytes(b"hidden")
    service = {
        "image": "x",
        "secrets": [
            {"source": "password", "target": "/run/secrets/other", "mode": 0o400, "uid": "33"},
            {"source": "token"},
        ],
    }
    secrets = {"password": {"file": str(tmp_path / "password")}, "token": {"environment": "TOKEN"}}

    found = definitions(group(services={"web": service}, secrets=secrets, variables={"TOKEN": "abc"}))["web"].secrets

    assert [(one.name, one.content, one.mode, one.uid) for one in found] == [
        ("other", b"hidden", 0o400, 33),
        ("token", b"abc", 0o444, 0),
    ]
    assert "hidden" not in repr(found)


def test_everything_else_of_the_container_goes_to_the_engine_as_it_is(web):
    found = web(
        working_dir="/srv",
        hostname="web-1",
        tty=True,
        stop_grace_period="1m30s",
        labels={"a": "b"},
        cap_add=["NET_ADMIN"],
        read_only=True,
        restart="on-failure:3",
        shm_size="67108864",
        extra_hosts=["db=10.0.0.1", "v6=::1"],
        devices=[{"source": "/dev/null", "target": "/dev/x", "permissions": "r"}, "/dev/zero:/dev/y:rw"],
        ulimits={"nproc": 5, "nofile": {"soft": 1, "hard": 2}},
        logging={"driver": "json-file", "options": {"max-size": "1m"}},
        ipc="host",
        dns=["10.0.0.53"],
    )

    assert found.config == {
        "WorkingDir": "/srv",
        "Hostname": "web-1",
        "Tty": True,
        "StopTimeout": 90,
        "Labels": {"a": "b"},
    }
    assert found.host_config == {
        "CapAdd": ["NET_ADMIN"],
        "ReadonlyRootfs": True,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "ShmSize": 67108864,
        "ExtraHosts": ["db:10.0.0.1", "v6:::1"],
        "Devices": [
            {"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"},
            {"PathOnHost": "/dev/zero", "PathInContainer": "/dev/y", "CgroupPermissions": "rw"},
        ],
        "Ulimits": [{"Name": "nproc", "Soft": 5, "Hard": 5}, {"Name": "nofile", "Soft": 1, "Hard": 2}],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        "IpcMode": "host",
        "Dns": ["10.0.0.53"],
    }


def waiting(condition, **more):
    return {"condition": condition, "required": True, **more}


def test_conditions_decide_when_a_service_is_ready(group):
    services = {
        "db": {"image": "x"},
        "cache": {"image": "x"},
        "migrate": {"image": "x", "depends_on": {"db": waiting("service_healthy")}},
        "web": {
            "image": "x",
            "depends_on": {
                "db": waiting("service_started", restart=True),
                "cache": waiting("service_started"),
                "migrate": waiting("service_completed_successfully"),
            },
        },
    }

    found = definitions(group(services=services))

    assert found["web"].dependencies == ("db", "cache", "migrate")
    assert {name: (one.one_shot, one.awaits_health) for name, one in found.items()} == {
        "db": (False, True),
        "cache": (False, False),
        "migrate": (True, False),
        # Nobody waits for it but the user, who is told that it is up when it is healthy.
        "web": (False, True),
    }


def test_service_that_is_to_be_healthy_and_to_end_is_refused(group):
    services = {
        "db": {"image": "x"},
        "a": {"image": "x", "depends_on": {"db": waiting("service_healthy")}},
        "b": {"image": "x", "depends_on": {"db": waiting("service_completed_successfully")}},
    }

    with pytest.raises(UsageError, match="service db cannot be carried over to a group: b waits for its end and a for"):
        definitions(group(services=services))


def test_dependency_that_may_be_missing_is_refused(group):
    services = {"web": {"image": "x", "depends_on": {"db": {"condition": "service_started", "required": False}}}}
    composed = group(services=services)

    with pytest.raises(UsageError, match=r"service web: depends_on\.db\.required cannot be carried over"):
        conditions(Given("web", services["web"], composed.model, composed.source))


TEXT = """\
services:
  web:
    image: nginx
    KEY: something
networks:
  front:
    driver_opts: {a: b}
volumes:
  data:
    driver: nfs
"""


@pytest.mark.parametrize(
    ("service", "line", "message"),
    [
        ({"container_name": "web"}, 4, "service web: container_name cannot be carried over to a group"),
        ({"links": ["db"]}, 4, "service web: links cannot be carried over to a group"),
        ({"volumes_from": ["db"]}, 4, "service web: volumes_from cannot"),
        ({"develop": {"watch": [1]}}, 4, "service web: develop cannot"),
        ({"platform": "linux/arm64"}, 4, "service web: platform cannot"),
        ({"brand_new": 1}, 4, "service web: brand_new cannot"),
        (
            {"scale": 2},
            4,
            "service web: scale cannot be carried over to a group: a service of a group",
        ),
        ({"deploy": {"replicas": 2}}, 4, "service web: deploy.replicas cannot"),
        ({"deploy": {"mode": "global"}}, 4, "service web: deploy.mode cannot"),
        ({"deploy": {"resources": {"reservations": {"memory": "1"}}}}, 4, "service web: deploy.resources.reservations"),
        ({"healthcheck": {"test": ["CMD", "x"], "start_interval": "1s"}}, 4, "service web: healthcheck.start_interval"),
        ({"build": {"context": ".", "cache_from": ["x"]}}, 4, "service web: build.cache_from cannot"),
        ({"network_mode": "service:db"}, 4, "service web: network_mode cannot"),
        ({"pid": "service:db"}, 4, "service web: pid cannot"),
        ({"pull_policy": "always"}, 4, "service web: pull_policy cannot"),
        ({"ports": [{"target": 80, "published": "8000-8010"}]}, 4, "service web: ports cannot"),
        ({"networks": {"front": {"ipv4_address": "10.0.0.2"}}}, 4, "service web: networks.front.ipv4_address cannot"),
        ({"networks": {"front": None}}, 7, "service web: network front: driver_opts cannot"),
        ({"volumes": [{"type": "npipe", "source": "a", "target": "/b"}]}, 4, "service web: volumes.0.type cannot"),
        (
            {"volumes": [{"type": "volume", "source": "data", "target": "/b"}]},
            10,
            "service web: volume data: driver cannot",
        ),
        ({"secrets": [{"source": "s", "target": "/etc/s"}]}, 4, "service web: secrets.0 cannot"),
        ({"configs": [{"source": "c"}]}, 1, "service web: config c: file cannot"),
    ],
)
def test_what_cannot_be_carried_over_is_refused_with_file_line_service_and_key(group, service, line, message):
    text = TEXT.replace("KEY", next(iter(service)))
    composed = group(
        text,
        services={"web": {"image": "nginx", **service}},
        networks={"front": {"name": "shop_front", "driver_opts": {"a": "b"}}},
        volumes={"data": {"name": "shop_data", "driver": "nfs"}},
        secrets={"s": {"file": "/s"}},
        configs={"c": {"content": "x"}},
    )

    with pytest.raises(UsageError) as caught:
        definitions(composed)

    at = composed.source.files[0]
    assert caught.value.message.startswith(f"{at}:{line}: {message}" if line > 1 else f"{at}: {message}")


def test_secret_that_cannot_be_read_is_refused(group, tmp_path):
    composed = group(
        f"services:\n  web:\n    image: x\nsecrets:\n  password:\n    file: {tmp_path}/none\n",
        services={"web": {"image": "x", "secrets": [{"source": "password"}]}},
        secrets={"password": {"file": f"{tmp_path}/none"}},
    )

    with pytest.raises(UsageError, match=rf"yaml:6: service web: secret password: file .* {tmp_path}/none cannot"):
        definitions(composed)
