"""The fields of a service: what they may be, what is said where they are wrong, and placeholders in them."""

import textwrap

import pytest

import labrig
from labrig.errors import UsageError
from labrig.groups import collection
from labrig.groups.choice import Choice, to_start, to_stop
from labrig.groups.definition import Membership, Mount, Network, Port


def defined(**written):
    """Return the definition of a service with these fields."""
    values = {"name": "db", "image": "postgres:16", **written}
    return type("Database", (labrig.Service,), values)().define({"port": 5433, "who": "ada", "key": "s3cret"})


def load(folder, text):
    path = folder / "group.py"
    path.write_text("import labrig\n" + textwrap.dedent(text))
    return collection.load(path)


def test_the_fields_of_miniboss_read_as_docker_needs_them():
    found = defined(
        ports={5432: 5433, "53/udp": None, 80: ("127.0.0.1", 8080)},
        volumes=["/srv/data:/data", "cache:/cache:ro"],
        env={"A": 1, "B": "{who}", "C": None},
        cmd="sleep 'a b'",
        entrypoint=["/bin/sh", "-c"],
        user="1000",
        stop_signal="SIGINT",
    )
    assert found.ports == (Port(5432, "tcp", 5433), Port(53, "udp", None), Port(80, "tcp", 8080, "127.0.0.1"))
    assert found.mounts == (Mount("/srv/data", "/data"), Mount("cache", "/cache", "ro"))
    assert found.env == {"A": "1", "B": "ada", "C": None}
    assert (found.command, found.entrypoint) == (("sleep", "a b"), ("/bin/sh", "-c"))
    assert (found.user, found.stop_signal) == ("1000", "SIGINT")


def test_volumes_may_be_a_mapping_and_relative_to_the_groups_folder(tmp_path):
    group = load(
        tmp_path,
        """
        class Database(labrig.Service):
            name = "db"
            image = "postgres:16"
            volumes = {"./data": {"bind": "/data", "mode": "ro"}}
        """,
    )
    assert group.services["db"].define({}).mounts == (Mount(str(tmp_path / "data"), "/data", "ro"),)


def test_every_field_is_formatted_from_the_context():
    found = defined(
        image="postgres:{port}",
        ports={5432: "{port}"},
        volumes=["/srv/{who}:/data"],
        cmd=["--user", "{who}"],
        user="{who}",
        networks=["net-{who}"],
        limits={"memory": "{port}m", "cpus": "0.5"},
        healthcheck={"test": "check {who}", "interval": "{port}ms"},
        secrets={"key": {"content": "{key}"}},
        build_from="/srv/{who}",
    )
    assert found.image == "postgres:5433"
    assert found.ports == (Port(5432, "tcp", 5433),)
    assert found.mounts == (Mount("/srv/ada", "/data"),)
    assert found.command == ("--user", "ada")
    assert found.user == "ada"
    assert found.networks == (Membership(Network("net-ada")),)
    assert (found.limits.memory, found.limits.cpus) == (5433 * 1024**2, 0.5)
    assert (found.healthcheck.test, found.healthcheck.interval) == (("CMD-SHELL", "check ada"), 5.433)
    assert found.secrets[0].content == b"s3cret"
    assert found.build.context == "/srv/ada"


def test_a_command_keeps_the_braces_that_are_its_own():
    found = defined(cmd=["sh", "-c", "awk '{print}' ${HOME} {who} {{who}} {nobody}"])
    assert found.command[2] == "awk '{print}' ${HOME} ada {who} {nobody}"


def test_a_secret_is_in_no_text_that_somebody_might_print():
    assert "s3cret" not in repr(defined(secrets={"key": {"content": "{key}"}}))


