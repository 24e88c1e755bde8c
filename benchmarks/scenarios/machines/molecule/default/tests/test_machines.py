import pytest

UNITS = {"web": "nginx", "app": "app", "db": "redis-server"}


@pytest.mark.parametrize("what", ["is_running", "is_enabled"])
def test_service(host, what):
    unit = UNITS[host.check_output("hostname")]
    assert getattr(host.service(unit), what)
