"""Reads worker.yaml and the environment into `Settings`, or reports everything that is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from worker.core.near_matches import did_you_mean
from worker.documents.document import Document, parse
from worker.documents.document import Path as KeyPath
from worker.documents.files import read_file
from worker.documents.interpolation import interpolate
from worker.documents.problems import ConfigError, Problem
from worker.settings.conflicts import conflicts_in
from worker.settings.secret_files import SecretFiles
from worker.settings.secret_values import NO_VALUE
from worker.settings.tree import Settings
from worker.settings.values import NULLS, EnvironmentText, InvalidValueError
from worker.settings.warnings import warnings_about

PREFIX = "WORKER__"
"""Environment variables that override a key: `WORKER__SECTION__KEY`."""

_NO_FILE = "`pipelines-worker init` writes one to start with; --config chooses another"
_API_KEY: KeyPath = ("pipelines", "api_key")
_KEY_VARIABLE = "PIPELINES_API_KEY"

NO_KEY = "there is no API key", f"set {_KEY_VARIABLE}"
"""The problem with `pipelines.api_key` where a command needs one, and what to do."""

_AS_JSON: dict[KeyPath, type] = {
    ("kafka", "properties"): dict,
    ("kafka", "auth"): dict,
    ("secrets",): dict,
    ("mapper_path",): list,
    ("mappings",): list,
}
"""Keys whose variable holds JSON of this type."""

_NULLABLE: set[KeyPath] = {("kafka", "auth")}
_JSON_EXAMPLES: dict[KeyPath, str] = {
    ("kafka", "properties"): '{"security.protocol": "SSL"}',
    ("kafka", "auth"): '{"type": "aws_msk_iam", "region": "eu-west-1"}',
    ("secrets",): '{"pepper": "..."}',
}


def load_settings(path: str | Path, environ: Mapping[str, str], *, needs_key: bool) -> Settings:
    """Read worker.yaml.

    Args:
        path: the file, as the user named it.
        environ: the environment: for `${NAME}` in the file, and for overrides `WORKER__SECTION__KEY`.
        needs_key: whether a missing key is an error: only commands that deliver need one.

    Raises:
        ConfigError: with every problem, each at its line and column or its variable's name. It never repeats a
            value. `SettingsError` where enough is valid to check the mappings too.
    """
    sources = _Sources(parse(read_file(path, missing=_NO_FILE), str(path)), _overrides(environ))
    values = sources.values(environ, needs_secrets=needs_key)
    sources.read_secrets(values, needed=needs_key)
    settings = sources.validated(values)
    if needs_key and not _has_key(values) and _API_KEY not in sources.secrets.missing:
        sources.problems.append(sources.problem_at(_API_KEY, *NO_KEY))
    if settings:
        sources.locate(settings, sources.warnings(settings))
        sources.problems += [sources.problem_at(*each) for each in conflicts_in(settings)]
    if sources.problems or settings is None:
        raise _failure(sorted(sources.problems, key=_by_place), settings or sources.remaining(values))
    return settings


class SettingsError(ConfigError):
    """The settings are invalid, but the mappings can still be checked.

    Attributes:
        remaining: the settings without the invalid ones, only for finding more problems.
    """

    def __init__(self, problems: list[Problem], remaining: Settings) -> None:
        super().__init__(problems)
        self.remaining = remaining


def _failure(problems: list[Problem], remaining: Settings | None) -> ConfigError:
    return SettingsError(problems, remaining) if remaining else ConfigError(problems)


def _overrides(environ: Mapping[str, str]) -> dict[KeyPath, tuple[str, str]]:
    """The key that each variable overrides, with the variable's name and text."""
    names = sorted(name for name in environ if name.startswith(PREFIX))
    return {tuple(name.removeprefix(PREFIX).lower().split("__")): (name, environ[name]) for name in names}


