"""Write sequences.npz: what PyTorch's packing and padding give. Needs PyTorch; the tests do not.

python tests/rnn/make_sequences_fixture.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn.utils import rnn

generator = torch.Generator().manual_seed(0)
LENGTHS = {"sorted": [5, 4, 4, 1], "unsorted": [2, 5, 1, 4], "ties": [3, 1, 3, 5, 1, 3], "equal": [3, 3]}
CASES = [("sorted", False), ("unsorted", True), ("ties", False), ("ties", True), ("equal", False)]
arrays: dict[str, np.ndarray] = {}
for name, batch_first in CASES:
    lengths = LENGTHS[name]
    steps, batch = max(lengths) + 1, len(lengths)
    shape = (batch, steps, 2) if batch_first else (steps, batch, 2)
    x = torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
    packed = rnn.pack_padded_sequence(x, lengths, batch_first, enforce_sorted=name == "sorted")
    padded, back = rnn.pad_packed_sequence(packed, batch_first, padding_value=-7.0, total_length=steps + 1)
    cotangents = [torch.randn(y.shape, dtype=y.dtype, generator=generator) for y in (packed.data, padded)]
    torch.autograd.backward((packed.data, padded), cotangents)
    values = {"lengths": back, "x": x, "data": packed.data, "batch_sizes": packed.batch_sizes, "padded": padded}
    values |= {"cotangent_data": cotangents[0], "cotangent_padded": cotangents[1], "grad": x.grad}
    if packed.sorted_indices is not None:
        values |= {"sorted_indices": packed.sorted_indices, "unsorted_indices": packed.unsorted_indices}
    arrays |= {f"{name}.{batch_first}.{key}": value.detach().numpy() for key, value in values.items()}
    by_row = x.detach() if batch_first else x.detach().transpose(0, 1)
    rows = [row[:n] for row, n in zip(by_row, lengths, strict=True)]
    for side in ("right", "left"):
        arrays[f"{name}.{batch_first}.{side}"] = rnn.pad_sequence(rows, batch_first, -7.0, side).numpy()
    arrays[f"{name}.{batch_first}.pack_sequence"] = rnn.pack_sequence(rows, enforce_sorted=False).data.numpy()
np.savez_compressed(Path(__file__).with_name("sequences.npz"), **arrays)
