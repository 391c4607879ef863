"""Functions of other languages, and their names in JMESPath."""

from __future__ import annotations

from worker.core.near_matches import did_you_mean
from worker.mapping.expressions import functions

_MEANT: dict[str, tuple[str, ...]] = {
    "length": ("len", "count", "size", "strlen", "char_length", "arraylength", "cardinality"),
    "lower": ("tolower", "tolowercase", "lowercase", "lcase", "downcase", "ascii_downcase", "strtolower"),
    "upper": ("toupper", "touppercase", "uppercase", "ucase", "upcase", "ascii_upcase", "strtoupper"),
    "trim": ("strip", "ltrim", "rtrim", "btrim"),
    "starts_with": ("startswith", "hasprefix", "beginswith"),
    "ends_with": ("endswith", "hassuffix"),
    "contains": ("includes", "in", "has", "indexof", "instr", "include", "list_contains"),
    "to_string": ("str", "string", "tostring", "text", "char"),
    "to_number": (
        "int",
        "integer",
        "to_int",
        "toint",
        "to_float",
        "tofloat",
        "float",
        "number",
        "tonumber",
        "parseint",
        "parsefloat",
        "todouble",
    ),
    "not_null": ("coalesce", "ifnull", "nvl", "isnull", "firstnonnull"),
    "replace": ("gsub", "sub", "replaceall", "translate", "regexreplace"),
    "split": ("explode", "tokenize", "splitstring", "string_split"),
    "keys": ("objectkeys", "getkeys"),
    "values": ("objectvalues", "getvalues"),
    "avg": ("average", "mean"),
    "add": ("plus", "addition"),
    "subtract": ("minus", "sub_number", "difference"),
    "multiply": ("times", "mul", "product"),
    "divide": ("div", "quotient"),
    "sha256": ("sha2", "hash", "sha", "sha_256"),
    "merge": ("assign", "extend", "concat_objects"),
    "type": ("typeof", "gettype"),
    "epoch_seconds": (
        "epoch",
        "unix_timestamp",
        "strptime",
        "timestamp",
        "totimestamp",
        "parsedate",
        "to_epoch",
    ),
    "concat": ("concatenate", "concat_ws", "strcat", "format", "printf", "sprintf"),
    "format_time": (
        "strftime",
        "date_format",
        "dateformat",
        "formatdate",
        "format_date",
        "to_char",
        "todate",
    ),
    "parse_time": ("strptime", "to_timestamp", "parse_date", "str_to_date"),
    "substring": ("substr", "slice", "left", "right", "mid"),
    "if": ("iif", "case", "cond", "ifelse", "iff"),
    "default": ("orelse", "or_else", "getordefault", "ifempty"),
    "md5": ("md5sum",),
    "matches": ("match", "regex", "regexp_match", "test", "rlike", "regexp_like"),
    "parse_json": ("json_parse", "fromjson", "from_json", "json_decode"),
    "base64_encode": ("btoa", "base64", "to_base64"),
    "base64_decode": ("atob", "from_base64", "unbase64"),
    "url_decode": ("decodeuricomponent", "urldecode", "unquote"),
}
"""Each function with its names in other languages, in lower case."""

_NEAREST: dict[str, str] = {"if": "condition && a || b", "default": "a || b"}
"""Suggestions for functions that have no direct equivalent."""


_NOT_NEEDED = {
    **dict.fromkeys(
        ("exists", "exist", "defined", "isset", "is_set", "isnotnull", "is_not_null", "notnull", "present"),
        "write a != `null`",
    ),
    **dict.fromkeys(("is_null", "missing", "isundefined"), "write a == `null`"),
    **dict.fromkeys(("empty", "isempty", "is_empty", "isblank", "is_blank", "blank"), "write !a"),
    **dict.fromkeys(
        ("now", "today", "current_timestamp", "sysdate"), "leave `timestamp` out for the record's time"
    ),
    **dict.fromkeys(
        ("uuid", "uuid4", "guid", "random", "nanoid"), "leave `messageId` out for an id of the record"
    ),
}
"""What operators do, and non-deterministic functions: expressions have none, so that retries send the same bytes."""


def function_hint(name: str) -> str | None:
    """Suggest a function for a name that does not exist."""
    folded = name.lower()
    if folded in _NOT_NEEDED:
        return _NOT_NEEDED[folded]
    for ours, names in _MEANT.items():
        if folded not in names and folded.replace("_", "") not in names and folded != ours:
            continue
        if functions.arity(ours) is not None:
            return f"did you mean '{ours}'?"
        if ours in _NEAREST:
            return _NEAREST[ours]
    return did_you_mean(name, functions.NAMES)
