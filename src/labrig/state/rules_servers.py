"""Rules about what servers and engines keep in files and sockets while they run."""

from __future__ import annotations

from labrig.state.rule import BYTES, Rule

SERVERS: tuple[Rule, ...] = (
    Rule(
        "sqlite-files",
        "file",
        r"/var/lib/.+\.sqlite3?",
        "the bytes of a database that runs say nothing; that it is there is compared",
        BYTES,
    ),
    Rule(
        "sqlite-passing",
        "file",
        r"/var/lib/.+\.sqlite3?-(wal|shm|journal)",
        "a file that SQLite keeps beside a database that is in use",
    ),
    Rule(
        "mariadb-files",
        "file",
        r"/var/lib/mysql/(.+/)?([^/]+\.(frm|ibd|MAI|MAD|MYI|MYD|CSV|CSM|TRG|TRN)|db\.opt|ibdata\d+|ib_logfile\d+|undo\d+|aria_log_control)",
        "the bytes of a database that runs say nothing; that the table is there is compared",
        BYTES,
    ),
    Rule(
        "mariadb-passing",
        "file",
        r"/var/lib/mysql/(aria_log\.\d{8}|ibtmp\d+|ib_buffer_pool|tc\.log|ddl_recovery(-backup)?\.log|multi-master\.info)",
        "a file that the server keeps while it runs or leaves when it stops",
    ),
    Rule(
        "postgresql-files",
        "file",
        r"/var/lib/postgresql/[^/]+/[^/]+/((base/\d+|global|pg_tblspc/\d+/.+)/(\d+(\.\d+)?|pg_control|pg_filenode\.map)"
        r"|(pg_xact|pg_multixact/(members|offsets)|pg_subtrans|pg_commit_ts|pg_notify)/[0-9A-F]{4,})",
        "the bytes of a database that runs say nothing; that the table is there is compared",
        BYTES,
    ),
    Rule(
        "postgresql-passing",
        "file",
        r"/var/lib/postgresql/[^/]+/[^/]+/((base/\d+|global)/(\d+_(vm|fsm)(\.\d+)?|pg_internal\.init)"
        r"|pg_wal/[0-9A-F]{24}(\.partial)?|pg_stat(_tmp)?/[^/]+\.stat|pg_logical/replorigin_checkpoint|postmaster\.(pid|opts))",
        "a file that the server makes and removes while it runs",
    ),
    Rule(
        "samba-files",
        "file",
        r"/var/lib/samba/(private/)?[a-z_]+\.tdb",
        "the bytes of a database that runs say nothing; that it is there is compared",
        BYTES,
    ),
    Rule("samba-passing", "file", r"/var/cache/samba/browse\.dat", "nmbd writes it some time after it has started"),
    Rule(
        "postgresql-relations",
        "file",
        r"/.+/(base|PG_\d+_\d+)(/\d+)?/(1638[4-9]|1639\d|16[4-9]\d\d|1[7-9]\d{3}|[2-9]\d{4}|\d{6,})((_(vm|fsm|init))?(\.\d+)?|/.+)",
        "its number follows from the order of creation; the server tells what it holds by name",
        where={"described": "postgresql"},
    ),
    Rule(
        "engine-files",
        "file",
        r"/.+/(buildkit|containerd|containers|image|network|overlay|overlay2|aufs|btrfs|devicemapper|fuse-overlayfs|vfs|zfs"
        r"|plugins|runtimes|swarm|tmp|trust|io\.containerd\.[a-z0-9.-]+)/.+",
        "the engine keeps it under random names; containers and images are compared as the engine tells them",
        where={"described": "container"},
    ),
    Rule(
        "engine-sockets",
        "socket",
        r"unix (/var)?/run/(containerd/s/[0-9a-f]{64}|docker/libnetwork/[0-9a-f]+\.sock)",
        "the engine makes one for each of its starts and containers, under a random name",
    ),
    Rule(
        "containerd-port",
        "socket",
        r"tcp 127\.0\.0\.1:\d+",
        "containerd streams to its own machine on a port of the kernel's choice",
        where={"units": r"\['containerd\.service'\]", "programs": r"\['containerd'\]"},
    ),
    Rule(
        "engine-key",
        "file",
        r"/etc/docker/key\.json",
        "the engine makes itself a key at its first start",
        BYTES,
        between_machines=True,
    ),
    Rule(
        "redis-files",
        "file",
        r"/var/lib/redis/(dump\.rdb|appendonlydir/[^/]+|appendonly\.aof)",
        "holds what has been stored at run time",
    ),
)
