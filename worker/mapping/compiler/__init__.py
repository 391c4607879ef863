"""From a mapping file to one Python function for each topic."""
