#!/bin/bash
# Starts the server that the variables are for, as its official image does.
set -euo pipefail

if [ -n "${POSTGRES_PASSWORD:-}" ]; then
    [ $# -gt 0 ] || set -- postgres
    exec postgresql-entrypoint "$@"
fi

if [ -n "${MARIADB_ROOT_PASSWORD:-}" ]; then
    made=()
    if [ ! -d /var/lib/mysql/mysql ]; then
        chown mysql: /var/lib/mysql
        mariadb-install-db --user=mysql --datadir=/var/lib/mysql --skip-test-db --auth-root-authentication-method=normal >/dev/null
        # Carried out before anybody is let in.
        cat >/tmp/administrator.sql <<END
CREATE USER root@'%' IDENTIFIED BY '$MARIADB_ROOT_PASSWORD';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
ALTER USER root@localhost IDENTIFIED BY '$MARIADB_ROOT_PASSWORD';
END
        made=(--init-file=/tmp/administrator.sql)
    fi
    exec mariadbd --user=mysql --datadir=/var/lib/mysql "${made[@]}" "$@"
fi

exec "$@"
