"""A local stand-in for the Customer.io Pipelines API, for development, demonstrations and tests.

rules.py         the API's requirements for a call, written independently of the worker's own validation
call_notices.py  probable mistakes that it accepts;  names.py which event names are reserved or destructive
request_body.py  splits a request body into calls, and keeps the exact bytes of each
api.py           decides what is accepted, dropped or refused, and the response
sizes.py         sizes beyond the limits of the Track API, which Pipelines delivers to
effects.py       what accepted calls did, or did not do, at Customer.io
received.py      stores calls;  traffic.py counts requests;  rate.py measures their rate
faults.py        injected faults
server.py        the HTTP server;  admin.py its `/admin` API;  page.html its page
"""

from worker.emulator.api import StrictBatches
from worker.emulator.faults import Fault
from worker.emulator.server import Emulator, serve

__all__ = ["Emulator", "Fault", "StrictBatches", "serve"]
