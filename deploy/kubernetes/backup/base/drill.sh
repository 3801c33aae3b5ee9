#!/bin/sh
# Restores the newest dump into a PostgreSQL that is there for this alone, and says what is in it. It fails
# where there is no dump of the last AGE_MAX_MINUTES, or it can't be restored, or has no restaurant.
set -eu
newest=$(find "$BACKUPS/postgresql" -name '*.dump' -mmin "-$AGE_MAX_MINUTES" | sort | tail -n 1)
[ -n "$newest" ] || { echo "there is no dump of the last $AGE_MAX_MINUTES minutes" >&2; exit 1; }
began=$(date +%s)
initdb --pgdata="$SCRATCH/data" --username=postgres --auth=trust >/dev/null
pg_ctl --pgdata="$SCRATCH/data" --wait --silent --log="$SCRATCH/log" \
  --options="-c listen_addresses='' -c unix_socket_directories=$SCRATCH" start
trap 'pg_ctl --pgdata="$SCRATCH/data" --silent --mode=immediate stop' EXIT
export PGHOST="$SCRATCH" PGUSER=postgres
createdb ordering
pg_restore --exit-on-error --no-owner --no-privileges --dbname=ordering "$newest"
count() { psql --dbname=ordering --tuples-only --no-align --command="SELECT count(*) FROM $1"; }
restaurants=$(count restaurants)
echo "restored $newest in $(($(date +%s) - began)) s: $restaurants restaurants, $(count orders) orders"
[ "$restaurants" -gt 0 ]