@dataclass
class _Sources:
    """A settings file and the variables that override it: the values, and where each comes from."""

    document: Document
    overrides: dict[KeyPath, tuple[str, str]]
    problems: list[Problem] = field(default_factory=list)
    wrong: list[KeyPath] = field(default_factory=list)
    secrets: SecretFiles = field(default_factory=SecretFiles)

    @property
    def base(self) -> Path:
        """The folder of the file, which relative paths may be relative to."""
        return Path(self.document.file).parent

    def values(self, environ: Mapping[str, str], *, needs_secrets: bool) -> dict[str, Any]:
        """The values of the file, with the environment's variables and overrides."""
        data = self.document.data if self.document.data is not None else {}
        if not isinstance(data, dict):
            raise ConfigError([self.document.problem("must be a mapping of sections", (), hint="kafka: ...")])
        written = replace(self.document, data=_without(data, self.overrides))
        values: dict[str, Any] = _marked(
            written.data, self._filled(written, environ, needs_secrets=needs_secrets)
        )
        for name in _fields(()):
            if values.get(name, name) is None and _fields((name,)):
                values[name] = {}
        if "api_key" not in _section(values, "pipelines"):
            _put(values, _API_KEY, EnvironmentText(environ.get(_KEY_VARIABLE, "")))
        for path, (name, text) in self.overrides.items():
            self._override(values, path, name, text)
        return values

    def _filled(self, document: Document, environ: Mapping[str, str], *, needs_secrets: bool) -> Any:
        secrets = [("secrets", name) for name in _section(document.data, "secrets")]
        try:
            return interpolate(
                document, environ, optional=[_API_KEY, *([] if needs_secrets else secrets)]
            ).data
        except ConfigError as error:
            self.problems += error.problems
        # The rest is validated too, without what is missing.
        return interpolate(document, environ, optional=document.places).data

    def _override(self, values: dict[str, Any], path: KeyPath, name: str, text: str) -> None:
        is_json = path in _AS_JSON and not (path in _NULLABLE and text in NULLS)
        problem = _misplaced(path, name) or (_not_json(text, path, name) if is_json else None)
        if problem:
            self.problems.append(problem)
        else:
            _put(values, path, json.loads(text) if is_json else EnvironmentText(text))

    def read_secrets(self, values: dict[str, Any], *, needed: bool) -> None:
        """Put the texts of files in the place of `{file: path}`; one that cannot be read is a problem if needed."""
        self.secrets.fill_in(values, self.base)
        self.problems += [self.problem_at(path, *why) for path, why in self.secrets.invalid.items()]
        missing = [path for path in self.secrets.missing if path[0] == "secrets"]
        if needed:
            empty = [name for name, value in _section(values, "secrets").items() if value in (None, "")]
            self.problems += self._missing_files()
            self.problems += [self.problem_at(("secrets", name), *NO_VALUE) for name in empty]
        for path in missing:
            _put(values, path, None)

    def _missing_files(self, section: KeyPath = ()) -> list[Problem]:
        missing = self.secrets.missing.items()
        return [self.problem_at(path, why) for path, why in missing if path[: len(section)] == section]

    def locate(self, settings: Settings, warnings: Iterable[Problem]) -> None:
        """Tell the settings where they came from."""
        settings.locate(self.base, self.problem_at, warnings)
        settings.kafka.leave_out(tuple(self._missing_files(("kafka", "properties"))))
        settings.pipelines.locate_key(self.secrets.files.get(_API_KEY))

    def validated(self, values: dict[str, Any]) -> Settings | None:
        """The settings; None if they are invalid, and then the reasons are among the problems."""
        try:
            return Settings.model_validate(values)
        except ValidationError as error:
            known = {(problem.line, problem.column) for problem in self.problems if problem.line}
            found = [self._translated(details) for details in error.errors(include_url=False)]
            self.problems += [one for one in found if (one.line, one.column) not in known]
        return None

    def remaining(self, values: dict[str, Any]) -> Settings | None:
        """The settings without the invalid ones; None if it is unknown which mappings to check."""
        if any(path[0] in {"mappings", "mapper_path"} for path in self.wrong):
            return None
        try:
            settings = Settings.model_validate(_without(values, dict.fromkeys(self.wrong)))
        except ValidationError:
            return None
        self.locate(settings, [])
        return settings

    def _translated(self, error: ErrorDetails) -> Problem:
        path = tuple(step for step in error["loc"] if step != "[key]")
        self.wrong.append(path)
        if error["type"] == "extra_forbidden":
            known = list(_fields(path[:-1]))
            hint = did_you_mean(str(path[-1]), known) or f"known here: {', '.join(known)}"
            return self.problem_at(path, "unknown key", hint, key=True)
        wrong = error.get("ctx", {}).get("error")
        if isinstance(wrong, InvalidValueError):
            path = (*path, wrong.key) if wrong.key else path
            return self.problem_at(path, wrong.message, wrong.hint)
        return self.problem_at(path, _sentence(error))

    def problem_at(
        self, path: KeyPath, message: str, hint: str | None = None, *, key: bool = False
    ) -> Problem:
        """A problem with the value of a key, at the place that the value came from."""
        message = f"{_dotted(path)}: {message}"
        prefixes = [path[:length] for length in range(len(path), 0, -1)]
        for prefix in prefixes:  # a variable that holds JSON replaces all that the file has below its key
            if prefix in self.overrides:
                return Problem(message, self.overrides[prefix][0], hint=hint)
        for prefix in prefixes:
            if prefix in self.document.places:
                return self.document.problem(message, prefix, key=key or prefix != path, hint=hint)
        return Problem(message, self.document.file, hint=hint)

    def warnings(self, settings: Settings) -> list[Problem]:
        """Warnings about the settings and where they come from."""
        found = list(warnings_about(settings))
        literal = _section(self.document.data or {}, "pipelines").get("api_key")
        if isinstance(literal, str) and "${" not in literal:
            hint = "take it from the environment: ${PIPELINES_API_KEY}"
            found.append((_API_KEY, "the key is in the file", hint))
        problems = [*(self.problem_at(*one) for one in found), *self._missing_files()]
        return [replace(one, warning=True) for one in problems]


