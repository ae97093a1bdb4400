"""What scripts/deploy.sh does to the official Raspberry Pi OS image, which official.py imitates, and to whatever is none.

    check_official.py        as root; needs no emulator and no program for the Pi: what it installs is an ELF header

Promises: a file that is refused is unchanged, and one sentence says why; what uninstall leaves is what was there.
"""

import gzip
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import official
from check_deploy import differences
from check_deploy import snapshot as whole
from checks import Checks, expect, main

TOP = Path(__file__).resolve().parents[2]
DEPLOY = TOP / "scripts/deploy.sh"
# ELF, 64-bit, little-endian, a program for aarch64 (183): all that deploy.sh looks at, and the words of `--version`.
ELF = bytes.fromhex("7f454c460201010000000000000000000300b700")
SOURCE = b"spidercar 0.1.0 (source 0123abcd)"


def program(folder: Path, csi: bytes | None = SOURCE, wants: str = "libcamera.so.0.7 libcamera0.7") -> Path:
    """Two programs as scripts/build-pi.sh leaves them, or one."""
    folder.mkdir(exist_ok=True)
    plain = folder / "spidercar"
    plain.write_bytes(ELF + SOURCE)
    (folder / "spidercar.needs").write_text("libc.so.6 libc6\n")
    if csi is not None:
        (folder / "spidercar-csi").write_bytes(ELF + csi + b" with libcamera")
        (folder / "spidercar-csi.needs").write_text(f"{wants}\nlibc.so.6 libc6\n")
    return plain


class Bench:
    """A folder with programs, a secret, images."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.binary = program(folder / "programs")
        self.password = self.file("password", b"a good password\n")
        self.environment = dict(os.environ)

    def file(self, name: str, data: bytes) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def run(self, *options: object, before: tuple[str, ...] = ()) -> tuple[int, str]:
        """Runs deploy.sh; its code and what it said."""
        words = [*before, str(DEPLOY), *map(str, options)]
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=self.environment
        )
        return done.returncode, done.stdout

    def options(self, card: Path, *more: object, board: str = "pi4-esc-pwm") -> list[object]:
        """A whole command line."""
        words = ["--image", card, "--binary", self.binary, "--board", board, "--url", "wss://spider.example:8267", "--channel", "0123456789abcdefghvg", "--yes"]
        return [*words, *more]

    def good(self, *options: object) -> str:
        """Runs it; it must succeed."""
        code, said = self.run(*options)
        expect(code == 0, f"deploy.sh {options} ended with {code}: {said[-1500:]}")
        return said

    def refused(self, word: str, *options: object, code: int = 1, before: tuple[str, ...] = ()) -> str:
        """Runs it; it must fail with one sentence that has these words, and no tool's own."""
        ended, said = self.run(*options, before=before)
        lines = [line for line in said.splitlines() if line.startswith("deploy: ")]
        expect(ended == code, f"ended with {ended}, not {code}: {said[-800:]}")
        expect(lines and word in lines[-1], f"no sentence with {word!r}: {said[-800:] or 'not a word'}")
        expect("line " not in lines[-1] or "ended with code" not in lines[-1], f"that is the net, not a sentence: {lines[-1]}")
        return lines[-1]


def snapshot(card: Path) -> dict[str, list[str]]:
    """All of a card, the boot texts that cloud-init reads among it."""
    found = whole(card, official.BOOT_AT, official.ROOT_AT)
    return {**found, "./boot:user-data": [official.read_boot(card, "user-data")]}


