"""Where the time goes: `python benchmarks/flames.py` draws the worker's flame graph and the floor's.

Writes `benchmarks/flames/worker.svg`, `whole.svg` (events decoded whole) and `floor.svg`, and prints the largest
functions of each: its own share of the samples, and its share with all that it calls. A sample is a thread that holds
the interpreter's lock, 500 times a second, from the moment when 20 % of the calls have arrived until all have; a
library's C code counts as the function's that calls it. py-spy looks into a running process: where only root may do so
(`/proc/sys/kernel/yama/ptrace_scope`), be root.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from xml.etree.ElementTree import parse

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.events import MAPPING, WHOLE, orders
from benchmarks.page import machine
from benchmarks.stage import ROOT, Sink, floor, sink, worker
from benchmarks.topics import create_topics, into_topic, produce
from tests.support.kafka_cluster import KafkaCluster

FLAMES = ROOT / "benchmarks" / "flames"
TOPIC = "orders"

SVG = "{http://www.w3.org/2000/svg}"
WIDTH = "{http://github.com/jonhoo/inferno}"
"""Namespace of a frame's first sample (`x`) and of how many it has (`w`)."""

RATE = 500
"""Samples a second."""

LARGEST = 15
"""Functions that the table shows."""

Running = tuple[subprocess.Popen[bytes], Sink]


@contextmanager
def the_floor(servers: str, events: int) -> Iterator[Running]:
    """The floor, with a sink of its own."""
    with sink() as into, floor(servers, TOPIC, into.url, events) as process:
        yield process, into


@contextmanager
def the_worker(servers: str, mapping: str) -> Iterator[Running]:
    """A worker, with a sink of its own."""
    with sink() as into, worker(servers, TOPIC, into.url, mapping) as running:
        yield running.process, into


def record(program: AbstractContextManager[Running], events: int, svg: Path) -> None:
    """Draw what a program does from a fifth of the events until all have arrived."""
    spy = [str(Path(sys.executable).parent / "py-spy"), "record", "--gil", "--rate", str(RATE)]
    with program as (process, into):
        into.wait_for(events // 5, [process])
        command = [*spy, "--output", str(svg), "--pid", str(process.pid)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as recorder:
            into.wait_for(events, [process])
            recorder.send_signal(signal.SIGINT)
            _, errors = recorder.communicate()
    if recorder.returncode:
        raise RuntimeError(errors.decode())
    titled = f'<text id="title"\\1>{svg.stem}: {events:,} events, {RATE} samples a second<'  # not its command's paths
    svg.write_text(re.sub(r'<text id="title"([^>]*)>[^<]*<', titled, svg.read_text()))


def shares(svg: Path) -> Iterator[tuple[str, float, float]]:
    """Each function, its own share of the samples, and its share with all that it calls; the largest first."""
    own, total, above = Counter[str](), Counter[str](), list[str]()
    for _, depth, samples, function in frames(svg):
        del above[depth:]
        own[function] += samples
        if above:
            own[above[-1]] -= samples
        if function not in above:  # or recursion would count twice
            total[function] += samples
        above.append(function)
    every = total.pop("all")
    for function, samples in own.most_common():
        if function in total:
            yield function, samples / every, total[function] / every


def frames(svg: Path) -> list[tuple[int, int, int, str]]:
    """First sample, depth, samples and function of each frame, a caller before what it calls."""
    found = []
    for frame in parse(svg).getroot().iter(f"{SVG}g"):
        box, title = frame.find(f"{SVG}rect"), frame.findtext(f"{SVG}title")
        if box is not None and title:
            function = re.sub(r":\d+\)$", ")", title.rpartition(" (")[0])
            found.append(
                (int(box.attrib[f"{WIDTH}x"]), int(box.attrib["y"]), int(box.attrib[f"{WIDTH}w"]), function)
            )
    depths = sorted({y for _, y, _, _ in found})
    return sorted((first, depths.index(y), samples, function) for first, y, samples, function in found)


def show(svg: Path) -> None:
    """Print the largest functions."""
    print(f"\n{svg.relative_to(ROOT)}\n{'own':>7} {'with calls':>11}")
    for function, own, total in list(shares(svg))[:LARGEST]:
        print(f"{own:7.1%} {total:11.1%}  {function}")


def main() -> None:
    """Draw all of them, and print the largest functions of each."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--events", type=int, default=1_000_000)
    events = arguments.parse_args().events
    FLAMES.mkdir(exist_ok=True)
    print(machine())
    with tempfile.TemporaryDirectory() as folder, KafkaCluster(Path(folder)) as cluster:
        servers = cluster.bootstrap_servers
        create_topics(servers, TOPIC)
        create_topics(servers, "dead", partitions=1)
        produce(servers, into_topic(TOPIC, orders(events)))
        for name, program in (
            ("floor", the_floor(servers, events)),
            ("worker", the_worker(servers, MAPPING)),
            ("whole", the_worker(servers, MAPPING + WHOLE)),
        ):
            svg = FLAMES / f"{name}.svg"
            record(program, events, svg)
            show(svg)


if __name__ == "__main__":
    main()
