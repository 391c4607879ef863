"""The worker's HTTP endpoints and its status page."""
