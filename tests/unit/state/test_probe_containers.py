"""Containers from what the engine tells: what somebody decided, and nothing that the engine made up."""

import copy

import pytest

from labrig.state.probe import containers
from labrig.state.probe.machine import Machine

ID = "ab" * 32
IMAGE = {
    "Id": "sha256:1",
    "RepoTags": ["app:1"],
    "RepoDigests": [],
    "Labels": {"org.opencontainers.image.created": "x"},
}
WEB = {
    "Id": ID,
    "Name": "/web",
    "Image": "sha256:1",
    "State": {"Status": "running", "Pid": 17, "StartedAt": "now", "Health": {"Status": "healthy"}},
    "Config": {
        "Hostname": ID[:12],
        "Image": "app:1",
        "Cmd": ["serve", "--password=geheim"],
        "Env": ["DB_PASSWORD=geheim", "MODE=x", "URL=postgresql://a:geheim@10.0.0.3/b"],
        "Labels": {"role": "front", "org.labrig.created": "now"},
    },
    "HostConfig": {
        "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]},
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "NetworkMode": "lab",
        "CapAdd": ["NET_ADMIN"],
        "Memory": 64,
    },
    "Mounts": [
        {"Type": "volume", "Name": "files", "Destination": "/data", "RW": True},
        {"Type": "volume", "Name": "cd" * 32, "Destination": "/cache", "RW": True},
        {"Type": "bind", "Source": "/srv", "Destination": "/srv", "RW": False},
    ],
    "NetworkSettings": {"Networks": {"lab": {"IPAddress": "172.18.0.2"}}},
}


def engine(tmp_path, *told, images=(IMAGE,), networks=(), volumes=()):
    answers = {
        "/info": {"DockerRootDir": "/var/lib/docker"},
        "/images/json": list(images),
        "/containers/json?all=1": [{"Id": one["Id"]} for one in told],
        "/networks": list(networks),
        "/volumes": {"Volumes": list(volumes)},
        **{f"/containers/{one['Id']}/json": one for one in told},
        **{f"/images/{image['Id']}/json": {"Config": {"Cmd": ["serve"]}} for image in images},
        **{f"/images/{image['Id']}/history": image.get("steps", []) for image in images},
    }
    machine = Machine({"root": str(tmp_path), "self": ["10.0.0.3"]})
    return containers.engine(machine, answers.__getitem__)


def changed(**parts):
    told = copy.deepcopy(WEB)
    for name, held in parts.items():
        told[name] = {**told[name], **held} if isinstance(held, dict) else held
    return told


def test_a_container_is_what_somebody_decided(tmp_path):
    assert engine(tmp_path, WEB)["container web"] == {
        "image": "app:1",
        "image_id": "sha256:1",
        "state": "running",
        "health": "healthy",
        "command": ["serve", "--password=<set>"],
        "environment": {"DB_PASSWORD": "<set>", "MODE": "x", "URL": "postgresql://a:<set>@<self>/b"},
        "labels": {"role": "front"},
        "limits": {"Memory": 64},
        "ports": ["0.0.0.0:8080 to 80/tcp"],
        "mounts": ["/srv at /srv, read-only", "a volume without a name at /cache", "files at /data"],
        "networks": ["lab"],
        "restart": "on-failure, at most 3 times",
        "capabilities": ["+NET_ADMIN"],
    }


def test_numbers_times_and_addresses_do_not_show(tmp_path):
    again = changed(Id="ef" * 32, State={"Pid": 99, "StartedAt": "later"}, Config={"Hostname": "ef" * 6})
    again["NetworkSettings"] = {"Networks": {"lab": {"IPAddress": "172.18.0.9"}}}
    assert engine(tmp_path, again) == engine(tmp_path, WEB)


def test_a_name_that_docker_made_up_is_none(tmp_path):
    two = [changed(Name=f"/{name}", Id=number * 32) for name, number in (("jolly_turing", "01"), ("zen_wright3", "02"))]
    keys = {key for key in engine(tmp_path, *two) if key.startswith("container")}
    assert keys == {"container without a name, of app:1", "container without a name, of app:1, 2"}
    assert "container web_front" in engine(tmp_path, changed(Name="/web_front"))


def test_a_container_that_runs_a_former_image_says_so(tmp_path):
    images = [{**IMAGE, "Id": "sha256:2"}, {**IMAGE, "RepoTags": None}]
    assert engine(tmp_path, WEB, images=images)["container web"]["image_outdated"] is True


def test_an_image_that_was_pulled_is_told_by_its_digest(tmp_path):
    pulled = {**IMAGE, "RepoDigests": ["app@sha256:77"]}
    assert engine(tmp_path, images=[pulled])["image app:1"] == {"image_id": "sha256:1", "digest": "sha256:77"}


def test_an_image_that_was_built_is_told_by_its_steps_and_its_size(tmp_path):
    built = {**IMAGE, "Size": 100, "steps": [{"CreatedBy": "RUN --token=geheim make", "Created": 17}]}
    again = {**built, "Id": "sha256:2", "steps": [{"CreatedBy": "RUN --token=geheim make", "Created": 18}]}
    other = {**built, "Id": "sha256:2", "steps": [{"CreatedBy": "RUN make more"}]}

    def told(image):
        return {
            name: held for name, held in engine(tmp_path, images=[image])["image app:1"].items() if name != "image_id"
        }

    assert told(built) == told(again)
    assert told(built)["size"] == 100
    assert told(built) != told(other)
    assert "geheim" not in str(told(built))


@pytest.mark.parametrize(("subnet", "told"), [("172.18.0.0/16", None), ("10.77.0.0/24", ["10.77.0.0/24"])])
def test_addresses_of_a_network_count_where_somebody_chose_them(tmp_path, subnet, told):
    network = {"Name": "lab", "Id": ID, "Driver": "bridge", "IPAM": {"Config": [{"Subnet": subnet}]}}
    assert engine(tmp_path, networks=[network])["network lab"].get("subnets") == told


def test_volumes_have_names_or_are_none(tmp_path):
    volumes = [{"Name": "files", "Driver": "local", "CreatedAt": "x"}, {"Name": ID, "Driver": "local"}]
    found = engine(tmp_path, volumes=volumes)
    assert found["volume files"] == {"driver": "local"}
    assert ID not in str(found)


def test_a_container_that_goes_away_meanwhile_is_none(tmp_path):
    def get(place):
        if place == f"/containers/{ID}/json":
            raise FileNotFoundError(place)
        return {"/info": {}, "/volumes": {}, "/containers/json?all=1": [{"Id": ID}]}.get(place, [])

    assert containers.engine(Machine({"root": str(tmp_path)}), get) == {}