def test_fields_come_from_base_classes_and_mixins_and_only_classes_with_a_name_start(tmp_path):
    group = load(
        tmp_path,
        """
        class Logged:
            env = {"LOG": "debug"}

        class Base(labrig.Service):
            image = "postgres:16"
            cmd = ["serve"]

        class Database(Logged, Base):
            name = "db"

        class Replica(Database):
            name = "replica"
            dependencies = [Database]
        """,
    )
    assert list(group.services) == ["db", "replica"]
    assert group.dependencies["replica"] == ("db",)
    replica = group.services["replica"].define({})
    assert (replica.image, replica.command, replica.env) == ("postgres:16", ("serve",), {"LOG": "debug"})


def test_a_service_is_defined_anew_each_time_from_what_was_written():
    service = type("One", (labrig.Service,), {"name": "one", "image": "x", "env": {"A": "{who}"}})()
    assert service.define({"who": "ada"}).env == {"A": "ada"}
    assert service.env == {"A": "ada"}
    assert service.define({"who": "bob"}).env == {"A": "bob"}


def test_a_missing_key_is_told_with_file_service_field_and_the_nearest_name(tmp_path):
    group = load(
        tmp_path,
        """
        class App(labrig.Service):
            name = "app"
            image = "x"
            env = {"ID": "{usr_id}"}
        """,
    )
    with pytest.raises(UsageError) as raised:
        group.services["app"].define({"user_id": 1, "token": 2})
    assert "group.py:3: service 'app': field 'env': '{usr_id}' names 'usr_id', which is not in the context" in str(
        raised.value
    )
    assert raised.value.hint == "did you mean user_id? the context holds: token, user_id"


WRONG = {
    "name": ("no host name!", "'no host name!' is no host name"),
    "image": (12, "expected the name of an image, found 12"),
    "dependencies": ("db", "expected a list, found str 'db'"),
    "env": (["A=1"], "expected a mapping, found list"),
    "ports": ({5432: "many"}, "expected a port number from 1 to 65535, found 'many'"),
    "volumes": ([1], "expected 'source:target' or 'source:target:mode', found 1"),
    "always_start_new": ("yes", "expected True or False, found str 'yes'"),
    "stop_signal": ("TERM", "expected the name of a signal such as SIGTERM or SIGKILL, found 'TERM'"),
    "build_from": ("", "expected a non-empty string"),
    "dockerfile": (3, "expected a string, found int 3"),
    "entrypoint": ([1], "expected a string or a list of strings, found [1]"),
    "cmd": (1, "expected a string or a list of strings, found 1"),
    "user": (1000, "expected a string, found int 1000"),
    "networks": ("front", "expected a list, found 'front'"),
    "healthcheck": ({"tset": "true"}, "health check: unknown key 'tset'"),
    "limits": ({"memory": "much"}, "'memory': expected a size such as 512m or 2g, found 'much'"),
    "secrets": ({"key": {}}, "secret 'key': expected either 'content' or 'file'"),
    "init": (1, "expected True or False, found int 1"),
    "one_shot": ("no", "expected True or False, found str 'no'"),
}


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_field_is_told_with_file_line_service_and_field(tmp_path, field):
    value, message = WRONG[field]
    fields = {"name": "db", "image": "x", field: value}
    body = "\n".join(f"    {key} = {one!r}" for key, one in fields.items())
    with pytest.raises(UsageError) as raised:
        load(tmp_path, f"class Database(labrig.Service):\n{body}\n")
    assert f"group.py:2: service {fields['name']!r}: field {field!r}: {message}" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "group.py: no services defined"),
        (
            "class A(labrig.Service):\n    image = 'x'\n",
            "class A: field 'name': expected a non-empty string",
        ),
        ("class A(labrig.Service):\n    name = 'a'\n", "group.py:2: service 'a': field 'image': expected the name"),
        (
            (
                "class A(labrig.Service):\n    name = 'a'\n    image = 'x'\n"
                "class B(labrig.Service):\n    name = 'a'\n    image = 'x'\n"
            ),
            "group.py: service 'a': field 'name': 2 services have it, at ",
        ),
        (
            (
                "class A(labrig.Service):\n    name = 'app'\n    image = 'x'\n    dependencies = ['bd']\n"
                "class B(labrig.Service):\n    name = 'db'\n    image = 'x'\n"
            ),
            "group.py:2: service 'app': field 'dependencies': there is no service 'bd'",
        ),
        (
            (
                "for one, other in ('ab', 'bc', 'ca'):\n"
                "    type(one, (labrig.Service,), dict(name=one, image='x', dependencies=[other]))\n"
            ),
            "the services depend on one another in a cycle: a -> b -> c -> a",
        ),
        (
            (
                "class A(labrig.Service):\n    name = 'a'\n    image = 'x'\n"
                "    networks = [labrig.Network('back', internal=True)]\n"
                "class B(labrig.Service):\n    name = 'b'\n    image = 'x'\n"
                "    networks = [labrig.Network('back', external=True)]\n"
            ),
            "service 'b': field 'networks': network 'back' is ",
        ),
        (
            "class A(labrig.Service):\n    name = 'a'\n    image = 'x'\n    ping = 3\n",
            "field 'ping': expected a method",
        ),
        ("import nothing_such\n", "group.py:2: ModuleNotFoundError: No module named 'nothing_such'"),
        ("def f(:\n", "group.py:2: SyntaxError"),
        (
            "labrig.group_name('a')\nlabrig.group_name('b')\n",
            "group is called 'a' already, and cannot be called 'b'",
        ),
    ],
)
def test_services_that_do_not_fit_together_are_told(tmp_path, text, message):
    with pytest.raises(UsageError) as raised:
        load(tmp_path, text)
    assert message in str(raised.value)


