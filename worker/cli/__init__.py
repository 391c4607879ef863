"""The command line: parses arguments, calls the program, prints the result. It contains no other logic.

Each command has a file with its name. To add one, write the file and register its function in `main.py`. `options.py`
has the options that commands share, `streams.py` makes the standard streams safe, `verdicts.py` prints the result of a
mapping, and `junit.py` writes the report of `test`.

Results go to standard output, messages for people to standard error. Exit codes: 0 done, 1 a check failed,
2 configuration or usage error.

Slow imports are made inside the commands that need them, so that `--help` and `map` start quickly.
"""
