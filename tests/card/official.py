"""An imitation of the official Raspberry Pi OS Lite image: its partitions, and the files that a deployment meets.

It does not boot; programs in it are empty files. What it has is what the official image has, as far as that is known here:
pi-gen (branch arm64, `stage2/02-net-tweaks`, `export-image`), raspberrypi-sys-mods (`99-com.rules`), rpi-imager's cloud-init
files. None of it was compared with a downloaded image.
"""

import subprocess
import tempfile
from pathlib import Path

# pi-gen's export-image/prerun.sh: the first partition begins at 8 MiB and has 512 MiB; then the root.
BOOT_AT, BOOT_SIZE = 8 << 20, 512 << 20
ROOT_AT, ROOT_SIZE = BOOT_AT + BOOT_SIZE, 300 << 20
CMDLINE = (
    "console=serial0,115200 console=tty1 root=PARTUUID=d3a1f2c4-02 rootfstype=ext4 fsck.repair=yes rootwait resize\n"
)
# What Raspberry Pi Imager 2 writes for a car that it named.
NAMED = "#cloud-config\nhostname: from-imager\nmanage_etc_hosts: true\npackages:\n- avahi-daemon\nssh_pwauth: false\n"
COMMENTED = "#cloud-config\n# Everything in this file is commented out.\n#hostname: raspberrypi\n#manage_etc_hosts: true\n"
LIBRARIES = "libc.so.6 libm.so.6 libgcc_s.so.1 libstdc++.so.6 ld-linux-aarch64.so.1".split()
FILES = {
    "usr/lib/os-release": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_CODENAME=trixie\nID=debian\n',
    "etc/rpi-issue": "Raspberry Pi reference 2026-06-18\nGenerated using pi-gen, https://github.com/RPi-Distro/pi-gen, stage2\n",
    "etc/hostname": "raspberrypi\n",
    "etc/hosts": "127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n\n127.0.1.1\t\traspberrypi\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\npi:x:1000:1000:,,,:/home/pi:/bin/bash\n",
    "etc/shadow": "root:*:20500:0:99999:7:::\npi:!:20500:0:99999:7:::\n",
    "etc/group": "root:x:0:\ni2c:x:102:pi\nvideo:x:44:pi\ngpio:x:997:pi\nnetdev:x:106:pi\npi:x:1000:\n",
    "etc/gshadow": "root:*::\ni2c:!::pi\nvideo:*::pi\ngpio:!::pi\nnetdev:!::pi\npi:!::\n",
    "var/lib/NetworkManager/NetworkManager.state": "[main]\nWirelessEnabled=false\n",
    "var/lib/systemd/rfkill/platform-soc:bluetooth": "0\n",
    "var/lib/systemd/rfkill/platform-3f300000.mmcnr:wlan": "1\n",
    "etc/cloud/cloud.cfg": "users:\n- default\npreserve_hostname: false\n",
    "etc/cloud/cloud.cfg.d/05_logging.cfg": "## logging\n",
    "usr/lib/udev/rules.d/99-com.rules": 'SUBSYSTEM=="gpio", GROUP="gpio", MODE="0660"\n',
    "usr/lib/systemd/system/ssh.service": "[Unit]\nDescription=OpenBSD Secure Shell server\n",
    "usr/lib/systemd/system/userconfig.service": "[Unit]\nDescription=User configuration dialog\n[Service]\nType=oneshot\n",
    "usr/lib/systemd/journald.conf.d/40-rpi-volatile-storage.conf": "[Journal]\nStorage=volatile\n",
    "usr/sbin/NetworkManager": "",
    "usr/sbin/iw": "",
    "usr/lib/aarch64-linux-gnu/libcamera.so.0.7": "",
    "usr/lib/aarch64-linux-gnu/libcamera-base.so.0.7": "",
    **{f"usr/lib/aarch64-linux-gnu/{name}": "" for name in LIBRARIES},
}
BOOT = {
    "config.txt": "dtparam=audio=on\ncamera_auto_detect=1\ndisplay_auto_detect=1\n\n[all]\n",
    "cmdline.txt": CMDLINE,
    "user-data": COMMENTED,
    "meta-data": "instance_id: rpios-image\n",
    "network-config": "# network:\n",
}


def make(card: Path, files: dict[str, str | None] | None = None, boot: dict[str, str] | None = None) -> Path:
    """Makes one, with these files besides or instead; None takes one out."""
    with tempfile.TemporaryDirectory(prefix="spidercar-official-") as name:
        root = Path(name) / "root"
        for path, text in {**FILES, **(files or {})}.items():
            if text is None:
                continue
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        (root / "etc/os-release").symlink_to("../usr/lib/os-release")
        (root / "lib").symlink_to("usr/lib")
        (root / "usr/lib/ld-linux-aarch64.so.1").symlink_to("aarch64-linux-gnu/ld-linux-aarch64.so.1")
        for folder in ("root", "usr/local/bin", "usr/local/lib", "boot/firmware", "etc/systemd/system", "etc/NetworkManager/system-connections"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "etc/shadow").chmod(0o640)
        with open(card, "wb") as file:
            file.truncate(ROOT_AT + ROOT_SIZE)
        table = f"label: dos\nlabel-id: 0xd3a1f2c4\nstart={BOOT_AT // 512}, size={BOOT_SIZE // 512}, type=c\n"
        table += f"start={ROOT_AT // 512}, size={ROOT_SIZE // 512}, type=83\n"
        subprocess.run(["sfdisk", "--quiet", card], input=table, text=True, check=True)
        sectors = f"{BOOT_SIZE // 1024}"
        subprocess.run(
            ["mkfs.vfat", "-F", "32", "-n", "BOOTFS", "--offset", str(BOOT_AT // 512), card, sectors],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # the file is larger than the file system, as it should be
            check=True,
        )
        for path, text in {**BOOT, **(boot or {})}.items():
            subprocess.run(["mcopy", "-i", f"{card}@@{BOOT_AT}", "-", f"::{path}"], input=text, text=True, check=True)
        offset = f"offset={ROOT_AT}"
        subprocess.run(
            ["mke2fs", "-q", "-F", "-t", "ext4", "-L", "rootfs", "-E", offset, "-d", root, card, f"{ROOT_SIZE // 1024}k"], check=True
        )
    return card


def read(card: Path, path: str) -> str:
    """A file of the root."""
    script = f'mount -t ext4 -o ro,noload,loop,offset={ROOT_AT} "$1" /mnt && cat "/mnt/$2"'
    command = ["unshare", "--mount", "sh", "-euc", script, "read", str(card), path]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def write(card: Path, path: str, text: str) -> None:
    """Changes a file of the root, as its owner does."""
    script = f'mount -t ext4 -o loop,offset={ROOT_AT} "$1" /mnt && cat >"/mnt/$2"'
    command = ["unshare", "--mount", "sh", "-euc", script, "write", str(card), path]
    subprocess.run(command, input=text, text=True, check=True)


def read_boot(card: Path, name: str) -> str:
    """A file of the boot partition."""
    return subprocess.run(["mtype", "-i", f"{card}@@{BOOT_AT}", f"::{name}"], stdout=subprocess.PIPE, text=True, check=True).stdout
