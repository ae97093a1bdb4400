#!/usr/bin/env bash
# Installs what this project needs on this machine: Debian packages by apt, pinned packages by npm.
#
# Each need is tried: a small program is compiled, a page is opened, a script is run. What does not work is installed and
# tried again. The names of files and packages say nothing: libclang-cpp.so.14 looks like libclang, and a node may be
# too old. The table is prepare/needs.sh.
#
# Runs where: a developer's or CI machine (Debian or Ubuntu; root, or a user who may use sudo). Called by other scripts.
#             Elsewhere, or without sudo, it says what to install, and changes nothing.
# Needs:      a Rust toolchain (cargo); reachable package registries the first time.
# Changes:    apt packages, node_modules under tests/browser, ${SPIDERCAR_CACHE:-~/.cache/spidercar}.
# Safe to run twice: what works already is left alone.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR

usage() {
    sed -n '2,13s/^# \{0,1\}//p' "$0"
    echo "usage: prepare.sh build|pi|card|test"
    echo "  build: what compiling needs; pi: what making things for a Pi needs; card: what making and writing cards needs"
    echo "  test:  all of it"
}
case "${1:-}" in
    build | pi | card | test) what=$1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac

top=$(cd "$(dirname "$0")/.." && pwd)
cache=${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PATH=$cache/tools:$PATH:/usr/sbin:/sbin
# shellcheck source=scripts/prepare/needs.sh
. "$top/scripts/prepare/needs.sh"

# Tries every need of the set and gives the numbers of those that do not work, one a line.
broken() {
    local index
    for index in "${!need_name[@]}"; do
        case " ${need_sets[index]} " in *" $what "*) ;; *) continue ;; esac
        (trap - ERR; "${need_try[index]}") </dev/null >"$scratch/try-$index" 2>&1 || echo "$index"
    done
}

# Says why a need does not work, in a line.
reason() { tail -n 1 "$scratch/try-$1" | cut -c 1-200; }

mapfile -t missing < <(broken)
if [ "${#missing[@]}" -gt 0 ]; then
    packages=()
    for index in "${missing[@]}"; do
        read -ra more <<<"${need_packages[index]}"
        packages+=("${more[@]}")
    done
    mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
    sudo=()
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "prepare: this system has no apt. Install these by the names that your system gives them, and run this again:" >&2
        for index in "${missing[@]}"; do
            echo "  ${need_name[index]} (Debian: ${need_packages[index]})" >&2
        done
        exit 1
    elif [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "prepare: packages are missing, and this user is not root and has no sudo. As root:" >&2
            echo "  apt-get install --no-install-recommends ${packages[*]}" >&2
            exit 1
        fi
        sudo=(sudo)
    fi
    echo "prepare: installing ${packages[*]}"
    # A list that cannot be had (a mirror that is down, a foreign repository) does not matter if the packages can.
    "${sudo[@]}" apt-get update -qq || echo "prepare: apt-get update had errors; going on with what it knows" >&2
    if ! "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=300 \
        --no-install-recommends "${packages[@]}" >"$scratch/apt" 2>&1; then
        tail -n 20 "$scratch/apt" >&2
        echo "prepare: apt-get could not install: ${packages[*]}" >&2
        exit 1
    fi
    for index in "${missing[@]}"; do
        [ -z "${need_after[index]}" ] || "${need_after[index]}"
    done
    mapfile -t missing < <(broken)
    for index in "${missing[@]}"; do
        echo "prepare: ${need_name[index]} does not work, though ${need_packages[index]} is installed: $(reason "$index")" >&2
    done
    [ "${#missing[@]}" = 0 ] || exit 1
fi

if [ "$what" = build ] || [ "$what" = test ]; then
    # Rust is not ours to choose: a toolchain of yours may be there, and another one in its place would be a surprise.
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$top/Cargo.toml")
    rust=$(cargo --version 2>/dev/null | cut -d ' ' -f 2 || true)
    if [ -z "$rust" ] || [ "$(printf '%s\n' "$wanted" "$rust" | sort -V | head -n 1)" != "$wanted" ]; then
        echo "prepare: Rust $wanted or newer is needed, and here is ${rust:-none}. Install it (rustup, or your system's" \
            "packages) and run this again." >&2
        exit 1
    fi
fi
if [ "$what" = test ]; then
    for part in rustfmt clippy; do
        tool=$part
        [ $part = rustfmt ] && tool=fmt
        cargo "$tool" --version >/dev/null 2>&1 && continue
        if ! rustup component add "$part" >"$scratch/rustup" 2>&1; then
            echo "prepare: cargo $tool is missing. Install it: rustup component add $part, or the package of that name" \
                "(Debian: rustfmt, rust-clippy)" >&2
            exit 1
        fi
    done
    stamp=$top/tests/browser/node_modules/.from-lock
    if ! cmp -s "$top/tests/browser/package-lock.json" "$stamp" 2>/dev/null; then
        echo "prepare: npm packages of the browser tests"
        (cd "$top/tests/browser" && npm ci --silent --no-audit --no-fund)
        cp "$top/tests/browser/package-lock.json" "$stamp"
        # Root may prepare somebody else's checkout, who could not change it afterwards.
        [ "$(id -u)" != 0 ] || chown -R --reference="$top" "$top/tests/browser/node_modules"
    fi
fi
# Cargo knows the same crate of two checkouts by nothing but the times of its files, so that one would run what the other
# built. A build folder that was last used by another checkout builds this crate anew; what it depends on is kept.
if [ "$what" = build ] || [ "$what" = test ]; then
    for folder in ${CARGO_TARGET_DIR:+"$CARGO_TARGET_DIR"} "$cache/fuzz-target"; do
        if [ -d "$folder" ] && [ "$(cat "$folder/checkout" 2>/dev/null)" != "$top" ]; then
            find "$top/src" "$top/tests" "$top/scripts" -name node_modules -prune -o -type f -exec touch -c {} +
            printf '%s\n' "$top" >"$folder/checkout"
        fi
    done
fi
