import pytest


@pytest.mark.parametrize("unit", ["nginx", "redis-server", "postgresql", "mariadb", "rsyslog", "ssh", "haproxy"])
def test_service(host, unit):
    assert host.service(unit).is_running
    assert host.service(unit).is_enabled


@pytest.mark.parametrize(
    "address", ["0.0.0.0:22", "127.0.0.1:3306", "127.0.0.1:5432", "127.0.0.1:6379", "0.0.0.0:8080"]
)
def test_address(host, address):
    assert host.socket(f"tcp://{address}").is_listening
