"""All mapping files of a worker: loaded together, checked against each other, each compiled for its topics.

Example:
    mappings = Mappings.load(["mappings/*.yaml"], mapper_path=["."], base=Path(), dead_letter_topic="dead")
    convert = mappings.converter("orders", MessageIds(cluster_id))
    ignored = convert(records, calls, rejected)  # see `records.Converter`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path

from worker.core.message_id import MessageIds
from worker.core.near_matches import did_you_mean
from worker.core.records import Converter, Record
from worker.customerio.limits import MAX_CALL_BYTES
from worker.customerio.notices import Notice, OnNotice
from worker.documents.problems import ConfigError, Problem
from worker.formats.schemas import SchemaId, Schemas
from worker.formats.with_schema import SchemaFormat
from worker.mapping.compiler.loop import CompiledMapping
from worker.mapping.compiler.target import OnSlow, Options, Profile, Target
from worker.mapping.explaining import Explainer, Explanation
from worker.mapping.expressions.functions.hashes import set_secrets
from worker.mapping.expressions.text_length import MAX_LENGTH, set_limit
from worker.mapping.files.rules import MappingFile
from worker.mapping.files.topics import is_pattern, matches, sample
from worker.mapping.future_times import FutureTimes
from worker.mapping.loading import Loading
from worker.mapping.mappers.loading import Mapper, Mappers
from worker.mapping.schemas_needed import SchemasNeeded, schemas_needed

FetchSchemas = Callable[[Sequence[SchemaId]], None]
"""Fetches the schemas with these ids, and puts them to the others."""


class Mappings:
    """The mapping files, ready to convert the records of each topic. Made by `load`.

    Attributes:
        files: the mapping files.
        warnings: what is valid but probably a mistake.
        schemas: those that were fetched from the registry.
    """

    def __init__(  # noqa: PLR0913 - see `load`
        self,
        files: Sequence[MappingFile],
        mappers: dict[str, Mapper],
        warnings: list[Problem],
        *,
        max_call_bytes: int = MAX_CALL_BYTES,
        batch_contexts: bool = True,
        future: float | None = None,
        profile: Profile = "off",
        schemas: Schemas | None = None,
    ) -> None:
        self.files = list(files)
        self.warnings = warnings
        self._mappers = mappers
        self._max_call_bytes = max_call_bytes
        self._batch_contexts = batch_contexts
        self._future = future
        self._profile = profile
        self.schemas = Schemas() if schemas is None else schemas
        self._needed: dict[str, SchemasNeeded | None] = {}
        self._compiled: dict[tuple[str, Options], CompiledMapping] = {}
        self._explaining: tuple[tuple[str, MessageIds], Explainer] | None = None
        self._fetch: FetchSchemas | None = None

    @classmethod
    def load(  # noqa: PLR0913 - the settings of worker.yaml about mappings; all but the first by name
        cls,
        patterns: Sequence[str],
        *,
        mapper_path: Sequence[str],
        base: Path,
        dead_letter_topic: str,
        max_call_bytes: int = MAX_CALL_BYTES,
        batch_contexts: bool = True,
        text_length: int = MAX_LENGTH,
        secrets: Mapping[str, str | None] | None = None,
        future: float | None = None,
        profile: Profile = "off",
        schemas: Schemas | None = None,
    ) -> Mappings:
        """Load every mapping file.

        Args:
            patterns: file names, with `*` and `**`; relative to the current directory, or else to `base`.
            mapper_path: directories of Python mappers, relative in the same way.
            base: the directory of the file that names these.
            dead_letter_topic: the topic that no mapping may read.
            max_call_bytes: the largest call.
            text_length: the most characters that a function may make, in every expression of the process.
            secrets: the keys of `hmac_sha256` by name, None for one that has no value; in every expression too.
            batch_contexts: False for `batch.context: per_item`, where every batch context is b"".
            future: seconds that a time may be later than its record's (`limits.future`); None for no limit.
            profile: what happens to calls beyond the limits of the Track API (`limits.profile`).
            schemas: those that are fetched from the registry.

        Raises:
            ConfigError: with every problem of every file, warnings included.
        """
        schemas = Schemas() if schemas is None else schemas
        set_limit(text_length)
        set_secrets(secrets or {})
        loading = Loading(Mappers(mapper_path, base), schemas)
        for pattern in patterns:
            loading.read(pattern, base)
        loading.check(dead_letter_topic)
        if any(not problem.warning for problem in loading.problems):
            raise ConfigError(loading.problems)
        return cls(
            loading.files,
            loading.mappers,
            loading.problems,
            max_call_bytes=max_call_bytes,
            batch_contexts=batch_contexts,
            future=future,
            profile=profile,
            schemas=schemas,
        )

    def taking_json(self) -> Mappings:
        """The same mappings for events that people wrote: values are JSON, whatever the topics' formats."""
        taking = copy(self)
        taking.files = [file.taking_json() for file in self.files]
        taking._explaining, taking._needed, taking._compiled = None, {}, {}  # noqa: SLF001 - its own
        return taking

    def fetch_with(self, fetch: FetchSchemas) -> None:
        """Fetch schemas that records need, and that are not there, before these are explained.

        Args:
            fetch: puts the schemas with these ids to the others, or raises an exception.
        """
        self._fetch = fetch

    def prepare(self, topic: str, records: Sequence[Record]) -> None:
        """Fetch the schemas that records of a topic need: before a converter gets them.

        Does nothing where nothing fetches, see `fetch_with`. Raises what that raises.
        """
        needed = None if self._fetch is None else self.schemas_needed(topic)
        if needed is not None and self._fetch is not None:
            missing = needed.missing(records)
            if missing:
                self._fetch(list(dict.fromkeys(id_ for ids in missing.values() for id_ in ids)))

    def prepare_keys(self, topic: str, records: Sequence[Record]) -> None:
        """Fetch the schemas of records' keys, whether rules read keys or not. See `prepare`."""
        file = self.file_of(topic)
        if self._fetch is not None and file is not None and isinstance(file.keys, SchemaFormat):
            self._fetch(list(dict.fromkeys(file.keys.missing(records).values())))

    @property
    def subscriptions(self) -> list[str]:
        """Every topic to subscribe to: exact names and `^patterns$`."""
        return [topic for file in self.files for topic in file.topics]

    @property
    def event_names(self) -> frozenset[str]:
        """The event names that are literal in rules, and so come from no record."""
        calls = (call for file in self.files for rule in file.rules for call in rule.calls)
        return frozenset(call.event for call in calls if call.event is not None)

    def file_of(self, topic: str) -> MappingFile | None:
        """The file whose rules apply to a topic; None if no file covers it.

        Raises:
            ConfigError: two files claim the topic, by patterns.
        """
        found = [file for file in self.files if any(matches(name, topic) for name in file.topics)]
        if len(found) > 1:
            names = " and ".join(file.document.file for file in found)
            raise ConfigError([Problem(f"the topic '{topic}' is claimed by {names}", found[1].document.file)])
        return found[0] if found else None

    def topic_problem(self, topic: str, message: str, hint: str | None = None) -> Problem:
        """A problem with a topic, a name or a pattern, at the place where a file names it."""
        for file in self.files:
            if topic in file.topics:
                return file.document.problem(message, ("topics", file.topics.index(topic)), hint=hint)
        return Problem(message, hint=hint)

    def unknown_topic(self, topic: str) -> str | None:
        """What to say of a topic that no file names, with what was probably meant; None if a file does."""
        if self.file_of(topic) is not None:
            return None
        known = self.subscriptions
        if topic in known:
            examples = sample(topic)[:1]
            return " such as ".join([f"'{topic}' is a pattern: name a topic that it matches", *examples])
        hint = did_you_mean(topic, [name for name in known if not is_pattern(name)])
        said = f"no mapping names the topic '{topic}'; there are: {', '.join(known)}"
        return f"{said} ({hint})" if hint else said

    def conditional_rules(self, topic: str) -> list[str]:
        """The topic's rules that have a `when`, as `file:line`."""
        file = self.file_of(topic)
        return [rule.at for rule in file.rules if rule.when is not None] if file else []

    def schemas_needed(self, topic: str) -> SchemasNeeded | None:
        """What a topic's records need from a schema registry before they can be mapped; None for nothing."""
        if topic not in self._needed:  # each slice of records asks
            file = self.file_of(topic)
            self._needed[topic] = None if file is None else schemas_needed(file)
        return self._needed[topic]

    @property
    def needs_registry(self) -> Problem | None:
        """Where a file first asks for a schema registry; None if none does."""
        for file in self.files:
            if file.encodings.needs_registry:
                key = "format" if "format" in file.document.data else "key_format"
                hint = "set schema_registry.url in worker.yaml, or name a file in `schema`"
                return file.document.problem("this format needs a schema registry", (key,), hint=hint)
        return None

    def converter(
        self,
        topic: str,
        ids: MessageIds,
        on_slow: OnSlow | None = None,
        on_no_call: Callable[[str], object] | None = None,
        on_notice: OnNotice | None = None,
    ) -> Converter | None:
        """Make the function that converts a topic's records. Keep it: it remembers parts of earlier records.

        The first call for a mapping file is slow, because it compiles the file. Any thread may call this.

        Args:
            topic: the topic's name.
            ids: of the cluster that the topic is in.
            on_slow: called when a mapper took over a second, with its name and the seconds.
            on_no_call: called when a rule made no call of a record, with the rule as `file:line`.
            on_notice: called for calls that are sent but may not have the intended effect.

        Returns:
            See `records.Converter`; None if no mapping file covers the topic.
        """
        file = self.file_of(topic)
        if file is None:
            return None
        target = replace(self._target(topic, ids, on_notice), on_slow=on_slow, on_no_call=on_no_call)
        return self._compiled_for(file, target.options).converter(target)

    def source(self, topic: str, ids: MessageIds) -> str | None:
        """The Python source that `converter` compiles; None if no mapping file covers the topic."""
        file = self.file_of(topic)
        if file is None:
            return None
        return self._compiled_for(file, self._target(topic, ids, _ignore_notice).options).source()

    def _compiled_for(self, file: MappingFile, options: Options) -> CompiledMapping:
        key = file.document.file, options
        found = self._compiled.get(key)
        # Of two threads, both get the one that is kept.
        return found or self._compiled.setdefault(key, CompiledMapping(file, options, self._mappers))

    def explain(self, record: Record, ids: MessageIds) -> Explanation:
        """Explain what the mapping makes of one record. Raises what fetching its schema raises, see `fetch_with`."""
        self.prepare(record.topic(), [record])
        file = self.file_of(record.topic())
        if file is None:
            return Explanation(ignored="no mapping file names the topic")
        if self._explaining is None or self._explaining[0] != (record.topic(), ids):
            # Kept for the next record, which is usually of the same topic.
            explainer = Explainer(file, self._mappers, partial(self._target, record.topic(), ids))
            self._explaining = (record.topic(), ids), explainer
        return self._explaining[1].explain(record)

    def _target(self, topic: str, ids: MessageIds, on_notice: OnNotice | None = None) -> Target:
        future = None if self._future is None else FutureTimes(round(self._future * 1000), on_notice)
        return Target(
            topic, ids, self._max_call_bytes, self._batch_contexts, future, self._profile, on_notice
        )


def _ignore_notice(_kind: Notice, _rule: str) -> None:
    """In place of a worker's `on_notice`, so that the printed source is the one that a worker runs."""
