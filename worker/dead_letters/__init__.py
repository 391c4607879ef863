"""Dead letters: what they say, which of them still wait, and what a replay would do with each. No I/O.

- `letter`: a record of the dead-letter topic, read: a letter with its origin, a mark, or neither.
- `offset_set`, `origins`, `index`: which letters are resolved and which are superseded, in bounded memory.
- `selection`: filters, ages and the cap on replays: why a letter is left alone.
- `admission`: a letter through today's mapping: what a replay would send of it.
- `summary`: the groups that `dlq list` shows.
- `advice`: what each reason means, whose fault it is, and what to do.
- `masking`: a letter's value as it may be shown to whoever looks over a shoulder.
"""
