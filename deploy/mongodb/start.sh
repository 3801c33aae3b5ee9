#!/bin/bash
# Starts MongoDB as a replica set of one node, for transactions and change streams. Its members know
# one another by a key, which must be a file that nobody else may read.
set -euo pipefail
umask 077
printf '%s' "${MONGODB_REPLICA_SET_KEY:?}" > /tmp/replica-set-key
exec docker-entrypoint.sh mongod --replSet rs0 --keyFile /tmp/replica-set-key --bind_ip_all \
  --slowOpSampleRate 0  # a slow operation is logged whole, guests' phones and all
