"""A local stand-in for the Customer.io Pipelines API, for development, demonstrations and tests.

rules.py      what the API asks of a call, written independently of the worker's own validation
intake.py     a request body taken apart without losing a byte
api.py        what is taken, dropped or refused, and with which answer
received.py   what is remembered of calls;  traffic.py of requests;  rate.py of their rate
faults.py     trouble on request
server.py     all of it as an HTTP server;  admin.py its view and switches;  page.html its page
"""

from worker.emulator.api import StrictBatches
from worker.emulator.faults import Fault
from worker.emulator.server import Emulator, serve

__all__ = ["Emulator", "Fault", "StrictBatches", "serve"]
