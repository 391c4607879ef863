"""The calls of a Python mapper, as Python source: each becomes a `QueuedCall` by a generated function.

There is one function for each builder, with the checks that the builder could not make: what the rule allows and
forbids, and what the mapper may have changed since in the objects that it gave. It looks like this (shortened):

    def finish_track(call, record, key, index, ...):
        body = call._body.copy()
        if 'userId' in body and body['userId'][0] not in safe_starts:
            optional_identity(body['userId'], 'userId', reject_ids)
        ...
        body['messageId'] = f"{id_time}{pairs[since]}{named['track', body['event']]}..."
        encoded = encode(body, 32000)
        return key, encoded + b",", record, index, batch_context(body), "config/mappings/orders.yaml:3"

Calls whose body a mapper has read or set, and plain dicts, are checked in full by a function of the same form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from worker.core.message_id import MessageIds
from worker.core.records import QueuedCall, Record
from worker.customerio.meaning import check_overrides, check_uninstall, has_reserved_traits
from worker.customerio.notices import Notice
from worker.customerio.profile_limits import SHORT_ID, SHORT_NAME, excesses
from worker.customerio.reference import DESTRUCTIVE_CALLS, ID_FIELDS, RESERVED_PROPERTIES
from worker.customerio.semantic import check_semantic
from worker.mapping.calls.assembly import checked
from worker.mapping.calls.encoding import batch_context, encode
from worker.mapping.calls.specs import CALLS, CallSpec
from worker.mapping.calls.validation import check_shared, check_traits, optional_identity
from worker.mapping.compiler.calls import queued
from worker.mapping.compiler.fast_paths import safe_starts
from worker.mapping.compiler.objects import ABOUT, ENVELOPE_ID
from worker.mapping.compiler.records import RecordCode
from worker.mapping.compiler.run_time import need_url, time_of
from worker.mapping.compiler.source import Code
from worker.mapping.compiler.target import ON_EXCESS, ON_NOTICE, WITHIN_TIME, Options, Target
from worker.mapping.expressions.expression import Expression
from worker.mapping.expressions.interpreter import ENVELOPE

Finish = Callable[..., QueuedCall]
"""Checks, completes and encodes a call. Takes the call and `MapperRule.parameters`.

