"""The whole system in one process: an embedded Kafka cluster, sample events, the worker and the emulator.

cluster.py    the embedded Kafka cluster
events.py     the sample events of a small shop;  sending.py produces them
run.py        the demo;  summary.py its summary
produce.py    produces sample events to a real Kafka continuously: `python -m worker.demo.produce`
"""
