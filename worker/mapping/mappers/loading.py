"""Python mappers: found by name, checked when loaded, run so that one that fails costs its record only."""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
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
from worker.mapping.calls.assembly import checked, checked_call
from worker.mapping.calls.builders import Reject
from worker.mapping.calls.call import Call
from worker.mapping.calls.validation import REJECT_IDS, optional_identity
from worker.mapping.mappers.event import Event
from worker.mapping.mappers.import_path import add_to_path, is_standard, is_standard_function, name_clashes

ENTRY_POINT_GROUP = "pipelines_worker.mappers"
"""Where an installed package offers its mappers under names of their own."""

SLOW_SECONDS = 1.0
"""A mapper that takes longer is reported: it runs on the road that every record takes."""


Answer = Call | Mapping[str, Any] | Iterable[Call | Mapping[str, Any]] | None
"""What a mapper may return: calls, plain dicts in the API's own shape, or nothing: not for Customer.io."""

Made = tuple[dict[str, Any], str | None]
"""A valid call, and the event's own id if the mapper gave one.

The call has the mapper's own messageId if it was a plain dict with one; else its messageId is still to be
derived, from the event's id or from the record's coordinates. Its timestamp may be missing.
"""


class MapperProblem(Exception):  # noqa: N818 - becomes a `model.Problem` of the file that names the mapper
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
    """A mapper that can be run.

    Attributes:
        name: as the rule says it: `module:function`, or an entry point's name.
        function: takes an `Event`.
        folders: what its file is named relative to, in details of rejections.
    """

    name: str
    function: Callable[[Event], Answer]
    folders: tuple[Path, ...] = ()

    def calls(
        self,
        event: Event,
        *,
        allow: Collection[str] = frozenset(),
        reject_ids: Collection[str] = REJECT_IDS,
        on_slow: Callable[[str, float], None] | None = None,
    ) -> list[Made]:
        """The calls that it makes of an event, each checked; none if the event is not for Customer.io.

        Args:
            event: the event.
            allow: which destructive calls it may make.
            reject_ids: texts that are no one's id, casefolded.
            on_slow: told its name and how many seconds it took, if that was more than `SLOW_SECONDS`.

        Raises:
            Rejected: with stage `map`: the code of the `Reject` it raised, `MAPPER_FAILED`,
                `MAPPER_RETURNED_JUNK` or `TOO_MANY_CALLS`; with stage `validate`: what `assembly.checked`
                raises, with the call's index.
        """
        started = perf_counter()
        try:
            answer = self.function(event)
            answers = [answer] if isinstance(answer, Call) else _listed(answer)  # most answer one
        except (KeyboardInterrupt, MappingInterrupted):
            raise
        except Rejected as rejected:
            # By a builder: the field is at fault; say which line of the mapper asked for it.
            detail = f"{self._place(rejected)}: {rejected.detail}"
            raise Rejected(rejected.stage, rejected.reason, detail) from None
        except Reject as reject:
            detail = f"{self._place(reject)}: the mapper rejected the record."
            code = Reject(getattr(reject, "code", "")).code  # a class derived from it may set anything
            raise Rejected(Stage.MAP, code, detail) from None
        except BaseException as error:  # noqa: BLE001 - what user code raises costs one record, even SystemExit
            # Only the kind of exception: the message of a KeyError is a key of the event.
            detail = f"{self._place(error)}: {type_name(error)}"
            raise Rejected(Stage.MAP, "MAPPER_FAILED", detail) from None
        seconds = perf_counter() - started
        if on_slow and seconds > SLOW_SECONDS:
            on_slow(self.name, seconds)
        made: list[Made] = []
        try:
            for answer in answers:
                made.append(_made(answer, allow, reject_ids))  # noqa: PERF401 - its length is the call's index
        except Rejected as rejected:
            rejected.call_index = len(made)
            raise
        return made

    def _place(self, error: BaseException) -> str:
        """The last line of the mapper's own file on the way to an error."""
        own = code_file(self.function)
        lines = [
            line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == own
        ]
        return f'File "{_relative(own, self.folders)}", line {lines[-1]}' if lines else f"mapper {self.name}"


class Mappers:
    """Loads mappers by name. A module is imported once, when the first rule names it.

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
        """The mapper that `module:function`, or an entry point's name, names.

        Raises:
            MapperProblem: there is none, its module fails, or it cannot be called with one event.
        """
        module, colon, function = name.partition(":")
        found = self._function(module, function) if colon else self._entry_point(name)
        if is_standard_function(found):
            raise _standard(name)
        _check_signature(name, found)
        return Mapper(name, found, self._folders)

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
            # Itself, or a package above it; not one that it imports.
            if error.name and f"{module}.".startswith(f"{error.name}."):
                raise MapperProblem(f"there is no module {module}", hint=self._looked_in()) from None
            raise self._module_fails(module, error) from None
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's module may raise anything
            raise self._module_fails(module, error) from None

    def _module_fails(self, module: str, error: BaseException) -> MapperProblem:
        """A module that cannot be imported: where in the user's own files, if one of them is on the way."""
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
        return f"looked in {folders}, and in what is installed"

    def _entry_point(self, name: str) -> Any:
        points = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
        if name not in points:
            hint = did_you_mean(name, points) or "write module:function"
            raise MapperProblem(f"no installed package offers a mapper {name}", hint=hint)
        if is_standard(points[name].module):
            raise _standard(name)
        try:
            return points[name].load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's module may raise anything
            raise self._module_fails(points[name].module, error) from None


def _listed(answer: Any) -> list[Any]:
    """What a mapper returned, as a list; a generator is run here, but not for ever."""
    if answer is None:
        return []
    if isinstance(answer, (dict, Mapping)):  # dict first, here and below: asking for a Mapping costs more
        return [dict(answer)]
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
    return [item if isinstance(item, Call) else dict(item) for item in listed]


def _made(answer: object, allow: Collection[str], reject_ids: Collection[str]) -> Made:
    if not isinstance(answer, Call):
        return checked(answer, allow=allow, reject_ids=reject_ids), None
    event_id = answer.event_id
    if event_id is not None:
        event_id = optional_identity(event_id, "message_id", reject_ids)
    return checked_call(answer, allow=allow, reject_ids=reject_ids), event_id


def _refuse_junk() -> NoReturn:
    detail = "A mapper returns a call, a dict, several of them, or None."
    raise Rejected(Stage.MAP, "MAPPER_RETURNED_JUNK", detail)


def _standard(name: str) -> MapperProblem:
    hint = "name a function of your own: module:function, with a module in mapper_path"
    return MapperProblem(f"{name} is part of Python's standard library, which has no mappers", hint=hint)


def _check_signature(name: str, function: Any) -> None:
    """A mapper is a plain function of one event."""
    if not callable(function) or inspect.isclass(function):
        raise MapperProblem(f"{name} is not a function")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise MapperProblem(f"{name} is async", hint="a mapper is a plain function: it waits for nothing")
    try:
        inspect.signature(function).bind(None)
    except (TypeError, ValueError):
        raise MapperProblem(
            f"{name} cannot be called with one event", hint=f"def {name.rpartition(':')[2]}(event: Event)"
        ) from None


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
