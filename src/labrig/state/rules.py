"""The rules: what differs between machines that were deployed alike, or on one that nobody changed, and why."""

from __future__ import annotations

from labrig.state.rule import BYTES, Rule
from labrig.state.rules_servers import SERVERS

_IDENTITY = (
    Rule(
        "id-numbers",
        "id",
        r".+",
        "numbers are given out in the order of creation; names are compared",
        between_machines=True,
    ),
    Rule(
        "password-hashes",
        "user",
        r".+",
        "both have a password; hashes with a random salt can't tell whether it is the same one",
        frozenset({"fingerprint"}),
        needs="fingerprint",
        between_machines=True,
    ),
    Rule(
        "password-dates",
        "user",
        r".+",
        "says when the password was last set",
        frozenset({"password_changed"}),
        between_machines=True,
    ),
    Rule(
        "group-password-hashes",
        "group",
        r".+",
        "both have a password; hashes with a random salt can't tell whether it is the same one",
        frozenset({"fingerprint"}),
        needs="fingerprint",
        between_machines=True,
    ),
    Rule(
        "role-password-hashes",
        "postgresql",
        r".+ role .+",
        "both have a password; hashes with a random salt can't tell whether it is the same one",
        frozenset({"fingerprint"}),
        needs="fingerprint",
        where={"method": "scram-sha-256"},
        between_machines=True,
    ),
    Rule(
        "built-images",
        "container",
        r"(podman )?(container|image) .+",
        "an image that was built or loaded on the machine has another number on each; its steps and size are compared",
        frozenset({"image_id"}),
        needs="image_id",
        where={"digest": ""},
        between_machines=True,
    ),
    Rule(
        "numbers-of-file-systems",
        "mount",
        r"/.*|swap by UUID \d+",
        "each machine makes up a number for each of its file systems; what it is mounted as is compared",
        frozenset({"source"}),
        where={"source": "(PART)?UUID=.+"},
        between_machines=True,
    ),
    Rule(
        "machine-id",
        "file",
        r"/etc/machine-id|/var/lib/dbus/machine-id",
        "made once for each machine",
        BYTES,
        between_machines=True,
    ),
    Rule(
        "ssh-host-keys",
        "file",
        r"/etc/ssh/ssh_host_(rsa|dsa|ecdsa|ed25519)_key(\.pub)?",
        "made once for each machine",
        BYTES,
        between_machines=True,
    ),
    Rule(
        "snakeoil-certificate",
        "file",
        r"(/var/spool/postfix)?/etc/ssl/(certs/ssl-cert-snakeoil\.pem|private/ssl-cert-snakeoil\.key)",
        "package ssl-cert makes a key pair for each machine",
        BYTES,
        between_machines=True,
    ),
    Rule(
        "snakeoil-hash-link",
        "file",
        r"/etc/ssl/certs/[0-9a-f]{8}\.\d",
        "the link is named after the certificate that package ssl-cert made",
        where={"type": "link", "target": r"ssl-cert-snakeoil\.pem"},
        between_machines=True,
    ),
    Rule(
        "systemd-secrets",
        "file",
        r"/var/lib/systemd/credential\.secret",
        "made once for each machine",
        BYTES,
        between_machines=True,
    ),
)

_MEANING = (
    Rule(
        "set-files",
        "file",
        r"/.+",
        "their order and numbers mean nothing; the canonical form is compared",
        BYTES,
        needs="canonical",
    ),
    Rule(
        "account-backups",
        "file",
        r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-",
        "a copy of the file before its last change",
    ),
    Rule("account-lock", "file", r"/etc/\.pwd\.lock", "a lock, left by whatever looked at the accounts first"),
    Rule(
        "waiting-units",
        "unit",
        r".+\.(socket|timer|path)",
        "whether one waits or has just been called is chance",
        frozenset({"sub"}),
    ),
)

