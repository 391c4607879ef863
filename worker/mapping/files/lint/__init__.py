"""What is legal in a mapping file but surely not meant.

    for problem in findings([document], samples):        # `samples`: the fixtures' events
        print(problem)

One module for each kind of finding: `names` (words of other languages that are fields here), `operators` (that bind
otherwise than they look), `literals` (texts that were meant literally, event names that were not), `starts` (paths that
begin with another name for the event or its record), `constants` and `ids` (ids that are the same for every event, or
twice in a call), `conditions` (conditions that are the same for every event), `evidence` and `uses` (what the fixtures
contradict), `rules` (rules that are never reached, event names and properties of the catalogue).
"""

from worker.mapping.files.lint.findings import findings
from worker.mapping.files.lint.samples import Sample

__all__ = ["Sample", "findings"]
