"""What the schemas of a topic contradict in its mapping file.

    for problem in schema_findings(document, {"orders-value": versions}):
        print(problem)

`reading` follows each expression through a description of the event, `types` and `comparisons` say which types
functions, fields of calls and comparisons take, `findings` compares what was found in several versions.
"""

from worker.mapping.files.lint.schemas.findings import Version, schema_findings

__all__ = ["Version", "schema_findings"]
