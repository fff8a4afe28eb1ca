"""Colours and symbols. The hues are Okabe and Ito's, which colour-blind readers can tell apart.

Boxes are filled with a pale tone and written on in dark ink, so they read alike on a white and on a dark page; the
page itself is transparent, and what stands on it (arrows, panels, their labels) is of a middle grey.
"""

from __future__ import annotations

from typing import NamedTuple


class ArrowLook(NamedTuple):
    """How an arrow of a diagram is drawn, in the words of Graphviz."""

    colour: str
    width: float = 1.2
    style: str = "solid"
    dir: str = "forward"


class Colours(NamedTuple):
    """Fill and border of a box."""

    fill: str
    stroke: str


PALETTE = {
    "parameter": Colours("#FBF3C0", "#B79F00"),
    "input": Colours("#DCEBF7", "#0072B2"),
    "constant": Colours("#E4E4E4", "#555555"),
    "op": Colours("#FFFFFF", "#8C8C8C"),
    "product": Colours("#FCE6C2", "#E69F00"),
    "activation": Colours("#D5EFE6", "#009E73"),
    "view": Colours("#F1F1F1", "#8C8C8C"),
    "group": Colours("#F1F1F1", "#666666"),
    "result": Colours("#F7DDEB", "#CC79A7"),
    "loss": Colours("#F9D9C6", "#D55E00"),
    "state": Colours("#D5EFE6", "#009E73"),
    "gate": Colours("#FCE6C2", "#E69F00"),
    "start": Colours("#E4E4E4", "#555555"),
}

VERMILION, GREEN, ALARM = "#D55E00", "#009E73", "#D00000"

ARROWS = {
    "quiet": ArrowLook("#7F7F7F90", 1.0),
    "waiting": ArrowLook("#7F7F7F90", 1.0, dir="none"),  # no gradient has come by yet
    "gradient": ArrowLook(VERMILION, 1.4, dir="back"),
    "lit": ArrowLook(VERMILION, 3.0, dir="back"),
    "bad": ArrowLook(ALARM, 2.8),
    "bad back": ArrowLook(ALARM, 2.8, dir="back"),
    "new": ArrowLook(GREEN, 1.8),
    "gone": ArrowLook(VERMILION, 1.6, "dashed"),
}
LABELS = {"waiting": "transparent", "gradient": VERMILION, "lit": VERMILION}  # the colours of their labels

INK = "#1B1F24"  # text in boxes
MUTED = "#57606A"  # shapes and parameters in boxes
GRADIENT = "#B34700"  # gradients in boxes
OUTSIDE = "#7F7F7F"  # arrows and text on the page: contrast 4.0 on white, 4.2 on #1e1e1e
PANEL_FILL, PANEL_STROKE = "#80808014", "#80808055"
FONT = "Helvetica,Arial,sans-serif"

INFIX = {
    "add": "+", "sub": "−", "mul": "×", "div": "÷", "matmul": "@", "pow": "^", "floor_divide": "//", "remainder": "%",
    "eq": "=", "ne": "≠", "lt": "<", "le": "≤", "gt": ">", "ge": "≥",
    "logical_and": "∧", "logical_or": "∨", "logical_xor": "⊻",
}  # fmt: skip
PREFIX = {"sum": "Σ", "prod": "Π", "sqrt": "√", "square": "x²", "neg": "−x", "reciprocal": "1/x", "abs": "|x|"}
COMMUTATIVE = {
    "add", "mul", "eq", "ne", "maximum", "minimum", "hypot", "logaddexp", "dot",
    "logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor",
}  # fmt: skip

_ROLES = {
    "product": "matmul linear addmm bmm mv dot outer tensordot einsum embedding conv1d",
    "activation": "sigmoid tanh relu leaky_relu elu selu gelu silu softplus softsign hardtanh hardsigmoid logsigmoid"
    " softmax log_softmax",
    "view": "reshape flatten unflatten squeeze unsqueeze transpose permute movedim broadcast_to sum_to cast clone"
    " to_device getitem placed select_rows index_select concat stack split unbind pad flip roll tile repeat",
}
ROLE_OF_OP = {name: role for role, names in _ROLES.items() for name in names.split()}
