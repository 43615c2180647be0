"""The shape of a message type and of all types within it, as the table by which `fields.py` checks bytes."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from sidecar.wire import fields

_FIXED_32 = {FieldDescriptor.TYPE_FIXED32, FieldDescriptor.TYPE_SFIXED32, FieldDescriptor.TYPE_FLOAT}
_FIXED_64 = {FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_SFIXED64, FieldDescriptor.TYPE_DOUBLE}


_UNKNOWN = bytes([fields.VARINT, fields.FIXED_64, fields.BYTES, 0, 0, fields.FIXED_32, 0, 0])
"""By wire type what follows the tag of a field of a later version; the library looks no closer either."""


def shape_of(descriptor: Any) -> bytes:
    """A row for each type, the given one's first. Known fields of other wire types are UNUSUAL."""
    types = [descriptor]
    rows = []
    for each in types:  # grows while types are found
        row = bytearray(_UNKNOWN * (fields.ROW // len(_UNKNOWN)))
        row[:8] = bytes(8)  # no field has the number 0
        for field in each.fields:
            tag = field.number << 3
            if tag < fields.ROW:
                wire_type, kind = _kind(field, types)
                row[tag : tag + 8] = bytes(8)
                row[tag | wire_type] = kind
        rows.append(row)
    return b"".join(rows)


def _kind(field: Any, types: list[Any]) -> tuple[int, int]:
    """(wire type, what follows). Finds further types."""
    match field.type:
        case FieldDescriptor.TYPE_MESSAGE:
            if field.message_type not in types:
                types.append(field.message_type)
            kind = fields.MESSAGE + types.index(field.message_type)
            return 2, kind if kind < 0x100 else fields.UNUSUAL
        case FieldDescriptor.TYPE_STRING:
            return 2, fields.TEXT
        case FieldDescriptor.TYPE_BYTES:
            return 2, fields.BYTES
    if field.is_repeated or field.type == FieldDescriptor.TYPE_GROUP:
        return 0, fields.UNUSUAL
    if field.type in _FIXED_32:
        return 5, fields.FIXED_32
    if field.type in _FIXED_64:
        return 1, fields.FIXED_64
    return 0, fields.VARINT
