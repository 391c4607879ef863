"""The command line: parses, calls, prints; no logic.

main.py holds the program as a whole, every other file a command. Messages for people go to standard error,
standard output carries what was asked for. Exit codes: 0 done, 1 something that was checked did not hold,
2 configuration or usage error.

Whatever takes time to import is imported inside the commands that need it: `--help` and `map` answer at once.
"""
