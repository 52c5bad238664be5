"""The messages of onnx.proto: what each field number is called and holds, and which fields come more than once.

Known here without importing onnx, so that a file can be judged before any parser of its own library sees it, and so
that "unknown field" means the same whatever version of onnx is installed. A test compares it with onnx's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["MESSAGES", "FieldType", "Holds", "MessageType"]


class Holds(Enum):
    """What a field's payload is."""

    MESSAGE = "message"
    TEXT = "text or bytes"
    VARINT = "whole numbers of any width"
    FIXED32 = "numbers of 4 bytes"
    FIXED64 = "numbers of 8 bytes"


@dataclass(frozen=True, slots=True)
class FieldType:
    """One field of a message; ``message`` is the name of the inner message's type, "" for other payloads."""

    name: str
    holds: Holds
    repeated: bool
    message: str = ""


MessageType = dict[int, FieldType]

# NAME: NUMBER FIELD KIND, ...; a star behind the number: repeated. int, float, double, text, or the name of a message.
_DEFINITION = """
Model: 1 ir_version int, 2 producer_name text, 3 producer_version text, 4 domain text, 5 model_version int,
  6 doc_string text, 7 graph Graph, 8* opset_import OperatorSetId, 14* metadata_props StringStringEntry,
  20* training_info TrainingInfo, 25* functions Function, 26* configuration DeviceConfiguration
OperatorSetId: 1 domain text, 2 version int
Graph: 1* node Node, 2 name text, 5* initializer Tensor, 10 doc_string text, 11* input ValueInfo,
  12* output ValueInfo, 13* value_info ValueInfo, 14* quantization_annotation TensorAnnotation,
  15* sparse_initializer SparseTensor, 16* metadata_props StringStringEntry
Node: 1* input text, 2* output text, 3 name text, 4 op_type text, 5* attribute Attribute, 6 doc_string text,
  7 domain text, 8 overload text, 9* metadata_props StringStringEntry,
  10* device_configurations NodeDeviceConfiguration
Attribute: 1 name text, 2 f float, 3 i int, 4 s text, 5 t Tensor, 6 g Graph, 7* floats float, 8* ints int,
  9* strings text, 10* tensors Tensor, 11* graphs Graph, 13 doc_string text, 14 tp Type, 15* type_protos Type,
  20 type int, 21 ref_attr_name text, 22 sparse_tensor SparseTensor, 23* sparse_tensors SparseTensor
Tensor: 1* dims int, 2 data_type int, 3 segment Segment, 4* float_data float, 5* int32_data int, 6* string_data text,
  7* int64_data int, 8 name text, 9 raw_data text, 10* double_data double, 11* uint64_data int, 12 doc_string text,
  13* external_data StringStringEntry, 14 data_location int, 16* metadata_props StringStringEntry
Segment: 1 begin int, 2 end int
StringStringEntry: 1 key text, 2 value text
SparseTensor: 1 values Tensor, 2 indices Tensor, 3* dims int
Type: 1 tensor_type TypeTensor, 4 sequence_type TypeSequence, 5 map_type TypeMap, 6 denotation text,
  7 opaque_type TypeOpaque, 8 sparse_tensor_type TypeSparseTensor, 9 optional_type TypeOptional
TypeTensor: 1 elem_type int, 2 shape TensorShape
TypeSparseTensor: 1 elem_type int, 2 shape TensorShape
TypeSequence: 1 elem_type Type
TypeOptional: 1 elem_type Type
TypeMap: 1 key_type int, 2 value_type Type
TypeOpaque: 1 domain text, 2 name text
TensorShape: 1* dim Dimension
Dimension: 1 dim_value int, 2 dim_param text, 3 denotation text
NodeDeviceConfiguration: 1 configuration_id text, 2* sharding_spec ShardingSpec, 3 pipeline_stage int
ShardingSpec: 1 tensor_name text, 2* device int, 3* index_to_device_group_map IntIntListEntry,
  4* sharded_dim ShardedDim
IntIntListEntry: 1 key int, 2* value int
ShardedDim: 1 axis int, 2* simple_sharding SimpleShardedDim
SimpleShardedDim: 1 dim_value int, 2 dim_param text, 3 num_shards int
ValueInfo: 1 name text, 2 type Type, 3 doc_string text, 4* metadata_props StringStringEntry
TensorAnnotation: 1 tensor_name text, 2* quant_parameter_tensor_names StringStringEntry
TrainingInfo: 1 initialization Graph, 2 algorithm Graph, 3* initialization_binding StringStringEntry,
  4* update_binding StringStringEntry
Function: 1 name text, 4* input text, 5* output text, 6* attribute text, 7* node Node, 8 doc_string text,
  9* opset_import OperatorSetId, 10 domain text, 11* attribute_proto Attribute, 12* value_info ValueInfo,
  13 overload text, 14* metadata_props StringStringEntry
DeviceConfiguration: 1 name text, 2 num_devices int, 3* device text
"""
_KINDS = {"int": Holds.VARINT, "float": Holds.FIXED32, "double": Holds.FIXED64, "text": Holds.TEXT}


def _field(text: str) -> tuple[int, FieldType]:
    number, name, kind = text.split()
    message = "" if kind in _KINDS else kind
    return int(number.rstrip("*")), FieldType(name, _KINDS.get(kind, Holds.MESSAGE), number.endswith("*"), message)


def _messages() -> dict[str, MessageType]:
    joined = _DEFINITION.replace(",\n ", ",").strip().splitlines()
    parts = (line.split(": ") for line in joined)
    return {name: dict(_field(field) for field in fields.split(", ")) for name, fields in parts}


MESSAGES: dict[str, MessageType] = _messages()
"""Name of a message's type (its name in onnx.proto without "Proto") -> field number -> field."""
