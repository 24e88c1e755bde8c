"""The context's file, the hooks' limits, and whose fault a taken port is."""

import json
import threading
import time

import pytest

import labrig
from labrig.errors import UsageError
from labrig.groups import hooks
from labrig.groups.context import FILE, ContextValues
from labrig.groups.holders import port_taken
from labrig.groups.steps import port_name


def test_the_context_is_kept_as_json_under_miniboss_name_for_nobody_else_to_read(tmp_path):
    assert FILE == ".miniboss-context"
    kept = ContextValues(user_id=42, names=["a", "b"])
    kept.save_to(tmp_path)
    assert json.loads((tmp_path / FILE).read_text()) == {"user_id": 42, "names": ["a", "b"]}
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    read = ContextValues(other=1)
    read.load_from(tmp_path)
    assert read == {"user_id": 42, "names": ["a", "b"], "other": 1}
    kept.remove_file(tmp_path)
    kept.remove_file(tmp_path)
    ContextValues().load_from(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_context_that_cannot_be_read_or_kept_is_told_with_its_file_and_key(tmp_path):
    (tmp_path / FILE).write_text("{")
    with pytest.raises(UsageError, match=rf"{FILE}: the context cannot be read"):
        ContextValues().load_from(tmp_path)
    (tmp_path / FILE).write_text("[]")
    with pytest.raises(UsageError, match="expected a JSON object, found list"):
        ContextValues().load_from(tmp_path)
    with pytest.raises(UsageError, match="the context's 'lock' cannot be kept"):
        ContextValues(fine=1, lock=threading.Lock()).save_to(tmp_path)
    assert (tmp_path / FILE).read_text() == "[]", "what was there stays"


class Hooked(labrig.Service):
    """A service whose hooks do what a test wants."""

    name = "hooked"
    image = "x"

    def pre_start(self):
        raise SystemExit(3)

    async def ping(self):
        return "pong"

    def post_start(self):
        time.sleep(30)


def test_a_hook_may_be_async_and_one_that_ends_the_process_does_not():
    assert hooks.call(Hooked(), "ping", limit=5) == "pong"
    with pytest.raises(hooks.HookFailed, match=r"test_groups_context.py:\d+: service 'hooked': pre_start raised"):
        hooks.call(Hooked(), "pre_start", limit=5)


def test_a_wait_for_a_hook_ends_when_nobody_waits_any_more():
    abandoned = threading.Event()
    abandoned.set()
    with pytest.raises(hooks.Abandoned):
        hooks.call(Hooked(), "post_start", limit=25, abandoned=abandoned)


@pytest.mark.parametrize(
    ("said", "port"),
    [
        ("driver failed ...: Bind for 0.0.0.0:5433 failed: port is already allocated", 5433),
        ("Error starting userland proxy: listen tcp4 0.0.0.0:41793: bind: address already in use", 41793),
        ("failed to bind host port for 127.0.0.1:8080:172.18.0.2:80/tcp: address already in use", 8080),
        ("no such image", None),
    ],
)
def test_a_port_that_is_taken_is_found_in_what_engines_say(said, port):
    assert port_taken(said) == port


def test_a_free_port_has_a_name_in_the_context_that_a_shell_takes_as_well():
    assert port_name("app-db", "5432/tcp") == "app_db_port_5432"
    assert port_name("dns", "53/udp") == "dns_port_53_udp"
