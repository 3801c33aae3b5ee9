#!/bin/sh
# Signs the images of a release by their digests, and what is in them, with cosign's keyless way:
#   deploy/sign.sh release
# It was never run: where this is made there is neither cosign nor a registry nor its provider of identities.
# Read it, try it on an image of no weight, and have your cluster refuse what is unsigned only then.
set -eu
folder=$1
jq -r 'to_entries[] | select(.value["containerimage.digest"]) |
    "\(.key) \(.value["image.name"] | sub(":[^:/]*$"; ""))@\(.value["containerimage.digest"])"' \
  "$folder/images.json" |
  while read -r name image; do
    cosign sign --yes "$image"
    if [ -f "$folder/$name.cdx.json" ]; then
      cosign attest --yes --type cyclonedx --predicate "$folder/$name.cdx.json" "$image"
    fi
  done
