"""Weights of recurrent layers, and what is computed with them, from and to other frameworks.

PyTorch's weights need no conversion: its ``state_dict`` is loaded as it is. Of Keras's layers and ONNX's operators
:func:`layer_from_keras` and :func:`layer_from_onnx` make the layer that computes the same; :func:`from_keras` and
:func:`from_onnx` give the weights alone, as dictionaries of NumPy arrays, for a layer that exists.
"""

from .keras import from_keras as from_keras, to_keras as to_keras
from .layers import (
    layer_from_keras as layer_from_keras,
    layer_from_onnx as layer_from_onnx,
    layer_to_keras as layer_to_keras,
    layer_to_onnx as layer_to_onnx,
)
from .onnx import from_onnx as from_onnx, to_onnx as to_onnx
from .parts import ConversionError as ConversionError
from .update_gate import flip_update_gate as flip_update_gate
