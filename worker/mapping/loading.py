"""Reads all mapping files of a worker, with the Python mappers that they name."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from worker.documents.document import Document, UnsupportedYAML, parse
from worker.documents.files import read_file
from worker.documents.problems import ConfigError, Problem
from worker.formats.schemas import Schemas
from worker.mapping.expressions.habits import ternary_hint
from worker.mapping.files.lint.claims import claim_problems
from worker.mapping.files.lint.rules import rule_warnings
from worker.mapping.files.reader import read_mapping
from worker.mapping.files.rules import MappingFile
from worker.mapping.mappers.loading import Mapper, MapperProblem, Mappers


class Loading:
    """Reads mapping files and collects all their problems.

    Args:
        mappers: loads the Python mappers that they name.
        schemas: those that are fetched from the registry.

    Attributes:
        files: those that could be read.
        mappers: their mappers, by name.
        problems: what is wrong with them.
    """

    def __init__(self, mappers: Mappers, schemas: Schemas) -> None:
        self._schemas = schemas
        self.files: list[MappingFile] = []
        self.mappers: dict[str, Mapper] = {}
        self.problems: list[Problem] = list(mappers.clashes.values())
        self._loader = mappers
        self._seen: set[Path] = set()

    def read(self, pattern: str, base: Path) -> None:
        """Read the files that a pattern matches, relative to the current directory, or else to `base`."""
        found = list(mapping_paths(pattern, base))
        if not found:
            self.problems.append(Problem(f"no mapping file matches '{pattern}'", hint="see `mappings`"))
        for path in found:
            if path.resolve() not in self._seen:
                self._seen.add(path.resolve())
                self._file(path)

    def _file(self, path: Path) -> None:
        try:
            document = parse(read_file(path), str(path))
        except UnsupportedYAML as error:
            self.problems.extend(error.problems)
            lines = {problem.line for problem in error.problems}
            found: list[Problem] = []
            file = read_mapping(error.document, found, self._schemas)
            self.problems.extend(problem for problem in found if problem.line not in lines)
        except ConfigError as error:
            self.problems.extend(_with_habit(problem, path) for problem in error.problems)
            return
        else:
            file = read_mapping(document, self.problems, self._schemas)
        if file is not None:
            self.files.append(file)
            self._load_mappers(file)

    def _load_mappers(self, file: MappingFile) -> None:
        for rule in file.rules:
            if rule.mapper is None or rule.mapper in self.mappers or self._clashes(rule.mapper):
                continue
            try:
                self.mappers[rule.mapper] = self._loader.load(rule.mapper)
            except MapperProblem as problem:
                self.problems.append(_mapper_problem(file.document, (*rule.path, "mapper"), problem))

    def _clashes(self, mapper: str) -> bool:
        """Whether its module cannot be imported because of its name, which is a problem already."""
        module, colon, _ = mapper.partition(":")
        return bool(colon) and module.partition(".")[0] in self._loader.clashes

    def check(self, dead_letter_topic: str) -> None:
        """Make the checks that need all files."""
        self.problems.extend(claim_problems(self.files, dead_letter_topic))
        for file in self.files:
            self.problems.extend(rule_warnings(file))
        # Calls that share a default share its problems.
        self.problems = [*dict.fromkeys(self.problems)]
        self.problems.sort(key=lambda problem: (problem.file or "", problem.line or 0, problem.column or 0))


def _with_habit(problem: Problem, path: Path) -> Problem:
    """A problem of the YAML, with what to write for `a ? b : c` where that is what YAML cannot read."""
    if problem.line is None or problem.hint is None or "': '" not in problem.hint:
        return problem
    line = read_file(path).decode(errors="replace").splitlines()[problem.line - 1]
    hint = ternary_hint(line)
    return replace(problem, hint=hint) if hint else problem


def _mapper_problem(document: Document, path: tuple[str | int, ...], problem: MapperProblem) -> Problem:
    """Report at the rule that names the mapper; the message has the place in the mapper's own file."""
    where = f" ({problem.file}:{problem.line})" if problem.file else ""
    return document.problem(f"{problem.message}{where}", path, hint=problem.hint)


def mapping_paths(pattern: str, base: Path) -> Iterator[Path]:
    """The files that a pattern matches, relative to the current directory, or else to `base`."""
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - keeps the name as the user wrote it
    if not found:
        found = sorted(glob.glob(str(base / pattern), recursive=True))  # noqa: PTH207 - the same
    return (path for path in map(Path, found) if not path.is_dir())
