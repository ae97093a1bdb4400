"""A hostile card and a hostile car: what they say is data, and the computer that deploys to them stays as it was.

    a card ─ links out, a record of its own, names of files ─▶ deploy.sh ─▶ OUTSIDE, a folder beside the image: unchanged
    a car  ─ facts, names, words, for ever ──────────────────▶ deploy.sh ─▶ no command of it ran, no escape sequence was shown

    check_hostile.py        as root; needs no emulator and no program for the Pi

Promises: each attack did harm, or was written down as possible, before scripts/deploy/inside.sh, record.sh and foreign.sh were.
"""

import hashlib
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import official
from check_official import Bench, tool
from checks import Checks, expect, main

# choice: a deployment to such a card takes 2 s here; beside four builds it took 9 s.
LIMIT_S = 120
# No more memory than a deployment needs many times over: what has no end is not kept.
BOUNDED = ("timeout", str(LIMIT_S), "prlimit", f"--as={1 << 30}")
# What ends or colours a terminal's line, or renames its window: escape, C1's one byte and its two.
ESCAPES = "\x1b]0;owned\x07\x1b[31m\x9b31m"
# From the root of a card to this computer's: deploy.sh mounts it at TMP/WORK/root, and no kept copy of ours is that deep.
UP = "../../.."
USER_FILES = ("etc/passwd", "etc/group", "etc/shadow", "etc/gshadow")
SECRET = "a-secret-of-this-computer"


class Outside:
    """A folder of the deploying computer that no card may reach."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.canary = folder / "a-command-ran"
        for name in ("bin", "etc", "units", "ssh", "lib", "folder", "empty"):
            (folder / name).mkdir(parents=True)
        for name in ("victim", "bin/spidercar", "ssh/authorized_keys", "folder/victim", "lib/record"):
            (folder / name).write_text(f"{SECRET}\n")
        (folder / "unit").symlink_to("victim")
        for path, text in official.FILES.items():
            if path in USER_FILES:
                (folder / path).write_text(text)
        (folder / "etc/os-release").write_text(official.FILES["usr/lib/os-release"])
        (folder / "etc/rpi-issue").write_text(official.FILES["etc/rpi-issue"])
        (folder / "victim").chmod(0o640)
        self.before = self.state()

    def state(self) -> dict[str, tuple[int, str]]:
        """Every path with its rights and content."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            mode = path.lstat().st_mode
            data = path.read_bytes().hex() if stat.S_ISREG(mode) else str(path.is_symlink() and path.readlink())
            found[str(path)] = (mode, data)
        return found

    def expect_unchanged(self, said: str) -> None:
        """Fails if anything of it is not as it was."""
        now = self.state()
        changed = [path for path in self.before.keys() | now.keys() if self.before.get(path) != now.get(path)]
        expect(not changed, f"changed on this computer: {sorted(changed)}; deploy.sh said: {said[-600:]}")


