#!/bin/sh
# Runs a command of a service's operator once, as a Job made from its CronJob, and shows what it says:
#   deploy/kubernetes/operate.sh query audit
#   deploy/kubernetes/operate.sh ordering dead-letters replay --all
set -eu
service=$1 job=$1-$(date +%s)
shift
arguments=$(printf ', "%s"' "$@")
kubectl create job "$job" -n comanda --from="cronjob/$service-operator" --dry-run=client -o yaml |
  kubectl patch --local -f - -o yaml --type=json -p \
    '[{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": ['"${arguments#, }"']}]' |
  kubectl create -f -
tries=60
until kubectl logs -n comanda -f "job/$job"; do # its pod has to be there first
  tries=$((tries - 1))
  [ "$tries" -gt 0 ]
  sleep 2
done
