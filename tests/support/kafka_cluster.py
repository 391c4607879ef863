"""A real Apache Kafka of one node (KRaft), from Maven's jars, for tests and benchmarks."""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

ROOT = Path(__file__).parents[2]
POM = ROOT / "tests" / "kafka" / "pom.xml"
CACHE = ROOT / ".cache" / "kafka"
BOOT_SECONDS = 60

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},PASSWORD://127.0.0.1:{password_port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},PASSWORD://127.0.0.1:{password_port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PASSWORD:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.password.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \\
  required user_worker="right";
log.dirs={directory}/logs
num.partitions=1
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.consumer.heartbeat.interval.ms=500
group.consumer.min.heartbeat.interval.ms=100
group.consumer.min.session.timeout.ms=1000
group.min.session.timeout.ms=1000
log.initial.task.delay.ms=1000
log.retention.check.interval.ms=1000
controlled.shutdown.enable=false
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
"""


def missing_tools() -> str | None:
    """What to install before a broker can run here, or None."""
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    return f"{' and '.join(missing)} (Java 17 or newer, Maven 3.6 or newer)" if missing else None


def jars() -> Path:
    """The folder of the broker's jars; resolved by Maven when the pom changes, by one process at a time."""
    folder = CACHE / hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _resolve(folder)
    return folder


def _resolve(folder: Path) -> None:
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={partial}"]
    subprocess.run(["mvn", "-q", "-B", "-f", str(POM), *goal], check=True)
    partial.rename(folder)


class KafkaCluster:
    """One node, started by `start` or by `with`.

    Attributes:
        bootstrap_servers: its address, the same after a restart.
        password_servers: the address where the user `worker` needs the password `right` (SASL PLAIN).
        directory: what it writes goes here; its own log is `server.log`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._properties = directory / "server.properties"
        port, controller_port, password_port = free_ports(3)
        self.bootstrap_servers = f"127.0.0.1:{port}"
        self.password_servers = f"127.0.0.1:{password_port}"
        directory.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(
            PROPERTIES.format(
                port=port,
                controller_port=controller_port,
                password_port=password_port,
                directory=directory,
            )
        )
        self._format()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Start the node, and kill it in the end: what it knows is of no use any more."""
        try:
            self.start()
            yield self
        finally:
            self.kill()

    @property
    def pid(self) -> int:
        """The process id of the node, which must run."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the node and wait until it responds."""
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._properties)), stdout=log, stderr=subprocess.STDOUT
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """Stop it as an operator would; what it knows stays on disk."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a word, as a power cut would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(BOOT_SECONDS)
            self._process = None

    def _format(self, *options: str) -> None:
        cluster_id = "tests" + uuid.uuid4().hex[:17]
        arguments = ["format", "-t", cluster_id, "-c", str(self._properties), *options]
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", *arguments), check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"formatting the broker's storage failed:\n{done.stdout}\n{done.stderr}")

    def _java(self, main: str, *arguments: str) -> list[str]:
        # One small heap and the quick compiler only: a broker of a few megabytes that starts in seconds.
        options = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        logging = [f"-Dlog4j2.configurationFile={POM.with_name('log4j2.xml')}"]
        return ["java", *options, *logging, "-cp", f"{jars()}/*", main, *arguments]

    def _wait_until_it_answers(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        deadline = time.monotonic() + BOOT_SECONDS
        while True:
            try:
                if admin.list_topics(timeout=1).brokers:
                    return
            except KafkaException:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    tail = (self.directory / "server.log").read_text()[-3000:]
                    raise RuntimeError(f"the broker did not start:\n{tail}") from None


def configured_servers() -> str | None:
    """A broker that the environment names, to be used instead of an own one."""
    return os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or None


PORTS = range(10_000, 30_000)
"""Below the ports that systems choose for outgoing connections: a client that tries to reach a broker that is down
could get the broker's own port, and connect to itself."""


def free_ports(n: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing listened on a moment ago."""
    ports: list[int] = []
    with ExitStack() as taken:
        while len(ports) < n:
            with suppress(OSError):
                port = random.SystemRandom().choice(PORTS)
                taken.enter_context(closing(socket.create_server(("127.0.0.1", port))))
                ports.append(port)
    return ports
