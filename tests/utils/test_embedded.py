"""The embedded Postgres: who starts it, who stops it, and what it must never open."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg2
import pytest

from backend.app.errors import ConfigurationError
from backend.app.utils import embedded_place
from backend.app.utils.embedded import EmbeddedPostgres
from backend.app.utils.embedded_place import open_for_all
from tests.fixtures.database import public_folder, statements

ROOT = Path(__file__).parents[2]
AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
only_as_root = pytest.mark.skipif(not AS_ROOT, reason="only root has another user run Postgres")

STARTER = """
import sys
from pathlib import Path
from backend.app.utils.embedded import EmbeddedPostgres
server = EmbeddedPostgres.start(Path(sys.argv[1]))
print(server.dsn, flush=True)
sys.stdin.readline()
server.stop()
"""


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A folder whose server was made once; each test starts and stops it."""
    with public_folder() as folder:
        EmbeddedPostgres.start(folder).stop()
        yield folder


@contextmanager
def _another_process(data_dir: Path, program: str = STARTER) -> Iterator[subprocess.Popen[str]]:
    """Starts the server and stops it when a line arrives."""
    command = [sys.executable, "-c", program, str(data_dir)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("postgresql://"), process.stderr.read() if process.stderr else ""
        yield process
    finally:
        process.kill()
        process.communicate()


def _leave(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=30)
    assert process.returncode == 0


def _postmaster(cluster: Path) -> psutil.Process | None:
    try:
        return psutil.Process(int((cluster / "postmaster.pid").read_text().splitlines()[0]))
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def _answers(dsn: str) -> bool:
    with statements(dsn) as cursor:
        cursor.execute("SELECT current_database()")
        return cursor.fetchall() == [("textbook",)]


def test_a_started_server_answers_and_a_stopped_one_is_gone_with_its_data_kept(data_dir: Path):
    server = EmbeddedPostgres.start(data_dir)
    with statements(server.dsn) as cursor:
        cursor.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('روبوٹ')")
    server.stop()
    server.stop()
    assert _postmaster(server.cluster) is None
    again = EmbeddedPostgres.start(data_dir)
    with statements(again.dsn) as cursor:
        cursor.execute("SELECT word FROM kept")
        assert cursor.fetchall() == [("روبوٹ",)]
        cursor.execute("DROP TABLE kept")
    again.stop()


def test_the_last_process_to_leave_stops_the_server_and_the_first_does_not(data_dir: Path):
    with _another_process(data_dir) as first, _another_process(data_dir) as second:
        server = EmbeddedPostgres.start(data_dir)
        _leave(first)
        assert _answers(server.dsn)
        server.stop()
        assert _postmaster(server.cluster) is not None
        _leave(second)
        assert _postmaster(server.cluster) is None


def test_two_users_in_one_process_count_as_two(data_dir: Path):
    one, other = EmbeddedPostgres.start(data_dir), EmbeddedPostgres.start(data_dir)
    one.stop()
    assert _answers(other.dsn)
    other.stop()
    assert _postmaster(other.cluster) is None


def test_a_server_orphaned_by_a_killed_process_is_joined_and_then_stopped(data_dir: Path):
    with _another_process(data_dir) as killed:
        killed.send_signal(signal.SIGKILL)
        killed.wait(10)
    orphan = _postmaster(data_dir / "postgres")
    assert orphan is not None
    server = EmbeddedPostgres.start(data_dir)
    assert _postmaster(server.cluster) == orphan
    assert _answers(server.dsn)
    server.stop()
    assert _postmaster(server.cluster) is None


def test_a_server_that_was_killed_itself_comes_back(data_dir: Path):
    server = EmbeddedPostgres.start(data_dir)
    postmaster = _postmaster(server.cluster)
    assert postmaster is not None
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)
    again = EmbeddedPostgres.start(data_dir)
    assert _answers(again.dsn)
    server.stop()
    assert _answers(again.dsn)
    again.stop()


def test_a_process_number_that_now_belongs_to_somebody_else_is_not_taken_for_the_server(data_dir: Path):
    pid_file = data_dir / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{data_dir / 'postgres'}\n1\n5432\n/nowhere\n\n  1 1\nready\n")
    server = EmbeddedPostgres.start(data_dir)
    assert _answers(server.dsn)
    server.stop()


def test_only_a_private_socket_listens(data_dir: Path):
    server = EmbeddedPostgres.start(data_dir)
    with statements(server.dsn) as cursor:
        cursor.execute("SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories')")
        [(addresses, folder)] = cursor.fetchall()
    assert addresses == ""
    assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
    server.stop()


