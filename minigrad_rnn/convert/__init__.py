"""Weights of recurrent layers from and to other frameworks, as dictionaries of NumPy arrays.

PyTorch's weights need no conversion: its ``state_dict`` is loaded as it is.
"""

from .keras import from_keras as from_keras, to_keras as to_keras
from .onnx import from_onnx as from_onnx, to_onnx as to_onnx
from .parts import ConversionError as ConversionError
from .update_gate import flip_update_gate as flip_update_gate