def wrong_files(report: Checks, bench: Bench, card: Path) -> None:
    """Every file that is no image gets a sentence of its own."""
    folder = bench.folder
    whole_card = card.read_bytes()
    gpt = folder / "gpt.img"
    gpt.write_bytes(bytes(64 << 20))
    subprocess.run(["sfdisk", "--quiet", gpt], input="label: gpt\n,\n", text=True, check=True)
    one = bench.file("one.img", whole_card[: 64 << 20])
    subprocess.run(["sfdisk", "--quiet", one], input="label: dos\nstart=2048, size=65536, type=c\n", text=True, check=True)
    linux = bench.file("linux.img", bytes(64 << 20))
    subprocess.run(["sfdisk", "--quiet", linux], input="label: dos\nstart=2048, size=65536, type=83\n", text=True, check=True)
    read_only = bench.file("read-only.img", whole_card[: 1 << 20])
    read_only.chmod(0o444)
    (folder / "a-folder").mkdir()
    (folder / "dangling").symlink_to("nowhere")
    cases = {
        "there is no such file": folder / "missing.img",
        "this link leads nowhere": folder / "dangling",
        "this is a folder": folder / "a-folder",
        "the file is empty": bench.file("empty.img", b""),
        "this is a text": bench.file("text.img", b"Raspberry Pi OS\n" * 100),
        "this is a web page": bench.file("page.img", b"<!DOCTYPE html><html>" * 100),
        "it begins with zeros": bench.file("zeros.img", bytes(1 << 20)),
        "it has no partition table": bench.file("noise.img", bytes(range(256)) * 4096),
        "it is packed (7z)": bench.file("packed.7z", bytes.fromhex("377abcaf271c") + b"x" * 1000),
        "it is packed (bz2)": bench.file("packed.bz2", b"BZh9" + b"x" * 1000),
        "a disk of a virtual machine (qcow2)": bench.file("disk.qcow2", bytes.fromhex("514649fb") + b"x" * 1000),
        "this is a CD image": bench.file("debian.iso", bytes(32769) + b"CD001" + bytes(1000)),
        "this is a program": bench.binary,
        'a partition table of the kind "gpt"': gpt,
        "there is no second partition": one,
        "the first partition is no FAT": linux,
        "is cut off: its partitions end at 860 MB, and it has 630 MB": bench.file("cut.img", whole_card[: 600 << 20]),
        "the file is read-only": read_only,
        "is cut off or damaged": bench.file("torn.img.gz", gzip.compress(whole_card[: 8 << 20] + os.urandom(1 << 20), 1)[:-1000]),
        "the archive should have one .img in it": folder / "two.zip",
        "for a card say --device": Path("/dev/loop0"),
        "this is no file": Path("/dev/null"),
    }
    with zipfile.ZipFile(folder / "two.zip", "w") as archive:
        archive.writestr("a.img", "1")
        archive.writestr("b.img", "2")
    if not Path("/dev/loop0").is_block_device():
        del cases["for a card say --device"]
    for words, path in cases.items():
        with report.check(f"{path.name}: {words}"):
            before = path.read_bytes() if path.is_file() else b""
            bench.refused(words, *bench.options(path))
            expect(not path.is_file() or path.read_bytes() == before, "it was changed")
            left = sorted(str(left) for left in folder.glob(f"{path.name}*") if left != path)
            expect(not left, f"left behind: {left}")
    for words, path in (("is a file; say --image", card), ("no such device", folder / "sdz"), ("is no block device", Path("/dev/null"))):
        with report.check(f"--device {path.name}: {words}"):
            bench.refused(words, "--device", path, *bench.options(path)[2:])


def packed(report: Checks, bench: Bench, card: Path) -> None:
    """A packed image is unpacked beside, whole or not at all, and changed; the packed one stays."""
    expected = official.make(bench.folder / "expected.img")
    bench.good(*bench.options(expected))
    for kind in ("xz", "gz", "zst", "zip"):
        with report.check(f"packed as .{kind}: unpacked to a new file beside it, and installed there"):
            away = bench.folder / kind
            away.mkdir()
            image, archive = away / "raspios.img", away / f"raspios.img.{kind}"
            shutil.copy(card, image)
            pack = {"xz": ["xz", "-0", "-T0"], "gz": ["gzip", "-1"], "zst": ["zstd", "-1", "-q", "--rm"], "zip": ["zip", "-1", "-q", "-j", "-m", archive]}
            subprocess.run([*pack[kind], image], check=True)
            packed_bytes = archive.read_bytes()
            bench.good(*bench.options(archive, "--dry-run"))
            expect(not image.exists(), "--dry-run left an image")
            bench.good(*bench.options(archive))
            changed = differences(snapshot(expected), snapshot(image))
            expect(not changed, f"differs: {changed}")
            expect(archive.read_bytes() == packed_bytes, "the packed one was changed")
            bench.refused("there is", *bench.options(archive))
            expect(sorted(path.name for path in away.iterdir()) == [image.name, archive.name], "something was left behind")
            shutil.rmtree(away)