def test_the_servers_log_repeats_neither_values_nor_statements(data_dir: Path):
    server = EmbeddedPostgres.start(data_dir)
    with statements(server.dsn) as cursor, pytest.raises(psycopg2.IntegrityError):
        cursor.execute(
            "CREATE TEMP TABLE t (email text UNIQUE); INSERT INTO t SELECT 'canary@x.org' FROM generate_series(1, 2)"
        )
    server.stop()
    log = (server.cluster / "log").read_text()
    assert "duplicate key" in log
    assert "canary" not in log


def test_a_crash_while_the_data_folder_is_made_leaves_nothing_in_the_way():
    with public_folder() as folder:
        half = folder / "postgres.unfinished"
        half.mkdir()
        (half / "PG_VERSION").write_text("18\n")
        server = EmbeddedPostgres.start(folder)
        assert _answers(server.dsn)
        server.stop()


@pytest.mark.parametrize("name", ["a folder's name with % and ü", "long" * 30])
def test_any_path_will_do(name: str):
    with public_folder() as folder:
        server = EmbeddedPostgres.start(folder / name)
        assert _answers(server.dsn)
        server.stop()


def test_a_removed_data_folder_does_not_disturb_the_end():
    with public_folder() as folder:
        server = EmbeddedPostgres.start(folder / "data")
        postmaster = _postmaster(server.cluster)
        assert postmaster is not None
        shutil.rmtree(folder / "data")
        server.stop()
        with suppress(psutil.NoSuchProcess):  # it notices by itself, at once or within a minute
            postmaster.terminate()
        postmaster.wait(10)


def test_data_of_another_postgres_version_is_refused_with_the_way_out():
    with public_folder() as folder:
        server = EmbeddedPostgres.start(folder)
        server.stop()
        (server.cluster / "PG_VERSION").write_text("12\n")
        with pytest.raises(ConfigurationError, match=r"incompatible with server.*DATABASE_URL"):
            EmbeddedPostgres.start(folder)


def test_a_data_folder_that_cannot_be_made_is_refused_with_the_way_out(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        EmbeddedPostgres.start(tmp_path / "file" / "data")


@only_as_root
def test_below_a_private_folder_the_data_goes_elsewhere_and_nothing_is_opened(monkeypatch: pytest.MonkeyPatch):
    with public_folder() as elsewhere, public_folder() as folder:
        monkeypatch.setattr(embedded_place, "ROOT_HOME", elsewhere / "home")
        private = folder / "private"
        private.mkdir(mode=0o700)
        server = EmbeddedPostgres.start(private / "data")
        assert _answers(server.dsn)
        assert server.cluster.is_relative_to(elsewhere)
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert not (private / "data" / "postgres").exists()
        server.stop()
        private.chmod(0o755)  # opened later: the data must not seem lost
        again = EmbeddedPostgres.start(private / "data")
        assert again.cluster == server.cluster
        again.stop()


@only_as_root
def test_a_folder_that_became_private_is_refused_instead_of_starting_with_an_empty_database():
    with public_folder() as folder:
        EmbeddedPostgres.start(folder).stop()
        folder.chmod(0o700)
        with pytest.raises(ConfigurationError, match="may no longer enter"):
            EmbeddedPostgres.start(folder)


@only_as_root
def test_binaries_below_a_private_folder_are_copied_and_nothing_is_opened(monkeypatch: pytest.MonkeyPatch):
    with public_folder() as elsewhere, public_folder() as folder:
        monkeypatch.setattr(embedded_place, "ROOT_HOME", elsewhere / "home")
        package = embedded_place._installed_binaries().parents[1]
        private = folder / "private"
        private.mkdir(mode=0o700)
        shutil.copytree(package / "pginstall18", private / package.name / "pginstall18", symlinks=True)
        shutil.copytree(package.with_name(f"{package.name}.libs"), private / f"{package.name}.libs")
        (private / package.name / "__init__.py").write_text("")
        monkeypatch.syspath_prepend(str(private))
        server = EmbeddedPostgres.start(folder / "data")
        assert _answers(server.dsn)
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        postmaster = _postmaster(server.cluster)
        assert postmaster is not None
        assert Path(postmaster.cmdline()[0]).is_relative_to(elsewhere)
        server.stop()


@only_as_root
@pytest.mark.skipif(not open_for_all(ROOT), reason="this checkout lies in a private folder")
def test_an_ordinary_user_needs_nothing_of_all_that():
    with public_folder() as folder:
        shutil.chown(folder, "nobody")
        become_nobody = "import os, pwd; nobody = pwd.getpwnam('nobody'); os.setgroups([]); "
        become_nobody += "os.setgid(nobody.pw_gid); os.setuid(nobody.pw_uid); os.environ['HOME'] = '/nonexistent'\n"
        program = STARTER.replace("server = ", become_nobody + "server = ", 1)  # after the imports: the
        with _another_process(folder, program) as process:  # interpreter itself may be in a private folder
            assert (folder / "postgres").owner() == "nobody"
            _leave(process)
        assert _postmaster(folder / "postgres") is None
