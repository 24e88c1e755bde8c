"""Keys that let people in, by their fingerprints."""

from labrig.state.probe import authorized
from labrig.state.probe.machine import Machine

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILnRBILLdXQfuAbbnwHJcxvOMWO9Affw9cC5M6K9er8u"
FINGERPRINT = "SHA256:ErsnAdFpKh8zxwSACRZUycJJRPqZxw9Drwufy7NPg1E"  # As ssh-keygen -l says it.


def keys(folder, text, *, sshd="", place="home/app/.ssh/authorized_keys"):
    (folder / "etc/ssh").mkdir(parents=True, exist_ok=True)
    (folder / "etc/passwd").write_text("app:x:1000:1000::/home/app:/bin/sh\nnobody:x:65534:65534::/dev/null:/bin/sh\n")
    (folder / "etc/ssh/sshd_config").write_text(sshd)
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return dict(authorized.read(Machine({"root": str(folder), "self": ["10.0.0.3"]})))


def test_a_key_is_told_by_its_fingerprint(tmp_path):
    assert keys(tmp_path, f"# who\n\n{KEY} deploy@example.org\n") == {
        f"app {FINGERPRINT}": {
            "key_type": "ssh-ed25519",
            "comment": "deploy@example.org",
            "file": "/home/app/.ssh/authorized_keys",
        }
    }


def test_options_are_part_of_it(tmp_path):
    options = r'restrict,command="/bin/echo \"a, b\"",from="10.0.0.3",environment="API_TOKEN=x"'
    assert keys(tmp_path, f"{options} {KEY}\n")[f"app {FINGERPRINT}"]["key_options"] == {
        "restrict": "on",
        "command": r"/bin/echo \"a, b\"",
        "from": "<self>",
        "environment": "API_TOKEN=<set>",
    }


def test_a_line_that_holds_no_key_is_an_entry_that_does_not_show_it(tmp_path):
    lines = ["-----BEGIN OPENSSH PRIVATE KEY-----", KEY[:-9], KEY.replace("ssh-ed25519", "ssh-rsa"), "what"]
    found = keys(tmp_path, "\n".join(lines) + "\n")
    assert len(found) == len(lines)
    assert all(key.startswith("app malformed line ") for key in found)
    assert not any(line in str(found) for line in lines)


def test_the_settings_of_the_server_say_where_keys_are(tmp_path):
    place = "etc/ssh/keys/app"
    found = keys(tmp_path, KEY, sshd="AuthorizedKeysFile /etc/ssh/keys/%u .ssh/more\n", place=place)
    assert found[f"app {FINGERPRINT}"]["file"] == "/" + place
    (tmp_path / place).unlink()
    assert keys(tmp_path, KEY, sshd="AuthorizedKeysFile none\n") == {}
    assert list(keys(tmp_path, KEY, sshd="Match User x\nAuthorizedKeysFile none\n")) == [f"app {FINGERPRINT}"]


def test_included_settings_are_read(tmp_path):
    (tmp_path / "etc/ssh/sshd_config.d").mkdir(parents=True)
    (tmp_path / "etc/ssh/sshd_config.d/keys.conf").write_text("authorizedkeysfile=/etc/keys-%u\n")
    assert list(keys(tmp_path, KEY, sshd="Include sshd_config.d/*.conf\n", place="etc/keys-app")) == [
        f"app {FINGERPRINT}"
    ]


def test_trusted_authorities_are_entries(tmp_path):
    found = keys(tmp_path, KEY, sshd="TrustedUserCAKeys /etc/ssh/ca.pub\n", place="etc/ssh/ca.pub")
    assert list(found) == [f"TrustedUserCAKeys {FINGERPRINT}"]


def test_what_can_not_be_read_is_said(tmp_path):
    keys(tmp_path, KEY)
    path = tmp_path / "home/app/.ssh/authorized_keys"
    path.unlink()
    path.symlink_to(path)
    ((key, value),) = authorized.read(Machine({"root": str(tmp_path)}))
    assert key == "app /home/app/.ssh/authorized_keys"
    assert "levels" in value["unreadable"]
