"""Functions of other languages, and their names in JMESPath."""

from __future__ import annotations

from worker.core.near_matches import did_you_mean
from worker.mapping.expressions import functions

_MEANT: dict[str, str] = {
    "length": "len count size strlen char_length arraylength cardinality",
    "lower": "tolower tolowercase lowercase lcase downcase ascii_downcase strtolower",
    "upper": "toupper touppercase uppercase ucase upcase ascii_upcase strtoupper",
    "trim": "strip ltrim rtrim btrim",
    "starts_with": "startswith hasprefix beginswith",
    "ends_with": "endswith hassuffix",
    "contains": "includes in has indexof instr include list_contains",
    "to_string": "str string tostring text char stringify json_stringify json_dumps tojson to_json",
    "to_number": "int integer to_int toint to_float tofloat float number tonumber parseint parsefloat todouble decimal",
    "replace": "sub translate replaceall",
    "replace_regex": "gsub regexreplace regexp_replace regex_replace re_sub",
    "split": "explode tokenize splitstring string_split",
    "keys": "objectkeys getkeys",
    "values": "objectvalues getvalues",
    "avg": "average mean",
    "add": "plus addition",
    "subtract": "minus sub_number difference",
    "multiply": "times mul product",
    "divide": "div quotient",
    "sha256": "sha2 hash sha sha_256",
    "hmac_sha256": "hmac hmacsha256 hmac_sha2 sha256_hmac",
    "merge": "assign extend concat_objects update",
    "type": "typeof gettype",
    "epoch_seconds": "epoch unix_timestamp timestamp totimestamp to_epoch to_unixtime tounixtime",
    "concat": "concatenate concat_ws strcat format printf sprintf",
    "format_time": "strftime date_format dateformat formatdate format_date to_char",
    "parse_time": "strptime to_timestamp parse_date parsedate str_to_date parsetime",
    "add_time": "date_add dateadd timedelta date_sub adddays plusdays addtime",
    "date": "to_date todate date_trunc getdate",
    "substring": "substr slice left right mid",
    "pad_left": "lpad padstart zfill rjust leftpad",
    "format_number": "tofixed number_format fixed",
    "pick": "project select_keys subset",
    "omit": "without except delete remove del unset drop",
    "to_entries": "entries items objectentries",
    "from_entries": "fromentries from_items object_from_entries to_object zip",
    "if": "iif case cond ifelse iff",
    "default": "orelse or_else getordefault ifempty",
    "try": "try_cast rescue safe",
    "lookup": "vlookup xlookup map_get dict_get",
    "md5": "md5sum",
    "matches": "match regex regex_match regexmatch re_match regexp_match test rlike regexp_like regexp search",
    "extract": "regexp_extract regexp_substr regex_extract capture regexextract",
    "parse_json": "json_parse fromjson from_json json_decode json_loads json jsonparse",
    "base64_encode": "btoa base64 to_base64 b64encode",
    "base64_decode": "atob from_base64 unbase64 b64decode",
    "url_decode": "decodeuricomponent decodeuri urldecode unquote",
}
"""Each function with its names in other languages, in lower case."""

_FUNCTION_OF = {name: ours for ours, names in _MEANT.items() for name in names.split()}

_NOT_NEEDED = {
    **dict.fromkeys(
        ("exists", "exist", "defined", "isset", "is_set", "isnotnull", "is_not_null", "notnull", "present"),
        "write a != `null`",
    ),
    **dict.fromkeys(
        ("coalesce", "ifnull", "nvl", "isnull", "firstnonnull"),
        "did you mean 'default', or 'not_null' for more than two?",
    ),
    **dict.fromkeys(("first", "head"), "write a[0] (for a projection: a[].b | [0])"),
    **dict.fromkeys(("last", "tail"), "write a[-1] (for a projection: a[].b | [-1])"),
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
    ours = _FUNCTION_OF.get(folded) or _FUNCTION_OF.get(folded.replace("_", ""), folded)
    if functions.arity(ours) is not None:
        return f"did you mean '{ours}'?"
    return did_you_mean(name, functions.NAMES)
