#!/usr/bin/env bash
# Installs the command from git. REPOSITORY; REVISION may be empty.
set -euo pipefail

args=(install --locked --git "$REPOSITORY")
if [ -n "$REVISION" ]; then
    args+=(--rev "$REVISION")
fi
cargo "${args[@]}" heaptide-cli
