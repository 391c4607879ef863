"""Writes the checks of what a call means at Customer.io, as inline tests with a function behind each.

What a rule writes itself (a key `recipient`, a literal event name) was checked when the file was read, and costs
nothing here. A test remains where names or values come with the data.
"""

from __future__ import annotations

from worker.customerio.meaning import check_overrides, check_uninstall, may_override
from worker.customerio.notices import Notice
from worker.customerio.profile_limits import (
    MAX_EVENT_NAME_BYTES,
    MAX_TRAIT_BYTES,
    MAX_TRAIT_NAME_BYTES,
    is_too_long,
    trait_excesses,
)
from worker.customerio.reference import RESERVED_PROPERTIES, RESERVED_TRAITS
from worker.mapping.calls.validation import TYPED_TRAITS, check_traits
from worker.mapping.compiler.packable import typed_traits
from worker.mapping.compiler.packed import decode
from worker.mapping.compiler.source import Code
from worker.mapping.compiler.target import ON_EXCESS, ON_NOTICE, WITHIN_TIME, Options
from worker.mapping.files.rules import CallRule, Rule, written_keys

_USUAL_TRAITS = {"email": "str", "unsubscribed": "bool"}

_LEAST_AROUND_TRAITS = 64
"""Bytes of an encoded call besides its traits, at least: its type, an id of one character and a messageId."""


class MeaningCode:
    """Writes the checks of one rule's calls."""

    def __init__(self, code: Code, rule: Rule, options: Options, *, packs: bool) -> None:
        self._packs = packs
        self._code = code
        self._constant = code.constant
        self._rule = rule
        self._options = options

    def text_limit(self, name: str, limit: int, kind: Notice, *, nullable: bool = False) -> None:
        """Write the test of a text's size. Text of a quarter of the limit is short enough in any script."""
        if not self._options.on_excess:
            return
        found = f"{name} is not None and " if nullable else ""
        too_long = f"{self._constant(is_too_long)}({name}, {limit})"
        with self._code.block(f"if {found}len({name}) > {limit // 4} and {too_long}:"):
            self._exceeds(repr(kind.value))

    def literal_name_limit(self, event: str) -> None:
        """Write the report of a literal event name that is too long, as every call of the rule has it."""
        if self._options.on_excess and is_too_long(event, MAX_EVENT_NAME_BYTES):
            self._exceeds(repr(Notice.EVENT_NAME_LENGTH.value))

    def traits_limit(self, call: CallRule, body: str, encoded: str) -> None:
        """Write the test of the traits' sizes, which only a call of a certain size can exceed."""
        traits = call.fields.get("traits")
        if not self._options.on_excess or traits is None:
            return
        written = written_keys(traits)
        if self._packs:
            body = f"{self._constant(decode)}({encoded})"
        known = written is not None and not any(is_too_long(name, MAX_TRAIT_NAME_BYTES) for name in written)
        smallest = MAX_TRAIT_BYTES if known else MAX_TRAIT_NAME_BYTES + _LEAST_AROUND_TRAITS
        with (
            self._code.block(f"if len({encoded}) > {smallest}:"),
            self._code.block(f"for excess in {self._constant(trait_excesses)}({body}):"),
        ):
            self._exceeds("excess")

    def time(self, name: str, latest: str) -> None:
        """Write the test that a time is not too far ahead of its record."""
        with self._code.block(f"if {name} is not None and {name} > {latest}:"):
            within = self._code.own(WITHIN_TIME, "within")
            self._code.line(f"{name} = {within}({name}, record, {self._rule.at!r})")

    def traits(self, call: CallRule, body: str, found: str) -> None:
        """Write the tests of the traits that Customer.io itself reads."""
        traits = call.fields.get("traits")
        if isinstance(traits, dict) and traits.keys().isdisjoint(TYPED_TRAITS[call.spec.type]):
            return
        if self._packs:
            self._packed_traits(call, found)
            return
        self._code.line(f"{self._constant(check_traits)}({body})")
        if call.spec.type == "identify" and written_keys(traits) is None and self._options.on_notice:
            names = " or ".join(f"{name!r} in {found}" for name in RESERVED_TRAITS)
            with self._code.block(f"if {found} and ({names}):"):
                self._notice(repr(Notice.RESERVED_TRAIT.value))

    def _packed_traits(self, call: CallRule, found: str) -> None:
        """Write the same for packed traits of an `identify`: a test, and the check only for those that fail it."""
        given = {name: f"{found}.{name}" for name in typed_traits(call)}
        usual = " and ".join(f"type({text}) is {_USUAL_TRAITS[name]}" for name, text in given.items())
        traits = ", ".join(f"{name!r}: {text}" for name, text in given.items())
        with self._code.block(f"if not ({usual}):"):
            self._code.line(f"{self._constant(check_traits)}({{'type': 'identify', 'traits': {{{traits}}}}})")

    def track(self, call: CallRule, body: str, properties: str | None) -> None:
        """Write the tests of an ordinary `track`: what its properties override, and whether it deletes a device."""
        allow = self._constant(call.allow, "allow")
        if properties is not None and written_keys(call.fields["properties"]) is None:
            names = [
                name
                for name in RESERVED_PROPERTIES
                if name not in call.allow and not (call.event is not None and may_override(call.event, name))
            ]
            if names:
                either = " or ".join(f"{name!r} in {properties}" for name in names)
                with self._code.block(f"if {properties} and ({either}):"):
                    self._code.line(f"{self._constant(check_overrides)}({body}, {allow})")
        if call.event_from is not None and "context" in call.fields:
            self._code.line(f"{self._constant(check_uninstall)}({body}, {allow})")

    def _exceeds(self, kind: str) -> None:
        self._code.line(f"{self._code.own(ON_EXCESS, 'on_excess')}({kind}, {self._rule.at!r})")

    def _notice(self, kind: str) -> None:
        self._code.line(f"{self._code.own(ON_NOTICE, 'on_notice')}({kind}, {self._rule.at!r})")
