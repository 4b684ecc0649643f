#!/usr/bin/env bash
# A cluster turns its own machines away. `ray start --head` asks for a token as soon as ~/.ray/auth_token is there, and
# any `ray.init()` has put it there; `ray start --address` on a machine that has the same file sends no token, and fails
# after a while with "Authentication token is missing or incorrect". Where RAY_AUTH_MODE=token is set, it joins.
#
# Ray 2.60.0, both on one machine here, listening on the loopback interface. Exits with 1 when the second cannot join.
set -euo pipefail
folder=$(mktemp -d)
started=()
trap 'kill "${started[@]}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ray==2.60.0
export HOME="$folder" RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 RAY_USAGE_STATS_ENABLED=0
unset RAY_AUTH_MODE RAY_AUTH_TOKEN RAY_AUTH_TOKEN_PATH
ray="$folder/venv/bin/ray"
"$ray" get-auth-token --generate >/dev/null
"$ray" start --head --port=26379 --num-cpus=1 --include-dashboard=false --block >"$folder/head" 2>&1 &
started+=($!)
sleep 30
"$ray" start --address=127.0.0.1:26379 --num-cpus=1 --block >"$folder/other" 2>&1 &
started+=($!)
for _ in $(seq 24); do
    sleep 5
    nodes=$(RAY_AUTH_MODE=token "$folder/venv/bin/python" -c '
import ray
ray.init(address="127.0.0.1:26379", log_to_driver=False, logging_level="ERROR")
print(sum(node["Alive"] for node in ray.nodes()))' 2>/dev/null | tail -1)
    echo "machines of the cluster: $nodes"
    [ "$nodes" = 2 ] && exit 0
    grep -q InvalidAuthToken "$folder/other" && break
done
grep -m 1 -h InvalidAuthToken "$folder/other"
exit 1
