#!/bin/sh
# Renews what /docs and /asyncapi load, from npm: raise a version, run it, look at both pages, commit.
set -eu

SWAGGER_UI=5.35.0 # Apache License 2.0
ASYNCAPI=3.1.5    # Apache License 2.0

kit=$(cd "$(dirname "$0")/src/service_kit" && pwd)
unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
cd "$unpacked"

unpack() { # PACKAGE VERSION FOLDER
    mkdir "$3"
    npm pack --silent "$1@$2" | xargs -I {} tar -xzf {} -C "$3" --strip-components=1
}

keep() { # FILE AS
    case $2 in
        *.gz) gzip -9 -n -c "$1" > "$2" ;;
        *) tr -d '\r' < "$1" > "$2" ;;
    esac
    chmod 644 "$2"
}

unpack swagger-ui-dist "$SWAGGER_UI" swagger-ui
keep swagger-ui/swagger-ui-bundle.js "$kit/http/assets/swagger-ui.js.gz"
keep swagger-ui/swagger-ui.css "$kit/http/assets/swagger-ui.css.gz"
keep swagger-ui/LICENSE "$kit/http/assets/LICENSE"
keep swagger-ui/NOTICE "$kit/http/assets/NOTICE"
keep swagger-ui/swagger-ui-bundle.js.LICENSE.txt "$kit/http/assets/swagger-ui.js.LICENSE.txt"
echo "swagger-ui-dist $SWAGGER_UI" > "$kit/http/assets/VERSION"

unpack @asyncapi/react-component "$ASYNCAPI" asyncapi
keep asyncapi/browser/standalone/index.js "$kit/nats/assets/asyncapi.js.gz"
keep asyncapi/styles/default.min.css "$kit/nats/assets/asyncapi.css"
keep asyncapi/LICENSE "$kit/nats/assets/LICENSE"
keep asyncapi/browser/standalone/index.js.LICENSE.txt "$kit/nats/assets/asyncapi.js.LICENSE.txt"
echo "@asyncapi/react-component $ASYNCAPI" > "$kit/nats/assets/VERSION"