class HostileCards:
    """Cards that are made from a good one by a script, and deployed to."""

    def __init__(self, report: Checks, bench: Bench, outside: Outside) -> None:
        self.report, self.bench, self.outside = report, bench, outside
        self.good = official.make(bench.folder / "good.img")
        bench.good(*bench.options(self.good, "--hostname", "racer"))
        self.fresh = official.make(bench.folder / "fresh.img")

    def card(self, script: str, base: Path) -> Path:
        """A copy on whose root, $1, the script was at work; $2 is the folder outside."""
        path = self.bench.folder / "hostile.img"
        subprocess.run(["cp", "--sparse=always", base, path], check=True)
        shell = f'mount -t ext4 -o loop,offset={official.ROOT_AT} "$0" /mnt && set -- /mnt "$1" && {script}'
        subprocess.run(["unshare", "--mount", "sh", "-euc", shell, path, self.outside.folder], check=True)
        return path

    def attack(self, what: str, script: str, *options: object, base: Path | None = None, install: bool = True) -> tuple[int, str]:
        """Deploys to such a card: it ends in time, shows no escape sequence, and nothing outside has changed."""
        card = self.card(script, base or self.good)
        words = self.bench.options(card, *options) if install else ["--image", card, "--uninstall", "--yes"]
        code, said = self.bench.run(*words, before=BOUNDED)
        expect(code != 124, f"{what}: no end within {LIMIT_S} s: {said[-300:]}")
        self.outside.expect_unchanged(f"{what}: {said}")
        expect_printable(said)
        return code, said

    def links(self) -> None:
        """Folders and files that are links to this computer."""
        folders = {
            "the folder of units": 'rm -rf "$1/etc/systemd/system" && ln -s "$2/units" "$1/etc/systemd/system"',
            "the folder of programs": 'rm -rf "$1/usr/local/bin" && ln -s "$2/bin" "$1/usr/local/bin"',
            "all of /usr/local, by steps upwards": 'rm -rf "$1/usr/local" && ln -s "UP$2" "$1/usr/local"'.replace("UP", f"{UP}/.."),
            "the folder of root's keys": 'rm -rf "$1/root/.ssh" && ln -s "$2/ssh" "$1/root/.ssh"',
            "two links in a row": 'rm -rf "$1/etc/spidercar" && ln -s hop "$1/etc/spidercar" && ln -s "$2/etc" "$1/etc/hop"',
        }
        key = self.bench.folder / "id"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        secret = self.bench.file("driver-key", b"a-key-for-tests\n")
        options = ("--ssh-key", f"{key}.pub", "--secret", f"local.driver_key_file={secret}")
        with self.report.check(f"{len(folders)} folders of a card that are links out of it: followed inside the card, installed there"):
            for what, script in folders.items():
                code, said = self.attack(what, script, *options, base=self.fresh)
                expect(code == 0, f"{what}: {said[-600:]}")
                inside = self.bench.folder / "hostile.img"
                if what == "the folder of units":
                    unit = official.read(inside, f"{self.outside.folder}/units/spidercar.service")
                    expect("[Unit]" in unit, f"the link leads elsewhere in the card: {unit!r}")
                self.attack(f"{what}, taken out", ":", base=inside.rename(self.bench.folder / "linked.img"), install=False)
        with self.report.check("a card whose /etc is this computer's: refused, for it says of no system what it is"):
            code, said = self.attack("/etc", 'rm -rf "$1/etc" && ln -s "$2/etc" "$1/etc"', base=self.fresh)
            expect(code == 1 and "Debian of no name" in said, said[-400:])
        files = {
            "a link under the name beside": 'ln -s "$2/victim" "$1/usr/local/bin/spidercar.spidercar-new"; printf x >>"$1/usr/local/bin/spidercar"',
            "a link to a folder there": 'ln -s "$2/folder" "$1/usr/local/bin/spidercar.spidercar-new"; printf x >>"$1/usr/local/bin/spidercar"',
            "a link to a folder in the program's place": 'ln -sfn "$2/folder" "$1/usr/local/bin/spidercar"',
            "a link to a folder in a link's place": 'cd "$1/etc/systemd/system/multi-user.target.wants" && ln -sfn "$2/empty" spidercar.service',
            "kept copies that are links": 'rm -rf "$1/usr/local/lib/spidercar/aside" && ln -s "$2/folder" "$1/usr/local/lib/spidercar/aside"; echo x >"$1/etc/hostname"',
        }
        with self.report.check(f"{len(files)} files that are links out of it: replaced, not followed"):
            for what, script in files.items():
                self.attack(what, script, "--hostname", "other")
                self.attack(f"{what}, taken out", script, install=False)
        with self.report.check("a record that is a link out of it: refused in one sentence"):
            for name in ("record", "record.new", "record.spidercar-new"):
                link = f'ln -sfn "$2/lib/record" "$1/usr/local/lib/spidercar/{name}"'
                code, said = self.attack(name, link)
                expect(name != "record" or (code == 1 and "refused: /usr/local/lib/spidercar/record is no file" in said), said[-400:])
                self.attack(f"{name}, taken out", link, install=False)

    def users(self) -> None:
        """Files of users that are this computer's."""
        with self.report.check("files of users that are links out of it: refused; systemd-sysusers does not see a card"):
            for name in USER_FILES:
                code, said = self.attack(name, f'ln -sfn "$2/{name}" "$1/{name}"', base=self.fresh)
                expect(code == 1 and f"refused: /{name} is no file of this system" in said, said[-400:])

    def reads(self) -> None:
        """What is read of a card."""
        with self.report.check("hosts and a kept file that are links out of it: nothing of this computer gets onto the card"):
            _, said = self.attack("hosts", 'ln -sfn "$2/victim" "$1/etc/hosts"', "--hostname", "other", base=self.fresh)
            hosts = official.read(self.bench.folder / "hostile.img", "etc/hosts")
            expect(SECRET not in hosts and "127.0.1.1\tother" in hosts, f"{hosts!r}: {said[-300:]}")
        with self.report.check("pipes instead of files: it does not wait for what nobody writes"):
            pipes = ("etc/hosts", "etc/os-release", "etc/rpi-issue", "etc/spidercar/spidercar.toml", "usr/local/bin/spidercar")
            for name in pipes:
                self.attack(name, f'rm "$1/{name}" && mkfifo "$1/{name}"', "--hostname", "other")
        with self.report.check("texts of gigabytes without a line: not taken into the memory"):
            for name in ("etc/os-release", "etc/hosts", "etc/passwd", "usr/local/lib/spidercar/record"):
                self.attack(name, f'rm "$1/{name}" && truncate -s 8G "$1/{name}"', "--hostname", "other")
        with self.report.check("links in a circle: one sentence"):
            circle = 'rm -rf "$1/etc/spidercar" && ln -s circle "$1/etc/spidercar" && ln -s spidercar "$1/etc/circle"'
            code, said = self.attack("a circle", circle)
            expect(code != 0 and "its links go round in circles" in said, said[-400:])

    def record(self) -> None:
        """Records that somebody else wrote, on a card that is taken out and on one that is upgraded."""
        digest = hashlib.sha256(f"{SECRET}\n".encode()).hexdigest()
        canary, outside = self.outside.canary, f"/{UP}{self.outside.folder}"
        lines = {
            "a file, by steps upwards": f"file {digest} {outside}/victim",
            "a folder": f"folder {outside}/empty",
            "a link": f"link {outside}/unit",
            "a file in place of another": f"file {digest} {outside}/folder/victim\naside {outside}/folder/victim",
            "a user that is a command of sed": f"user passwd x,d;1e touch {canary}; #",
            "a user in another file": f"user ..{outside}/etc/passwd pi",
            "a user that is a file of sed": f"user passwd x,d;1w {canary} #",
            "a pattern": f"file {digest} /*",
            "words of a shell": f"cmdline $(touch {canary})\ncmdline-was `touch {canary}`",
        }
        def append(text: str) -> str:
            return f'cat "{self.bench.file("lines", text.encode())}" >>"$1/usr/local/lib/spidercar/record"\n'

        with self.report.check(f"{2 * len(lines)} times a record of somebody else: nothing outside is deleted, no command runs"):
            for what, text in lines.items():
                script = append(f"{text}\n")
                self.attack(what, script, install=False)
                self.attack(f"{what}, upgraded", script)
        with self.report.check("escape sequences in a record and in names of files: none reaches the terminal"):
            lines = append(f"file {digest} /etc/{ESCAPES}\nuser passwd {ESCAPES}:x\nlink /etc/{ESCAPES}\n")
            libcamera = '"$1/usr/lib/aarch64-linux-gnu/libcamera.so.0.'
            script = f"""{lines}name=$(printf '{octal()}'); ln -s nowhere "$1/etc/$name"; echo {SECRET} >"$1/usr/$name"
                mv {libcamera}7" {libcamera}$name" """
            _, said = self.attack("names", script, "--set", "camera.source=v4l")
            expect("libcamera.so.0." in said, f"the name was not said at all: {said[-500:]}")
            self.attack("names, taken out", script, install=False)


