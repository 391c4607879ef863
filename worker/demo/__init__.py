"""Everything on one machine: an embedded Kafka cluster, the emulator, sample events, the worker between.

cluster.py    the embedded Kafka
events.py     the sample events of a small shop; sending.py how they become records
run.py        the demo;  summary.py what it says at the end
produce.py    the sample events for a real Kafka, for ever: `python -m worker.demo.produce`
"""
