from __future__ import annotations

import sys
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from worker.mapping.mappers import import_path
from worker.mapping.mappers.import_path import add_to_path, is_standard_function, name_clashes


@pytest.fixture(autouse=True)
def same_path_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(import_path, "_ADDED", [])


def test_folders_come_after_everything_else_in_their_order_and_the_newest_first(tmp_path: Path) -> None:
    before = list(sys.path)
    first, second, later = (tmp_path / name for name in ("first", "second", "later"))

    add_to_path([first, second])
    add_to_path([later, first])

    assert sys.path[: len(before)] == before
    added = [entry for entry in sys.path[len(before) :] if Path(entry).is_relative_to(tmp_path)]
    assert added == [str(later), str(first), str(second)]


def test_names_that_are_taken_are_found_and_others_are_not(tmp_path: Path) -> None:
    for name in (
        "logging.py",
        "pytest.py",
        "json/__init__.py",
        "mine.py",
        "ours/__init__.py",
        "queue/notes.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    clashes = name_clashes([tmp_path])

    assert {name: problem.file for name, problem in clashes.items()} == {
        "json": str(tmp_path / "json/__init__.py"),
        "logging": str(tmp_path / "logging.py"),
        "pytest": str(tmp_path / "pytest.py"),
    }


def test_a_folder_that_is_installed_itself_does_not_clash_with_itself(tmp_path: Path) -> None:
    (tmp_path / "mine.py").touch()
    sys.path.insert(0, str(tmp_path))
    assert not name_clashes([tmp_path])


def test_two_folders_of_a_path_may_have_the_same_module(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
        (folder / "mine.py").touch()
    add_to_path(folders)
    assert not name_clashes(folders)


def test_a_function_that_the_standard_library_wraps_is_the_users() -> None:
    def mapper(_event: Any) -> None:
        return None

    @wraps(mapper)
    def wrapped(event: Any) -> None:
        return mapper(event)

    assert not is_standard_function(wrapped)
    assert is_standard_function(len)
