from __future__ import annotations

from labrig.experiments import edge
from labrig.experiments.edge import Routed, VirtualHost
from labrig.experiments.naming import Names

NAMES = Names("shop", "login")
HOST = VirtualHost(NAMES, "shop-login.lab.example", "v1")
SECURE = VirtualHost(
    NAMES, "shop-login.lab.example", "v1", certificate="/etc/lab.pem", key="/etc/lab.key", has_users=True
)


def servers(text: str) -> list[list[str]]:
    """Return the lines of each server block of a file."""
    return [[line.strip() for line in part.splitlines()] for part in text.split("server {\n")[1:]]


def test_a_file_tells_what_it_was_written_for() -> None:
    assert edge.read(HOST.awake("10.0.0.2:80")) == Routed(NAMES, "v1", asleep=False)
    assert edge.read(SECURE.asleep()) == Routed(NAMES, "v1", asleep=True)


def test_a_file_of_somebody_else_is_nobodys_experiment() -> None:
    for text in ("", "# Written by a role\n", "# labrig experiment rubbish\n", '# labrig experiment {"app": 1}\n'):
        assert edge.read(text) is None


def test_requests_go_to_the_version_that_runs_websockets_too() -> None:
    (lines,) = servers(HOST.awake("10.0.0.2:8080"))
    assert "listen 80;" in lines
    assert "listen [::]:80;" in lines
    assert "server_name shop-login.lab.example;" in lines
    assert "proxy_pass http://10.0.0.2:8080;" in lines
    assert "proxy_set_header Upgrade $http_upgrade;" in lines
    assert not any("auth" in line.lower() for line in lines)


def test_with_a_certificate_http_only_leads_to_https() -> None:
    plain, secure = servers(SECURE.awake("10.0.0.2:80"))
    assert "return 308 https://$host$request_uri;" in plain
    assert not any("proxy_pass" in line or "ssl" in line for line in plain)
    assert "listen 443 ssl;" in secure
    assert "ssl_certificate /etc/lab.pem;" in secure
    assert "ssl_certificate_key /etc/lab.key;" in secure


def test_only_users_may_look_or_wake_and_the_application_does_not_see_their_password() -> None:
    for text in (SECURE.awake("10.0.0.2:80"), SECURE.asleep()):
        lines = servers(text)[1]
        assert 'auth_basic "shop";' in lines
        assert "auth_basic_user_file /etc/nginx/edge.d/shop--login.users;" in lines
        assert 'proxy_set_header Authorization "";' in lines
    assert SECURE.users_text({"anna": "$6$a", "ben": "$6$b"}) == "anna:$6$a\nben:$6$b\n"


def test_a_sleeping_experiment_is_woken_and_says_so() -> None:
    text = HOST.asleep()
    (lines,) = servers(text)
    assert "rewrite ^ /shop/login? break;" in lines
    assert "proxy_pass http://unix:/run/labrig/wake.sock;" in lines
    assert "shop login is waking up" in text
    assert "add_header Cache-Control no-store always;" in lines


def test_the_host_names_of_a_file_are_found_whoever_wrote_it() -> None:
    for text in (HOST.awake("10.0.0.2:80"), SECURE.asleep()):
        assert edge.hosts(text) == {"shop-login.lab.example"}
    assert edge.hosts("server {\n\tserver_name  A.example\n  b.example ;\n}\n") == {"a.example", "b.example"}
    assert edge.hosts("# server_name no.example;\nserver { return 200; }\n") == frozenset()
