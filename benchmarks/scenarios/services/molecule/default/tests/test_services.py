import pytest


@pytest.mark.parametrize("unit", ["nginx", "redis-server", "postgresql", "mariadb", "rsyslog", "ssh", "haproxy"])
def test_service(host, unit):
    assert host.service(unit).is_running
    assert host.service(unit).is_enabled


@pytest.mark.parametrize("port", [22, 3306, 5432, 6379, 8080])
def test_port(host, port):
    assert host.socket(f"tcp://127.0.0.1:{port}").is_listening
