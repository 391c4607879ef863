"""Schemas from text, files and descriptor sets, and their messages by name and by index."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from worker.formats.protobuf import protoc
from worker.formats.protobuf.protoc import compile_file, compile_text
from worker.formats.protobuf.refusals import InvalidSchemaError
from worker.formats.protobuf.schemas import ProtobufSchema

ORDERS = """syntax = "proto3";
package shop.v1;
import "shop/money.proto";
message First { map<string, string> labels = 1; message Inner {} message Last {} }
message Order { Money total = 1; }
"""
MONEY = 'syntax = "proto3"; package shop.v1; message Money { int64 units = 1; }'


def orders() -> ProtobufSchema:
    return ProtobufSchema(compile_text(ORDERS, {"shop/money.proto": MONEY}))


def test_messages_are_found_by_their_place_in_the_main_file() -> None:
    found = orders()
    assert found.at((0,)).full_name == "shop.v1.First"
    assert found.at((1,)).full_name == "shop.v1.Order"
    assert (
        found.at((0, 2)).full_name == "shop.v1.First.Last"
    )  # with the entry type of the map, as descriptors have it


def test_an_index_that_does_not_count_the_types_of_maps_is_read_where_only_that_leads_to_a_message() -> None:
    assert orders().at((0, 0)).full_name == "shop.v1.First.Inner"


@pytest.mark.parametrize("index", [(2,), (-1,), (1, 0), (0, 3), ()])
def test_an_index_without_a_message_is_refused(index: tuple[int, ...]) -> None:
    with pytest.raises(InvalidSchemaError, match="no message at this message index"):
        orders().at(index)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("message Line { Line next = 1; } message Order { Line line = 1; } enum E { A = 0; }", 1),
        ("message A { B b = 1; } message B { A a = 1; }", 0),
        ("message A {} message B {}", 0),
    ],
)
def test_the_likely_message_is_the_one_that_is_not_part_of_others(text: str, place: int) -> None:
    assert ProtobufSchema(compile_text(f'syntax = "proto3"; {text}', {})).likely() == place


@pytest.mark.parametrize("name", ["shop.v1.Order", "Order", "v1.Order"])
def test_messages_are_found_by_name(name: str) -> None:
    assert orders().named(name).full_name == "shop.v1.Order"


def test_a_name_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(InvalidSchemaError, match=r"no message Ordr; messages: .*shop\.v1\.Order"):
        orders().named("Ordr")


def test_the_only_message_needs_no_name_and_one_of_several_does() -> None:
    assert ProtobufSchema(compile_text(MONEY, {})).only().full_name == "shop.v1.Money"
    with pytest.raises(
        InvalidSchemaError, match=r"name one of .* with `message:` \(shop.v1.First, shop.v1.Order\)"
    ):
        orders().only()


@pytest.mark.parametrize(
    ("text", "imports", "said"),
    [
        ("nonsense", {}, r"^schema\.proto:1:1: Expected top-level statement"),
        ('syntax = "proto3"; message A { B b = 1; }', {}, r'^schema\.proto:1:\d+: "B" is not defined'),
        ('syntax = "proto3"; import "lost.proto";', {}, r"^lost\.proto: File not found"),
        (
            'syntax = "proto3"; import "a.proto";',
            {"a.proto": 'import "a.proto";'},
            "imports itself|recursively",
        ),
        ('syntax = "proto3";', {"../a.proto": ""}, "not a relative path"),
        ('syntax = "proto3";', {"/etc/a.proto": ""}, "not a relative path"),
        ('syntax = "proto3";', {"a" * 300: ""}, "not a relative path"),
        ('syntax = "proto3";', {"a": "", "a/b.proto": ""}, "the name of a folder"),
        (" " * (protoc.LARGEST + 1), {}, "characters"),
    ],
)
def test_text_that_does_not_compile_is_refused_with_the_place(
    text: str, imports: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidSchemaError, match=said):
        compile_text(text, imports)


def test_a_schema_that_takes_too_long_to_compile_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protoc, "TIME_LIMIT", 0.0)
    with pytest.raises(InvalidSchemaError, match="took longer"):
        compile_text('syntax = "proto3"; message Slow {}', {})


def test_no_temporary_folder_is_no_fault_of_the_schema(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "lost"))
    with pytest.raises(OSError, match="lost"):
        compile_text('syntax = "proto3"; message NotCompiledBefore {}', {})


def test_a_schema_may_import_what_registries_have_without_a_reference() -> None:
    names = ("confluent/meta", "confluent/type/decimal", "google/type/money", "google/protobuf/timestamp")
    imports = "".join(f'import "{name}.proto";' for name in names)
    text = f"""syntax = "proto3"; {imports}
        message A {{ confluent.type.Decimal d = 1 [(confluent.field_meta).doc = "price"]; google.type.Money m = 2; }}"""
    assert ProtobufSchema(compile_text(text, {})).only().full_name == "A"


def test_the_types_of_options_are_kept_only_where_messages_have_them() -> None:
    meta = 'import "confluent/meta.proto"; message A { int32 id = 1 [(confluent.field_meta).doc = "x"]; }'
    own = 'import "google/protobuf/descriptor.proto"; message A { google.protobuf.FieldOptions options = 1; }'
    names = [
        [each.full_name for each in ProtobufSchema(compile_text(f'syntax = "proto3"; {text}', {})).messages()]
        for text in (meta, own)
    ]
    assert names[0] == ["confluent.Meta", "confluent.Rule", "A"]
    assert "google.protobuf.FieldOptions" in names[1]


def test_a_file_is_compiled_with_imports_beside_it_and_in_folders_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "proto" / "shop" / "orders"
    folder.mkdir(parents=True)
    (tmp_path / "proto" / "shop" / "money.proto").write_text(MONEY)
    (folder / "beside.proto").write_text('syntax = "proto3"; message Beside {}')
    (folder / "order.proto").write_text(
        ORDERS.replace('";\nmessage', '"; import "beside.proto";\nmessage', 1)
    )
    assert ProtobufSchema(compile_file(folder / "order.proto")).at((1,)).full_name == "shop.v1.Order"


def test_a_descriptor_set_may_have_its_files_in_any_order() -> None:
    encoded = compile_text(ORDERS, {"shop/money.proto": MONEY})
    files = FileDescriptorSet.FromString(encoded)
    *imports, main = files.file
    turned = FileDescriptorSet(file=[*reversed(imports), main])
    assert ProtobufSchema(turned.SerializeToString()).at((1,)).full_name == "shop.v1.Order"


def test_a_descriptor_set_that_is_not_complete_or_none_is_refused() -> None:
    encoded = compile_text(ORDERS, {"shop/money.proto": MONEY})
    alone = FileDescriptorSet(file=FileDescriptorSet.FromString(encoded).file[-1:]).SerializeToString()
    with pytest.raises(InvalidSchemaError, match="not complete"):
        ProtobufSchema(alone)
    for wrong in (b"", b"\xff", b"text"):
        with pytest.raises(InvalidSchemaError, match="not a descriptor set"):
            ProtobufSchema(wrong)
    odd = FileDescriptorSet()
    entry = odd.file.add(name="a").message_type.add(name="A").nested_type.add(name="E")
    entry.options.map_entry = True
    with pytest.raises(InvalidSchemaError, match="a map has no type"):
        ProtobufSchema(odd.SerializeToString())
    circle = FileDescriptorSet()
    circle.file.add(name="a", dependency=["b"])
    circle.file.add(name="b", dependency=["a"])
    with pytest.raises(InvalidSchemaError, match="import each other"):
        ProtobufSchema(circle.SerializeToString())
