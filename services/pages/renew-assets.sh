#!/bin/sh
# Renews what the pages load of others, from npm: raise a version, run it, look at the pages, commit.
set -eu

LIT_HTML=3.3.3           # BSD 3-Clause
EVENTSOURCE_PARSER=3.1.1 # MIT
INTER=5.3.0              # SIL Open Font License 1.1

vendor=$(cd "$(dirname "$0")/site/vendor" && pwd)
unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
cd "$unpacked"

unpack() { # PACKAGE VERSION FOLDER
    mkdir "$3"
    npm pack --silent "$1@$2" | xargs -I {} tar -xzf {} -C "$3" --strip-components=1
    rm -rf "${vendor:?}/$3"
    mkdir -p "$vendor/$3"
    keep "$3" LICENSE
    echo "$1 $2" > "$vendor/$3/VERSION"
}

keep() { # FOLDER FILE...
    folder=$1
    shift
    for file in "$@"; do
        to="$vendor/$folder/${file#dist/}"
        mkdir -p "$(dirname "$to")"
        case $file in
            *.js | *.d.ts) sed '/^\/\/# sourceMappingURL=/d' "$folder/$file" > "$to" ;;
            *) cp "$folder/$file" "$to" ;;
        esac
        chmod 644 "$to"
    done
}

unpack lit-html "$LIT_HTML" lit-html
for module in lit-html directive directive-helpers directives/repeat directives/live; do
    keep lit-html "$module.js" "$module.d.ts"
done

unpack eventsource-parser "$EVENTSOURCE_PARSER" eventsource-parser
keep eventsource-parser dist/index.js dist/index.d.ts

unpack @fontsource-variable/inter "$INTER" inter
cp inter/files/inter-latin-wght-normal.woff2 "$vendor/inter/latin.woff2"
cp inter/files/inter-latin-ext-wght-normal.woff2 "$vendor/inter/latin-ext.woff2"
chmod 644 "$vendor"/inter/*.woff2
