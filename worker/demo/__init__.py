"""The whole system in one process: an embedded Kafka cluster, events, the worker and the emulator.

cluster.py      the embedded Kafka cluster
scenario.py     what a demo runs: tea_shop.py the packaged example, own_mapping.py a user's mapping and fixtures
events.py       the sample events of the shop;  sending.py produces them
configuration.py  the demo's settings, which also the commands in another terminal read;  next_steps.py these commands
run.py          the demo;  summary.py its summary
produce.py      produces sample events to a real Kafka continuously: `python -m worker.demo.produce`
"""
