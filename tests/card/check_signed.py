"""Signed programs: a card, an image and a car take what a trusted key signed, and say in a sentence why they do not take the rest.

    programs ─ sign.sh ─▶ SHA256SUMS, .sig ─ deploy.sh --signed-by ─▶ an image      refused on this computer
                                             tar on the car changes it ─▶ a car     refused there, before it was run or installed

    check_signed.py        as root; needs no emulator and no program for the Pi

ssh-keygen is the real one. The car is check_secrets.py's, where systemctl runs the installed program as systemd would.

Promises: each refusal has words of its own, and an image that was refused is unchanged, byte by byte.
Knows nothing of: security keys (FIDO), which nobody can touch here.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import official
from check_deploy import differences
from check_official import ELF, SOURCE, TOP, Bench, snapshot, tool
from check_secrets import BOARD, Car, instead
from checks import Checks, expect, main
from maker import NAMESPACE, SIGN, Maker, at_terminal, listed

SIGNERS = "usr/local/lib/spidercar/signers"
# A program that leaves a mark when it is run, whoever runs it, and what changes a program into it on its way.
MARKS = "#!/bin/sh\necho \"$(id -u) $*\" >>/ran\n"
SWAP = """/usr/bin/tar "$@"
for file in /var/tmp/spidercar-deploy.*/root/usr/local/bin/spidercar; do [ ! -e "$file" ] || cp /opt/marks "$file"; done"""
# As systemd would start it.
STARTS = BOARD["systemctl"].replace(
    "restart*) ", 'restart*) case $(head -c 2 /usr/local/bin/spidercar) in "#!") /usr/local/bin/spidercar run ;; esac; '
)


def signing(report: Checks, maker: Maker) -> None:
    """sign.sh."""
    path = maker.build()
    with report.check("sign.sh: the list is what sha256sum takes, ssh-keygen takes the signature, and nothing else is left"):
        before = {entry.name for entry in path.parent.iterdir()}
        said = maker.sign(path.parent, maker.key)
        expect(maker.fingerprint(maker.key) in said, said)
        subprocess.run(["sha256sum", "--quiet", "--check", "--strict", "SHA256SUMS"], cwd=path.parent, check=True)
        names = [line.split()[1] for line in listed(path).splitlines()]
        expect(set(names) == before and len(names) == 6, f"{names}, and there is {before}")
        expect({entry.name for entry in path.parent.iterdir()} == {*before, "SHA256SUMS", "SHA256SUMS.sig"}, "more was left")
    with report.check("the .pub of a key beside it, and a program that has another name: signed under the car's names"):
        renamed = path.parent / "new"
        for end in ("", "-csi", ".needs", "-csi.needs"):
            Path(f"{path}{end}").rename(f"{renamed}{end}")
        maker.sign(renamed, Path(maker.pub))
        expect([line.split()[1] for line in listed(renamed).splitlines()] == names, listed(renamed))
    rsa = maker.bench.folder / "rsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", rsa], check=True)
    (maker.bench.folder / "alone.pub").write_bytes(Path(f"{maker.other}.pub").read_bytes())
    open_key = maker.make("open")
    open_key.chmod(0o644)
    wrong = {
        "there is no such key": maker.bench.folder / "missing",
        "others may read this key": open_key,
        "an ed25519 key is wanted": rsa,
        "this is no SSH key": maker.bench.password,
        "ssh-agent does not have the private one": maker.bench.folder / "alone.pub",
        "a passphrase protects this key, and here is no terminal": maker.make("secret", passphrase="a passphrase"),
    }
    for words, key in wrong.items():
        with report.check(f"a key that cannot sign, {key.name}: {words}"):
            before = (path.parent / "SHA256SUMS.sig").read_bytes()
            for options in ((path.parent / "new", key), ("--try", key)):
                code, said = maker.try_sign(*options)
                expect(code == 1 and said.startswith("sign: ") and words in said and said.count("\n") == 1, f"{code}: {said}")
            expect((path.parent / "SHA256SUMS.sig").read_bytes() == before, "the signature is another one")
    with report.check("build-pi.sh --sign: a key that cannot sign is told before anything is built"):
        done = subprocess.run([TOP / "scripts/build-pi.sh", "--sign", rsa], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        expect(done.returncode == 1 and done.stdout.startswith("sign: "), done.stdout[-300:])
    with report.check("a passphrase is asked for at the terminal"):
        said = at_terminal([str(SIGN), str(renamed), str(maker.bench.folder / "secret")], "a passphrase\n")
        expect(maker.fingerprint(maker.bench.folder / "secret") in said, said)
    with report.check("a key that only ssh-agent has signs by its .pub"):
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", maker.bench.folder / "agent"], stdout=subprocess.DEVNULL)
        try:
            maker.bench.environment["SSH_AUTH_SOCK"] = str(maker.bench.folder / "agent")
            # It takes a moment until it listens.
            subprocess.run(["sh", "-c", 'until ssh-add -q "$0" 2>/dev/null; do sleep 0.1; done', maker.other], env=maker.bench.environment, timeout=60, check=True)
            said = maker.sign(renamed, maker.bench.folder / "alone.pub")
            expect(maker.fingerprint(maker.other) in said, said)
        finally:
            agent.terminate()
            agent.wait()
            del maker.bench.environment["SSH_AUTH_SOCK"]


def attacks(maker: Maker, path: Path) -> dict[str, object]:
    """What is done to a signed program, by the words that refuse it."""
    sums, signature = listed(path), path.parent / "SHA256SUMS.sig"
    first = sums.splitlines()[0]
    evil = hashlib.sha256((ELF + SOURCE + b" evil").hex().encode()).hexdigest()

    def text(change: str, namespace: str = NAMESPACE) -> object:
        return lambda: maker.rewrite(path, change, namespace)

    return {
        "changed after signing": ("spidercar is not what was signed", lambda: path.write_bytes(path.read_bytes() + b"x")),
        "swapped with the other": ("spidercar is not what was signed", lambda: path.write_bytes(Path(f"{path}-csi").read_bytes())),
        "the other program changed": ("spidercar-csi is not what was signed", lambda: Path(f"{path}-csi").open("ab").write(b"x")),
        "notices changed": ("NOTICES.txt is not what was signed", lambda: (path.parent / "NOTICES.txt").write_text("x")),
        "what it needs changed": ("spidercar.needs is not what was signed", lambda: Path(f"{path}.needs").write_text("x y\n")),
        "an old list beside a new program": ("sign it again", lambda: path.write_bytes(ELF + SOURCE + b" newer")),
        "another key": (f"of a key that may not sign here ({maker.fingerprint(maker.other)})", lambda: maker.sign(path, maker.other)),
        "another namespace": ("for another use than programs", text(sums, "git")),
        "no signature": ("nobody signed them", signature.unlink),
        "a signature that is none": ("is no signature of SHA256SUMS", lambda: signature.write_text("x")),
        "a list changed after signing": ("is no signature of SHA256SUMS", lambda: (path.parent / "SHA256SUMS").write_text(sums + "\n")),
        "a list that is a pipe": ("nobody signed them", lambda: (signature.unlink(), os.mkfifo(signature))),
        "a signature without end": ("SHA256SUMS.sig is too long", lambda: os.truncate(signature, 1 << 33)),
        "a list without one file": ("does not name spidercar-csi", text("".join(line for line in sums.splitlines(True) if "-csi\n" not in line))),
        "a list of nothing": ("does not name spidercar", text("")),
        "a path": ("line 2 of SHA256SUMS", text(f"{first}\n{first[:66]}../../etc/shadow\n")),
        "an absolute path": ("line 1 of SHA256SUMS", text(f"{first[:66]}/etc/shadow\n{sums}")),
        "a name with a folder": ("line 1 of SHA256SUMS", text(sums.replace("  spidercar\n", "  ./spidercar\n", 1))),
        "a second sum for one name": ("line 7 of SHA256SUMS", text(f"{sums}{evil}  spidercar\n")),
        "a sum that is none": ("line 1 of SHA256SUMS", text(sums.replace(first[:64], "$(touch /ran)", 1))),
        "two names in one": ("line 7 of SHA256SUMS", text(f"{sums}{evil}  spidercar spidercar-csi\n")),
        "an end that is a pattern": ("line 7 of SHA256SUMS", text(f"{sums}{evil}  *\n")),
    }


def images(report: Checks, maker: Maker, bench: Bench) -> None:
    """An image, with --signed-by and without."""
    path = maker.build(maker.key)
    clean = official.make(bench.folder / "signed.img")
    words = bench.options(clean)
    words[words.index(bench.binary)] = path
    bare = snapshot(clean)
    with report.check("not asked for: one line names the option, and the programs are installed as ever; without a signature not a word"):
        said = bench.good(*words, "--dry-run")
        expect(said.count("--signed-by PUBLIC-KEY-FILE") == 1, said)
        expect("sign" not in bench.good(*bench.options(clean, "--dry-run")), "it speaks of signatures")
    with report.check("--dry-run --signed-by: says what would change, and changes nothing"):
        expect(f"new      /{SIGNERS}" in bench.good(*words, "--signed-by", maker.pub, "--dry-run"), "it does not name the file of signers")
        expect(not differences(bare, snapshot(clean)), "something changed")
    saved = bench.folder / "saved"
    shutil.copytree(path.parent, saved)
    digest = clean.read_bytes()
    cases = attacks(maker, path)
    with report.check(f"{len(cases)} attacks on programs, list and signature: each refused with words of its own, the image unchanged"):
        for what, (sentence, attack) in cases.items():
            attack()
            try:
                said = bench.refused(sentence, *words, "--signed-by", maker.pub, before=("timeout", "60"))
                expect(said.startswith("deploy: --signed-by "), f"it was not told before the image was opened: {said}")
            except AssertionError as err:
                raise AssertionError(f"{what}: {err}") from err
            shutil.rmtree(path.parent)
            shutil.copytree(saved, path.parent)
        expect(clean.read_bytes() == digest, "the image was changed")
    with report.check("a program that changes when it was checked already: refused on its way to the image"):
        shadow = f'echo x >>"{path}-csi"; exec {shutil.which("mtype")} "$@"'
        with instead(tools(bench) / "mtype", shadow):
            said = bench.refused("spidercar-csi is not what was signed", *words, "--signed-by", maker.pub)
        expect("this car takes signed programs only" in said and clean.read_bytes() == digest, said)
        shutil.rmtree(path.parent)
        shutil.copytree(saved, path.parent)
    with report.check("--device: the same, on a loop device in the place of a card"):
        device = subprocess.run(["losetup", "--find", "--show", clean], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        try:
            words[:2] = ["--device", device]
            Path(f"{path}-csi").write_bytes(path.read_bytes())
            bench.refused("spidercar-csi is not what was signed", *words, "--signed-by", maker.pub)
            shutil.rmtree(path.parent)
            shutil.copytree(saved, path.parent)
            expect(f"new      /{SIGNERS}" in bench.good(*words, "--signed-by", maker.pub, "--dry-run"), "it does not name the file of signers")
            expect(clean.read_bytes() == digest, "it was changed")
            bench.good(*words, "--signed-by", maker.pub)
            bench.good("--device", device, "--uninstall", "--yes")
        finally:
            words[:2] = ["--image", clean]
            subprocess.run(["losetup", "--detach", device], check=True)
        expect(not differences(bare, snapshot(clean)), "not as before")
    several = "# who signs\n\nsomebody@example namespaces=\"git,file\" {other}\nmaker@example,x namespaces=\"git,spidercar-program\" {key} comment\r\n"
    keys = {"key": Path(maker.pub).read_text().strip(), "other": Path(f"{maker.other}.pub").read_text().strip()}
    with report.check("--signed-by with a file of allowed signers: only keys that may sign programs, and in the car's own words"):
        allowed = bench.file("allowed", several.format(**keys).encode())
        bench.good(*words, "--signed-by", allowed)
        expected = f"spidercar namespaces=\"{NAMESPACE}\" {' '.join(keys['key'].split()[:2])}\n"
        expect(official.read(clean, SIGNERS) == expected, official.read(clean, SIGNERS))
        rights = snapshot(clean)[f"./{SIGNERS}"][0].split()
        expect(rights[1:4] == ["644", "0", "0"], f"{rights}")
    wrong = {
        "this is a private key": maker.key,
        "there is no such file": bench.folder / "nowhere.pub",
        "line 1 is no ed25519 key": bench.folder / "rsa.pub",
        "has an option other than namespaces": bench.file("until", f"x valid-before=\"20200101\" {keys['key']}\n".encode()),
        "line 2 is no ed25519 key": bench.file("words", f"# a\n$(touch {bench.folder}/ran)\n".encode()),
        "there is no key in it that may sign programs": bench.file("git", f"x namespaces=\"git\" {keys['key']}\n".encode()),
        "this is too long": bench.file("long", b"#" * 20001),
        "line 1 is no public SSH key": bench.file("torn", f"ssh-ed25519 {'A' * 68}\n".encode()),
    }
    with report.check(f"{len(wrong)} files for --signed-by that are none: a sentence each"):
        for sentence, file in wrong.items():
            bench.refused(sentence, *words, "--signed-by", file)
        bench.refused("say one of them", *words, "--signed-by", maker.pub, "--unsigned", code=2)
        bench.refused("build-pi.sh --sign", "--image", clean, "--signed-by", maker.pub, "--yes", code=2)
    card_wants(report, maker, bench, clean, path)
    with report.check("uninstall: as before, file by file; the signers are gone, too"):
        bench.good("--image", clean, "--uninstall", "--yes")
        changed = differences(bare, snapshot(clean))
        expect(not changed, f"not as before: {changed}")


def card_wants(report: Checks, maker: Maker, bench: Bench, card: Path, path: Path) -> None:
    """A card whose car wants signatures."""
    installed = snapshot(card)
    plain, foreign, newer = maker.build(), maker.build(maker.other), maker.build(maker.key)

    def upgrade(binary: Path) -> tuple[object, ...]:
        return ("--image", card, "--binary", binary, "--yes")

    with report.check("a card that wants signatures: none and another's are refused, with what to do; its own is taken without an option"):
        for options in ((), ("--dry-run",)):
            sentence = bench.refused("nobody signed them", *upgrade(plain), *options)
            bench.refused("may not sign here", *upgrade(foreign), *options)
        expect("this car takes signed programs only" in sentence and "--unsigned" in sentence, sentence)
        report.say(sentence)
        expect(not differences(installed, snapshot(card)), "something changed")
        bench.good(*upgrade(newer))
        now = snapshot(card)
        expect(now["./usr/local/bin/spidercar"][-1] == hashlib.sha256(newer.read_bytes()).hexdigest(), "it is another program")
        expect(differences(installed, now) == ["./usr/local/bin/spidercar", "./usr/local/lib/spidercar/record"], "more changed")
    with report.check("a card whose signers were emptied, or are a link to a key of an attacker: refused, not taken for a card without"):
        for script in (': >"$1"', 'rm "$1" && cp "$2" "$1.x" && ln -s signers.x "$1"', 'rm "$1" && mkdir "$1"', 'cp "$2" "$1"'):
            broken = bench.folder / "broken.img"
            subprocess.run(["cp", "--sparse=always", card, broken], check=True)
            shell = f'mount -t ext4 -o loop,offset={official.ROOT_AT} "$0" /mnt && set -- /mnt/{SIGNERS} "$1" && {script}'
            subprocess.run(["unshare", "--mount", "sh", "-euc", shell, broken, f"{maker.other}.pub"], check=True)
            bench.refused("has no key", "--image", broken, "--binary", foreign, "--yes")
    with report.check("--unsigned: taken once, and the record says which program it was; the next one must be signed again"):
        expect("unsigned /usr/local/bin/spidercar" in bench.good(*upgrade(plain), "--unsigned"), "it does not say so")
        digest = hashlib.sha256(plain.read_bytes()).hexdigest()
        expect(f"unsigned {digest}" in official.read(card, "usr/local/lib/spidercar/record").splitlines(), "the record does not say so")
        bench.refused("nobody signed them", *upgrade(plain))
    with report.check("--signed-by NEW: from then on the new key alone may sign"):
        bench.good(*upgrade(foreign), "--signed-by", f"{maker.other}.pub")
        bench.refused("may not sign here", *upgrade(newer))
        bench.good(*upgrade(path), "--signed-by", maker.pub)


def tools(bench: Bench) -> Path:
    """A folder for programs in the place of tools."""
    folder = bench.folder / "tools"
    if not folder.exists():
        folder.mkdir()
        bench.environment["PATH"] = f"{folder}:{bench.environment['PATH']}"
    return folder


def marks(car: Car) -> str:
    """What was run there since this was asked last."""
    ran = car.root / "ran"
    text = ran.read_text() if ran.exists() else ""
    ran.unlink(missing_ok=True)
    return text


def on_the_car(report: Checks, maker: Maker, bench: Bench) -> None:
    """A car that is upgraded over SSH, and checks by itself."""
    car = Car(bench.folder / "car")
    tool(car.root / "opt/board/systemctl", STARTS)
    (car.root / "opt/marks").write_text(MARKS)
    (car.root / "opt/marks").chmod(0o755)
    ssh = tools(bench) / "ssh"
    shutil.copy(car.ssh, ssh)
    home, installed = car.root / "usr-local/lib/spidercar", car.root / "usr-local/bin/spidercar"
    first, second = maker.build(maker.key), maker.build(maker.key)

    def deploy(binary: Path, *options: object) -> tuple[int, str]:
        return bench.run("--host", "root@car", "--binary", binary, "--yes", *options)

    def refused(words: str, binary: Path, *options: object) -> str:
        before = (installed.read_bytes(), (home / "signers").read_text(), (home / "record").read_text())
        code, said = deploy(binary, *options)
        ran = marks(car)
        expect(not ran, f"{words}: the program was run, by {ran.split()}: {said[-600:]}")
        # The car's words come from the command that starts it, here, and from the one that follows it.
        lines = list({line for line in said.splitlines() if line.startswith("refused: ")})
        expect(code == 1 and len(lines) == 1 and words in lines[0], f"{code}, no line with {words!r}: {said[-900:]}")
        expect("ended with code" not in said, f"that is the net: {said[-900:]}")
        expect(before == (installed.read_bytes(), (home / "signers").read_text(), (home / "record").read_text()), "something was installed")
        expect(not (home / "upgrade").exists(), "the upgrade is still there")
        return lines[0]

    with report.check("a car without signers: installed as ever, and then with --signed-by; from then on it wants signatures"):
        code, said = deploy(maker.build(), "--board", "zero2w-hbridge", "--set", "camera.source=v4l")
        expect(code == 0 and "sign" not in said and not (home / "signers").exists(), said[-900:])
        code, said = deploy(first, "--signed-by", maker.pub)
        expect(code == 0 and "healthy" in said and installed.read_bytes() == first.read_bytes(), said[-900:])
        expect((home / "signers").stat().st_mode & 0o777 == 0o644, "others than root may write it")
    with report.check("a program that was swapped on its way: the car refuses it, and nothing of it was run or installed"):
        with instead(car.root / "opt/board/tar", SWAP):
            report.say(refused("spidercar is not what was signed", second))
            refused("spidercar is not what was signed", second, "--signed-by", maker.pub)
            expect((home / "signers").exists(), "the signers are gone")
    with report.check("no signature, another's signature, --dry-run: refused by the car"):
        refused("nobody signed them", maker.build())
        refused("may not sign here", maker.build(maker.other))
        refused("nobody signed them", maker.build(), "--dry-run")
    with report.check("no ssh-keygen on the car: one sentence, and refused"):
        enter = ssh.read_text()
        hide = 'mount --bind "$0/etc/hostname" "$0/usr/bin/ssh-keygen"\n    mkdir -p "$0/lib"'
        ssh.write_text(enter.replace('mkdir -p "$0/lib"', hide))
        refused("there is no ssh-keygen to check signatures with", second)
        ssh.write_text(enter)
    with report.check("--unsigned: the swapped program is taken and run (so the mark works), and output and record say that it is not signed"):
        with instead(car.root / "opt/board/tar", SWAP):
            code, said = deploy(second, "--unsigned")
        expect(code == 0 and "unsigned /usr/local/bin/spidercar" in said, said[-900:])
        expect(marks(car) == "0 run\n", "the program left no mark when it was run: the checks above saw nothing")
        expect(f"unsigned {hashlib.sha256(MARKS.encode()).hexdigest()}" in (home / "record").read_text().splitlines(), "not in the record")
    with report.check("signed again: taken by the car without an option; with --signed-by NEW the old key may sign no more"):
        code, said = deploy(maker.build(maker.other), "--signed-by", f"{maker.other}.pub")
        expect(code == 0 and not marks(car), said[-900:])
        refused("may not sign here", second)


def checks(report: Checks) -> None:
    """All of it."""
    with tempfile.TemporaryDirectory(prefix="spidercar-signed-") as name:
        bench = Bench(Path(name))
        maker = Maker(bench)
        signing(report, maker)
        images(report, maker, bench)
        on_the_car(report, maker, bench)


if __name__ == "__main__":
    main("signed", checks)