Raises `Rejected` with stage `validate`: what `assembly.checked` and `encoding.encode` raise; `INVALID_TIMESTAMP` for
the time of the record or its envelope; `LIMIT_EXCEEDED`.
"""


@dataclass(frozen=True, slots=True)
class MapperRule:
    """What the calls of a mapper are checked and completed for.

    Attributes:
        at: the rule, as `file:line`.
        allow: what it allows, see `customerio.meaning`.
        reject_ids: casefolded strings that are never real ids.
        options: what the topics' records are converted for.
        envelope_time: the envelope's expression for the time of calls that have none, if it has one.
        record: writes what depends on the record alone.
        parameters: what a `Finish` takes beside the call: these locals of the function that calls it.
    """

    at: str
    allow: frozenset[str]
    reject_ids: frozenset[str]
    options: Options
    envelope_time: Expression | None
    record: RecordCode
    parameters: Sequence[str]

    def time(self, record: Record, about: dict[str, Any] | None = None) -> str | None:
        """The time of a call that has none: the envelope's, or else the record's.

        Raises:
            Rejected: `INVALID_TIMESTAMP`.
        """
        given = self.envelope_time.search({}, {ENVELOPE: about}) if self.envelope_time and about else None
        return time_of(given, record)


class MapperCalls:
    """The functions for the calls of one rule. Each is compiled when the first call that it is for arrives."""

    def __init__(self, rule: MapperRule) -> None:
        self._rule = rule
        self._factories: dict[str | None, Callable[[Target], Finish]] = {}

    def functions(self, target: Target) -> Finishers:
        """Those of one topic."""
        return Finishers(self, target)

    def function(self, name: str | None, target: Target) -> Finish:
        """The function for calls of this builder, or for all others, for one topic."""
        if name not in self._factories:
            self._factories[name] = _FinishCode(self._rule, None if name is None else CALLS[name]).factory()
        return self._factories[name](target)


class Finishers(dict[str | None, Finish]):
    """The functions of one rule and topic, by `Call.untouched`."""

    def __init__(self, calls: MapperCalls, target: Target) -> None:
        super().__init__()
        self._calls = calls
        self._target = target

    def __missing__(self, name: str | None) -> Finish:
        finish = self[name] = self._calls.function(name, self._target)
        return finish


class _FinishCode:
    """Writes a `Finish`.

    Args:
        rule: whose calls are finished.
        spec: of the builder; None for calls that are checked in full.
    """

    def __init__(self, rule: MapperRule, spec: CallSpec | None) -> None:
        self._rule = rule
        self._spec = spec
        self._code = Code()
        self._constant = self._code.constant
        self._record = rule.record.within(self._code, rule.parameters)
        self._allow = self._code.constant(rule.allow, "allow")
        self._reject_ids = self._code.constant(rule.reject_ids, "reject_ids")

    def factory(self) -> Callable[[Target], Finish]:
        code, spec, rule = self._code, self._spec, self._rule
        self._event_id()
        if spec is None:
            self._check_in_full()
        else:
            self._check(spec)
        self._time()
        self._message_id()
        code.line(f"encoded = {self._constant(encode)}(body, {rule.options.max_call_bytes})")
        self._notices()
        code.line(f"return {queued('key', 'encoded', 'index', self._context(), rule.at)}")
        name = f"finish_{spec.name if spec else 'other'}"
        return code.factory(name, ", ".join(("call", *rule.parameters)), f"<{name} of {rule.at}>")

    # Checks

    def _event_id(self) -> None:
        self._code.line("event_id = call.event_id")
        with self._code.block("if event_id is not None:"):
            check = f"{self._constant(optional_identity)}(event_id, 'message_id', {self._reject_ids})"
            self._code.line(f"event_id = {check}")

    def _check_in_full(self) -> None:
        given = f"call.body, allow={self._allow}, reject_ids={self._reject_ids}"
        self._code.line(f"body = {self._constant(checked)}({given})")
        self._code.line("may_exceed = shares = True")

    def _check(self, spec: CallSpec) -> None:
        """Write what `assembly.checked` checks of a call of this builder, except for what the builder has checked."""
        code = self._code
        # A copy, because a mapper may return the same call twice.
        code.line("body = call._body.copy()")
        # Whether it may exceed a limit of the profile, which takes longer to find out.
        code.line("may_exceed = False")
        for field in ID_FIELDS:
            if field in spec.fields:
                self._id(field)
        if spec.name_or_url:  # the mapper may have taken the URL out of the properties since
            with code.block("if 'name' not in body:"):
                code.line(f"{self._constant(need_url)}({spec.name!r}, body.get('properties'))")
        code.line("shares = 'context' in body or 'integrations' in body")
        with code.block("if shares:"):
            code.line(f"{self._constant(check_shared)}(body)")
        if "traits" in spec.fields:
            with code.block("if 'traits' in body:"):
                code.lines(f"""
                    {self._constant(check_traits)}(body)
                    may_exceed = True
                    """)
        if spec.event is not None or spec.name in DESTRUCTIVE_CALLS:
            code.line(f"{self._constant(check_semantic)}(body, {self._allow})")
            code.line("may_exceed = True")
        elif "properties" in spec.fields:
            self._properties(spec)

    def _id(self, field: str) -> None:
        safe = safe_starts(self._rule.reject_ids)
        with self._code.block(f"if {field!r} in body:"):
            self._code.lines(f"""
                found = body[{field!r}]
                if found[0] not in {safe!r}:
                    {self._constant(optional_identity)}(found, {field!r}, {self._reject_ids})
                if len(found) > {SHORT_ID}:
                    may_exceed = True
                """)

    def _context(self) -> str:
        """A Python expression for the batch context of a call that is encoded: only then is it known to be JSON."""
        if not self._rule.options.batch_contexts:
            return "b''"
        return f"{self._constant(batch_context)}(body) if shares else b''"

    def _properties(self, spec: CallSpec) -> None:
        code = self._code
        code.line("properties = body.get('properties')")
        with code.block("if properties:"):
            code.lines("""
                if 'objectId' in properties:
                    may_exceed = True
                """)
            if spec.type == "track":
                overrides = " or ".join(f"{name!r} in properties" for name in RESERVED_PROPERTIES)
                with code.block(f"if {overrides}:"):
                    code.line(f"{self._constant(check_overrides)}(body, {self._allow})")
        if spec.type == "track":
            code.lines(f"""
                if 'context' in body:
                    {self._constant(check_uninstall)}(body, {self._allow})
                if len(body['event']) > {SHORT_NAME}:
                    may_exceed = True
                """)

    # What the call lacks

    def _time(self) -> None:
        code, rule = self._code, self._rule
        about = ", about" if ABOUT in rule.parameters else ""
        with code.block("if 'timestamp' not in body:"):
            code.line(f"time = {self._constant(rule.time, 'time_of')}(record{about})")
            with code.block("if time is not None:"):
                code.line("body['timestamp'] = time")
        if rule.options.future:
            # The record's own time is never ahead of it; an envelope's may be.
            other = "if 'timestamp' in body and" if rule.envelope_time else "elif"
            with code.block(f"{other} body['timestamp'] > {self._record.latest()}:"):
                within = code.own(WITHIN_TIME, "within")
                code.line(f"body['timestamp'] = {within}(body['timestamp'], record, {rule.at!r})")

    def _message_id(self) -> None:
        """Write the id: a plain dict's own; or from the event's own id; or from the record's coordinates."""
        code, ids = self._code, MessageIds
        type_, name = "body['type']", "body.get('event', '')"
        if self._spec is not None:
            type_ = repr(self._spec.type)
            name = "body['event']" if self._spec.type == "track" else "''"
        of_call = f"{type_}, {name}, index"
        with code.block("if 'messageId' not in body:"):
            with code.block("if event_id is not None:"):
                code.line(f"own = {self._constant(ids.for_event)}(event_id, {of_call})")
            if ENVELOPE_ID in self._rule.parameters:
                with code.block(f"elif {ENVELOPE_ID} is not None:"):
                    code.line(f"own = {self._constant(ids.for_event_bytes)}({ENVELOPE_ID}, {of_call})")
            with code.block("else:"):
                code.line(f"own = {self._record.message_id_by_name(type_, name, 'index')}")
            code.line("body['messageId'] = own")

    # What is reported

    def _notices(self) -> None:
        code, options, at = self._code, self._rule.options, self._rule.at
        if options.on_excess:
            with code.block("if may_exceed:"), code.block(f"for kind in {self._constant(excesses)}(body):"):
                code.line(f"{code.own(ON_EXCESS, 'on_excess')}(kind, {at!r})")
        if options.on_notice and (self._spec is None or "traits" in self._spec.fields):
            with code.block(f"if 'traits' in body and {self._constant(has_reserved_traits)}(body):"):
                notice = self._constant(Notice.RESERVED_TRAIT, "reserved_trait")
                code.line(f"{code.own(ON_NOTICE, 'on_notice')}({notice}, {at!r})")