def octal() -> str:
    """The escape sequences for printf."""
    return "".join(f"\\{byte:03o}" for byte in ESCAPES.encode())


def expect_printable(said: str) -> None:
    """Fails if there is more than lines of text; what deploy.sh says of its own is ASCII."""
    wrong = re.findall(r"[^\n\t -~]", said)
    expect(not wrong, f"shown raw: {wrong} in {said[-300:]!r}")


# A car that answers as it likes: $FACTS, $FOLDER, $SAID; the last argument is what ssh would run there.
CAR = r"""for last; do :; done
printf '%b' "$NOISE" >&2
case $last in
    'id -u') echo 0 ;;
    'bash -s'*) cat >/dev/null; printf '%b' "$FACTS"; [ -z "$ENDLESS" ] || exec tr '\0' x </dev/zero ;;
    'mktemp'*) printf '%b\n' "$FOLDER" ;;
    *'tar '*) cat >/dev/null; printf '%b' "$NOISE" ;;
    *' follow '*) printf '%b' "$SAID" ;;
    *' dry-run '*) printf '%b' "$SAID" ;;
esac
"""
FACTS = "codename=trixie\\nis_arm64=yes\\nis_raspberry_pi_os=yes\\nhas_network_manager=yes\\nis_ours=yes\\nhas_login=yes\\n"


