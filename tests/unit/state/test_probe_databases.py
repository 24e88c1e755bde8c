"""Databases from what they answer: by name, in no order of chance, and without a secret."""

import socket
import threading
from contextlib import ExitStack

import pytest

from labrig.state.probe import mariadb, masking, postgresql, redis
from labrig.state.probe.machine import Machine
from labrig.state.probe.servers import Server

HASH = "0123456789abcdef" * 4


@pytest.fixture
def machine(tmp_path):
    return Machine({"root": str(tmp_path), "self": ["10.0.0.3"], "key": "k"})


def test_a_role_of_postgresql_has_a_password_and_nobody_sees_it(machine):
    told = {
        "attributes": ["login"],
        "member_of": None,
        "connection_limit": 5,
        "secret": "SCRAM-SHA-256$4096:salt$x",
    }
    value = postgresql.entry(machine, "role app", told)
    assert value.pop("fingerprint")
    assert value == {"attributes": ["login"], "connection_limit": 5, "password": "set", "method": "scram-sha-256"}
    assert postgresql.entry(machine, "role app", {"secret": ""}) == {"password": "none"}


def test_settings_of_postgresql_hide_secrets_and_own_addresses(machine):
    def shown(name, value):
        return postgresql.entry(machine, f"setting {name}", {"value": value})["value"]

    assert shown("listen_addresses", "10.0.0.3") == "<self>"
    assert shown("primary_conninfo", "host=a password=geheim user=b") == "host=a password=<set> user=b"
    assert shown("ssl_passphrase_command", "echo geheim").startswith("<set ")
    assert shown("password_encryption", "md5") == "md5"


def test_grants_have_no_order(machine):
    told = [{"grants": names} for names in (["b=r/x", "a=r/x"], ["a=r/x", "b=r/x"])]
    assert postgresql.entry(machine, "table t", told[0]) == postgresql.entry(machine, "table t", told[1])


@pytest.mark.parametrize(
    ("name", "written"),
    [("shop", "'dbname=''shop'''"), ("it's", r"'dbname=''it\\''s'''"), ("a\\b", r"'dbname=''a\\\\b'''")],
)
def test_a_database_of_any_name_can_be_connected_to(name, written):
    assert postgresql._connection(name) == written


def test_rows_of_mariadb_come_back_as_they_were():
    printed = "column\ta\\tb\\nc\\\\n\n" + "count\tfunc\t0\n"
    assert mariadb.rows_of(printed) == [["column", "a\tb\nc\\n"], ["count", "func", "0"]]


def test_tables_and_accounts_of_mariadb_are_put_together(machine):
    rows = [
        ["table", "shop", "users", "BASE TABLE", "InnoDB", "utf8mb4_general_ci", "", ""],
        ["column", "shop", "users", "2", "email", "varchar(80)"],
        ["column", "shop", "users", "1", "id", "int(11) not null"],
        ["index", "shop", "users", "PRIMARY", "unique btree (id)"],
        ["account", "app", "%", '{"plugin": "mysql_native_password", "authentication_string": "*HASH"}'],
        ["account", "readers", "", '{"is_role": true}'],
        ["grant", "'app'@'%'", "", "USAGE", "NO"],
        ["grant", "'app'@'%'", "shop.*", "SELECT", "YES"],
        ["grant", "'app'@'%'", "shop.*", "INSERT", "YES"],
        ["role", "'app'@'%'", "readers", "N"],
        ["setting", "gtid_binlog_pos", "0-1-5", "SQL", ""],
        ["setting", "max_connections", "99", "SQL", ""],
        ["setting", "bind_address", "10.0.0.3", "CONFIG", "/etc/mysql/my.cnf"],
    ]
    found = mariadb.entries(machine, rows)
    assert found.pop("user 'app'@'%'").pop("fingerprint")
    assert mariadb.entries(machine, rows)["user 'app'@'%'"]["privileges"] == {
        "shop.*": "INSERT, SELECT, with grant option"
    }
    assert "*HASH" not in str(mariadb.entries(machine, rows))
    assert found == {
        "table shop.users": {
            "engine": "InnoDB",
            "collation": "utf8mb4_general_ci",
            "columns": {"email": "varchar(80)", "id": "int(11) not null"},
            "column_order": ["id", "email"],
            "indexes": {"PRIMARY": "unique btree (id)"},
        },
        "role readers": {"plugins": [], "password": "none"},
        "setting max_connections": {"value": "99", "origin": "set at run time"},
        "setting bind_address": {"value": "<self>", "origin": "configuration file", "file": "/etc/mysql/my.cnf"},
    }


