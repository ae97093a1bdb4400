"""Who builds programs and signs them, by scripts/sign.sh and by hand.

    program() ─▶ spidercar, spidercar-csi, their .needs, notices ─ sign.sh, or ssh-keygen alone ─▶ SHA256SUMS, SHA256SUMS.sig
"""

import os
import pty
import subprocess
from pathlib import Path

from check_official import ELF, SOURCE, TOP, Bench, program
from checks import expect

SIGN = TOP / "scripts/sign.sh"
NAMESPACE = "spidercar-program"
NOTICES = ("NOTICES.txt", "sbom.cdx.json")


class Maker:
    """Who builds and signs."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.key, self.other = self.make("maker"), self.make("other")
        self.pub = f"{self.key}.pub"
        self.built = 0

    def make(self, name: str, *options: str, passphrase: str = "") -> Path:
        """A new key."""
        path = self.bench.folder / name
        words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", name, *options, "-f", path)
        subprocess.run(words, check=True)
        return path

    def fingerprint(self, key: Path) -> str:
        """What is told of a key."""
        return subprocess.run(["ssh-keygen", "-l", "-f", key], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[1]

    def build(self, key: Path | None = None) -> Path:
        """New programs with their notices, signed by a key."""
        self.built += 1
        path = program(self.bench.folder / f"build-{self.built}")
        path.write_bytes(ELF + SOURCE + f" build {self.built}".encode())
        for name in NOTICES:
            (path.parent / name).write_text(f"{name}\n")
        if key is not None:
            self.sign(path, key)
        return path

    def sign(self, path: Path, key: Path) -> str:
        """Signs it, or what is there, and must succeed."""
        code, said = self.try_sign(path, key)
        expect(code == 0, f"sign.sh ended with {code}: {said}")
        return said

    def try_sign(self, *words: object, before: tuple[str, ...] = ()) -> tuple[int, str]:
        """Runs sign.sh, where nobody can be asked."""
        command = [*before, str(SIGN), *map(str, words)]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            env=self.bench.environment, start_new_session=True,
        )
        return done.returncode, done.stdout

    def rewrite(self, path: Path, text: str, namespace: str = NAMESPACE) -> None:
        """Signs another list, with the good key, as a hand without sign.sh would."""
        listed = path.parent / "SHA256SUMS"
        listed.write_text(text)
        words = ["ssh-keygen", "-q", "-Y", "sign", "-f", self.key, "-n", namespace]
        done = subprocess.run(words, input=listed.read_bytes(), stdout=subprocess.PIPE, check=True)
        (path.parent / "SHA256SUMS.sig").write_bytes(done.stdout)


def listed(path: Path) -> str:
    """The list beside a program."""
    return (path.parent / "SHA256SUMS").read_text()


def at_terminal(words: list[str], answer: str) -> str:
    """Runs it at a terminal of its own, and answers when it asks; what it said."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvp("timeout", ["timeout", "--foreground", "60", *words])
    said = b""
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # the other side is closed
            break
        said += data
        if data and b"passphrase" in said and answer:
            os.write(terminal, answer.encode())
            answer = ""
    expect(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, said.decode())
    return said.decode()
