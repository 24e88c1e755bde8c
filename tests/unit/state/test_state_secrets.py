"""What looks like a secret is shown nowhere, and what is none stays readable."""

import pytest

from labrig.state.secrets import Mask, masked

# Each line with the part that nobody may see.
SECRETS = [
    ("password = hunter2", "hunter2"),
    ("password=hunter2", "hunter2"),
    ('password: "correct horse battery"', "horse"),
    ("# old password: hunter2", "hunter2"),
    ("DB_PASSWORD=hunter2", "hunter2"),
    ("export PGPASSWORD='hunter2'", "hunter2"),
    ("dbPassword: hunter2", "hunter2"),
    ("mail.smtp.password=hunter2", "hunter2"),
    ('{"user": "app", "password": "hunter2", "port": 1}', "hunter2"),
    ('{\\"password\\": \\"hunter2\\"}', "hunter2"),
    ("'password' => 'hunter2',", "hunter2"),
    ("define('DB_PASSWORD', 'hunter2');", "hunter2"),
    ("<password>hunter2</password>", "hunter2"),
    ("requirepass hunter2", "hunter2"),
    ("masterauth hunter2", "hunter2"),
    ("user default on >hunter2 ~* +@all", "hunter2"),
    ('Environment="DB_PASSWORD=hunter2" "MODE=fast"', "hunter2"),
    ("ExecStart=/usr/bin/app --token hunter2 --verbose", "hunter2"),
    ("mysql --user=app --password=hunter2 shop", "hunter2"),
    ("curl -u app:hunter2 http://localhost/", "hunter2"),
    ("host=db user=app password=hunter2 dbname=shop", "hunter2"),
    ("DATABASE_URL=postgres://app:hunter2@db/shop", "hunter2"),
    ("proxy = http://me:p%40ss:w0rd@proxy:3128/", "w0rd"),
    ("broker_url: redis://:hunter2@cache:6379/0", "hunter2"),
    ("machine example.com login app password hunter2", "hunter2"),
    ("db:5432:shop:app:hunter2", "hunter2"),
    ("    stats auth admin:hunter2", "hunter2"),
    ("    user app insecure-password hunter2", "hunter2"),
    ('key "rndc-key" { algorithm hmac-sha256; secret "b2ZmIHdpdGggeW91ciBoZWFk"; };', "b2Zm"),
    ("CREATE USER 'app'@'%' IDENTIFIED BY 'hunter2';", "hunter2"),
    ("ALTER ROLE app WITH PASSWORD 'hunter2';", "hunter2"),
    ("root:$6$abcdefgh$N2fPGm9Q0n/KsYq0:19000:0:99999:7:::", "N2fPGm9Q0n"),
    ("root:$y$j9T$abcdefgh$N2fPGm9Q0nKsYq0:19000:0:99999:7:::", "N2fPGm9Q0n"),
    ("web:abXYZ12345678:19000:0:99999:7:::", "abXYZ"),
    ("admin:$apr1$ABCDEFGH$0123456789abcdefghijkl", "0123456789"),
    ("admin:{SSHA}0123456789abcdefghijkl==", "0123456789"),
    ('"app" "SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5"', "c2FsdA"),
    ("GRANT USAGE ON *.* BY PASSWORD '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'", "2470C0C0"),
    ('"app" "md5d41d8cd98f00b204e9800998ecf8427e"', "d41d8cd9"),
    ("aws_access_key_id = AKIAIOSFODNN7EXAMPLE", "IOSFODNN"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalr"),
    ("AccountKey=abc123def456;EndpointSuffix=core", "abc123"),
    ("token: ghp_0123456789abcdefghijklmnopqrstuvwxyz", "ghp_0123"),
    ("see ghp_0123456789abcdefghijklmnopqrstuvwxyz", "ghp_0123"),
    ("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc", "eyJzdWIi"),
    ('proxy_set_header Authorization "Basic YXBwOmh1bnRlcjI6eHl6";', "YXBwOmh1"),
    ("client_secret: q1w2e3", "q1w2e3"),
    ("api_key=q1w2e3", "q1w2e3"),
    ("secret_key_base: q1w2e3", "q1w2e3"),
    ("encryptionKey = q1w2e3", "q1w2e3"),
    ("wpa_passphrase=hunter2hunter2", "hunter2"),
    ("cookie = 8f14e45fceea167a5a36dedd4bea2543", "8f14e45f"),
    ("passwords: [hunter2, other]", "hunter2"),
    ("tokens:\n  - hunter2\n  - other\n", "hunter2"),
    ("users:\n  - name: app\n    password: |\n      hunter2\n    shell: /bin/sh\n", "hunter2"),
    ("password =\thunter2\r", "hunter2"),
    (
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\nZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        "ZXktdjEA",
    ),
    ("-----BEGIN PRIVATE KEY-----\nb3BlbnNzaC1r\n(cut off here)", "b3Blbn"),
    ('{"key": "-----BEGIN RSA PRIVATE KEY-----\\nb3BlbnNzaC1r\\n-----END RSA PRIVATE KEY-----\\n"}', "b3Blbn"),
    ("AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQ", "QQQQ"),
]

READABLE = [
    "ssl_certificate_key /etc/ssl/private/x.key;",
    "SSLCertificateKeyFile /etc/ssl/private/x.key",
    "PasswordAuthentication no",
    "PermitEmptyPasswords no",
    "PermitRootLogin without-password",
    "PubkeyAuthentication yes",
    "AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2",
    "HostKey /etc/ssh/ssh_host_rsa_key",
    "password_file = /etc/app/password",
    "password: /run/secrets/db",
    "PASS_MAX_DAYS\t99999",
    "password\t[success=1 default=ignore]\tpam_unix.so obscure yescrypt",
    "password required pam_permit.so",
    "passwd:         files systemd",
    "root:x:0:0:root:/root:/bin/bash",
    "www-data:*:19000:0:99999:7:::",
    "Defaults passwd_tries=3",
    'db_password: "{{ vault_db_password }}"',
    "DB_PASSWORD=${PASSWORD}",
    "token_ttl: 3600",
    "max_tokens = 100",
    "sort_key: name",
    "key = value",
    "keyboard: us",
    "compass = north",
    "author = somebody",
    "auth_basic_user_file /etc/nginx/htpasswd;",
    'auth_basic "Members only";',
    "monkey=banana",
    "deb [signed-by=/usr/share/keyrings/x.gpg] http://example.com/debian stable main",
    "listen 80 default_server;",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHc8 me@example.com",
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkq\n-----END CERTIFICATE-----",
    "",
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_secret_is_shown_by_no_part_of_it(text, secret):
    assert secret in text
    assert secret not in masked(text)
    assert "<secret 1>" in masked(text)


@pytest.mark.parametrize("text", READABLE)
def test_what_is_no_secret_stays_readable(text):
    assert masked(text) == text


def test_the_rest_of_the_line_stays():
    assert masked("DATABASE_URL=postgres://app:hunter2@db/shop") == "DATABASE_URL=postgres://app:<secret 1>@db/shop"
    assert masked('Environment="DB_PASSWORD=x1" "MODE=fast"') == 'Environment="DB_PASSWORD=<secret 1>" "MODE=fast"'


def test_equal_secrets_read_the_same_and_others_differ():
    mask = Mask()
    assert mask.text("password = a1\nDB_PASSWORD=a1\n") == "password = <secret 1>\nDB_PASSWORD=<secret 1>\n"
    assert mask.text("password = b2") == "password = <secret 2>"


def test_a_secret_that_was_found_is_hidden_where_nothing_names_it():
    told = masked("password = hunter2x\n# was told hunter2x by phone")
    assert told == "password = <secret 1>\n# was told <secret 1> by phone"


def test_masking_twice_changes_nothing():
    for text, _ in SECRETS:
        assert masked(masked(text)) == masked(text)


def test_values_of_any_shape_are_masked():
    fields = {"command": ["app", "--password=hunter2"], "sha256": "ab" * 32, "environment": {"DB_PASSWORD": "x1y2"}}
    shown = {"command": ["app", "--password=<secret 1>"], "environment": {"DB_PASSWORD": "<secret 2>"}}
    assert Mask().value(fields) == {**fields, **shown}


def test_long_lines_take_no_time():
    text = "a" * 200_000 + "\n" + "pass" * 20_000 + "\n" + "\n" * 50_000 + "x=" * 50_000
    assert masked(text) == text
