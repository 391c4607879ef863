"""The command line: parses, calls, prints; no logic.

main.py is the program as a whole, every other file is a command. Messages for people go to standard error,
standard output carries what was asked for. Exit codes: 0 done, 1 a check failed,
2 configuration or usage error.

Slow imports are made inside the commands that need them, so that `--help` and `map` start at once.
"""
