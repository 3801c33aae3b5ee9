#!/bin/sh
# Dumps ordering's database into BACKUPS, whole or not at all, and keeps the newest KEPT dumps.
set -eu
umask 077
folder=$BACKUPS/postgresql
dump=$folder/$(date -u +%Y-%m-%dT%H%M%SZ).dump
mkdir -p "$folder"
rm -f "$folder"/*.part
# the driver's name is no part of a URL for PostgreSQL's own programs
pg_dump --format=custom --role=ordering_owner --file="$dump.part" --dbname="postgresql://${COMANDA_DATABASE_URL#*://}"
mv "$dump.part" "$dump"
ls -1r "$folder"/*.dump | tail -n +"$((KEPT + 1))" | xargs -r rm
echo "dumped into $dump"
