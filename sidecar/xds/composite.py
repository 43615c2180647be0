"""The message of Envoy's composite cluster, which the Python package of Envoy's messages does not have yet.

Envoy knows it by its full name. It takes no TypedStruct in its place. Where the package has it some day, its
own is used, because two of one name cannot be.
"""

from typing import Any, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import Default
from google.protobuf.message_factory import GetMessageClass

_FILE: Final = "envoy/extensions/clusters/composite/v3/cluster.proto"
_PACKAGE: Final = "envoy.extensions.clusters.composite.v3"


def composite(clusters: tuple[str, ...]) -> Any:
    """The configuration that sends attempt n to the n-th of these."""
    made: Any = _message()()
    for name in clusters:
        made.clusters.add(name=name)
    return made


def _message() -> Any:
    pool = Default()
    try:
        return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.ClusterConfig"))
    except KeyError:
        file = FileDescriptorProto(name=_FILE, package=_PACKAGE, syntax="proto3")
        config = file.message_type.add(name="ClusterConfig")
        entry = config.nested_type.add(name="ClusterEntry")
        one, many = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED
        entry.field.add(name="name", number=1, label=one, type=FieldDescriptorProto.TYPE_STRING)
        config.field.add(
            name="clusters",
            number=1,
            label=many,
            type=FieldDescriptorProto.TYPE_MESSAGE,
            type_name=f".{_PACKAGE}.ClusterConfig.ClusterEntry",
        )
        pool.AddSerializedFile(file.SerializeToString())
        return _message()
