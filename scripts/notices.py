#!/usr/bin/env python3
"""Writes the licences of the crates in the car's program (NOTICES.txt), and its bill of materials (sbom.cdx.json).

Runs where: a developer's or CI machine, and inside the build root of scripts/build-pi.sh.
Needs:      Python 3.9 or newer; cargo; the crates of Cargo.lock, or a network from which cargo gets them.
Changes:    NOTICES.txt and sbom.cdx.json in FOLDER, which is made. Safe to run twice: the same crates, the same bytes.

    Cargo.lock ─────── checksums ──────────────────┐
    cargo tree ─────── crates that are linked ─────┼─▶ sbom.cdx.json   CycloneDX 1.5
    cargo metadata ─── licences, source folders ───┴─▶ NOTICES.txt     each text once

A crate is listed if it is linked into the program for a 64-bit Pi: no procedural macros, and nothing that only builds or
tests it. `cargo tree` decides that, because the graph of `cargo metadata` has crates whose features are off in the program.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.parse
import uuid

TOP = pathlib.Path(__file__).resolve().parent.parent
TARGET = "aarch64-unknown-linux-gnu"

LOCKED = re.compile(r'\[\[package\]\]\nname = "(.+)"\nversion = "(.+)"\nsource = ".+"\nchecksum = "([0-9a-f]{64})"\n')
LICENCE_FILE = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicen[cs]e)", re.IGNORECASE)
LICENCE_FOLDER = "LICENSES"  # spec: REUSE 3.0
CODE = {".c", ".cpp", ".h", ".py", ".rs", ".sh"}

RULE = "=" * 100
HEAD = """\
Notices of spidercar {version}: the licences of all crates that are linked into the program.

Each crate names its files, and the number of the text below. A text that several crates have is printed once. The Rust
standard library, which is linked too, is under MIT OR Apache-2.0. Libraries of the car's system are not part of the program.
"""


def cargo(*arguments):
    """The output of a cargo command, without a network if the crates are there."""
    reason = "no answer"
    for mode in (["--offline"], []):
        command = [os.environ.get("CARGO", "cargo"), *arguments, "--locked", *mode]
        try:
            run = subprocess.run(command, cwd=TOP, env={**os.environ, "CARGO_TERM_COLOR": "never"},
                                 capture_output=True, encoding="utf-8", check=False)
        except OSError as error:
            reason = f"{command[0]}: {error.strerror}"
            break
        if run.returncode == 0:
            return run.stdout
        errors = [line[len("error: "):] for line in run.stderr.splitlines() if line.startswith("error: ")]
        reason = errors[0] if errors else f"it ended with code {run.returncode}"
    raise SystemExit(f"notices: cargo {arguments[0]} does not tell which crates the program has ({reason}): it needs the "
                     "crates of Cargo.lock (cargo fetch --locked), or a network to get them from")


def linked_crates(features):
    """The name and version of each crate that is linked, with those of the crates that it uses itself."""
    tree = cargo("tree", "--edges", "normal,no-proc-macro", "--target", TARGET, "--prefix", "depth", "--format", " {p}",
                 *features)
    uses, path = {}, []
    for line in tree.splitlines():
        depth, name, version = line.split()[:3]
        crate = (name, version[1:])
        path[int(depth):] = [crate]
        uses.setdefault(crate, set())
        if len(path) > 1:
            uses[path[-2]].add(crate)
    return uses


def known_packages(features):
    """Each package that cargo knows, by name and version, and the key of this one."""
    known = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", TARGET, *features))
    packages = {package["id"]: package for package in known["packages"]}
    root = packages[known["resolve"]["root"]]
    return {(package["name"], package["version"]): package for package in packages.values()}, (root["name"], root["version"])


def licence_texts(package):
    """Yields the name and the text of each licence file of a package. Only a crate of a registry has them in subfolders."""
    folder = pathlib.Path(package["manifest_path"]).parent
    for file in sorted(folder.rglob("*") if package["source"] else folder.iterdir()):
        named = LICENCE_FILE.match(file.name) or file.parent.name == LICENCE_FOLDER
        if named and file.suffix not in CODE and file.is_file():
            lines = file.read_bytes().decode("utf-8", errors="replace").splitlines()
            yield file.relative_to(folder).as_posix(), "\n".join(line.rstrip() for line in lines).strip("\n")


def notices(crates, packages, root):
    """The content of NOTICES.txt."""
    out, numbers = [HEAD.format(version=root[1])], {}
    for crate in crates:
        licence = packages[crate]["license"]
        out.append(f"{crate[0]} {crate[1]}")
        files = [f"    {name}: text {numbers.setdefault(text, len(numbers) + 1)}"
                 for name, text in licence_texts(packages[crate])]
        if files:
            out += [f"    licence: {licence or 'as its files say'}", *files]
        else:
            out.append(f"    no licence file in the crate; its manifest says: {licence or 'nothing'}")
    for text, number in numbers.items():
        out += ["", RULE, f"text {number}", RULE, "", text]
    return "\n".join(out) + "\n"


def package_url(crate):
    """The name of a crate among all packages of all languages."""
    return f"pkg:cargo/{crate[0]}@{urllib.parse.quote(crate[1], safe='')}"


def component(kind, crate, package, checksum):
    """A crate as a component of CycloneDX."""
    made = {"type": kind, "bom-ref": package_url(crate), "name": crate[0], "version": crate[1]}
    if checksum:
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["license"]:
        # A slash is how manifests said OR before SPDX.
        made["licenses"] = [{"expression": re.sub(r" */ *", " OR ", package["license"])}]
    return {**made, "purl": package_url(crate)}


def bill_of_materials(uses, packages, root, features):
    """The content of sbom.cdx.json. Its serial number is a hash of the rest, so that it has no time in it."""
    lock = (TOP / "Cargo.lock").read_text(encoding="utf-8")
    checksums = {(name, version): checksum for name, version, checksum in LOCKED.findall(lock)}
    content = {
        "version": 1,
        "metadata": {
            "component": component("application", root, packages[root], None),
            "properties": [{"name": "spidercar:target", "value": TARGET},
                           {"name": "spidercar:features", "value": ",".join(["default", *features[1:]])}],
        },
        "components": [component("library", crate, packages[crate], checksums.get(crate))
                       for crate in sorted(uses) if crate != root],
        "dependencies": [{"ref": package_url(crate), "dependsOn": [package_url(used) for used in sorted(uses[crate])]}
                         for crate in sorted(uses)],
    }
    digest = hashlib.sha256(json.dumps([lock, content]).encode()).hexdigest()
    serial = uuid.uuid5(uuid.NAMESPACE_URL, f"{package_url(root)}#{digest}").urn
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": serial, **content}, indent=1) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--libcamera", action="store_true",
                        help="with the crates of spidercar-csi too, which is linked to libcamera")
    parser.add_argument("folder", metavar="FOLDER", type=pathlib.Path, help="where the two files are written")
    args = parser.parse_args()
    features = ["--features", "libcamera"] if args.libcamera else []
    packages, root = known_packages(features)
    uses = linked_crates(features)
    crates = [root, *sorted(uses.keys() - {root})]
    args.folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("NOTICES.txt", notices(crates, packages, root)),
                          ("sbom.cdx.json", bill_of_materials(uses, packages, root, features))):
        (args.folder / name).write_bytes(content.encode())


if __name__ == "__main__":
    sys.exit(main())
