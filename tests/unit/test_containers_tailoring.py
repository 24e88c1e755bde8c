"""A sample file fitted to a test: each substitution does its work, shows in the diff, and cannot come to nothing."""

from pathlib import Path

import pytest

from labrig.containers.tailoring import FREE, Build, Sample, Tailoring, canonical, owned, tailor
from labrig.errors import UsageError

HERE = Path("/samples/shop")
ROOM = Path("/tmp/room")


def sample(**services):
    return Sample(
        file=HERE / "compose.yaml",
        directory=HERE,
        model={
            "services": services,
            "networks": {"default": {"name": "demo_default"}, "front": {"name": "shop-front"}},
            "volumes": {"data": {"name": "demo_data"}, "theirs": {"name": "theirs", "external": True}},
            "secrets": {"password": {"name": "demo_password", "file": "/samples/shop/password"}},
            "configs": {},
        },
        dockerfiles={HERE / "app" / "Dockerfile": "FROM python:3.11 AS build\nRUN true\nFROM build\n"},
    )


def bind(source: str) -> dict:
    return {"type": "bind", "source": source, "target": "/data"}


def run(given: Sample, **how):
    return tailor(given, Tailoring(**how), project="demo", room=ROOM)


def test_nothing_to_change_gives_the_same_model_and_no_diff():
    given = sample(web={"image": "nginx"})
    given.model["networks"]["front"]["name"] = "demo_front"

    tailored = run(given)

    assert tailored.model == given.model
    assert tailored.diff == ""


def test_images_are_the_same_however_they_are_written():
    given = sample(web={"image": "docker.io/library/nginx:latest", "pull_policy": "always"}, other={"image": "nginx:1"})

    tailored = run(given, images={"nginx": "mine:1"})

    assert tailored.model["services"] == {"web": {"image": "mine:1"}, "other": {"image": "nginx:1"}}
    assert "-    image: docker.io/library/nginx:latest\n" in tailored.diff
    assert "+    image: mine:1\n" in tailored.diff
    assert given.model["services"]["web"]["image"] == "docker.io/library/nginx:latest"


def test_image_in_a_dockerfile_is_substituted_too():
    given = sample(app={"build": {"context": "/samples/shop/app", "dockerfile": "Dockerfile"}})

    tailored = run(given, images={"python:3.11": "mine:1"})

    assert tailored.model["services"]["app"]["build"] == {
        "context": "/samples/shop/app",
        "dockerfile_inline": "FROM mine:1 AS build\nRUN true\nFROM build\n",
    }


@pytest.mark.parametrize(
    ("ports", "published"),
    [({}, [None, None, None]), ({8080: 18080}, ["18080", None, None]), ({8080: FREE, 443: 443}, [None, "443", None])],
)
def test_external_ports_are_free_ones_unless_said(ports, published):
    given = sample(
        web={
            "ports": [
                {"target": 80, "published": "8080", "protocol": "tcp"},
                {"target": 443, "published": "443", "protocol": "tcp"},
                {"target": 90, "published": "9000-9010", "protocol": "tcp"},
            ]
        }
    )

    found = run(given, external_ports=ports).model["services"]["web"]["ports"]

    assert [port.get("published") for port in found] == published
    assert [port["target"] for port in found] == [80, 443, 90]


def test_published_port_of_a_stack_stays_a_number():
    given = sample(web={"ports": [{"target": 80, "published": 8080}]})

    tailored = run(given, external_ports={8080: 18080})

    assert tailored.model["services"]["web"]["ports"] == [{"target": 80, "published": 18080}]


def test_host_paths_are_substituted_with_all_below_and_the_nearest_wins():
    volumes = [bind(f"/samples/shop/{path}") for path in ("data", "data/sub/deep", "database", "data/own")]
    given = sample(web={"volumes": [*volumes, {"type": "volume", "source": "data", "target": "/v"}]})

    tailored = run(given, host_paths={"./data": "/test/d", "data/own": Path("/test/own"), "password": "/test/pw"})

    found = [volume["source"] for volume in tailored.model["services"]["web"]["volumes"]]
    assert found == ["/test/d", "/test/d/sub/deep", "/samples/shop/database", "/test/own", "data"]
    assert tailored.model["secrets"]["password"]["file"] == "/test/pw"


def test_build_context_is_substituted_and_its_dockerfile_on_demand():
    given = sample(app={"build": {"context": "/samples/shop/app", "dockerfile": "Dockerfile"}})

    kept = run(given, builds={"./app": Path("/test/app")}).model["services"]["app"]["build"]
    other = run(given, builds={"app": Build(Path("/test/app"), "Dockerfile.test")}).model["services"]["app"]["build"]

    assert kept == {"context": "/test/app", "dockerfile": "Dockerfile"}
    assert other == {"context": "/test/app", "dockerfile": "Dockerfile.test"}


def test_added_files_go_into_a_copy_of_the_context():
    given = sample(app={"build": {"context": "/samples/shop/app"}}, worker={"build": {"context": "/samples/shop/app"}})

    tailored = run(given, files={"app": {"extra.txt": "hello"}})

    assert [str(copy.source) for copy in tailored.copies] == ["/samples/shop/app"]
    assert tailored.copies[0].files == {"extra.txt": "hello"}
    contexts = {service["build"]["context"] for service in tailored.model["services"].values()}
    assert contexts == {str(tailored.copies[0].target)} == {"/tmp/room/context-1"}


