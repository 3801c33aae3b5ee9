#!/bin/sh
# Makes what stands for the images' base where no image can be pulled, of Debian's packages and a CPython
# that is on this machine; it needs root, debootstrap and podman:
#   deploy/stand_in_base.sh ~/.pyenv/versions/3.13.0
#   make images CONTAINERS=podman BASE=localhost/python:stand-in
set -eu
python=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
libraries=libbz2-1.0,libexpat1,libffi8,liblzma5,libncursesw6,libreadline8,libsqlite3-0,libssl3,libuuid1,zlib1g
debootstrap --variant=minbase --include="ca-certificates,netbase,tzdata,$libraries" bookworm "$root" >&2
cp -a "$python/." "$root/usr/local/"
rm -rf "$root"/usr/local/lib/python3*/test "$root"/usr/local/lib/python3*/site-packages/* "$root"/usr/local/bin/pip*
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" # those that this machine believes
chroot "$root" /sbin/ldconfig
chroot "$root" /usr/local/bin/python3 -m ensurepip --default-pip >&2
certificates=/etc/ssl/certs/ca-certificates.crt
tar -C "$root" -c . | podman import \
  --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change "ENV PIP_CERT=$certificates" --change "ENV SSL_CERT_FILE=$certificates" \
  - python:stand-in
