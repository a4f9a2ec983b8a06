"""The export over HTTP: a file, of nobody else, and visibly incomplete when it could not be finished."""

import json

import httpx2
import pytest

from backend.app.models.reader_export import ExportedData
from backend.app.utils.config import Settings
from tests.fixtures.database import statements
from tests.routers.test_chat import ask, sign_up

EXPORT = "/api/user/export"


def test_a_reader_takes_everything_away_as_a_file(client: httpx2.Client) -> None:
    reader, other = sign_up(client), sign_up(client, "other@example.com")
    client.put("/api/user/settings", json={"name": "عائشہ", "hardware": "gpu"}, headers=reader)
    client.post("/api/user/progress/mark", json={"chapter_id": "intro", "completed": True}, headers=reader)
    answer = ask(client, question="What is a ROS 2 node?", headers=reader).json()
    ask(client, question="What is inverse kinematics?", headers=other)

    response = client.get(EXPORT, headers=reader | {"Origin": "http://localhost:3000"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-disposition"] == 'attachment; filename="textbook-export.json"'
    assert "Content-Disposition" in response.headers["access-control-expose-headers"]
    assert response.headers["cache-control"] == "no-store"
    exported = ExportedData.model_validate_json(response.text)
    assert (exported.account.email, exported.account.name) == ("reader@example.com", "عائشہ")
    assert [mark.chapter_id for mark in exported.progress] == ["intro"]
    assert [str(each.id) for each in exported.conversations] == [answer["conversation_id"]]
    (turn,) = exported.history
    assert (turn.question, turn.answer) == ("What is a ROS 2 node?", answer["answer"])
    assert [source.model_dump() for source in turn.sources] == answer["sources"]
    assert "other@example.com" not in response.text
    assert "inverse kinematics?" not in response.text

    client.delete("/api/auth/me", headers=reader)
    assert client.get(EXPORT, headers=reader).status_code == 401


def test_an_export_that_breaks_off_does_not_look_whole(
    client: httpx2.Client, shared_app: tuple[str, Settings]
) -> None:
    reader = sign_up(client)
    ask(client, question="What is a ROS 2 node?", headers=reader)
    url = shared_app[1].database_url
    assert url
    with statements(url.get_secret_value()) as cursor:
        cursor.execute("ALTER TABLE chat_history RENAME TO gone")
        try:
            with client.stream("GET", EXPORT, headers=reader) as response:
                assert response.status_code == 200
                with pytest.raises(httpx2.RemoteProtocolError):
                    response.read()
        finally:
            cursor.execute("ALTER TABLE gone RENAME TO chat_history")
    assert len(json.loads(client.get(EXPORT, headers=reader).text)["history"]) == 1