def test_image_in_the_dockerfile_of_a_copied_context_is_substituted_too():
    given = sample(app={"build": {"context": "/samples/shop/app", "dockerfile": "Dockerfile"}})

    tailored = run(given, files={"app": {"extra.txt": "hello"}}, images={"python:3.11": "mine:1"})

    assert tailored.model["services"]["app"]["build"]["dockerfile_inline"].startswith("FROM mine:1 AS build")


def test_texts_are_replaced_in_every_value():
    given = sample(web={"image": "nginx", "environment": {"URL": "http://shop.example:80", "N": None}, "tty": True})

    tailored = run(given, texts={"shop.example": "localhost"})

    assert tailored.model["services"]["web"]["environment"] == {"URL": "http://localhost:80", "N": None}


def test_fixed_names_give_way_to_the_projects_and_stay_reachable():
    given = sample(web={"container_name": "shop", "networks": {"default": None, "front": {"aliases": ["w"]}}})

    tailored = run(given)

    web = tailored.model["services"]["web"]
    assert web["networks"] == {"default": {"aliases": ["shop"]}, "front": {"aliases": ["shop", "w"]}}
    assert "container_name" not in web
    assert tailored.model["networks"]["front"]["name"] == "demo_front"
    assert tailored.model["volumes"]["theirs"] == {"name": "theirs", "external": True}


def test_images_that_are_built_get_names_of_their_own_wherever_they_are_used():
    build = {"context": "/samples/shop/app"}
    given = sample(
        app={"image": "shop/app:1", "build": build},
        worker={"image": "shop/app:1"},
        web={"build": build},
        db={"image": "db"},
    )

    tailored = run(given)

    images = {name: service["image"] for name, service in tailored.model["services"].items()}
    assert images == {
        "app": "labrig/test/demo-app",
        "worker": "labrig/test/demo-app",
        "web": "labrig/test/demo-web",
        "db": "db",
    }


@pytest.mark.parametrize(
    ("how", "message", "hint"),
    [
        (
            {"images": {"ngimx": "x"}},
            "the image 'ngimx' that is to be substituted; there are: nginx",
            "did you mean nginx?",
        ),
        ({"external_ports": {8081: 1}}, "external port '8081' that is to be substituted; there are: 8080", "8080"),
        ({"host_paths": {"./date": "/x"}}, "host path './date' that", ""),
        ({"builds": {"app": Path("/x")}}, "build context 'app' that is to be substituted", ""),
        ({"files": {"app": {}}}, "build context 'app' that is to be substituted", ""),
        ({"texts": {"missing": "x"}}, "text 'missing' that is to be substituted", ""),
    ],
)
def test_what_the_sample_does_not_have_is_an_error(how, message, hint):
    given = sample(
        web={
            "image": "nginx",
            "volumes": [bind("/samples/shop/data")],
            "ports": [{"target": 80, "published": "8080"}],
        }
    )

    with pytest.raises(UsageError) as caught:
        run(given, **how)

    assert caught.value.message.startswith("/samples/shop/compose.yaml: nothing here has the ")
    assert message in caught.value.message
    assert hint in caught.value.hint


def labels(kind: str) -> dict[str, str]:
    return {"org.labrig.kind": kind}


def test_everything_that_compose_will_make_is_labelled():
    given = sample(web={"image": "nginx", "labels": ["a=b"]}, app={"build": {"context": "/x"}})

    model = owned(given.model, labels)

    assert model["services"]["web"]["labels"] == {"a": "b", "org.labrig.kind": "test"}
    assert model["services"]["app"]["build"]["labels"] == {"org.labrig.kind": "test-image"}
    assert model["networks"]["front"]["labels"] == {"org.labrig.kind": "network"}
    assert model["volumes"]["data"]["labels"] == {"org.labrig.kind": "volume"}
    assert "labels" not in model["volumes"]["theirs"]
    assert "labels" not in model["secrets"]["password"]
    assert "labels" not in given.model["networks"]["front"]


def test_everything_that_a_stack_will_make_is_labelled():
    given = sample(web={"image": "nginx", "deploy": {"labels": {"a": "b"}}})
    given.model["networks"]["bare"] = None

    model = owned(given.model, labels, swarm=True)

    assert model["services"]["web"]["labels"] == {"org.labrig.kind": "test"}
    assert model["services"]["web"]["deploy"]["labels"] == {"a": "b", "org.labrig.kind": "service"}
    assert model["secrets"]["password"]["labels"] == {"org.labrig.kind": "secret"}
    assert model["networks"]["bare"] == {"labels": {"org.labrig.kind": "network"}}


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("nginx", "nginx:latest"),
        ("registry:5000/a/b", "registry:5000/a/b:latest"),
        ("a/b@sha256:0", "a/b@sha256:0"),
        ("docker.io/a/b:1", "a/b:1"),
    ],
)
def test_one_image_has_one_full_name(written, full):
    assert canonical(written) == full
