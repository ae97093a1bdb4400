#!/usr/bin/env bash
# Runs a command where cargo finds libcamera 0.7, whatever this machine has of its own: the feature `libcamera` needs it.
#
# usage: with-libcamera.sh COMMAND [ARGUMENT...]      with-libcamera.sh cargo clippy --all-features
#        with-libcamera.sh --root                     only says where it is
#
#   Debian trixie-backports: libcamera-dev, unpacked ──▶ pkg-config, headers, libraries ──▶ this machine's cargo and linker
#                                    └─ its C library and loader ──▶ what runs the tests that cargo builds
#
# The program that comes out wants libcamera.so.0.7 and is for a machine that has it, as Raspberry Pi OS trixie and the
# test machines do. Only programs that cargo itself runs (tests) are started with the unpacked loader and libraries.
#
# Runs where: Debian or Ubuntu (root or sudo the first time). Needs: Debian's mirror the first time; libclang, which
# prepare.sh installs. Changes: ${SPIDERCAR_CACHE:-~/.cache/spidercar}: 240 MB, unpacked, nothing installed.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
top=$(cd "$(dirname "$0")/.." && pwd)
case "${1:-}" in
    "" | -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; [ $# -gt 0 ] || exit 2; exit 0 ;;
esac
root=$("$top/scripts/debian-root.sh" libcamera --newest libcamera-dev libcamera-ipa)
if [ "$1" = --root ]; then
    echo "$root"
    exit 0
fi
libraries=$root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)
loader=$(find "$root"/usr/lib "$root"/usr/lib64 -maxdepth 1 -name 'ld-linux-*' 2>/dev/null | head -n 1)
arch=$(uname -m | tr '[:lower:]' '[:upper:]')
export PKG_CONFIG_PATH=$libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
export "CARGO_TARGET_${arch}_UNKNOWN_LINUX_GNU_RUNNER=$loader --library-path $libraries"
exec "$@"
