#!/bin/sh
# Load for `heaptide run`: what the service does all day, for half a minute or more. Written by
# `heaptide init`; yours to change. A leak that is not exercised here is not found.
set -eu
url=${1:-http://127.0.0.1:8080/}
end=$(($(date +%s) + 40))
while [ "$(date +%s)" -lt "$end" ]; do
    curl --silent --show-error --fail --output /dev/null "$url"
done
