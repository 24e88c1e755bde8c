#!/bin/bash
# What the official image promises: a cluster for POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB is made in an empty
# PGDATA, files in /docker-entrypoint-initdb.d are loaded into it, and until that is done nobody gets in by TCP.
# Each variable may be read from the file that it names with _FILE at its end.
# shellcheck disable=SC1090  # scripts that are sourced are whoever's
set -euo pipefail
shopt -s nullglob

from_file() {
    local file=${1}_FILE
    [ -z "${!file:-}" ] || export "$1=$(<"${!file}")"
    unset "$file"
}

load() {
    local file psql=(psql --set=ON_ERROR_STOP=1 --no-psqlrc --quiet --username="$POSTGRES_USER" --dbname="$POSTGRES_DB")
    for file in /docker-entrypoint-initdb.d/*; do
        echo "$0: loading $file"
        case $file in
            *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
            *.sql) "${psql[@]}" --file="$file" ;;
            *.sql.gz) gunzip --stdout "$file" | "${psql[@]}" ;;
            *.sql.xz) xzcat "$file" | "${psql[@]}" ;;
            *.sql.zst) zstdcat "$file" | "${psql[@]}" ;;
            *) echo "$0: $file is left alone" ;;
        esac
    done
}

initialize() {
    local trust=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$trust" != trust ]; then
        echo "Error: Database is uninitialized and superuser password is not specified: set POSTGRES_PASSWORD" >&2
        exit 1
    fi
    # shellcheck disable=SC2086  # arguments, as the official image takes them
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:-}") --auth-local=trust \
        --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 ${POSTGRES_INITDB_ARGS:-} >/dev/null
    echo "host all all all $trust" >>"$PGDATA/pg_hba.conf"
    pg_ctl --silent --wait --options="-c listen_addresses=''" start
    if [ "$POSTGRES_DB" != postgres ]; then
        psql --quiet --no-psqlrc --set=name="$POSTGRES_DB" --username="$POSTGRES_USER" --dbname=postgres <<<'CREATE DATABASE :"name";'
    fi
    load
    pg_ctl --silent --wait --mode=fast stop
    echo "$0: PostgreSQL init process complete; ready for start up."
}

case ${1:-} in -*) set -- postgres "$@" ;; esac
if [ "${1:-}" = postgres ]; then
    if [ "$(id -u)" = 0 ]; then
        install --directory --owner=postgres --group=postgres --mode=0700 "$PGDATA"
        exec setpriv --reuid=postgres --regid=postgres --init-groups "${BASH_SOURCE[0]}" "$@"
    fi
    for name in POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB POSTGRES_INITDB_ARGS; do from_file "$name"; done
    export POSTGRES_USER=${POSTGRES_USER:-postgres}
    export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
    [ -s "$PGDATA/PG_VERSION" ] || initialize
fi
exec "$@"
