"""A real Kafka with a second address that can be cut off from it, as a network that fails for one client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.support.kafka_cluster import KafkaCluster, free_ports

SECOND_LISTENER = """
listeners=PLAINTEXT://{plain},FAR://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://{plain},FAR://{far}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.voters=1@127.0.0.1:{controller_port}
"""
"""These replace what the properties say before."""


class Wire:
    """Carries bytes both ways between clients and a port, until it is cut: then they wait.

    Attributes:
        whole: set while it is not cut.
    """

    def __init__(self, port: int) -> None:
        self.whole = asyncio.Event()
        self.whole.set()
        self._port = port

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect one client."""
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        with suppress(ConnectionError):
            await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while read := await reader.read(65536):
                await self.whole.wait()
                writer.write(read)
                await writer.drain()
        finally:
            writer.close()


class CutOffKafka:
    """A broker and the wire in front of its second address.

    Attributes:
        servers: the address of the broker itself.
        far_servers: the address behind the wire.
        wire: can be cut.
    """

    def __init__(self, cluster: KafkaCluster, wire: Wire, far_servers: str) -> None:
        self.servers = cluster.bootstrap_servers
        self.far_servers = far_servers
        self.wire = wire


@asynccontextmanager
async def cut_off_kafka(directory: Path) -> AsyncIterator[CutOffKafka]:
    """Start the broker and the wire."""
    cluster = KafkaCluster(directory)
    port, controller_port = free_ports(2)
    wire = Wire(port)
    server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    far = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with (directory / "server.properties").open("a") as properties:
        properties.write(
            SECOND_LISTENER.format(
                plain=cluster.bootstrap_servers, port=port, controller_port=controller_port, far=far
            )
        )
    try:
        await asyncio.to_thread(cluster.start)
        yield CutOffKafka(cluster, wire, far)
    finally:
        wire.whole.set()
        cluster.kill()
        server.close()
