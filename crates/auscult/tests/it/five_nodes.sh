#!/usr/bin/env bash
# Five numbered members as the demonstrator starts them, one of which is killed. Runs in a network namespace of
# its own. Usage: five_nodes.sh BINARY FOLDER
set -euo pipefail
binary=$1
cd "$2"
ip link set lo up
export MEMBERS=localhost:50051,localhost:50052,localhost:50053,localhost:50054,localhost:50055
pids=()
for id in 1 2 3 4 5; do
  NODE_ID=$id "$binary" agent >"$id.out" 2>"$id.log" &
  pids[id]=$!
done
trap 'kill -9 "${pids[@]}" 2>/dev/null || true' EXIT

until_true() { # until_true SECONDS COMMAND...: asks again until it is so
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    if ((SECONDS >= end)); then
      echo "never: $*" >&2
      tail -n 50 ./*.out ./*.log >&2
      exit 1
    fi
    sleep 0.05
  done
}

all_joined() {
  local id
  for id in 1 2 3 4 5; do (($(grep -c ' joined ' "$id.out") >= 4)) || return 1; done
}

all_know() {
  local id
  for id in 1 2 4 5; do grep -q 'Membership updated: removed failed node localhost:50053' "$id.log" || return 1; done
}

until_true 30 all_joined
echo 'all see all'
kill -9 "${pids[3]}"
until_true 30 all_know
grep -h 'is marked as failed!' ./*.log
echo 'all know that node3 failed'
for id in 1 2 4 5; do kill "${pids[id]}"; done
for id in 1 2 4 5; do wait "${pids[id]}"; done
