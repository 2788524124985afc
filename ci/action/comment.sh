#!/usr/bin/env bash
# Writes the report into one comment of PULL_REQUEST: the one of the run before, if there is one.
set -euo pipefail

marker='<!-- heaptide: one comment, kept up to date -->'
comments="repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments"
body=$(mktemp)
{
    echo "$marker"
    cat "$OUT/report/heaptide.markdown"
} >"$body"

ours=".[] | select(.body | startswith(\"$marker\")) | .id"
id=$(gh api "$comments" --paginate --jq "$ours" | head -n 1)
if [ -n "$id" ]; then
    gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" --field "body=@$body"
else
    gh api --method POST "$comments" --field "body=@$body"
fi