def car(report: Checks, bench: Bench, outside: Outside, tools: Path) -> None:
    """A car that answers as it likes."""
    tool(tools / "ssh", CAR)
    usual = {"FACTS": FACTS, "FOLDER": "/var/tmp/spidercar-deploy.abcdef", "SAID": "healthy\\nend 0\\n", "NOISE": "", "ENDLESS": ""}

    def answers(*options: str, **said: str) -> tuple[int, str]:
        bench.environment.update({**usual, **said})
        words = ("--host", "root@car", "--binary", bench.binary, "--yes", *options)
        code, out = bench.run(*words, before=BOUNDED)
        expect(code != 124, f"no end within {LIMIT_S} s: {out[-300:]}")
        outside.expect_unchanged(out)
        return code, out

    with report.check("a car that behaves is deployed to"):
        code, said = answers()
        expect(code == 0 and "deploy: root@car: installed" in said, said)
    canary = outside.canary
    with report.check("facts with commands, and names of other variables: none is believed, no command runs"):
        hostile = (
            *(f"codename=$(touch {canary})", f"is_arm64[$(touch {canary})]=yes", f"x[$(touch {canary})]=1"),
            *("PATH=/nowhere", "top=/nowhere", "BASH_ENV=x", "binary=/etc/shadow", "payload=/", f"is_ours=yes;touch {canary}"),
        )
        for fact in hostile:
            code, said = answers(FACTS=FACTS + fact.replace("\\", "\\\\") + "\\n")
            expect(code == 0, f"{fact}: {said[-400:]}")
        code, said = answers(FACTS=FACTS.replace("trixie", "trixie\\0033[31m"))
        expect(code == 1 and "Debian of no name" in said, said)
        code, said = answers(FACTS=FACTS.replace("is_ours=yes", "is_ours=maybe"))
        expect(code == 1 and "it does not say what it is" in said, said)
    with report.check("a folder that mktemp would not have made: refused"):
        for folder in ("/etc", f"/tmp/x; touch {canary}", "-oProxyCommand=x", "/var/tmp/spidercar-deploy.abcdef\\n/etc", "/var/tmp/spidercar-deploy.../.."):
            code, said = answers(FOLDER=folder)
            expect(code == 1 and "mktemp there gave no name of a folder" in said, f"{folder}: {said}")
    with report.check("escape sequences in words and errors of a car: none reaches the terminal"):
        for options in ((), ("--dry-run",)):
            code, said = answers(*options, SAID=f"replace {octal()}\\nend 0\\n", NOISE=f"{octal()}\\n")
            expect(code == 0 and "replace ?" in said, said)
            expect_printable(said)
    with report.check("a car that does not stop talking: it is heard as far as it matters"):
        code, said = answers(ENDLESS="1")
        expect(code == 0, said[-400:])


def mounted(report: Checks, bench: Bench, tools: Path) -> None:
    """How the kernel is told to treat a card."""
    card = official.make(bench.folder / "mounted.img")
    with report.check("a card is mounted so that the kernel runs nothing of it, opens no device and follows no link of it"):
        mounts = bench.folder / "mounts"
        tool(tools / "install", f'grep " [^ ]*/root ext4 " /proc/self/mounts >"{mounts}"; exec {shutil.which("install")} "$@"')
        bench.good(*bench.options(card))
        (tools / "install").unlink()
        options = mounts.read_text().split()[3].split(",")
        lacking = {"nosuid", "nodev", "noexec", "nosymfollow", "errors=remount-ro"} - set(options)
        expect(not lacking, f"without {sorted(lacking)}: {options}")


def partitions(report: Checks, bench: Bench, outside: Outside, tools: Path) -> None:
    """Tables of partitions that are none."""
    card = official.make(bench.folder / "table.img")
    with report.check("a table of partitions with words for numbers: no arithmetic of the shell sees them"):
        for start in (f"a[$(touch {outside.canary})]", "08", "99999999999999999999"):
            line = f"x1 : start= {start}, size= 1048576, type=c\\nx2 : start= {start}, size= {start}, type=83"
            tool(tools / "sfdisk", f"printf 'label: dos\\n%b\\n' '{line}'")
            code, said = bench.run(*bench.options(card))
            expect(code == 1 and "deploy: " in said.splitlines()[-1], said[-400:])
            outside.expect_unchanged(said)
        (tools / "sfdisk").unlink()


def checks(report: Checks) -> None:
    """All of it."""
    with tempfile.TemporaryDirectory(prefix="spidercar-hostile-") as name:
        bench = Bench(Path(name))
        outside = Outside(bench.folder / "outside")
        tools = bench.folder / "tools"
        tools.mkdir()
        bench.environment["PATH"] = f"{tools}:{bench.environment['PATH']}"
        mounted(report, bench, tools)
        # From here on as on a kernel that would follow links of a card: they are resolved before it sees them.
        tool(tools / "mount", f'case "$*" in *nosymfollow*) exit 1 ;; esac; exec {shutil.which("mount")} "$@"')
        cards = HostileCards(report, bench, outside)
        cards.links()
        cards.users()
        cards.reads()
        cards.record()
        car(report, bench, outside, tools)
        partitions(report, bench, outside, tools)


if __name__ == "__main__":
    main("hostile", checks)
