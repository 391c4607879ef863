"""Tables of a mapping file: what is read from files, and what each wrong one is told to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.records import converted, record
from worker.core.message_id import MessageIds
from worker.documents.problems import ConfigError
from worker.mapping.mappings import Mappings

MAPPING = """
topics: [orders]
tables: {{countries: tables/{name}}}
rules:
  - {{call: identify, userId: id, traits: {{country: "lookup('countries', code)"}}}}
"""


def load(folder: Path, name: str, content: bytes) -> Mappings:
    (folder / "tables").mkdir()
    (folder / "tables" / name).write_bytes(content)
    (folder / "orders.yaml").write_text(MAPPING.format(name=name))
    return Mappings.load(
        [str(folder / "orders.yaml")], mapper_path=[], base=folder, dead_letter_topic="dead-letters"
    )


def traits(mappings: Mappings, code: Any) -> dict[str, Any]:
    convert = mappings.converter("orders", MessageIds("cluster"))
    assert convert is not None
    ((body, _),) = converted(convert, record({"id": "u", "code": code}))
    found: dict[str, Any] = orjson.loads(body)["traits"]
    return found


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("countries.csv", b"code,name\nDE,Germany\n49,Germany\n"),
        ("with_bom.csv", b'\xef\xbb\xbfcode,name,more\r\n"DE",Germany,x\r\n\r\n49,"Germany",y'),
        ("countries.yaml", b"DE: Germany\n'49': Germany\n"),
        ("countries.json", b'{"DE": "Germany", "49": "Germany"}'),
    ],
)
def test_a_table_is_found_beside_the_file_that_names_it(tmp_path: Path, name: str, content: bytes) -> None:
    mappings = load(tmp_path, name, content)
    found: list[Any] = ["DE", "49", 49, 49.0]
    others: list[Any] = ["de", "XX", 50, 49.5, True, None, ["DE"]]
    assert [traits(mappings, code) for code in found] == [{"country": "Germany"}] * 4
    assert [traits(mappings, code) for code in others] == [{}] * 7


def test_values_of_yaml_and_json_may_be_any_json(tmp_path: Path) -> None:
    mappings = load(tmp_path, "countries.json", b'{"DE": {"name": "Germany", "eu": true}, "XX": null}')
    assert traits(mappings, "DE") == {"country": {"name": "Germany", "eu": True}}
    assert traits(mappings, "XX") == {}


def test_a_table_is_first_searched_for_in_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here/tables").mkdir(parents=True)
    (tmp_path / "here/tables/countries.csv").write_text("code,name\nDE,here\n")
    monkeypatch.chdir(tmp_path / "here")
    assert traits(load(tmp_path, "countries.csv", b"code,name\nDE,there\n"), "DE") == {"country": "here"}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"code,name\nDE,Germany\nFR\n", ":3: 1 column, but the header has 2"),
        (
            "a.csv",
            b"code,name\nKR,Korea, Republic of\n",
            ":2: 3 columns, but the header has 2 (a value that holds a comma needs double quotes)",
        ),
        (
            "a.csv",
            b"code,name\nDE,Germany\nFR,France\nDE,Deutschland\n",
            ":4: the key 'DE' is duplicated (the first is in line 2)",
        ),
        (
            "a.csv",
            b"code;name\nDE;Germany\n",
            ":1: a table has two columns, the key and the value (columns are separated by commas)",
        ),
        ("a.csv", b"", ":1: the header line is missing (code,name)"),
        ("a.csv", b'code,name\n"DE,Germany\n', ":2: not CSV: unexpected end of data"),
        ("a.csv", b"code,name\nCI,C\xf4te d'Ivoire\n", ":2: not UTF-8 (save the file as UTF-8)"),
        ("a.csv", "code,name\nDE,x\n".encode("utf-16"), ":1: not UTF-8 (save the file as UTF-8)"),
        ("a.json", b'{"DE": 1,\n "AT": 3, "DE" : 2}', ":2: the key 'DE' is duplicated"),
        ("a.json", b'{"DE": "NaN",\n "AT": NaN}', ":2: not JSON: NaN is not a number of JSON"),
        ("a.json", b"[" * 100_000, ": not JSON: too many digits or levels"),
        ("a.json", b'{"DE": 1', ":1:9: not JSON: Expecting ',' delimiter"),
        ("a.json", b"[1]", ":1: a table must have keys and values (DE: Germany)"),
        ("a.yaml", b"DE: 1\nDE: 2\n", ":2:1: the key 'DE' is duplicated (the first is in line 1)"),
        ("a.yaml", b"NO: 1\n49: 2\n", ":2:1: the key 49 is not text (put it in quotes)"),
    ],
)
def test_a_wrong_table_is_reported_at_its_line(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, name, content)
    assert [str(problem) for problem in raised.value.problems] == [f"{tmp_path}/tables/{name}{told}"]