def wifi(report: Checks, bench: Bench, card: Path) -> None:
    """The radio is on, power save off, and all of it goes again."""
    before = snapshot(card)
    options = ("--wifi", "net", "--wifi-password-file", bench.password, "--wifi-country")
    with report.check("the official image's radio, which is off, is switched on with --wifi; power save is off"):
        bench.good(*bench.options(card, *options, "gb"))
        state = official.read(card, "var/lib/NetworkManager/NetworkManager.state")
        expect("WirelessEnabled=true" in state.splitlines(), state)
        expect(official.read(card, "var/lib/systemd/rfkill/platform-3f300000.mmcnr:wlan") == "0\n", "the radio is blocked")
        profile = official.read(card, "etc/NetworkManager/system-connections/spidercar.nmconnection")
        expect("powersave=2" in profile.splitlines(), profile)
        expect("wifi.powersave=2" in official.read(card, "etc/NetworkManager/conf.d/spidercar.conf"), "no drop-in")
    with report.check("a second country takes the place of the first, and an upgrade without Wi-Fi leaves both files as they are"):
        words = official.read_boot(card, "cmdline.txt").split()
        expect([word for word in words if "regdom" in word] == ["cfg80211.ieee80211_regdom=GB"], f"{words}")
        bench.good(*bench.options(card, *options, "DE"))
        words = official.read_boot(card, "cmdline.txt").split()
        expect([word for word in words if "regdom" in word] == ["cfg80211.ieee80211_regdom=DE"], f"{words}")
        bench.good("--image", card, "--binary", bench.binary, "--yes")
        expect("WirelessEnabled=true" in official.read(card, "var/lib/NetworkManager/NetworkManager.state"), "the radio is off again")
    with report.check("uninstall: as before, file by file, the radio's state too"):
        bench.good("--image", card, "--uninstall", "--yes")
        changed = differences(before, snapshot(card))
        expect(not changed, f"not as before: {changed}")
    with report.check("words of somebody else for the same key are replaced where they stand, and come back"):
        theirs = official.CMDLINE.replace(" resize", " cfg80211.ieee80211_regdom=US resize  cfg80211.ieee80211_regdom=FR")
        other = official.make(bench.folder / "other.img", boot={"cmdline.txt": theirs})
        untouched = snapshot(other)
        bench.good(*bench.options(other, *options, "GB"))
        line = official.read_boot(other, "cmdline.txt")
        expect(line == official.CMDLINE.replace(" resize", " cfg80211.ieee80211_regdom=GB resize"), line)
        bench.good("--image", other, "--uninstall", "--yes")
        changed = [path for path in differences(untouched, snapshot(other)) if path != "./boot:cmdline.txt"]
        expect(not changed, f"not as before: {changed}")
        expect(sorted(official.read_boot(other, "cmdline.txt").split()) == sorted(theirs.split()), official.read_boot(other, "cmdline.txt"))
    wrong = {
        "UK": "did you mean GB",
        "USA": "did you mean US",
        "ZZ": "no country has these letters",
        "XX": "no country has these letters",
        "00": "no country has these letters",
        "EU": "no country has these letters",
        "D": "no country has these letters",
    }
    for country, words in wrong.items():
        with report.check(f"--wifi-country {country}: {words}"):
            bench.refused(words, *bench.options(card, *options, country))


def names(report: Checks, bench: Bench) -> None:
    """A name lasts: the hosts file, cloud-init."""
    card = official.make(bench.folder / "named.img", boot={"user-data": official.NAMED, "firstrun.sh": "#!/bin/bash\n"})
    before = snapshot(card)
    with report.check("--hostname: cloud-init keeps it, /etc/hosts has it once, Imager's own name gives way"):
        said = bench.good(*bench.options(card, "--hostname", "racer"))
        hosts = official.read(card, "etc/hosts").splitlines()
        expect([line.split() for line in hosts if line.startswith("127.0.1.1")] == [["127.0.1.1", "racer"]], f"{hosts}")
        expect("127.0.0.1\tlocalhost" in hosts, f"{hosts}")
        expect("preserve_hostname: true" in official.read(card, "etc/cloud/cloud.cfg.d/99-spidercar.cfg").splitlines(), "not kept")
        expect(official.read_boot(card, "user-data") == official.NAMED.replace("from-imager", "racer"), "cloud-init says another")
        expect("firstrun.sh" in said, "it does not say that the first start gives another name")
    with report.check("once more with another name, then uninstall: as before, file by file"):
        bench.good(*bench.options(card, "--hostname", "racer-2"))
        expect("hostname: racer-2\n" in official.read_boot(card, "user-data"), "the old name stays")
        bench.good("--image", card, "--uninstall", "--yes")
        changed = differences(before, snapshot(card))
        expect(not changed, f"not as before: {changed}")