def _has_key(values: Mapping[str, Any]) -> bool:
    return bool(str(_section(values, "pipelines").get("api_key") or "").strip())


def _by_place(problem: Problem) -> tuple[bool, int, int]:
    """In the order of the file, then variables."""
    return problem.file is None or problem.line is None, problem.line or 0, problem.column or 0


def _dotted(path: KeyPath) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _section(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = values.get(name)
    return section if isinstance(section, Mapping) else {}


def _put(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    *sections, key = path
    for name in sections:
        inner = values.get(str(name))
        values[str(name)] = values = dict(inner) if isinstance(inner, Mapping) else {}
    values[str(key)] = value


def _without(data: Any, left_out: Mapping[KeyPath, Any], path: KeyPath = ()) -> Any:
    """The values, except those of some keys."""
    if not isinstance(data, dict):
        return data
    kept = {key: value for key, value in data.items() if (*path, key) not in left_out}
    return {key: _without(value, left_out, (*path, key)) for key, value in kept.items()}


def _marked(written: Any, filled: Any) -> Any:
    """The values, with text from variables marked as `EnvironmentText`."""
    if isinstance(filled, dict):
        return {key: _marked(written[key], value) for key, value in filled.items()}
    if isinstance(filled, list):
        return [_marked(*pair) for pair in zip(written, filled, strict=True)]
    return EnvironmentText(filled) if isinstance(filled, str) and filled != written else filled


def _fields(path: KeyPath) -> Mapping[str, FieldInfo]:
    """The keys of a section, or of the whole file at `()`; none where `path` is not a section."""
    model: type[BaseModel] = Settings
    for step in path:
        declared = model.model_fields.get(str(step))
        section = declared and _section_type(declared.annotation)
        if not section:
            return {}
        model = section
    return model.model_fields


def _section_type(annotation: Any) -> type[BaseModel] | None:
    """The section that a key is, or may be if it is not null."""
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None


def _misplaced(path: KeyPath, name: str) -> Problem | None:
    """What is wrong with the name of an overriding variable."""
    if not _fields(path[:-1]) and path[:2] == ("kafka", "properties"):
        return Problem("properties are set together", name, hint="WORKER__KAFKA__PROPERTIES takes JSON")
    if path[0] == "secrets" and len(path) > 1:
        return Problem("secrets are set together", name, hint="WORKER__SECRETS takes JSON")
    if path in _AS_JSON or (path[-1] in _fields(path[:-1]) and not _fields(path)):
        return None
    known = [PREFIX + variable for variable in _variables()]
    return Problem("overrides no key", name, hint=did_you_mean(name, known))


def _variables() -> list[str]:
    sections = [(name, list(_fields((name,)))) for name in _fields(())]
    return [f"{name}__{key}".upper() for name, keys in sections for key in keys] + [
        name.upper() for name, keys in sections if not keys
    ]


def _not_json(text: str, path: KeyPath, name: str) -> Problem | None:
    kind = _AS_JSON[path]
    example = _JSON_EXAMPLES.get(path, '["config/mappings/*.yaml"]')
    try:
        fits = isinstance(json.loads(text), kind)
    except ValueError:
        fits = False
    return None if fits else Problem("must be JSON", name, hint=f"such as {example}")


_SENTENCES = {
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
    "model_type": "must be a mapping of keys",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
}


def _sentence(error: ErrorDetails) -> str:
    """Pydantic's error in our words, without the value."""
    sentence = _SENTENCES.get(error["type"])
    return sentence.format(**error.get("ctx", {})) if sentence else error["msg"]
