"""The programs that read the stream: the README's own, exactly as printed, and the real AI SDK, in Node."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from tests.fakes import claude_wire as wire
from tests.fakes.claude import Body, Content, FakeClaude
from tests.fixtures.accounts import signup_form
from tests.fixtures.app import AppFactory
from tests.routers.test_adapted_chapters import adapt

pytestmark = pytest.mark.e2e
AI_SDK = "ai@6.0.326"
README = Path(__file__).resolve().parents[2] / "README.md"
QUESTION = "What is a ROS 2 node?"
ASKED_AT = "http://localhost:8000"


def answering(body: Body) -> Content:
    first, second = wire.citation(body, 0), wire.citation(body, 1)
    return [
        wire.text("A node computes 😀. ", first),
        wire.text("The node\u2028 ends."),
        wire.text(" A node.", second),
    ]


@pytest.fixture
def app(start_app: AppFactory, claude: FakeClaude) -> httpx2.Client:
    return start_app(anthropic_api_key=SecretStr("a-key-of-the-tests"), anthropic_base_url=claude.base_url)


@pytest.fixture
def node() -> str:
    found = shutil.which("node")
    if not found:
        pytest.skip("node is not installed")
    return found


@pytest.fixture
def ai_folder(node: str) -> Path:
    """A folder outside the repository in which Node finds the AI SDK; kept from run to run."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "textbook-backend" / AI_SDK.replace("@", "-")
    if (folder / "node_modules" / "ai" / "package.json").exists():
        return folder
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("npm is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    install = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", AI_SDK]
    done = subprocess.run(install, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install {AI_SDK}: {done.stderr.strip()[-200:]}")
    return folder


def printed(beginning: str) -> str:
    """The README's JavaScript that begins so."""
    blocks = re.findall(r"```js\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = (block for block in blocks if block.startswith(beginning))
    return found


def run(node: str, script: str, folder: Path, app: httpx2.Client) -> Any:
    """Run a module whose calls to the README's address reach the application; -> the JSON that it prints."""
    to_app = f'globalThis.ask_at = (url) => String(url).replace("{ASKED_AT}", {json.dumps(str(app.base_url))});'
    fetching = "const real = fetch; globalThis.fetch = (url, options) => real(ask_at(url), options);"
    path = folder / "reader.mjs"
    path.write_text(f"{script.partition('// ---')[0]}\n{to_app}\n{fetching}\n{script.partition('// ---')[2]}")
    done = subprocess.run([node, str(path)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_readers_program_of_the_readme(app: httpx2.Client, claude: FakeClaude, node: str, tmp_path: Path) -> None:
    program = printed("async function ask(")
    assert len(program.splitlines()) <= 20
    asking = f"let shown = ''; const answer = await ask({json.dumps(QUESTION)}, (words) => (shown += words));"
    claude.says(answering, piece_chars=1)
    told = run(node, f"// ---\n{program}\n{asking}\nconsole.log(JSON.stringify({{shown, answer}}))", tmp_path, app)
    assert told["shown"] == told["answer"]["answer"] == "A node computes 😀. The node\u2028 ends. A node."
    assert len(told["answer"]["sources"]) == 2

    for step in (lambda: claude.fails(400), lambda: claude.breaks_off(answering, after=9)):
        step()
        failing = f"// ---\n{program}\nawait ask({json.dumps(QUESTION)}, () => {{}}).catch((e) => console.log("
        told = run(node, f"{failing}JSON.stringify(e.message)));", tmp_path, app)
        assert told == "AI service is busy. Please retry in a moment."


def test_the_readers_program_for_chapters(app: httpx2.Client, claude: FakeClaude, node: str, tmp_path: Path) -> None:
    program = printed("async function adapt(")
    assert len(program.splitlines()) <= 20
    token = app.post("/api/auth/signup", json=signup_form()).json()["access_token"]

    def adapted(call: str, body: dict[str, str]) -> Any:
        adapting = f"await adapt({json.dumps(call)}, {json.dumps(body)}, {json.dumps(token)}, show)"
        showing = (
            "const shown = [], done = []; const show = (text, share) => { shown.push(text); done.push(share); };"
        )
        script = f"// ---\n{program}\n{showing}\nlet chapter, failed;\ntry {{ chapter = {adapting}; }}"
        script += " catch (error) { failed = error.message; }\n"
        return run(node, script + "console.log(JSON.stringify({shown, done, chapter, failed}));", tmp_path, app)

    claude.adapts(adapt)
    for call, content in (("translate", "translated_content"), ("personalize", "personalized_content")):
        told = adapted(call, {"chapter_id": "foundations/sensors"})
        assert "".join(told["shown"]) == told["chapter"][content]
        assert (told["done"] == sorted(told["done"]), told["done"][-1]) == (True, 1)
        again = adapted(call, {"chapter_id": "foundations/sensors"})
        assert (again["shown"], again["chapter"]["cached"]) == ([], True)
    claude.adapts(lambda body: "No.")
    told = adapted("translate", {"chapter_id": "foundations/kinematics"})
    assert told["failed"] == "Translation failed. Please try again."
    assert "foundations/sensors" in adapted("translate", {"chapter_id": "foundations/senors"})["failed"]


SDK_READER = """import { DefaultChatTransport, readUIMessageStream } from "ai";
// ---
%s
const asked = { id: "1", role: "user", parts: [{ type: "text", text: %s }] };
const options = { trigger: "submit-message", chatId: "c", messageId: undefined, abortSignal: undefined };
const stream = await transport.sendMessages({ ...options, messages: [asked] });
const errors = [];
let message;
for await (message of readUIMessageStream({ stream, onError: (error) => errors.push(error.message) }));
console.log(JSON.stringify({ message, errors }));
"""


def test_the_ai_sdk_reads_the_stream(app: httpx2.Client, claude: FakeClaude, node: str, ai_folder: Path) -> None:
    script = SDK_READER % (printed("const transport"), json.dumps(QUESTION))
    claude.says(answering, piece_chars=3)
    told = run(node, script, ai_folder, app)
    assert told["errors"] == []
    parts = told["message"]["parts"]
    assert [part["type"] for part in parts] == ["source-url", "text", "source-url", "data-answer"]
    (text,) = (part for part in parts if part["type"] == "text")
    answer = parts[-1]["data"]
    assert (text["text"], text["state"]) == (answer["answer"], "done")
    assert [part["url"] for part in parts if part["type"] == "source-url"] == [s["url"] for s in answer["sources"]]

    claude.breaks_off(answering, after=11)
    told = run(node, script, ai_folder, app)
    assert told["errors"] == ["AI service is busy. Please retry in a moment."]