def libcamera(report: Checks, bench: Bench) -> None:
    """Images with another libcamera are good for cars that film without."""
    older = {"usr/lib/aarch64-linux-gnu/libcamera.so.0.7": None, "usr/lib/aarch64-linux-gnu/libcamera.so.0.5": ""}
    card = official.make(bench.folder / "older.img", files=older)
    with report.check("another libcamera: a car with a USB camera is installed, and told"):
        said = bench.good(*bench.options(card, "--set", "camera.source=v4l"))
        expect("libcamera.so.0.5" in said and "this car has none" in said, said)
        bench.good("--image", card, "--binary", bench.binary, "--yes")
    with report.check("another libcamera: a car with a CSI camera is refused, with both names and the image's date"):
        sentence = bench.refused("wants libcamera.so.0.7 (package libcamera0.7)", *bench.options(card))
        expect("2026-06-18" in sentence and "libcamera.so.0.5" in sentence, sentence)
        report.say(sentence)
    for line in ("source='libcamera' # mine", 'camera . source  =  "libcamera"', '\tsource = "libcamera"'):
        with report.check(f"another libcamera: so is a car whose owner wrote {line!r}, when only its program is new"):
            official.write(card, "etc/spidercar/spidercar.toml", f"# source = \"v4l\"\n{line}\n")
            bench.refused("wants libcamera.so.0.7 (package libcamera0.7)", "--image", card, "--binary", bench.binary, "--yes")
    with report.check("another libcamera: a line that is only a comment is none"):
        official.write(card, "etc/spidercar/spidercar.toml", '# source = "libcamera"\nsource = "v4l"\n')
        bench.good("--image", card, "--binary", bench.binary, "--yes")
    good = official.make(bench.folder / "good.img")
    with report.check("two programs of two builds are refused, and a CSI car without the second one"):
        bench.binary = program(bench.folder / "mixed", csi=b"spidercar 0.1.0 (source 99999999)")
        bench.refused("of two builds", *bench.options(good))
        bench.binary = program(bench.folder / "alone", csi=None)
        bench.refused("there is no", *bench.options(good))
        bench.good(*bench.options(good, "--set", "camera.source=v4l"))
        bench.binary = program(bench.folder / "programs")


def ways_in(report: Checks, bench: Bench, card: Path) -> None:
    """Who may log in, and what is linked."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", bench.folder / "id"], check=True)
    public = bench.folder / "id.pub"
    with report.check("without --ssh-key it says that nobody can log in; with one, or with a user, it does not"):
        words = "nobody can log in"
        expect(words in bench.good(*bench.options(card, "--dry-run")), "it does not say so")
        expect(words not in bench.good(*bench.options(card, "--dry-run", "--ssh-key", public)), "it says so all the same")
        user = official.make(bench.folder / "user.img", files={"etc/shadow": "root:*:1::::::\npi:$y$abc:1::::::\n"})
        expect(words not in bench.good(*bench.options(user, "--dry-run")), "it says so although there is a user")
    with report.check("a key from Windows arrives without its CR; a private key is refused; a missing SSH server is told"):
        windows = bench.file("windows.pub", public.read_bytes().replace(b"\n", b"\r\n"))
        bench.good(*bench.options(card, "--ssh-key", windows))
        expect(official.read(card, "root/.ssh/authorized_keys") == public.read_text(), "it is another key")
        bench.refused("this is a private key", *bench.options(card, "--ssh-key", bench.folder / "id"))
        bare = official.make(bench.folder / "bare.img", files={"usr/lib/systemd/system/ssh.service": None})
        before = snapshot(bare)
        code, said = bench.run(*bench.options(bare, "--ssh-key", public))
        expect(code == 1 and "this system has no /usr/lib/systemd/system/ssh.service" in said, said)
        expect(not differences(before, snapshot(bare)), "something changed")


def other_machines(report: Checks, bench: Bench, card: Path) -> None:
    """Computers on which it cannot work say so, each in one sentence with the way on."""
    with report.check("no right to mount (a container): one sentence"):
        drop = ("setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin")
        report.say(bench.refused("CAP_SYS_ADMIN", *bench.options(card), before=drop))
    with report.check("no loop devices: one sentence"):
        nodes = " && ".join(f"mknod -m 666 /dev/{name} c 1 {minor}" for name, minor in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)))
        hide = f"mount -t tmpfs none /dev && {nodes} && ln -s /proc/self/fd /dev/fd && exec \"$@\""
        before = ("unshare", "--mount", "sh", "-c", hide, "sh")
        report.say(bench.refused("no loop device", *bench.options(card), before=before))
    tools = bench.folder / "tools"
    tools.mkdir()
    bench.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
    with report.check("macOS: one sentence"):
        tool(tools / "uname", "echo Darwin")
        report.say(bench.refused("needs Linux", *bench.options(card)))
        (tools / "uname").unlink()
    with report.check("building for a Pi on another processor, and without Debian's tools: one sentence each"):
        tool(tools / "uname", "echo aarch64")
        said = script(bench, "build-pi.sh")
        expect("build-pi: this builds on amd64, and here is aarch64" in said, said)
        (tools / "uname").unlink()
        bare = bench.folder / "bare"
        bare.mkdir()
        for name in ("bash", "env", "dirname"):
            (bare / name).symlink_to(shutil.which(name) or "")
        said = script(bench, "debian-root.sh", "NAME", "PACKAGE", path=str(bare))
        expect("debian-root: there is no dpkg here" in said, said)
    with report.check("a disk without room for the copy: one sentence"):
        small, heavy = bench.folder / "small", official.make(bench.folder / "heavy.img", files={"opt/ballast": "x" * 8_000_000})
        small.mkdir()
        # Room for its 8 MB and the file systems' own, and not for all that twice.
        fill = f'mount -t tmpfs -o size=14m none "{small}" && cp --sparse=always "{heavy}" "{small}/card.img" && exec "$@"'
        before = ("unshare", "--mount", "sh", "-c", fill, "sh")
        with_room = bench.options(small / "card.img")
        report.say(bench.refused("no room for a copy", *with_room, before=before))


def script(bench: Bench, name: str, *options: str, path: str = "") -> str:
    """Runs another script, which must fail; what it said."""
    environment = {**bench.environment, **({"PATH": path} if path else {})}
    done = subprocess.run(
        ["/bin/bash", TOP / "scripts" / name, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment
    )
    expect(done.returncode != 0, f"{name} ended with 0: {done.stdout[-300:]}")
    return done.stdout


def tool(path: Path, script: str) -> None:
    """A program in the place of a real one."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


