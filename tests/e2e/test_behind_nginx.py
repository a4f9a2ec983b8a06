"""Behind nginx, compressing and buffering as much as it likes, words still arrive while they are written."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from tests.fakes import claude_wire as wire
from tests.fakes.claude import Body, Content, FakeClaude
from tests.fixtures.app import AppFactory, client_of

QUESTION = {"question": "What is a ROS 2 node?"}
CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{}}
http {{
  access_log off; gzip on; gzip_proxied any; gzip_types text/event-stream; gzip_min_length 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {upstream}; }} }}
}}
"""


def two_sentences(body: Body) -> Content:
    return [wire.text("A node computes. ", wire.citation(body)), wire.text("A node ends.", wire.citation(body))]


FIRST_IS_OUT = 10  # records: with the beginning of the second sentence the first is certain


@pytest.fixture
def direct(start_app: AppFactory, claude: FakeClaude) -> httpx2.Client:
    return start_app(anthropic_api_key=SecretStr("a-key-of-the-tests"), anthropic_base_url=claude.base_url)


@pytest.fixture
def proxied(direct: httpx2.Client, tmp_path: Path) -> Iterator[httpx2.Client]:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not nginx:
        pytest.skip("nginx is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    written = tmp_path / "nginx.conf"
    upstream = str(direct.base_url).rstrip("/")
    written.write_text(CONFIGURATION.format(folder=tmp_path, port=port, upstream=upstream))
    process = subprocess.Popen([nginx, "-p", str(tmp_path), "-c", str(written)], stderr=subprocess.DEVNULL)
    try:
        with client_of(f"http://127.0.0.1:{port}") as http:
            _wait_until_up(http, process)
            yield http
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_up(http: httpx2.Client, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            http.get("/health/live")
        except httpx2.TransportError:
            assert process.poll() is None, "nginx ended at once"
            assert time.monotonic() < deadline, "nginx does not answer"
            time.sleep(0.05)
        else:
            return


def test_metrics_are_for_this_machine_and_nothing_that_nginx_passes_on_is(
    proxied: httpx2.Client, direct: httpx2.Client
) -> None:
    """Its peer is 127.0.0.1 too, and it adds no header unless it is told to."""
    assert direct.get("/metrics").status_code == 200
    assert proxied.get("/metrics").status_code == 404


def test_words_pass_nginx_while_claude_is_still_writing(proxied: httpx2.Client, claude: FakeClaude) -> None:
    claude.says(two_sentences, keep_records=FIRST_IS_OUT, stalls=True)
    with proxied.stream("POST", "/api/chat/ask/stream", json=QUESTION) as response:
        assert response.headers["content-encoding"] == "gzip"
        told = next(line for line in response.iter_lines() if "text-delta" in line)
    assert "A node computes." in told
    assert claude.left.wait(10)  # nginx hangs up when its client does


def test_the_whole_stream_passes_nginx(proxied: httpx2.Client, claude: FakeClaude) -> None:
    claude.says(two_sentences, pause_s=0.02)
    response = proxied.post("/api/chat/ask", json=QUESTION, headers={"Accept": "text/event-stream"})
    assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert response.text.endswith("data: [DONE]\n\n")
    assert "data-answer" in response.text
