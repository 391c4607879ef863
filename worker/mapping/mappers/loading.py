"""Loads Python mappers by name, and runs them so that a failure rejects only the one record."""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

from worker.core.faults import type_name
from worker.core.near_matches import did_you_mean
from worker.core.reasons import Rejected, Stage
from worker.core.records import MAX_CALLS_PER_RECORD, MappingInterrupted
from worker.mapping.calls.builders import Reject
from worker.mapping.calls.call import Call
from worker.mapping.mappers.event import Event
from worker.mapping.mappers.import_path import add_to_path, is_standard, is_standard_function, name_clashes

ENTRY_POINT_GROUP = "pipelines_worker.mappers"
"""The entry point group in which installed packages offer mappers."""

SLOW_SECONDS = 1.0
"""Mappers that take longer are reported, because every record behind them waits."""


Answer = Call | Mapping[str, Any] | Iterable[Call | Mapping[str, Any]] | None
"""What a mapper may return: calls, plain dicts in the API's format, or None to ignore the record."""


class MapperProblem(Exception):  # noqa: N818 - becomes a `Problem` of the file that names the mapper
    """Why a mapper cannot be used.

    Attributes:
        message: what is wrong.
        hint: what to do about it.
        file: where its module fails, if it does.
        line: the line there.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, file: str | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.file = file
        self.line = line


@dataclass(frozen=True, slots=True)
class Mapper:
    """A loaded mapper.

    Attributes:
        name: its name in the rule: `module:function`, or an entry point's name.
        function: takes an `Event`.
        folders: file names in details of rejections are relative to these.
        on_error: called with each unexpected exception that the function raises. Its message may quote the record, so
            this is only for commands that show a user local data.
    """

    name: str
    function: Callable[[Event], Answer]
    folders: tuple[Path, ...] = ()
    on_error: Callable[[BaseException], None] | None = None

    def answer(self, event: Event, on_slow: Callable[[str, float], None] | None = None) -> Call | list[Call]:
        """Run the mapper; returns its call or its calls, which are not checked yet. A plain dict is one without a name.

        Args:
            event: the event.
            on_slow: called with its name and the seconds it took, if those were more than `SLOW_SECONDS`.

        Raises:
            Rejected: with stage `map`: the code of the `Reject` it raised, `MAPPER_FAILED`,
                `MAPPER_RETURNED_JUNK` or `TOO_MANY_CALLS`; with stage `validate`: what a builder raised.
        """
        started = perf_counter()
        try:
            returned = self.function(event)
            calls = returned if isinstance(returned, Call) else _listed(returned)  # most return one
        except (KeyboardInterrupt, MappingInterrupted):
            raise
        except BaseException as error:  # noqa: BLE001 - user code must cost one record only, even with SystemExit
            raise self._rejection(error) from None
        seconds = perf_counter() - started
        if seconds > SLOW_SECONDS and on_slow is not None:
            on_slow(self.name, seconds)
        return calls

    def _rejection(self, error: BaseException) -> Rejected:
        """The rejection of a record on which the function raised this."""
        place = self._place(error)
        if isinstance(error, Rejected):  # by a builder, which does not know the mapper's line
            return Rejected(error.stage, error.reason, f"{place}: {error.detail}")
        if isinstance(error, Reject):
            code = Reject(getattr(error, "code", "")).code  # a subclass may have set any value
            return Rejected(Stage.MAP, code, f"{place}: the mapper rejected the record.")
        if self.on_error is not None:
            self.on_error(error)
        # Only the exception's type: a message may quote data, such as the key of a KeyError.
        return Rejected(Stage.MAP, "MAPPER_FAILED", f"{place}: {type_name(error)}")

    def _place(self, error: BaseException) -> str:
        """The last line of the mapper's own file in an error's traceback."""
        own = code_file(self.function)
        lines = [
            line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == own
        ]
        return f'File "{_relative(own, self.folders)}", line {lines[-1]}' if lines else f"mapper {self.name}"


class Mappers:
    """Loads mappers by name. A module is imported when the first rule names it.

    Args:
        mapper_path: directories to import from, after everything that is installed.
        base: what a relative one is relative to where the current directory does not have it.

    Attributes:
        clashes: why a module in one of the directories cannot be used, by its name.
    """

    def __init__(self, mapper_path: Sequence[str | Path] = (), base: Path = Path()) -> None:
        self._folders = tuple(_resolved(Path(folder), base) for folder in mapper_path)
        add_to_path(self._folders)
        self.clashes = name_clashes(self._folders)

    def load(self, name: str) -> Mapper:
        """Load the mapper called `module:function`, or by an entry point's name.

        Raises:
            MapperProblem: it does not exist, its module fails, or it cannot be called with one event.
        """
        found = self._find(name)
        _check_signature(name, found)
        return Mapper(name, found, self._folders)

    def provider(self, name: str) -> Callable[[], Any]:
        """A function without arguments, found as mappers are: the provider of `kafka.auth`.

        Raises:
            MapperProblem: it does not exist, its module fails, or it cannot be called without arguments.
        """
        found = self._find(name)
        _check_plain_function(name, found)
        try:
            inspect.signature(found).bind()
        except (TypeError, ValueError):
            hint = f"def {name.rpartition(':')[2]}() -> tuple[str, float]"
            raise MapperProblem(f"{name} cannot be called without arguments", hint=hint) from None
        provider: Callable[[], Any] = found
        return provider

    def _find(self, name: str) -> Any:
        module, colon, function = name.partition(":")
        found = self._function(module, function) if colon else self._entry_point(name)
        if is_standard_function(found):
            raise _standard(name)
        return found

    def _function(self, module: str, function: str) -> Any:
        loaded = self._import(module)
        if not hasattr(loaded, function):
            own = [name for name, value in vars(loaded).items() if inspect.isfunction(value)]
            raise MapperProblem(
                f"module {module} has no function {function}", hint=did_you_mean(function, own)
            )
        return getattr(loaded, function)

    def _import(self, module: str) -> Any:
        if is_standard(module):
            raise _standard(module)
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            # The module itself or a parent package is missing; not a module that it imports.
            if error.name and f"{module}.".startswith(f"{error.name}."):
                raise MapperProblem(f"there is no module {module}", hint=self._looked_in()) from None
            raise self._module_fails(module, error) from None
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's module may raise anything
            raise self._module_fails(module, error) from None

    def _module_fails(self, module: str, error: BaseException) -> MapperProblem:
        """Describe why a module cannot be imported, with the last place in the user's own files if there is one."""
        if isinstance(error, SyntaxError):
            file, line = error.filename, error.lineno
            return MapperProblem(
                f"module {module} is not Python: {error.msg}", file=self._named(file), line=line
            )
        places = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
        own = [place for place in places if any(Path(place[0]).is_relative_to(top) for top in self._folders)]
        others = [place for place in places if "importlib" not in place[0] and place[0] != __file__]
        file, line = (own or others)[-1] if own or others else (None, None)
        what = f"{type_name(error)}: {error}" if isinstance(error, ImportError) else type_name(error)
        return MapperProblem(f"module {module} cannot be imported: {what}", file=self._named(file), line=line)

    def _named(self, file: str | None) -> str | None:
        return None if file is None else _relative(file, (Path.cwd(), *self._folders))

    def _looked_in(self) -> str:
        folders = ", ".join(map(str, self._folders)) or "no mapper_path"
        return f"looked in {folders}, and in the installed packages"

    def _entry_point(self, name: str) -> Any:
        points = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
        if name not in points:
            hint = did_you_mean(name, points) or "write module:function"
            raise MapperProblem(f"no installed package offers {name}", hint=hint)
        if is_standard(points[name].module):
            raise _standard(name)
        try:
            return points[name].load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's module may raise anything
            raise self._module_fails(points[name].module, error) from None