# Tools whose failure, without a word of their own, must not end a deployment without one.
SILENT = (
    *("sfdisk", "mtype", "mcopy", "cp", "mktemp", "mount", "umount", "awk", "sha256sum", "install", "chown", "chmod", "sync", "mv", "stat"),
    *("systemd-sysusers", "find", "df", "du", "tr", "head", "od", "unshare", "flock", "mkdir", "dirname", "blockdev", "grep", "sed"),
)


def never_silent(report: Checks, bench: Bench, card: Path) -> None:
    """Whatever tool fails, and says nothing, deploy.sh names the place."""
    tools = bench.folder / "tools"
    silent, passed = [], []
    with report.check("whichever tool fails without a word, deploy.sh does not end without one"):
        for name in SILENT:
            tool(tools / name, "exit 1")
            code, said = bench.run(*bench.options(card))
            (tools / name).unlink()
            if code == 0:
                passed.append(name)
            elif not said.strip():
                silent.append(name)
        expect(not silent, f"silent: {silent}")
        report.say(f"{len(SILENT) - len(passed)} tools stopped it; it did without {', '.join(passed) or 'none'}")
    with report.check("every script of the project has what names the place where it ended"):
        paths = [*TOP.glob("scripts/**/*.sh"), *TOP.glob("tests/**/*.sh")]
        bash = [path for path in paths if "node_modules" not in path.parts and path.read_text().startswith("#!/usr/bin/env bash")]
        sourced = {f"{name}.sh" for name in "card facts foreign host image inside payload record signed users wifi work".split()}
        without = []
        for path in bash:
            text = path.read_text()
            has_net = "set -Eeuo pipefail\n" in text and ("ended with code $?" in text or (path.parent.name == "deploy" and path.name in sourced))
            # Without -e no command ends it, and it says itself what failed.
            if not has_net and "set -uo pipefail\n" not in text:
                without.append(str(path.relative_to(TOP)))
        expect(not without, f"without: {without}")


def checks(report: Checks) -> None:
    """All of it."""
    with tempfile.TemporaryDirectory(prefix="spidercar-official-") as name:
        bench = Bench(Path(name))
        card = official.make(bench.folder / "official.img")
        before = snapshot(card)
        with report.check("an imitation of the official image: installed, again without a change, and out again"):
            bench.good(*bench.options(card))
            installed = snapshot(card)
            bench.good(*bench.options(card))
            expect(not differences(installed, snapshot(card)), "the second time something changed")
            bench.good("--image", card, "--uninstall", "--yes")
            changed = differences(before, snapshot(card))
            expect(not changed, f"not as before: {changed}")
        wifi(report, bench, card)
        names(report, bench)
        libcamera(report, bench)
        ways_in(report, bench, official.make(bench.folder / "ways.img"))
        wrong_files(report, bench, card)
        packed(report, bench, official.make(bench.folder / "fresh.img"))
        other_machines(report, bench, card)
        never_silent(report, bench, card)


if __name__ == "__main__":
    main("official", checks)
