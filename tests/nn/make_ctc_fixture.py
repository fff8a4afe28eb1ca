"""Writes ctc.npz: PyTorch's CTC loss with the gradient of the scores before log_softmax.

Run by hand, with PyTorch installed: ``python tests/nn/make_ctc_fixture.py``. The tests read the file only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

# T, N, C, S, blank; the targets are numbers from 0 to C - 1 without the blank
SHAPES = [(1, 1, 2, 1, 0), (5, 3, 4, 3, 0), (8, 4, 3, 4, 2), (12, 2, 6, 5, 3), (30, 3, 8, 10, 0)]
REDUCTIONS = ("none", "mean", "sum")

if __name__ == "__main__":
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {"shapes": np.array(SHAPES)}
    for i, (steps, rows, classes, most, blank) in enumerate(SHAPES):
        targets = np.delete(np.arange(classes), blank)[rng.integers(0, classes - 1, (rows, most))]
        input_lengths, target_lengths = rng.integers(0, steps + 1, rows), rng.integers(0, most + 1, rows)
        input_lengths[0] = steps
        cases = {"scores": rng.standard_normal((steps, rows, classes)), "targets": targets,
                 "input_lengths": input_lengths, "target_lengths": target_lengths}
        arrays |= {f"{i}.{key}": value for key, value in cases.items()}
        for reduction in REDUCTIONS:
            x = torch.tensor(cases["scores"], requires_grad=True)
            given = [torch.tensor(a) for a in (targets, input_lengths, target_lengths)]
            log_probs = x.log_softmax(-1)
            arrays[f"{i}.{reduction}.with_infinity"] = F.ctc_loss(log_probs, *given, blank, reduction).detach().numpy()
            loss = F.ctc_loss(log_probs, *given, blank, reduction, zero_infinity=True)
            cotangent = rng.standard_normal(loss.shape)
            loss.backward(torch.tensor(cotangent))
            arrays |= {f"{i}.{reduction}.loss": loss.detach().numpy(), f"{i}.{reduction}.cotangent": cotangent,
                       f"{i}.{reduction}.gradient": x.grad.numpy()}
    np.savez_compressed(Path(__file__).with_name("ctc.npz"), **arrays)
