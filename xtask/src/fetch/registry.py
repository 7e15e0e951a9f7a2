"""Finds and downloads files for xtask with pip's own network code, so that whatever makes pip work on this machine
(index, proxy, certificates, credentials) works here too. A download that was cut short goes on where it stopped.

  registry.py wheel PACKAGE VERSION MACHINE PYTHON PART_FILE    from the Python package index that pip is set up for
  registry.py url URL PART_FILE                                 from anywhere else

Says on standard error, in one line, why it failed. Run by fetch/download.rs.
"""
import fcntl
import os
import sys
import time

CHUNK = 1 << 18
GLIBC = ["manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_25", "manylinux_2_24", "manylinux_2_17", "manylinux2014"]


def wheel_url(package, version, machine, python, command, options, session):
    """The address of the wheel that this CPython on this kind of machine would get."""
    from pip._internal.cli.cmdoptions import make_target_python
    from pip._vendor.packaging.specifiers import SpecifierSet

    finder = command._build_package_finder(
        options=options, session=session, target_python=make_target_python(options), ignore_requires_python=True
    )
    found = finder.find_best_candidate(package, SpecifierSet("==" + version)).best_candidate
    if found is None:
        raise LookupError(f"the package index has no {package} {version} for {machine} and CPython {python} (or cannot be reached)")
    return found.link.url_without_fragment


def download(session, url, part):
    """Appends to `part` what it still lacks. Gives up after three attempts in a row that brought nothing."""
    parent = os.getppid()
    with open(part, "ab") as file:
        # A downloader whose xtask was killed may still be writing: two at once would spoil the file.
        fcntl.flock(file, fcntl.LOCK_EX)
        barren = 0
        while True:
            before = file.seek(0, os.SEEK_END)
            try:
                return attempt(session, url, file, before, parent)
            except Exception:
                barren = barren + 1 if file.seek(0, os.SEEK_END) == before else 0
                if barren == 3:
                    raise
                time.sleep(1 + barren)


def attempt(session, url, file, have, parent):
    """One request for everything from byte `have` on."""
    from pip._internal.network.utils import response_chunks

    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    response = session.get(url, headers=headers, stream=True, timeout=60)
    if response.status_code == 416:  # nothing is missing
        return
    response.raise_for_status()
    if have and response.status_code != 206:  # a server without ranges sends it all again
        file.truncate(0)
    wanted = response.headers.get("Content-Length")
    got = 0
    for chunk in response_chunks(response, CHUNK):
        if os.getppid() != parent:
            sys.exit("xtask is gone")
        file.write(chunk)
        file.flush()
        got += len(chunk)
    if wanted is not None and got < int(wanted):
        raise ConnectionError(f"the connection ended after {have + got} bytes")


def main(verb, *words):
    from pip._internal.commands import create_command

    command = create_command("download")
    words = list(words)
    machine, python = words[2:4] if verb == "wheel" else ("any", "3.12")
    arguments = ["--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", python]
    arguments += ["--retries", "1", "--no-cache-dir"]
    for glibc in GLIBC:
        arguments += ["--platform", f"{glibc}_{machine}"]
    options, _ = command.parse_args(arguments + ["--dest", "."])
    with command.main_context():
        session = command.get_default_session(options)
        part = words.pop()
        url = wheel_url(*words, command, options, session) if verb == "wheel" else words[0]
        download(session, url, part)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}".splitlines()[0])
