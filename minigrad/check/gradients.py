r"""Gradients against central differences.

.. math:: \frac{\partial L}{\partial x_i} \approx \frac{L(x + \epsilon e_i) - L(x - \epsilon e_i)}{2\epsilon},
          \qquad L(x) = \sum_k \langle g_k, y_k(x) \rangle

with random cotangents :math:`g_k`, in float64, where the error of the difference is about 1e-10. A check of second
order is the same check of the function that computes the gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

import numpy

from .. import backend
from ..call import wrap
from ..context import enable_grad
from ..engine import grad
from ..errors import DtypeError, MinigradError, describe
from ..tensor import Tensor

Function = Callable[..., Any]


class CheckError(MinigradError, AssertionError):
    """A promise that is not kept."""


class GradcheckError(CheckError):
    """A gradient that disagrees with central differences."""


def gradcheck(
    function: Function,
    *inputs: Any,
    eps: float = 1e-6,
    atol: float = 1e-6,
    rtol: float = 1e-4,
    order: int = 1,
    directional: bool = False,
    seed: int = 0,
) -> bool:
    r"""Compare the gradients of ``function(*inputs)`` with central differences.

    Every input tensor that requires a gradient is checked, element by element: :math:`2n` runs of the function for
    :math:`n` elements. A gradient :math:`a` passes when :math:`|a - d| \le atol + rtol\,|d|`, with :math:`d` the
    difference quotient.

    Args:
        function: takes the inputs, returns a tensor or a tuple of tensors. Tensors that it captures, such as the
            parameters of a module, can be checked too: pass them as further inputs that it ignores.
        inputs: tensors, float64 where they require a gradient; anything else is passed on as it is.
        eps: the step :math:`\epsilon`.
        atol: absolute tolerance.
        rtol: relative tolerance.
        order: 2 also checks the gradients of the gradients, 3 theirs, and so on.
        directional: one random direction for each input instead of all elements: two runs for each input.
        seed: of the random cotangents and directions.

    Returns:
        ``True``: a failure raises.

    Raises:
        GradcheckError: names the worst element, its input and index, both numbers, and what made the outputs.
        DtypeError: an input to check is not float64.

    >>> import minigrad as mg
    >>> x = mg.tensor([0.5, -2.0], dtype=mg.float64, requires_grad=True)
    >>> gradcheck(lambda x: x * x / (x + 3.0), x, order=2)
    True
    """
    with enable_grad():
        check = Gradcheck(function, inputs, Settings(eps, atol, rtol, directional, numpy.random.default_rng(seed)))
        for _ in range(1, order):
            check.run()
            check = check.next_order()
        check.run()
    return True


def gradgradcheck(
    function: Function,
    *inputs: Any,
    eps: float = 1e-6,
    atol: float = 1e-6,
    rtol: float = 1e-4,
    directional: bool = False,
    seed: int = 0,
) -> bool:
    """Compare the gradients of the gradients of ``function(*inputs)`` with central differences of the gradients.

    The gradients depend on the inputs and on the cotangents; both are checked. The difference quotients use the
    gradients as an ordinary backward computes them, the other side those of ``create_graph=True``, so the two ways of
    running the rules are compared as well. Arguments and errors are those of :func:`gradcheck`.
    """
    with enable_grad():
        settings = Settings(eps, atol, rtol, directional, numpy.random.default_rng(seed))
        Gradcheck(function, inputs, settings).next_order().run()
    return True


class Settings(NamedTuple):
    """How a gradient is compared."""

    eps: float
    atol: float
    rtol: float
    directional: bool
    rng: numpy.random.Generator


class Gradcheck:
    """One order of a gradcheck: a function and its inputs, run once.

    Args:
        function: takes the inputs; its outputs are recorded.
        inputs: the inputs; those that require a gradient are checked.
        settings: how to compare.
        plain: the same function computed in another way, for the differences; left out, the function itself.
        below: the check of one order less, whose gradients this function computes.
    """

    def __init__(
        self,
        function: Function,
        inputs: Sequence[Any],
        settings: Settings,
        *,
        plain: Function | None = None,
        below: Gradcheck | None = None,
    ) -> None:
        self.function, self.inputs, self.settings = function, list(inputs), settings
        self.plain = plain or function
        self.checked = [i for i, x in enumerate(self.inputs) if isinstance(x, Tensor) and x.requires_grad]
        self.names = [f"input {i}" for i in range(len(self.inputs))]
        self.what: str = "gradient" if below is None else f"gradient of the {below.what}"
        if below is not None:
            source = "output" if below.what == "gradient" else "gradient"
            self.names = [*below.names, *(f"the cotangent of {source} {k}" for k in below.picked)]
        self._refuse_unfit_inputs()
        outputs = outputs_of(function(*self.inputs))
        self.picked: list[int] = [k for k, y in enumerate(outputs) if isinstance(y, Tensor) and y.requires_grad]
        if not self.picked:
            raise GradcheckError(
                f"gradcheck of {name_of(function)}: no output depends on the inputs in a way that was recorded"
            )
        self.outputs = [outputs[k] for k in self.picked]
        made_by = [f"  output {k}: {describe(y)}" for k, y in zip(self.picked, self.outputs, strict=True)]
        self.made_by: str = below.made_by if below is not None else "\n".join(made_by)
        self.cotangents = [random_like(y, settings.rng) for y in self.outputs]

    def _refuse_unfit_inputs(self) -> None:
        if not self.checked:
            raise GradcheckError("gradcheck: no input requires a gradient; make one with requires_grad=True")
        for i in self.checked:
            if self.inputs[i].dtype != numpy.float64:
                raise DtypeError(
                    f"gradcheck: {self.names[i]} is {self.inputs[i].dtype}, and only float64 leaves enough digits for"
                    " differences\n  hint: mg.tensor(..., dtype=mg.float64), x.double() or module.double()"
                )

    def run(self) -> None:
        """Compare, and raise about the worst element."""
        self._compare_repeated()
        sources = [self.inputs[i] for i in self.checked]
        analytic = grad(self.outputs, sources, self.cotangents, retain_graph=True, allow_unused=True)
        found = [self._compare(i, a) for i, a in zip(self.checked, analytic, strict=True)]
        badness, sentence = max(found, key=itemgetter(0))
        if badness > 0:
            raise GradcheckError(f"{sentence}\n{self.made_by}")

    def _compare_repeated(self) -> None:
        again = outputs_of(self.plain(*self.inputs))
        said = "two runs of the function gave different results; does it draw random numbers?"
        if self.what != "gradient":
            said = "the rules give one gradient on arrays and another on tensors, with create_graph"
        for k, y in zip(self.picked, self.outputs, strict=True):
            first, second = to_host(y), to_host(again[k])
            if not numpy.allclose(first, second, rtol=1e-9, atol=1e-12, equal_nan=True):
                raise GradcheckError(f"gradcheck: {said} ({difference(first, second)})\n{self.made_by}")

    def _compare(self, i: int, analytic: Tensor | None) -> tuple[float, str]:
        """How badly input ``i`` fails (0: it passes), and the sentence about its worst element."""
        x = self.inputs[i]
        a = numpy.zeros(x.shape) if analytic is None else to_host(analytic)
        if self.settings.directional:
            direction = to_host(random_like(x, self.settings.rng))
            a, numeric = numpy.asarray((a * direction).sum()), numpy.asarray(self._quotient(x, direction))
        else:
            numeric = numpy.zeros(x.shape)
            for index in numpy.ndindex(x.shape):
                step = numpy.zeros(x.shape)
                step[index] = 1.0
                numeric[index] = self._quotient(x, step)
        error, allowed = numpy.abs(a - numeric), self.settings.atol + self.settings.rtol * numpy.abs(numeric)
        badness = numpy.where(numpy.isfinite(error), error / allowed, numpy.inf)
        bad = int((badness > 1).sum())
        if not bad:
            return 0.0, ""
        worst = tuple(int(n) for n in numpy.unravel_index(int(badness.argmax()), badness.shape))
        place = "along a random direction" if self.settings.directional else f"at {list(worst)}"
        recorded = " (none was recorded)" if analytic is None else ""
        return float(badness[worst]), (
            f"gradcheck: the {self.what} of {self.names[i]} is wrong {place}:"
            f" analytic {float(a[worst]):.9g}{recorded}, numeric {float(numeric[worst]):.9g},"
            f" differing by {float(error[worst]):.2g} where {float(allowed[worst]):.2g} is allowed;"
            f" {bad} of {badness.size} elements are wrong"
        )

    def _quotient(self, x: Tensor, direction: Any) -> float:
        """The central difference quotient of :math:`L` along a direction of one input."""
        original, eps = x._data, self.settings.eps
        step = backend.move(numpy.asarray(direction * eps), x.device)
        try:
            x._data = original + step
            above = outputs_of(self.plain(*self.inputs))
            x._data = original - step
            below = outputs_of(self.plain(*self.inputs))
        finally:
            x._data = original
        total = 0.0
        for k, g in zip(self.picked, self.cotangents, strict=True):
            total += float((to_host(g) * (to_host(above[k]) - to_host(below[k]))).sum())
        return total / (2 * eps)

    def next_order(self) -> Gradcheck:
        """The check of this function's gradients, which depend on its inputs and on the cotangents."""
        n, checked, picked, function = len(self.inputs), self.checked, self.picked, self.function

        def gradients(*args: Any, create_graph: bool) -> tuple[Any, ...]:
            outputs = outputs_of(function(*args[:n]))
            sources = [args[i] for i in checked]
            found = grad([outputs[k] for k in picked], sources, args[n:], create_graph=create_graph, allow_unused=True)
            return tuple(g for g in found if g is not None)

        cotangents = [g.detach().requires_grad_() for g in self.cotangents]
        recorded, plain = partial(gradients, create_graph=True), partial(gradients, create_graph=False)
        return Gradcheck(recorded, [*self.inputs, *cotangents], self.settings, plain=plain, below=self)


