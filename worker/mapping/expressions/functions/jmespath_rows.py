"""JMESPath's own functions in the table of functions."""

from __future__ import annotations

from worker.mapping.expressions.functions.function import Function

_LISTS = "`[3, 1, 2]`"
_OBJECTS = """`[{"n": 2}, {"n": 1}]`"""
_ANY_TYPE = "Takes any type."
_NOT_ALIKE = "Null, any other type, and a list with an item of another type: null."

FUNCTIONS = (
    Function("abs(n)", "The number without its sign.", "abs(`-2.5`)", "2.5"),
    Function(
        "avg(numbers)",
        "The average of a list of numbers; null for an empty list.",
        f"avg({_LISTS})",
        "2.0",
        wrong_type=_NOT_ALIKE,
    ),
    Function("ceil(n)", "The number rounded up to a whole number.", "ceil(`1.2`)", "2"),
    Function(
        "contains(subject, search)",
        "Whether a list contains an item, or a text contains another.",
        "contains(['tea', 'pot'], 'tea')",
        "true",
    ),
    Function("ends_with(s, end)", "Whether the text ends with `end`.", "ends_with('a@b.de', '.de')", "true"),
    Function("floor(n)", "The number rounded down to a whole number.", "floor(`1.8`)", "1"),
    Function(
        "join(separator, texts)",
        "The texts of a list joined into one; for numbers use `concat` or `to_string`.",
        "join('/', ['a', 'b'])",
        '"a/b"',
        wrong_type=_NOT_ALIKE,
        fails="A text over `limits.text_length`.",
    ),
    Function("keys(object)", "The object's keys as a list.", """keys(`{"a": 1}`)""", '["a"]'),
    Function("length(subject)", "The number of characters, items or keys.", "length('Grüße')", "5"),
    Function(
        "map(&each, list)",
        "The expression's value for each item; nulls stay.",
        f"map(&n, {_OBJECTS})",
        "[2, 1]",
    ),
    Function(
        "max(list)",
        "The largest item of a list of numbers or of texts; null for an empty list.",
        f"max({_LISTS})",
        "3",
        wrong_type=_NOT_ALIKE,
    ),
    Function(
        "max_by(list, &key)",
        "The item whose key is the largest number or text.",
        f"max_by({_OBJECTS}, &n)",
        '{"n": 2}',
        wrong_type=_NOT_ALIKE,
    ),
    Function(
        "merge(a, b, ...)",
        "One object with the keys of all arguments; if several have a key, the last one wins.",
        """merge(`{"a": 1, "b": 1}`, `{"b": 2}`)""",
        '{"a": 1, "b": 2}',
        least_given=1,
    ),
    Function(
        "min(list)",
        "The smallest item of a list of numbers or of texts; null for an empty list.",
        f"min({_LISTS})",
        "1",
        wrong_type=_NOT_ALIKE,
    ),
    Function(
        "min_by(list, &key)",
        "The item whose key is the smallest number or text.",
        f"min_by({_OBJECTS}, &n)",
        '{"n": 1}',
        wrong_type=_NOT_ALIKE,
    ),
    Function(
        "not_null(a, b, ...)",
        "The first argument that is not null.",
        "not_null(`null`, 'a')",
        '"a"',
        wrong_type=_ANY_TYPE,
        least_given=1,
    ),
    Function("reverse(subject)", "A list or a text in reverse order.", f"reverse({_LISTS})", "[2, 1, 3]"),
    Function(
        "sort(list)",
        "A list of numbers or of texts, sorted.",
        f"sort({_LISTS})",
        "[1, 2, 3]",
        wrong_type=_NOT_ALIKE,
    ),
    Function(
        "sort_by(list, &key)",
        "The list, sorted by each item's key, a number or text.",
        f"sort_by({_OBJECTS}, &n)",
        '[{"n": 1}, {"n": 2}]',
        wrong_type=_NOT_ALIKE,
    ),
    Function(
        "starts_with(s, start)",
        "Whether the text begins with `start`.",
        "starts_with('order.paid', 'order.')",
        "true",
    ),
    Function(
        "sum(numbers)",
        "The sum of a list of numbers; 0 for an empty list.",
        f"sum({_LISTS})",
        "6",
        wrong_type=_NOT_ALIKE,
    ),
    Function(
        "to_array(value)",
        "A list with the value as its only item; a list as it is.",
        "to_array('a')",
        '["a"]',
        wrong_type=_ANY_TYPE,
    ),
    Function(
        "to_number(value)",
        "Text that is a JSON number, as that number; a number as it is; null for anything else.",
        "to_number('1.50')",
        "1.5",
        wrong_type=_ANY_TYPE,
    ),
    Function(
        "to_string(value)",
        "A text as it is; anything else as JSON.",
        "to_string(`[1, true]`)",
        '"[1,true]"',
        wrong_type=_ANY_TYPE,
        fails="A text over `limits.text_length`.",
    ),
    Function("type(value)", "The name of the value's type.", "type(`1`)", '"number"', wrong_type=_ANY_TYPE),
    Function("values(object)", "The object's values as a list.", """values(`{"a": 1}`)""", "[1]"),
)
