#!/usr/bin/env bash
# Fetches axe-core VERSION from npm and puts its script at DEST.
set -euo pipefail
version=$1 dest=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
(cd "$tmp" && npm pack --silent "axe-core@$version" >/dev/null && tar xzf axe-core-*.tgz package/axe.min.js)
mkdir -p "$(dirname "$dest")"
mv "$tmp/package/axe.min.js" "$dest"