def outputs_of(result: Any) -> list[Any]:
    """A result as a list of outputs."""
    return list(result) if isinstance(result, (tuple, list)) else [result]


def name_of(function: Function) -> str:
    """The name of a function for an error."""
    return str(getattr(function, "__name__", "the function"))


def to_host(y: Any) -> numpy.ndarray[Any, Any]:
    """A tensor, array or number as a NumPy array."""
    array = y._data if isinstance(y, Tensor) else y
    return numpy.asarray(backend.of(array).to_host(array) if backend.is_array(array) else array)


def random_like(x: Tensor, rng: numpy.random.Generator) -> Tensor:
    """Random numbers between 0.5 and 1.5, of either sign, so that none hides an error."""
    values = rng.uniform(0.5, 1.5, x.shape) * rng.choice([-1.0, 1.0], x.shape)
    result: Tensor = wrap(backend.move(numpy.asarray(values, x.dtype), x.device))
    return result


def difference(first: Any, second: Any) -> str:
    """Where two arrays differ most, in words."""
    if first.shape != second.shape:
        return f"shapes {first.shape} and {second.shape}"
    one, two = numpy.asarray(first, float), numpy.asarray(second, float)
    with numpy.errstate(invalid="ignore"):
        off = numpy.where((one == two) | (numpy.isnan(one) & numpy.isnan(two)), 0.0, numpy.abs(one - two))
    off = numpy.where(numpy.isnan(off), numpy.inf, off)
    index = tuple(int(n) for n in numpy.unravel_index(int(off.argmax()), off.shape))
    return f"{first[index]!s} and {second[index]!s} at {list(index)}"