_CHANCE = (
    Rule(
        "passing-runs",
        "unit",
        r".+\.service",
        "a task that runs once and ends: whether it runs just now is chance",
        frozenset({"active", "sub"}),
        where={"type": "oneshot|", "active": "inactive|activating|deactivating"},
    ),
    Rule(
        "health-pending",
        "container",
        r"(podman )?container .+",
        "whether the first check of its health has been made just now is chance",
        frozenset({"health"}),
        where={"health": "starting|healthy"},
    ),
    Rule(
        "services-on-call",
        "unit",
        r"(systemd-(hostnamed|localed|timedated)|packagekit|fwupd)\.service",
        "it starts when it is asked something, and ends when nobody has asked for a while",
        frozenset({"active", "sub"}),
        where={"active": "inactive|active|activating|deactivating"},
    ),
    # Debian's package disables it and starts it nevertheless; with the next start of the machine it is gone.
    Rule(
        "started-by-package",
        "unit",
        r"apache-htcacheclean\.service",
        "package apache2 starts it once when it is installed, and leaves it disabled",
        frozenset({"active", "sub"}),
        where={"enabled": "disabled", "active": "active|inactive"},
    ),
    Rule(
        "process-started-by-package",
        "process",
        r"apache-htcacheclean\.service www-data /usr/bin/htcacheclean -d .+",
        "package apache2 starts it once when it is installed; that its service is disabled is compared",
        where={"program": "/usr/bin/htcacheclean"},
    ),
    # The job itself is another process, and is compared.
    Rule(
        "ansible-watches-a-job",
        "process",
        r"\S.* \S*python[\d.]* (-\S+ )*/\S+/ansible-tmp-[\d.]+-\d+-\d+/async_wrapper\.py j\d+ .+",
        "Ansible's own watcher of a background task looks every 5 s whether that has ended",
    ),
    Rule(
        "passing-queries",
        "socket",
        r"udp6? .+:<ephemeral>",
        "a question to another server that waits for its answer",
        where={"programs": r"\['(systemd-timesyn|systemd-resolve|chronyd|ntpd|named|unbound|dnsmasq|avahi-daemon)'\]"},
    ),
    Rule(
        "docker-resolver",
        "socket",
        r"(tcp|udp) 127\.0\.0\.11:\d+",
        "Docker's own name server for a network, on a port of its choice",
        where={"units": r"\[\]", "programs": r"\[\]"},
    ),
)

_PACKAGES = (
    Rule(
        "apt-caches",
        "file",
        r"/var/cache/apt/(pkgcache|srcpkgcache)\.bin",
        "apt makes it anew when it is missing or old",
    ),
    Rule(
        "apt-archives",
        "file",
        r"/var/cache/apt/archives/(partial/)?[^/]+\.deb",
        "a downloaded package; what is installed is compared",
    ),
    Rule(
        "apt-lists",
        "file",
        r"/var/lib/apt/lists/(partial/|auxfiles/)?([^/]+_)?"
        r"(InRelease|Release|Release\.gpg|Packages|Sources|Translation-\w+|Contents-\w+|Components-\w+\.yml|Commands-\w+)"
        r"(\.(lz4|gz|xz|bz2|diff_Index))?",
        "a downloaded index; apt's sources and what is installed are compared",
    ),
    Rule("apt-stamps", "file", r"/var/lib/apt/periodic/[a-z-]+-stamp", "says when apt last looked"),
    Rule(
        "dpkg-backups",
        "file",
        r"/var/lib/dpkg/(status|available|diversions|statoverride)-old",
        "a copy of the file before its last change",
    ),
    Rule(
        "package-backups",
        "file",
        r"/var/backups/(dpkg\.(status|diversions|statoverride|arch)|apt\.extended_states|alternatives\.tar)\.\d+(\.[gx]z)?",
        "a daily copy of the package database",
    ),
    Rule(
        "debconf-backups",
        "file",
        r"/var/cache/debconf/(config|templates|passwords)\.dat-old",
        "a copy of the file before its last change",
    ),
    Rule(
        "rpm-database",
        "file",
        r"/(var/lib|usr/lib/sysimage)/rpm/(rpmdb\.sqlite|Packages(\.db)?|[A-Z][a-z]+)",
        "it holds when each package was installed; the packages are compared",
        BYTES,
    ),
    Rule(
        "rpm-passing",
        "file",
        r"/(var/lib|usr/lib/sysimage)/rpm/(rpmdb\.sqlite-(wal|shm)|__db\.\d+|\.(rpm|dbenv)\.lock)",
        "a file that rpm keeps beside its database while it looks",
    ),
    Rule(
        "ucf-backups",
        "file",
        r"/var/lib/ucf/(hashfile|registry)\.\d+",
        "a copy of the file before one of its last changes",
    ),
)

