"""Which calls are packed: see `packed`."""

from __future__ import annotations

from typing import Any

import orjson

from worker.mapping.calls.validation import TYPED_TRAITS
from worker.mapping.compiler.packed import encode
from worker.mapping.expressions import ir
from worker.mapping.expressions.expression import Expression
from worker.mapping.files.rules import CallRule, Rule

_RETURN_TEXT = (
    "lower upper trim concat join replace sha256 to_string rfc3339 substring pad_left replace_regex base64_encode"
    " base64_decode url_decode md5 hmac_sha256 format_number parse_time format_time add_time date type"
)
_EXACT_RESULTS = frozenset(f"{_RETURN_TEXT} length starts_with ends_with contains matches not_null".split())
"""Functions that return text, a boolean, a small number, or one of their arguments."""


def packs(rule: Rule) -> bool:
    """Whether all calls of a rule are packed, if usual events are decoded to exact values."""
    return all(_packs(call, send_nulls=rule.send_nulls) for call in rule.calls)


def _packs(call: CallRule, *, send_nulls: bool) -> bool:
    spec = call.spec
    plain = not spec.event and spec.fallback is None and not spec.name_or_url
    at_top = all(spec.fields[name].places in {((name,),), ()} for name in call.fields)
    objects = [call.fields[name] for name in ("properties", "traits") if name in call.fields]
    typed = typed_traits(call)
    return (
        plain
        and at_top
        and call.fields.keys().isdisjoint({"context", "integrations"})
        and all(isinstance(given, dict) for given in objects)
        and not (typed and (send_nulls or spec.type != "identify"))
        and _is_exact(call.event)
        and all(
            _is_exact(value.value if isinstance(value, Expression) else value) for _, value in call.values()
        )
    )


def typed_traits(call: CallRule) -> list[str]:
    """The traits of a call that Customer.io itself reads."""
    traits = call.fields.get("traits")
    names = TYPED_TRAITS.get(call.spec.type, ())
    return [name for name in names if name in traits] if isinstance(traits, dict) else []


def _is_exact(value: Any) -> bool:
    """Whether both encoders write the same for all values of an expression, or for a value of the mapping file."""
    match value:
        case ir.Call() if value.name not in _EXACT_RESULTS:
            return False
        case ir.Kafka() | ir.Envelope() | ir.Library() | ir.Lookup():
            return False
        case ir.Let() | ir.Literal():
            return _is_exact(value.value)
        case _ if isinstance(value, ir.Node):
            return all(map(_is_exact, ir.operands(value)))
    try:
        return encode(value) == orjson.dumps(value)
    except (TypeError, UnicodeEncodeError):
        return False
