set -e
jq -S . data.json