def _listed(answer: Any) -> list[Call]:
    """Return a mapper's result as a list; a generator is run here, up to the limit of calls."""
    if answer is None:
        return []
    if isinstance(answer, (dict, Mapping)):  # dict first, here and below: testing for Mapping is slower
        return [Call("", dict(answer))]
    if not isinstance(answer, (list, Generator)):
        if inspect.iscoroutine(answer):
            answer.close()
        if isinstance(answer, str | bytes) or not isinstance(answer, Iterable):
            _refuse_junk()
    listed = list(islice(answer, MAX_CALLS_PER_RECORD + 1))
    if len(listed) > MAX_CALLS_PER_RECORD:
        detail = f"A record becomes at most {MAX_CALLS_PER_RECORD} calls."
        raise Rejected(Stage.MAP, "TOO_MANY_CALLS", detail)
    if not all(isinstance(item, (Call, dict, Mapping)) for item in listed):
        _refuse_junk()
    return [item if isinstance(item, Call) else Call("", dict(item)) for item in listed]


def _refuse_junk() -> NoReturn:
    detail = "A mapper returns a call, a dict, several of them, or None."
    raise Rejected(Stage.MAP, "MAPPER_RETURNED_JUNK", detail)


def _standard(name: str) -> MapperProblem:
    hint = "name a function of your own: module:function, with a module in mapper_path"
    return MapperProblem(f"{name} is part of Python's standard library, which has none", hint=hint)


def _check_signature(name: str, function: Any) -> None:
    """Refuse anything but a plain function of one event."""
    _check_plain_function(name, function)
    try:
        inspect.signature(function).bind(None)
    except (TypeError, ValueError):
        raise MapperProblem(
            f"{name} cannot be called with one event", hint=f"def {name.rpartition(':')[2]}(event: Event)"
        ) from None


def _check_plain_function(name: str, function: Any) -> None:
    if not callable(function) or inspect.isclass(function):
        raise MapperProblem(f"{name} is not a function")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise MapperProblem(f"{name} is async", hint="it must be a plain function, not a coroutine")


def _resolved(folder: Path, base: Path) -> Path:
    """Relative paths are relative to the current directory, then to the file that names them."""
    return (folder if folder.is_dir() else base / folder).resolve()


def _relative(file: str, folders: Sequence[Path]) -> str:
    path = Path(file)
    return next((str(path.relative_to(folder)) for folder in folders if path.is_relative_to(folder)), file)


def code_file(function: Any) -> str:
    """The file that a function was written in; empty if it is not Python."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_filename if code else ""