_CACHES = (
    Rule(
        "ldconfig-cache", "file", r"/var/cache/ldconfig/aux-cache", "holds times; ld.so.cache itself is compared", BYTES
    ),
    Rule(
        "man-index",
        "file",
        r"/var/cache/man/(.+/)?(index\.db|CACHEDIR\.TAG)",
        "an index over the manual pages, made anew every day",
    ),
    Rule(
        "font-caches",
        "file",
        r"/var/cache/fontconfig/[0-9a-f-]+-(le|be)\d+\.cache-\d+",
        "an index over the fonts that holds times",
        BYTES,
    ),
    Rule("byte-code", "file", r"/.+/__pycache__(/[^/]+\.pyc)?", "Python writes it when a module is first used"),
    Rule(
        "ansible-remains",
        "file",
        r"(/root|/home/[^/]+)/(\.ansible(/tmp(/ansible-[^/]+(/[^/]+)*)?)?|\.ansible_async(/j?\d+\.\d+)?)",
        "Ansible keeps its modules there while it runs",
    ),
)

_RUNNING = (
    Rule(
        "logs",
        "file",
        r"/var/log/.+",
        "what is logged differs; that there is a log, its mode and owner are compared",
        BYTES,
    ),
    Rule(
        "rotated-logs",
        "file",
        r"/var/log/.+(\.|-)\d+(\.(gz|xz|bz2|zst))?",
        "which logs have been rotated depends on when it was asked",
    ),
    Rule(
        "syslog-files",
        "file",
        r"/var/log/([a-z]+\.log|syslog|messages|debug)",
        "rsyslog makes the file with the first message of its kind",
        where={"type": "file", "mode": "0640", "owner": "root|syslog", "group": "adm"},
    ),
    Rule(
        "journal",
        "file",
        r"/var/log/journal/[0-9a-f]{32}(/(system|user-\d+)(@[0-9a-f-]+)?\.journal~?)?",
        "the journal is named after the machine and its start",
    ),
    Rule(
        "private-temporary",
        "file",
        r"(/var)?/tmp/systemd-private-[0-9a-f]{32}-.+\.service-\w{6}(/tmp)?",
        "systemd makes it for a service that runs, under a random name",
    ),
    Rule("timer-stamps", "file", r"/var/lib/systemd/timers/stamp-[^/]+\.timer", "says when a timer last fired"),
    Rule(
        "postfix-numbers",
        "file",
        r"/var/lib/postfix/master\.lock|/var/spool/postfix/pid/(master|inet\.[\w.-]+|unix\.\w+)(\.pid)?",
        "holds the number of a process",
        BYTES,
    ),
    Rule("random-seed", "file", r"/var/lib/systemd/random-seed", "is made anew with every start and stop"),
)

DEFAULT_RULES: tuple[Rule, ...] = (*_IDENTITY, *_MEANING, *_CHANCE, *_PACKAGES, *_CACHES, *_RUNNING, *SERVERS)
"""For two machines."""

ONE_MACHINE_RULES: tuple[Rule, ...] = tuple(rule for rule in DEFAULT_RULES if not rule.between_machines)
"""For one machine before and after something: a host key that changes there has been changed."""
