"""Real database servers: equal ones are the same whatever the order, and every seeded defect is found by its name."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from labrig.state.capture import capture, request
from labrig.state.compare import compare
from labrig.state.explain import sentence
from labrig.state.rules import ONE_MACHINE_RULES
from trials.lab import QUIETLY, Lab, fetch, run, told

PACKAGES = ("postgresql", "mariadb-server", "redis-server")
INSTALL = f"apt-get install -y {QUIETLY} -o Dpkg::Options::=--force-unsafe-io"
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


def postgresql(machine, *statements):
    text = "\n".join(statements)
    run(machine, f"runuser -u postgres -- psql -X -q -v ON_ERROR_STOP=1 <<'END'\n{text}\nEND")


def mariadb(machine, *statements):
    text = "\n".join(statements)
    run(machine, f"mariadb <<'END'\n{text}\nEND")


def databases(machine):
    """Return what is told of the databases alone, without a key: as somebody would keep it."""
    return capture(machine.stream, asked=request(dimensions=DATABASES))


def deploy(machine, order):
    run(machine, fetch(" && ".join(f"{INSTALL} {package}" for package in PACKAGES[::order])))
    postgresql(machine, *POSTGRESQL[::order], *POSTGRESQL_AFTER)
    mariadb(machine, "CREATE DATABASE shop;", *MARIADB[::order], *MARIADB_AFTER)
    run(machine, f"echo 'user app on >{SECRET} ~app:* +@read' >> /etc/redis/redis.conf; systemctl restart redis-server")


@pytest.fixture(scope="module")
def lab():
    with Lab() as made:
        yield made


@pytest.fixture(scope="module")
def servers(lab):
    pair = [lab.start() for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(deploy, machine, order) for machine, order in zip(pair, (1, -1), strict=True)]:
            done.result()
    return pair


@pytest.fixture(scope="module")
def before(lab, servers):
    return lab.state(servers[1])


def test_equal_servers_are_the_same_whatever_the_order(lab, servers, before):
    first = lab.state(servers[0])
    assert first.unreadable == {}
    comparison = compare(first, before)
    assert told(comparison) == []
    for name in ("postgresql-relations", "postgresql-files", "mariadb-files", "role-password-hashes"):
        assert name in {applied.rule for applied in comparison.ignored}


def test_looking_twice_and_restarting_change_nothing(lab, servers):
    states = [lab.state(servers[0]), lab.state(servers[0])]
    assert told(compare(*states, rules=ONE_MACHINE_RULES), left="before", right="after") == []
    servers[0].restart()
    after = lab.state(servers[0])
    assert told(compare(states[0], after, rules=ONE_MACHINE_RULES), left="before", right="after") == []


def test_no_secret_is_in_what_is_told(servers):
    lines = "\n".join(databases(servers[0]).lines())
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
def seeded(lab, servers, before):
    """What is found once every defect is on the second machine; the tests above must have run before."""
    machine = servers[1]
    postgresql(machine, *(text for dimension, text, *_ in DEFECTS if dimension == "postgresql"))
    mariadb(machine, *(text for dimension, text, *_ in DEFECTS if dimension == "mariadb"))
    for dimension, text, *_ in DEFECTS:
        if dimension == "redis":
            run(machine, text)
    comparison = compare(before, lab.state(machine), rules=ONE_MACHINE_RULES)
    return {(found.dimension, found.key): found for found in comparison.differences}


@pytest.mark.parametrize(("dimension", "text", "key", "field"), DEFECTS, ids=[defect[1] for defect in DEFECTS])
def test_a_defect_is_found_by_its_name(seeded, dimension, text, key, field):
    assert (dimension, key) in seeded, f"{text} was not found"
    assert not field or field in seeded[dimension, key].fields


def test_nothing_else_is_found_of_the_databases(seeded):
    keys = {(dimension, key) for dimension, _, key, _ in DEFECTS}
    others = [found for place, found in seeded.items() if place not in keys and found.dimension in DATABASES]
    assert [sentence(found, left="before", right="after") for found in others] == []


def test_a_server_that_does_not_answer_is_unreadable_and_one_that_is_stopped_is_one_difference(lab, servers, seeded):
    machine = servers[1]
    running = databases(machine)
    run(
        machine,
        "systemctl stop mariadb; echo 'requirepass x' > /root/r; redis-cli CONFIG SET requirepass lost;"
        "sed -i 's/^local.*/local all all scram-sha-256/' /etc/postgresql/15/main/pg_hba.conf;"
        "systemctl reload postgresql",
    )
    state = databases(machine)
    assert set(state.unreadable) == {"postgresql", "redis"}
    assert "password" in state.unreadable["postgresql"]
    assert "password" in state.unreadable["redis"]
    (stopped,) = [one for one in compare(running, state).differences if one.dimension == "mariadb"]
    assert (stopped.key, stopped.right) == ("server", None)
    assert stopped.held == sum(dimension == "mariadb" for dimension, _ in running.entries) - 1 > 10
