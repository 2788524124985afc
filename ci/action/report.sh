#!/usr/bin/env bash
# Writes the reports of what is recorded in OUT beside the recordings.
set -euo pipefail

mkdir -p "$OUT/report"
for format in markdown sarif junit json; do
    # The verdict is known by now; it is no reason to stop.
    heaptide check "$OUT" --no-ci --format "$format" >"$OUT/report/heaptide.$format" || true
done
