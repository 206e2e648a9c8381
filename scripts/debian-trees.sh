#!/bin/sh
# debian-trees.sh FOLDER PACKAGE...: the file trees of Debian packages as FOLDER/<package>.tar, fetched once (no install).
set -eu
folder=$1
shift
mkdir -p "$folder"
for package in "$@"; do
  [ -s "$folder/$package.tar" ] && continue
  work=$(mktemp -d)
  chmod 755 "$work"
  (cd "$work" && apt-get -o APT::Sandbox::User=root download -qq "$package") || {
    apt-get -o DPkg::Lock::Timeout=300 update -qq
    (cd "$work" && apt-get -o APT::Sandbox::User=root download -qq "$package")
  } || { echo "slipway: the package $package could not be fetched: is there network?" >&2; rm -rf "$work"; exit 1; }
  dpkg-deb --fsys-tarfile "$work"/*.deb >"$folder/$package.tar.part"
  mv "$folder/$package.tar.part" "$folder/$package.tar"
  rm -rf "$work"
done
