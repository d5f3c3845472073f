#!/bin/sh
# Initialises the cluster of an empty volume, then becomes postgres.
#
# The new cluster is made in a directory beside PGDATA and renamed to PGDATA as the last step. So
# PGDATA is either absent or whole: a start that is killed leaves only the directory beside it, and
# the next start throws that away and begins again. An existing cluster is never touched.
#
# Environment: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, POSTGRES_INITDB_ARGS (each also as
# NAME_FILE, a file that holds the value), POSTGRES_HOST_AUTH_METHOD, PGDATA.
set -eu
umask 077

say() { printf 'postgres: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# read_setting NAME: sets NAME from the file that NAME_FILE names, where that is set.
read_setting() {
    value='' file=''
    eval "value=\${$1-} file=\${$1_FILE-}"
    [ -n "$file" ] || return 0
    [ -z "$value" ] || die "both $1 and $1_FILE are set. Set only one of them."
    [ -r "$file" ] || die "$1_FILE names $file, which uid $(id -u) cannot read. Check the mount and its owner."
    value=$(cat "$file")
    eval "$1=\$value"
}

# with_sql CLIENT ARGS: runs a client program as the superuser over the local socket.
with_sql() {
    client=$1
    shift
    "$client" --username="$POSTGRES_USER" --no-password "$@"
}

run_sql() { with_sql psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$POSTGRES_DB" "$@"; }

run_init_files() {
    for file in /docker-entrypoint-initdb.d/*; do
        [ -e "$file" ] || continue
        say "running $file"
        case $file in
            *.sh) if [ -x "$file" ]; then "$file"; else bash "$file"; fi ;;
            *.sql) run_sql --file="$file" ;;
            *.sql.gz) gzip -dc "$file" | run_sql ;;
            *) die "$file is not .sh, .sql or .sql.gz. Remove it or rename it." ;;
        esac
    done
}

# initialise postgres ARGS: makes the cluster in $stage, with the server's own arguments in force
# while the init files run, and renames it to $target.
initialise() {
    shift
    rm -rf "$stage"
    private=$(mktemp -d)
    server=''
    for argument in "$@"; do
        server="$server '$(printf '%s' "$argument" | sed "s/'/'\\\\''/g")'"
    done

    eval "set -- ${POSTGRES_INITDB_ARGS-}"
    if [ -n "$POSTGRES_PASSWORD" ]; then
        printf '%s\n' "$POSTGRES_PASSWORD" >"$private/password"
        set -- --pwfile="$private/password" "$@"
        # A file and not PGPASSWORD: an environment can be read in /proc.
        printf '*:*:*:*:%s\n' "$(printf '%s' "$POSTGRES_PASSWORD" | sed 's/[\\:]/\\&/g')" >"$private/pgpass"
        export PGPASSFILE="$private/pgpass"
    fi
    initdb --no-instructions --pgdata="$stage" --username="$POSTGRES_USER" "$@"
    printf '\nhost all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD" >>"$stage/pg_hba.conf"

    # Reachable over the socket only, so that no client takes the half-made server for the real one.
    export PGDATA="$stage" POSTGRES_USER POSTGRES_DB
    pg_ctl start --wait --timeout=600 --silent --options="$server -c listen_addresses=''"
    [ "$POSTGRES_DB" = postgres ] || with_sql createdb --maintenance-db=postgres -- "$POSTGRES_DB"
    run_init_files
    pg_ctl stop --wait --timeout=600 --silent --mode=fast

    rm -rf "$private"
    sync --file-system "$stage"
    mv --no-target-directory "$stage" "$target"
    sync "${target%/*}"
}

case ${1-} in
    '' | -*) set -- postgres "$@" ;;
esac
[ "$1" = postgres ] || exec "$@"
for argument in "$@"; do
    case $argument in
        -\? | --help | --describe-config | -V | --version) exec "$@" ;;
    esac
done

: "${PGDATA:?postgres: PGDATA is empty. Set it to a directory inside the data volume.}"
PGDATA=${PGDATA%/}
target=$PGDATA
stage=$PGDATA.initialising
[ -w "${target%/*}" ] || die "uid $(id -u) cannot write to ${target%/*}. Mount the data volume there (PGDATA is a directory inside the volume, not its root) and let uid $(id -u) own it."

# Two servers on one cluster destroy it, and the server's own check sees no process of another
# container. The lock lives as long as a process that inherits descriptor 9.
exec 9>"$PGDATA.lock"
flock --nonblock 9 || die "another container runs on this data volume. Stop it first."

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # An empty cluster beside data that waits would be taken for it.
    [ ! -d "${target%/*}/.restore" ] || die "a restore was stopped here while it changed the data in $PGDATA for other, and neither is in its place. Nothing was changed. Finish it: ./mlops up"
    [ -z "$(ls -A "$PGDATA" 2>/dev/null)" ] || die "$PGDATA holds files but no PG_VERSION, so it is not a whole cluster. Nothing was changed. Restore a backup into it, or empty it by hand to begin with a new cluster."
    [ -z "${POSTGRES_INITDB_WALDIR-}" ] || die 'POSTGRES_INITDB_WALDIR is not supported. Unset it: the write-ahead log stays inside PGDATA.'
    for setting in POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB POSTGRES_INITDB_ARGS; do
        read_setting "$setting"
    done
    POSTGRES_USER=${POSTGRES_USER:-postgres}
    POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
    POSTGRES_PASSWORD=${POSTGRES_PASSWORD-}
    POSTGRES_HOST_AUTH_METHOD=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    [ -n "$POSTGRES_PASSWORD" ] || [ "$POSTGRES_HOST_AUTH_METHOD" = trust ] \
        || die 'no superuser password. Set POSTGRES_PASSWORD_FILE to a file that holds one.'

    # In the background, because a shell acts on a signal only between two foreground commands. When
    # this process exits, the container ends and takes the rest with it.
    trap 'exit 130' INT
    trap 'exit 143' TERM
    initialise "$@" &
    wait "$!" || die "the new cluster was not finished (exit code $?). See the lines above; the next start begins again."
    say 'the new cluster is ready'
fi

unset POSTGRES_PASSWORD
exec "$@"
