"""From a mapping file to one Python function, of which each topic has a closure."""
