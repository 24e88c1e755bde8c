"""Real database servers: equal ones are the same whatever the order, and every seeded defect is found by its name."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from trials.containers import Container, told

from labrig.state.capture import capture, request
from labrig.state.compare import compare
from labrig.state.explain import sentence
from labrig.state.rules import ONE_MACHINE_RULES

PACKAGES = ("postgresql", "mariadb-server", "redis-server")
INSTALL = "apt-get install -y -qq --no-install-recommends -o Acquire::Retries=5 -o Dpkg::Options::=--force-unsafe-io"
DATABASES = ("postgresql", "mariadb", "redis")
SECRET = "geheim-5317"

# The same objects, made in one order and in another: their numbers differ, and what they are does not.
POSTGRESQL = (
    f"CREATE ROLE app LOGIN PASSWORD '{SECRET}';",
    "CREATE ROLE readers;",
    "CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL);",
    "CREATE TABLE orders (id serial PRIMARY KEY, kind text DEFAULT 'x' CHECK (kind <> ''));",
    "CREATE FUNCTION twice(a int) RETURNS int LANGUAGE sql AS 'SELECT a * 2';",
    "CREATE TYPE mood AS ENUM ('sad', 'glad');",
    'CREATE DATABASE "it\'s";',
)
POSTGRESQL_AFTER = (
    "GRANT readers TO app;",
    "GRANT SELECT ON users TO readers, app;",
    "ALTER ROLE app SET work_mem = '8MB';",
    "CREATE INDEX ON orders (kind);",
    "CREATE VIEW latest AS SELECT id FROM orders;",
)
MARIADB = (
    "CREATE TABLE shop.users (id int PRIMARY KEY, email varchar(80));",
    "CREATE TABLE shop.orders (id int PRIMARY KEY, kind text) ENGINE=Aria;",
    f"CREATE USER 'app'@'localhost' IDENTIFIED BY '{SECRET}';",
    "CREATE FUNCTION shop.twice(a int) RETURNS int DETERMINISTIC RETURN a * 2;",
)
MARIADB_AFTER = ("GRANT SELECT, INSERT ON shop.* TO 'app'@'localhost';",)


class Server(Container):
    """A machine with databases."""

    def postgresql(self, *statements):
        self.stdin("runuser -u postgres -- psql -X -q -v ON_ERROR_STOP=1", "\n".join(statements))

    def mariadb(self, *statements):
        self.stdin("mariadb", "\n".join(statements))

    def stdin(self, command, text):
        self.run(f"{command} <<'END'\n{text}\nEND")

    def databases(self):
        """Return what is told of the databases alone, without a key: as somebody would keep it."""
        return capture(self.execute, asked=request(dimensions=DATABASES))

    def capture(self):
        return capture(self.execute, asked=request(key="of this test"))


def deploy(machine, order):
    machine.wait().run("apt-get update -qq -o Acquire::Retries=5")
    for package in PACKAGES[::order]:
        machine.run(f"{INSTALL} {package}")
    machine.postgresql(*POSTGRESQL[::order], *POSTGRESQL_AFTER)
    machine.mariadb("CREATE DATABASE shop;", *MARIADB[::order], *MARIADB_AFTER)
    machine.run(f"echo 'user app on >{SECRET} ~app:* +@read' >> /etc/redis/redis.conf; systemctl restart redis-server")


@pytest.fixture(scope="module")
def servers():
    with ExitStack() as cleaning, ThreadPoolExecutor() as pool:
        pair = []
        for _ in range(2):
            machine = Server()
            cleaning.callback(machine.remove)
            machine.start()
            pair.append(machine)
        for done in [pool.submit(deploy, machine, order) for machine, order in zip(pair, (1, -1), strict=True)]:
            done.result()
        yield pair


@pytest.fixture(scope="module")
def before(servers):
    return servers[1].capture()


def test_equal_servers_are_the_same_whatever_the_order(servers, before):
    first = servers[0].capture()
    assert first.unreadable == {}
    comparison = compare(first, before)
    assert told(comparison) == []
    for name in ("postgresql-relations", "postgresql-files", "mariadb-files", "role-password-hashes"):
        assert name in {applied.rule for applied in comparison.ignored}


def test_looking_twice_and_restarting_change_nothing(servers):
    states = [servers[0].capture(), servers[0].capture()]
    assert told(compare(*states, rules=ONE_MACHINE_RULES), left="before", right="after") == []
    after = servers[0].restart().capture()
    assert told(compare(states[0], after, rules=ONE_MACHINE_RULES), left="before", right="after") == []


def test_no_secret_is_in_what_is_told(servers):
    lines = "\n".join(servers[0].databases().lines())
    assert '"password":"set"' in lines
    for secret in (SECRET, "SCRAM-SHA-256$", "authentication_string", "fingerprint", "#"):
        assert secret not in lines.replace("scram-sha-256", "")


DEFECTS = [
    ("postgresql", "ALTER TABLE users ADD COLUMN age int;", "15/main database postgres table public.users", "columns"),
    ("postgresql", "DROP INDEX orders_kind_idx;", "15/main database postgres index public.orders_kind_idx", ""),
    ("postgresql", "REVOKE SELECT ON users FROM readers;", "15/main database postgres table public.users", "grants"),
    ("postgresql", "ALTER ROLE app CREATEDB;", "15/main role app", "attributes"),
    ("postgresql", "ALTER ROLE app PASSWORD 'other';", "15/main role app", "fingerprint"),
    ("postgresql", "REVOKE readers FROM app;", "15/main role app", "member_of"),
    ("postgresql", "ALTER ROLE app SET work_mem = '9MB';", "15/main setting work_mem of role app", "value"),
    (
        "postgresql",
        "CREATE OR REPLACE FUNCTION twice(a int) RETURNS int LANGUAGE sql AS 'SELECT a + a';",
        "15/main database postgres function public.twice(a integer)",
        "definition",
    ),
    (
        "postgresql",
        "ALTER SYSTEM SET max_connections = 50; SELECT pg_reload_conf();",
        "15/main setting max_connections",
        "waits_for_restart",
    ),
    ("postgresql", "CREATE CAST (text AS mood) WITH INOUT;", "15/main database postgres other objects", "counts"),
    ("mariadb", "ALTER TABLE shop.users ADD UNIQUE (email);", "table shop.users", "indexes"),
    ("mariadb", "ALTER TABLE shop.orders ENGINE=InnoDB;", "table shop.orders", "engine"),
    ("mariadb", "GRANT DROP ON shop.* TO 'app'@'localhost';", "user 'app'@'localhost'", "privileges"),
    ("mariadb", "SET PASSWORD FOR 'app'@'localhost' = PASSWORD('other');", "user 'app'@'localhost'", "fingerprint"),
    ("mariadb", "CREATE USER 'more'@'%';", "user 'more'@'%'", ""),
    ("mariadb", "SET GLOBAL max_connections = 77;", "setting max_connections", ""),
    ("mariadb", "DROP FUNCTION shop.twice;", "function shop.twice", ""),
    ("redis", "redis-cli CONFIG SET maxmemory 100mb", "6379 setting maxmemory", "value"),
    ("redis", "redis-cli ACL SETUSER app +@write", "6379 user app", "rules"),
]


@pytest.fixture(scope="module")
def seeded(servers, before):
    """What is found once every defect is on the second machine; the tests above must have run before."""
    machine = servers[1]
    machine.postgresql(*(text for dimension, text, *_ in DEFECTS if dimension == "postgresql"))
    machine.mariadb(*(text for dimension, text, *_ in DEFECTS if dimension == "mariadb"))
    for dimension, text, *_ in DEFECTS:
        if dimension == "redis":
            machine.run(text)
    comparison = compare(before, machine.capture(), rules=ONE_MACHINE_RULES)
    return {(found.dimension, found.key): found for found in comparison.differences}


@pytest.mark.parametrize(("dimension", "text", "key", "field"), DEFECTS, ids=[defect[1] for defect in DEFECTS])
def test_a_defect_is_found_by_its_name(seeded, dimension, text, key, field):
    assert (dimension, key) in seeded, f"{text} was not found"
    assert not field or field in seeded[dimension, key].fields


def test_nothing_else_is_found_of_the_databases(seeded):
    keys = {(dimension, key) for dimension, _, key, _ in DEFECTS}
    others = [found for place, found in seeded.items() if place not in keys and found.dimension in DATABASES]
    assert [sentence(found, left="before", right="after") for found in others] == []


def test_a_server_that_does_not_answer_is_unreadable_and_one_that_is_stopped_is_one_difference(servers, seeded):
    machine = servers[1]
    running = machine.databases()
    machine.run(
        "systemctl stop mariadb; echo 'requirepass x' > /root/r; redis-cli CONFIG SET requirepass lost;"
        "sed -i 's/^local.*/local all all scram-sha-256/' /etc/postgresql/15/main/pg_hba.conf;"
        "systemctl reload postgresql"
    )
    state = machine.databases()
    assert set(state.unreadable) == {"postgresql", "redis"}
    assert "password" in state.unreadable["postgresql"]
    assert "password" in state.unreadable["redis"]
    (stopped,) = [one for one in compare(running, state).differences if one.dimension == "mariadb"]
    assert (stopped.key, stopped.right) == ("server", None)
    assert stopped.held == sum(dimension == "mariadb" for dimension, _ in running.entries) - 1 > 10
