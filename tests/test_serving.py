"""The socket the service listens on."""

import asyncio
import socket

import pytest

from backend.app import serving
from backend.app.errors import ConfigurationError

pytestmark = pytest.mark.anyio


async def test_what_is_accepted_does_not_wait_for_delayed_acknowledgements() -> None:
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with serving.bind("127.0.0.1", 0) as listener:
        async with await asyncio.start_server(answer, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            assert await accepted
            writer.close()
            await writer.wait_closed()


async def test_an_address_of_another_machine_is_refused_in_one_plain_sentence() -> None:
    with pytest.raises(ConfigurationError) as refused:
        serving.bind("192.0.2.1", 0)
    assert refused.value.problems[0].startswith("HOST, PORT: cannot listen on 192.0.2.1, port 0: ")
    assert "while attempting" not in refused.value.problems[0]
