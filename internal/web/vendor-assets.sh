#!/bin/bash
# Refreshes the vendored front-end assets from npm, at the versions below, and
# writes static/VENDOR.md. Needs npm and tar; run it by hand and commit what
# changes. Running Redalert needs none of this: the files are embedded.
set -euo pipefail
cd "$(dirname "$0")"

PICO=2.1.1 HTMX=2.0.11 CHART=4.6.1 LUCIDE=1.62.0
ICONS="alarm-clock archive-restore arrow-left arrow-right building-2 chart-line check chevron-down chevron-right
circle circle-alert circle-check circle-dot circle-help circle-minus clipboard-list clock corner-up-left download
file-text git-merge hand inbox log-out mail map-pin message-square package paperclip pencil phone plug plus
rotate-ccw search send settings shield-alert siren split star triangle-alert undo-2 user user-check users wrench x"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

get() { # package version folder
	(cd "$tmp" && npm pack --silent "$1@$2" >/dev/null && mkdir -p "$3" && tar xzf ./*.tgz -C "$3" --strip-components=1 && rm ./*.tgz)
}
get @picocss/pico "$PICO" pico
get htmx.org "$HTMX" htmx
get chart.js "$CHART" chart
get lucide-static "$LUCIDE" lucide

mkdir -p static/vendor icons
cp "$tmp/pico/css/pico.min.css" static/vendor/pico.min.css
cp "$tmp/htmx/dist/htmx.min.js" static/vendor/htmx.min.js
grep -v '^//# sourceMappingURL' "$tmp/chart/dist/chart.umd.min.js" >static/vendor/chart.umd.min.js
rm -f icons/*.svg
for i in $ICONS; do cp "$tmp/lucide/icons/$i.svg" "icons/$i.svg"; done
cp "$tmp/pico/LICENSE.md" static/vendor/LICENSE.pico
cp "$tmp/htmx/LICENSE" static/vendor/LICENSE.htmx
cp "$tmp/chart/LICENSE.md" static/vendor/LICENSE.chartjs
cp "$tmp/lucide/LICENSE" icons/LICENSE

{
	echo "# Vendored assets"
	echo
	echo "Written by \`internal/web/vendor-assets.sh\`; do not edit by hand."
	echo
	echo "| file | package | version | licence | SHA-256 |"
	echo "|---|---|---|---|---|"
	row() { echo "| \`$1\` | $2 | $3 | $4 | \`$(sha256sum "$1" | cut -c1-64)\` |"; }
	row static/vendor/pico.min.css @picocss/pico "$PICO" MIT
	row static/vendor/htmx.min.js htmx.org "$HTMX" 0BSD
	row static/vendor/chart.umd.min.js chart.js "$CHART" MIT
	echo "| \`icons/*.svg\` | lucide-static | $LUCIDE | ISC (some icons from Feather, MIT) | a subset |"
} >static/VENDOR.md
