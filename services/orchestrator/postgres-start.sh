#!/bin/sh
# Makes the database and its password at the first start, then runs PostgreSQL.
set -eu
umask 077

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # What an interrupted first start has left is of no use.
    rm -rf "$PGDATA" "$PGDATA.new"
    password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
    echo "$password" >/tmp/password
    initdb --username cosim --pwfile /tmp/password --auth scram-sha-256 --encoding UTF8 \
        --pgdata "$PGDATA.new" >/dev/null
    rm /tmp/password
    echo "host cosim cosim all scram-sha-256" >>"$PGDATA.new/pg_hba.conf"
    # libpq reads it as passfile; the volume is shared with the orchestrator alone.
    echo "*:*:*:cosim:$password" >/keys/pgpass
    echo "CREATE DATABASE cosim" | postgres --single -D "$PGDATA.new" -j postgres >/dev/null
    mv "$PGDATA.new" "$PGDATA"
fi

exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp \
    -c log_min_messages=warning
