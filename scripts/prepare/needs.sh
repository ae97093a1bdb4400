# shellcheck shell=bash disable=SC2034,SC2154  # read by prepare.sh, which sets scratch, cache and top
# What this project needs of a machine: the one table, for prepare.sh and for the test of it (tests/newcomer).
#
#   need SETS NAME PACKAGES TRY [AFTER]
#     SETS      which of build, pi, card, test ask for it
#     NAME      what it is, for a reader whose system is not Debian
#     PACKAGES  Debian's packages that bring it
#     TRY       the function that uses it once and fails if it does not work; its last line of output is the reason
#     AFTER     the function that runs when the packages were installed and before it is tried again
#
# A try does what the project does with the thing, as small as it can be: it never looks for a file or a package. Its
# last command decides; `set -e` does not hold in it.
# Runs in: prepare.sh, with $scratch (a folder of its own), $cache and $top set, and no standard input.

need_sets=() need_name=() need_packages=() need_try=() need_after=()
need() {
    need_sets+=("$1") need_name+=("$2") need_packages+=("$3") need_try+=("$4") need_after+=("${5:-}")
}

need "build test" "a C compiler and the C library's headers" "gcc libc6-dev" try_c
need "build test" "a C++ compiler and its library" "g++" try_cxx
need "build test" "libclang and its headers" "libclang-dev" try_libclang
need "build test" "nasm" "nasm" try_nasm
need "pi card test" "mmdebstrap" "mmdebstrap" try_mmdebstrap
need "card test" "mtools" "mtools" try_mtools
need "card test" "dosfstools" "dosfstools" try_mkfs_vfat
need "card test" "e2fsprogs: mke2fs, e2fsck, debugfs" "e2fsprogs" try_ext4
need "card test" "sfdisk" "fdisk" try_sfdisk
need "card test" "depmod" "kmod" try_depmod
need "card test" "cpio" "cpio" try_cpio
need "card test" "xz" "xz-utils" try_xz
need "card test" "losetup and mount" "mount" try_mount
need "card test" "ssh and ssh-keygen" "openssh-client" try_ssh
need "test" "zip, unzip and zstd" "zip unzip zstd" try_packers
need "test" "Python 3.11 or newer with venv" "python3 python3-venv" try_python
need "test" "Node.js 20 or newer" "nodejs npm" try_node after_node
need "test" "npm" "npm" try_npm
need "test" "Chromium" "chromium" try_chromium
need "test" "Firefox" "firefox-esr" try_firefox
need "test" "a desktop with real keys: Xvfb, openbox, xdotool" "xvfb openbox xdotool" try_desktop
need "test" "ffprobe" "ffmpeg" try_ffprobe
need "test" "shellcheck" "shellcheck" try_shellcheck
need "test" "strace" "strace" try_strace
need "test" "iproute2: ip" "iproute2" try_ip
need "test" "coturn" "coturn" try_coturn
need "test" "dmsetup" "dmsetup" try_dmsetup
need "test" "pkg-config" "pkg-config" try_pkg_config
need "test" "OpenSSL's command" "openssl" try_openssl
need "test" "util-linux: unshare, setpriv, flock, script" "util-linux bsdutils" try_util_linux

try_c() {
    echo 'int main(void) { return 0; }' >"$scratch/c.c"
    cc -o "$scratch/c" "$scratch/c.c" && "$scratch/c"
}
try_cxx() {
    printf '#include <vector>\nint main() { return std::vector<int>(1).at(0); }\n' >"$scratch/cxx.cpp"
    c++ -o "$scratch/cxx" "$scratch/cxx.cpp" && "$scratch/cxx"
}

