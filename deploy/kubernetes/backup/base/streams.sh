#!/bin/sh
# Backs the streams up into BACKUPS, all or none, and keeps the newest KEPT times. A command is carried out
# once or refused: the queue of those, alone, is not backed up.
set -eu
umask 077
folder=$BACKUPS/streams
whole=$folder/$(date -u +%Y-%m-%dT%H%M%SZ)
rm -rf "$folder"/*.part
mkdir -p "$whole.part"
for stream in ORDERS RESTAURANTS MENU TICKETS ACCESS DEAD_LETTERS ORDERS_ARCHIVE TICKETS_ARCHIVE; do
  # shellcheck disable=SC2086  # several options, or none
  nats $NATS_OPTIONS stream backup --no-progress "$stream" "$whole.part/$stream"
done
mv "$whole.part" "$whole"
ls -1dr "$folder"/*Z | tail -n +"$((KEPT + 1))" | xargs -r rm -r
echo "backed up into $whole"
