"""Everything the worker reports: metrics, traces and logs."""