def test_a_way_into_mariadb_without_a_password_is_told_apart(machine):
    told = {
        "plugin": "native",
        "authentication_string": "invalid",
        "auth_or": [{}, {"plugin": "unix_socket"}],
    }
    assert mariadb.user(machine, told) == {"plugins": ["native", "unix_socket"], "password": "locked"}
    opened = {**told, "authentication_string": ""}
    assert mariadb.user(machine, opened)["password"] == "none"


def test_a_user_of_redis_has_passwords_and_nobody_sees_them(machine):
    name, value = redis.user(machine, f"user app on sanitize-payload #{HASH} ~app:* +@read")
    assert name == "app"
    assert value.pop("fingerprint")
    assert value == {"rules": ["on", "~app:*", "+@read"], "password": "set"}


def bulk(*texts):
    return b"".join(b"$%d\r\n%s\r\n" % (len(text), text.encode()) for text in texts)


SETTINGS = bulk("maxmemory", "0", "requirepass", "geheim", "slaveof", "")
USERS = bulk("user default on nopass ~* +@all")
ANSWERS = bulk("# Server\r\nredis_version:7.0.15\r\nhz:10\r\n") + b"*6\r\n" + SETTINGS + b"*1\r\n" + USERS + b"*0\r\n"
UNKNOWN = b"-ERR unknown command '%s'\r\n"


@pytest.fixture
def answering(tmp_path):
    """Return a function that starts something on a socket that gives these answers, one for each connection."""
    with ExitStack() as cleaning:

        def start(*answers):
            path = tmp_path / f"redis-{len(answers[0])}"
            listening = cleaning.enter_context(socket.socket(socket.AF_UNIX))
            listening.bind(str(path))
            listening.listen()

            def serve():
                for answer in answers:
                    connection, _ = listening.accept()
                    with connection:
                        connection.recv(1 << 16)
                        connection.sendall(answer)

            serving = threading.Thread(target=serve)
            serving.start()
            cleaning.callback(serving.join)
            return Server("1", "redis-server", "", [], [str(path)], [])

        yield start


def test_redis_is_asked_for_all_at_once(machine, answering):
    told, missing = redis.entries(machine, redis._answers(machine, answering(ANSWERS)))
    assert missing == []
    assert told["server"]["version"] == "7.0.15"
    assert told["setting maxmemory"] == {"value": "0"}
    assert told["setting requirepass"]["value"].startswith("<set ")
    assert "setting slaveof" not in told
    assert told["user default"] == {"rules": ["on", "nopass", "~*", "+@all"], "password": "none"}


def test_redis_that_refuses_is_not_taken_for_empty(machine, answering):
    refused = (
        b"-ERR unknown command 'INFO'\r\n-ERR unknown command 'CONFIG'\r\n-ERR unknown command 'ACL'\r\n-NOPERM no\r\n"
    )
    told, missing = redis.entries(machine, redis._answers(machine, answering(refused)))
    assert told == {}
    assert [reason.split(":")[0] for reason in missing] == ["INFO server", "CONFIG GET *", "MODULE LIST"]


def test_redis_that_hangs_up_or_speaks_otherwise_is_an_error(machine, answering):
    with pytest.raises(OSError, match="hung up"):
        redis._answers(machine, answering(b"$5\r\nab"))
    with pytest.raises(ValueError, match="TLS"):
        redis._answers(machine, answering(b"HTTP/1.1 400\r\n"))


@pytest.mark.parametrize(
    "name",
    ["DB_PASSWORD", "PGPASS", "requirepass", "API_KEY", "apiKey", "SECRET_KEY_BASE", "TOKEN", "masterauth", "SMTP_PWD"],
)
def test_a_name_looks_like_that_of_a_secret(name):
    assert masking.looks_secret(name)


@pytest.mark.parametrize(
    "name", ["POSTGRES_PASSWORD_FILE", "PATH", "max_connections", "password_encryption", "KEYBOARD", "port"]
)
def test_a_name_does_not_look_like_that_of_a_secret(name):
    assert not masking.looks_secret(name)