# The bindings to V4L2 are made from the kernel's headers, by whichever libclang bindgen finds (crate clang-sys, its
# list of folders and names): each must be able to read <linux/videodev2.h>. libclang-cpp is another library.
try_libclang() {
    local found=() folder
    for folder in "${LIBCLANG_PATH:-}" "$(llvm-config --libdir 2>/dev/null)" /usr/lib/llvm-*/lib /usr/local/llvm*/lib* \
        /usr/local/lib* /usr/lib/*-linux-gnu* /usr/lib64 /usr/lib; do
        [ -n "$folder" ] || continue
        while read -r file; do found+=("$file"); done < <(
            compgen -G "$folder/libclang.so" || true
            compgen -G "$folder/libclang-[0-9]*.so*" || true
            compgen -G "$folder/libclang.so.*" || true
        )
    done
    [ "${#found[@]}" -gt 0 ] || { echo "there is no libclang"; return 1; }
    cc -o "$scratch/libclang" "$top/scripts/prepare/libclang.c" -ldl
    "$scratch/libclang" "${found[@]}"
}
# OpenH264 is built without its assembler, and three times slower, where this is missing.
try_nasm() {
    printf 'bits 64\nnop\n' >"$scratch/nasm.asm"
    nasm -f elf64 -o "$scratch/nasm.o" "$scratch/nasm.asm"
}
# Unpacks Debian packages of any architecture.
try_mmdebstrap() { mmdebstrap --version; }
# Reads and writes the boot partition of a card without mounting it.
try_mtools() {
    dd if=/dev/zero of="$scratch/fat" bs=1k count=1440 status=none
    mformat -i "$scratch/fat" -f 1440 :: && mcopy -i "$scratch/fat" "$top/.ci/run" ::copy && mdir -i "$scratch/fat" ::
}
try_mkfs_vfat() {
    truncate -s 40M "$scratch/vfat"
    mkfs.vfat "$scratch/vfat"
}
try_ext4() {
    truncate -s 4M "$scratch/ext4"
    mke2fs -q -t ext4 "$scratch/ext4" && e2fsck -n "$scratch/ext4" && debugfs -R ls "$scratch/ext4"
}
try_sfdisk() {
    truncate -s 4M "$scratch/disk"
    echo ',,L' | sfdisk --quiet "$scratch/disk"
}
try_depmod() { depmod --version; }
try_cpio() { echo prepare.sh | (cd "$top/scripts" && cpio -o -H newc --quiet) >"$scratch/cpio"; }
try_xz() { echo x | xz | xz -d; }
# Images come packed in these ways, too.
try_packers() { echo x | zstd | zstd -d && echo x | zip -q - - | head -c 4 && command -v unzip; }
try_mount() { losetup --version && mount --version; }
try_ssh() {
    rm -f "$scratch/key"
    ssh -V && ssh-keygen -q -t ed25519 -N '' -f "$scratch/key"
}

# The first Python that will do is used under the name python3 by the tests: one in front of it may be another one
# (PyPy, an old one, one without venv).
try_python() {
    local python
    rm -f "$cache/tools/python3"
    for python in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
        if "$python" -c 'import ensurepip, platform, sys, venv
sys.exit(sys.version_info < (3, 11) or platform.python_implementation() != "CPython")'; then
            use "$python" python3
            return
        fi
    done
    echo "no CPython of 3.11 or newer with venv"
    return 1
}
# The pinned Node.js for a machine whose own is too old comes from npm, as the browser's tests do.
node_version=22.23.5
node_package=node-linux-$(case $(uname -m) in aarch64) echo arm64 ;; *) echo x64 ;; esac)
node_folder=$cache/$node_package-$node_version
try_node() {
    local node
    rm -f "$cache/tools/node"
    for node in node nodejs /usr/bin/node "$node_folder/node_modules/$node_package/bin/node"; do
        if "$node" -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'; then
            use "$node" node
            return
        fi
    done
    echo "no Node.js of 20 or newer"
    return 1
}
after_node() {
    ! try_node >/dev/null 2>&1 || return 0
    echo "prepare: Node.js $node_version by npm, since the one here is $(node --version 2>/dev/null || echo missing)"
    npm install --silent --no-audit --no-fund --prefix "$node_folder" "$node_package@$node_version"
}
# Puts a tool in front of all others for the tests, if it is not what its name means already.
use() {
    local path
    path=$(command -v "$1")
    [ "$(command -v "$2" 2>/dev/null || true)" != "$path" ] || return 0
    mkdir -p "$cache/tools"
    ln -sfn "$path" "$cache/tools/$2"
}
try_npm() { npm --version; }
try_chromium() {
    chromium --headless --no-sandbox --disable-gpu --user-data-dir="$scratch/chromium" \
        --dump-dom 'data:text/html,<p id=seen>seen</p>' | grep -q 'id="seen"'
}
try_firefox() {
    mkdir -p "$scratch/home"
    HOME=$scratch/home firefox-esr --headless --profile "$scratch/home" --screenshot "$scratch/firefox.png" 'data:text/html,<p>seen</p>'
    [ -s "$scratch/firefox.png" ]
}
try_desktop() {
    local server display code=0
    openbox --version && command -v Xvfb || return 1
    mkfifo "$scratch/display"
    Xvfb -displayfd 9 -screen 0 640x480x24 -nolisten tcp 9>"$scratch/display" &
    server=$!
    read -r -t 20 display <"$scratch/display" && DISPLAY=:$display xdotool getdisplaygeometry || code=1
    kill "$server" 2>/dev/null || true
    return $code
}
try_ffprobe() { ffprobe -hide_banner -f lavfi -i testsrc=duration=0.1; }
try_shellcheck() { shellcheck "$top/.ci/run"; }
# Kills a save at its n-th system call.
try_strace() { strace -o "$scratch/strace" true; }
try_ip() { ip -o link show lo; }
try_coturn() { turnserver --help >"$scratch/turn" 2>&1 || true; grep -q -i -e --relay-ip "$scratch/turn"; }
# A disk of an emulated machine that remembers its writes. Its kernel's part is not needed here.
try_dmsetup() {
    dmsetup version >"$scratch/dmsetup" 2>&1 || true
    grep '^Library version' "$scratch/dmsetup"
}
# Finds the unpacked libcamera (with-libcamera.sh).
try_pkg_config() { pkg-config --version; }
# Certificates of Spiders.
try_openssl() { openssl req -x509 -newkey ed25519 -nodes -subj /CN=x -keyout "$scratch/x" -out "$scratch/x.pem"; }
try_util_linux() {
    setpriv --version && flock --version && script --version && unshare --version
}
