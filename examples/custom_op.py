"""An op of one's own: declared with its rule, checked, used, drawn.

    python examples/custom_op.py [FOLDER]

writes custom_op.svg into FOLDER (the current one if none is given).
"""

import argparse
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad.backend import xp
from minigrad.check import check_op


# The forward computes with plain arrays, by NumPy or CuPy: xp(x) is the one that x belongs to. What stands before the
# slash is an array, what stands after it is a parameter.
@mg.primitive
def squareplus(x, /, b=4.0):
    """A smooth relu: (x + sqrt(x^2 + b)) / 2"""
    return (x + xp(x).sqrt(x * x + b)) / 2


# The rule takes the gradient g of the output to that of the input: g times the derivative. It names what it needs,
# here the input and the parameter, and is written with operators and minigrad's own functions: then it can itself be
# differentiated.
mg.defvjp(squareplus, x=lambda g, x, b: g * (1 + x / mg.sqrt(x * x + b)) / 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path(), metavar="FOLDER", help="for what it writes (.)")
    folder = parser.parse_args().folder

    # Values against NumPy, first and second derivative against finite differences, dtypes, strides, empty arrays ...
    x = np.linspace(-2, 2, 5)
    check_op(squareplus, x, b=1.0, reference=lambda x, b: (x + np.sqrt(x * x + b)) / 2)
    print("squareplus keeps every promise of an op")

    weight = mg.tensor([[0.5, -1.0], [2.0, 0.25]], requires_grad=True)
    weight.name = "W"
    y = squareplus(mg.tensor([[1.0, 2.0]]) @ weight, b=1.0)
    loss = y.sum()
    loss.backward()
    print("y     ", y.tolist())
    print("dL/dW ", weight.grad.tolist())

    # The gradient again, as a graph of its own, and the gradient of that: no second rule was written.
    (slope,) = mg.grad(squareplus(weight).sum(), weight, create_graph=True)
    (curvature,) = mg.grad(slope.sum(), weight)
    print("y''(W)", curvature.tolist())

    try:
        print("drawn ", mg.draw(loss).save(folder / "custom_op.svg"))  # the parameter b is in the picture
    except mg.MinigradError as error:  # no Graphviz on this machine: the error says how to get it
        print(error)


if __name__ == "__main__":
    main()
