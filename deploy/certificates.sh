#!/bin/sh
# Certificates for builders and the operator, that trust one another and nobody else: sh deploy/certificates.sh FOLDER NAME-OR-ADDRESS...
# FOLDER gets ca.crt, builder.crt and builder.key (for the builders of those names and IP addresses), tls.crt and tls.key (for the operator's Secret). The authority's own key
# stays in ca.key: keep it, to make more of them. An authority that is there already is used.
set -eu
[ $# -ge 2 ] || { echo "usage: sh $0 FOLDER NAME-OR-ADDRESS..." >&2; exit 2; }
folder=$1
shift
umask 077
mkdir -p "$folder"
cd "$folder"
names=
for name in "$@"; do
  case $name in
    *[!0-9.]*) kind=DNS; case $name in *:*) kind=IP ;; esac ;;
    *) kind=IP ;;
  esac
  names="${names:+$names,}$kind:$name"
done
[ -e ca.key ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj '/CN=slipway builders' \
  -keyout ca.key -out ca.crt -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
issue() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$1.key" -out "$1.csr" 2>/dev/null
  printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=%s\n%s\n' "$3" "$4" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 825 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
  rm "$1.csr" "$1.ext"
}
issue builder builder serverAuth "subjectAltName=$names"
issue tls slipway-operator clientAuth ''
echo "made in $folder: ca.crt, builder.crt, builder.key, tls.crt, tls.key"
