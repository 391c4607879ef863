"""Dead letters: their contents, which of them still wait, and what a replay does with each. No I/O.

- `failed_record`: a record whose dead letter is yet to be written.
- `headers`: the headers of dead letters, written and read.
- `dead_letter`: a record of the dead-letter topic, read as a dead letter with its origin.
- `marks`: records that resolve dead letters, or make resolved ones wait again.
- `offset_set`, `origins`, `index`: which dead letters wait, which are resolved, in bounded memory.
- `resolutions`: who resolved each of them, how and when.
- `resolving`: which dead letters `dlq resolve` marks.
- `values`: the values that dead letters have, for the warning about a filter that selects nothing.
- `selection`: filters, ages and the maximum number of replays: why a dead letter is left alone.
- `forecast`: what a replay sends for a dead letter under the current mapping.
- `summary`: the groups that `dlq list` prints.
- `runbook`: what each reason means, where the fault is, and what to do.
- `masking`: a record's value with personal data masked.
"""