def test_a_name_of_a_network_means_the_one_that_another_service_describes(tmp_path):
    group = load(
        tmp_path,
        """
        class A(labrig.Service):
            name, image, networks = "a", "x", ["back"]

        class B(labrig.Service):
            name, image, networks = "b", "x", [labrig.Network("back", internal=True)]
        """,
    )
    assert group.networks == {"back": Network("back", internal=True)}


def test_a_group_is_named_after_its_folder_unless_it_says_otherwise(tmp_path):
    service = "class A(labrig.Service):\n    name, image = 'a', 'x'\n"
    folder = tmp_path / "My Shop (2)"
    folder.mkdir()
    assert load(folder, service).group == "my-shop-2"
    assert load(folder, service + "labrig.group_name('todo')\n").group == "todo"


TREE = {"db": (), "cache": (), "app": ("db", "cache"), "web": ("app",), "mail": ()}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), ["db", "cache", "mail", "app", "web"]),
        (Choice(names=["app"]), ["db", "cache", "app"]),
        (Choice(names=["app"], alone=True), ["app"]),
        (Choice(exclude=["web", "mail"]), ["db", "cache", "app"]),
        (Choice(exclude=["db", "app", "web"]), ["cache", "mail"]),
    ],
)
def test_starting_takes_what_is_named_with_what_it_needs(choice, expected):
    assert to_start(TREE, choice) == expected


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), ["web", "app", "mail", "cache", "db"]),
        (Choice(names=["db"]), ["web", "app", "db"]),
        (Choice(names=["db"], alone=True), ["db"]),
        (Choice(exclude=["db", "cache"]), ["web", "app", "mail"]),
    ],
)
def test_stopping_takes_what_is_named_with_what_needs_it(choice, expected):
    assert to_stop(TREE, choice) == expected


@pytest.mark.parametrize(
    ("call", "choice", "message"),
    [
        (to_start, Choice(exclude=["db"]), "service 'db' is to be excluded, but 'app' depends on it"),
        (to_start, Choice(names=["wbe"]), "there is no service 'wbe'"),
        (to_start, Choice(names=["db"], exclude=["db"]), "service 'db' is both named and excluded"),
        (
            to_stop,
            Choice(exclude=["web"]),
            "'app' is to be stopped, but 'web', which is excluded, depends on it",
        ),
        (to_stop, Choice(exclude=["bd"]), "there is no service 'bd'"),
    ],
)
def test_a_choice_that_does_not_fit_is_told(call, choice, message):
    with pytest.raises(UsageError, match=message):
        call(TREE, choice)
