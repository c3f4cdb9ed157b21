"""A TCP proxy on loopback whose connections can be slowed, silenced and cut while it runs."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

# A TCP address, or the path of a unix socket.
Target = tuple[str, int] | str

CHUNK = 65_536
_LINGER_0 = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on a port of its own for as long as it is open and passes bytes on to `target`, both ways.

    `frames`: the target speaks the Kafka protocol, and the address that it tells its clients is replaced by this one's.
    """

    def __init__(self, target: Target, *, frames: bool = False) -> None:
        self.target, self._frames = target, frames
        self.delay_s = 0.0
        self._is_refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        # Who waits at a closed gate is referred to by nobody else, and would be collected.
        self._serving: set[asyncio.Task[None] | None] = set()
        self._loop = asyncio.new_event_loop()
        self._flows = _open_gate()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server: asyncio.Server = self._call(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stall(self) -> None:
        """From now on nothing passes, though everything stays open and new connections are taken."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def strand(self) -> None:
        """Every connection there is falls silent, and stays so until who has it closes it; new ones pass."""

        def strand() -> None:
            self._flows.clear()
            self._flows = _open_gate()

        self._loop.call_soon_threadsafe(strand)

    def refuse(self) -> None:
        """Cut every connection, and each that is tried."""
        self._is_refusing = True
        self.cut()

    def cut(self) -> None:
        """Reset every connection; new ones pass."""
        self._loop.call_soon_threadsafe(self._reset_all)

    def heal(self) -> None:
        """As before. What was stalled is cut: whoever still waits for it has waited long enough."""
        self.delay_s, self._is_refusing = 0.0, False
        if not self._flows.is_set():
            self.cut()
        self._loop.call_soon_threadsafe(self._flows.set)

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            self._reset_all()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        self._serving.add(serving)
        self._writers.add(writer)
        flows = self._flows
        try:
            # Who is stalled is taken and not answered.
            await flows.wait()
            if self._is_refusing:
                return
            if isinstance(self.target, str):
                there, back = await asyncio.open_unix_connection(self.target)
            else:
                there, back = await asyncio.open_connection(*self.target)
            self._writers.add(back)
            try:
                answers = self._read_frame if self._frames else _read_chunk
                await asyncio.gather(
                    self._pump(reader, back, _read_chunk, flows), self._pump(there, writer, answers, flows)
                )
            finally:
                self._end(back)
        except (OSError, asyncio.CancelledError):
            pass  # nobody there, or the proxy is closed
        finally:
            self._end(writer)
            self._serving.discard(serving)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        read: Callable[[asyncio.StreamReader], Coroutine[Any, Any, bytes]],
        flows: asyncio.Event,
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while data := await read(reader):
                await flows.wait()
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                writer.write(data)
                await writer.drain()
        self._end(writer)

    async def _read_frame(self, reader: asyncio.StreamReader) -> bytes:
        size = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(size))
        assert isinstance(self.target, tuple)
        host, port = self.target
        # As long as what it replaces, so the frame's length stays true.
        return size + body.replace(host.encode() + port.to_bytes(4), host.encode() + self.port.to_bytes(4))

    def _reset_all(self) -> None:
        for writer in [*self._writers]:
            found = writer.get_extra_info("socket")
            if found is not None and found.family != socket.AF_UNIX:
                with suppress(OSError):
                    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
            writer.transport.abort()

    def _end(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.close()


def _open_gate() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


async def _read_chunk(reader: asyncio.StreamReader) -> bytes:
    return await reader.read(CHUNK)
