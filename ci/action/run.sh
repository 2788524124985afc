#!/usr/bin/env bash
# Runs PROGRAM under LOAD and judges it. RUN_FOR, READY, OPTIONS and LOAD may be empty. The exit code
# goes to the step's output: the steps after this one have to run whatever the verdict is.
set -euo pipefail

args=(run --out "$OUT")
if [ -n "$LOAD" ]; then
    args+=(--load "$LOAD")
fi
if [ -n "$RUN_FOR" ]; then
    args+=(--for "$RUN_FOR")
fi
if [ -n "$READY" ]; then
    args+=(--ready "$READY")
fi
read -r -a more <<<"$OPTIONS"

# The shell that reads PROGRAM becomes it, so that no shell stands between it and its signals.
exit_code=0
heaptide "${args[@]}" "${more[@]}" -- bash -c "exec $PROGRAM" || exit_code=$?
echo "exit-code=$exit_code" >>"$GITHUB_OUTPUT"
