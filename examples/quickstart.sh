#!/usr/bin/env bash
# The REST API in a few calls of curl, against a service of its own in a temporary directory.
# Run it from the root of the repository: bash examples/quickstart.sh
set -euo pipefail

wellhead=(wellhead)
if ! command -v wellhead > /dev/null; then
  wellhead=(env PYTHONPATH=.uv python3 -m uv run wellhead) # uv, where the README installs it
fi

directory=$(mktemp -d)
printf 'region,amount\nnorth,10\nsouth,20\n' > "$directory/sales.csv"

# Port 0 takes a free port; with --json the first line says where the service is, and where its token is.
"${wellhead[@]}" serve --port 0 --json --workspace "$directory" > "$directory/started" 2> "$directory/log" &
service=$!
trap 'kill "$service" 2> /dev/null && wait "$service" || cat "$directory/log" >&2; rm -r "$directory"' EXIT
for _ in $(seq 600); do
  if [ -s "$directory/started" ] || ! kill -0 "$service" 2> /dev/null; then break; fi
  sleep 0.1
done
value_of() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
url=$(value_of url < "$directory/started")
token=$(cat "$(value_of token_file < "$directory/started")")

call() { curl --silent --show-error -H "Authorization: Bearer $token" -H "Content-Type: application/json" "$@"; }

echo "Make a data source:"
made=$(call "$url/api/v1/datasources" -d '{"type": "csv", "name": "sales", "path": "sales.csv"}')
echo "$made"
id=$(value_of id <<< "$made")

echo "Validate it:"
call -X POST "$url/api/v1/datasources/$id/validate"
echo

echo "Change it, if it is still in revision 1:"
call -X PATCH -H 'If-Match: "1"' "$url/api/v1/datasources/$id" -d '{"labels": {"team": "sales"}}'
echo

echo "Find it by its label:"
call "$url/api/v1/datasources?label=team:sales"
echo

echo "Delete it:"
call -X DELETE --output /dev/null --write-out '%{http_code}\n' "$url/api/v1/datasources/$id"
