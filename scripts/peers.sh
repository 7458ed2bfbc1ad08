#!/usr/bin/env bash
# Installs from Debian the third-party programs that the tests run against. Where that is not possible the
# tests that need one are skipped visibly (in CI they fail instead).
set -euo pipefail
packages="dcmtk orthanc orthanc-dicomweb gnutls-bin nginx-light stunnel4 sslscan pebble curl rsyslog rsyslog-gnutls rsyslog-openssl chromium chromium-driver openssl bsdutils jing libxml2-utils postgresql"
command -v dpkg-query >/dev/null && command -v apt-get >/dev/null \
    || { echo "no Debian packages here: tests against real peers will be skipped"; exit 0; }
# syslog-ng cannot be installed beside rsyslog, but it runs beside it from a folder of its own.
syslog_ng() {
    local folder="${XDG_CACHE_HOME:-$HOME/.cache}/ps315/syslog-ng" work
    local packages="syslog-ng-core libivykis0 libnet1 libpcre3 libglib2.0-0 libjson-c5 libwrap0 libcap2"
    [ ! -x "$folder/usr/sbin/syslog-ng" ] || return 0
    work=$(mktemp -d)
    if (cd "$work" && { apt-get download -qq $packages || { $1 apt-get update -qq && apt-get download -qq $packages; }; }) >/dev/null 2>&1
    then
        mkdir -p "$folder" && for package in "$work"/*.deb; do dpkg -x "$package" "$folder"; done
    else
        echo "could not fetch syslog-ng: its tests will be skipped"
    fi
    rm -rf "$work"
}
missing=""
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ "$(id -u)" = 0 ]; then syslog_ng ""; else syslog_ng "sudo -n"; fi
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then as_root=""; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo -n"; else
    echo "not root: tests that need$missing will be skipped (install them, or run once as root)"; exit 0
fi
echo "installing peers from Debian:$missing ..."
# A service that a package would start has no place in a test machine.
policy=/usr/sbin/policy-rc.d
[ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null; $as_root chmod +x $policy; trap '$as_root rm -f $policy' EXIT; }
$as_root env DEBIAN_FRONTEND=noninteractive sh -c "apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing" >/dev/null \
    || echo "could not install$missing: their tests will be skipped"
