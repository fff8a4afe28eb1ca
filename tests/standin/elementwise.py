"""CuPy's ElementwiseKernel, run by NumPy.

The body of a kernel is CUDA C++. Assignments of arithmetic are C++ and Python alike, once the types are taken out;
only ``a = condition ? b : c`` is spelled otherwise. Nothing else is accepted here, so what the stand-in runs is the
text that the GPU compiles.
"""

from __future__ import annotations

import ast
import re
from typing import Any

import numpy

from .arrays import argument, ndarray, operand, traffic

FUNCTIONS = {"tanh": numpy.tanh, "exp": numpy.exp, "min": numpy.minimum, "max": numpy.maximum, "_chosen": numpy.where}
CHOICE = re.compile(r"(?P<to>[^=]+=)(?P<condition>[^=?:]+)\?(?P<yes>[^?:]+):(?P<no>[^?:]+)")
ALLOWED = (
    ast.Module, ast.Assign, ast.Name, ast.Store, ast.Load, ast.Subscript, ast.BinOp, ast.UnaryOp, ast.USub, ast.Add,
    ast.Sub, ast.Mult, ast.Div, ast.Call, ast.Constant, ast.Compare, ast.Lt, ast.Gt,
)


class ElementwiseKernel:
    """``ElementwiseKernel(in_params, out_params, operation, name)``, called with all inputs and all outputs."""

    def __init__(self, in_params: str, out_params: str, operation: str, name: str = "kernel") -> None:
        self.name = name
        self.inputs, self.outputs = _parameters(in_params), _parameters(out_params)
        lines = [_python(statement) for statement in operation.split(";") if statement.strip()]
        tree = ast.parse("\n".join(lines))
        for node in ast.walk(tree):
            if not isinstance(node, ALLOWED):
                told = f"the stand-in runs assignments of arithmetic only, not {ast.unparse(node)!r}"
                raise SyntaxError(f"{name}: {told}")
        self.code = compile(tree, name, "exec")

    def __call__(self, *arguments: Any) -> Any:
        parameters = [*self.inputs, *self.outputs]
        if len(arguments) != len(parameters):
            raise TypeError(f"Wrong number of arguments for {self.name!r}. It must be {len(parameters)}.")
        traffic.launches += 1
        hosts, dtypes = {}, set()
        for (kind, raw, name), value in zip(parameters, arguments, strict=True):
            if isinstance(value, ndarray):
                hosts[name] = operand(value)
                dtypes |= {hosts[name].dtype} if kind == "T" else set()
            elif raw:
                raise TypeError(f"{self.name}: {name} must be an array")
            else:
                hosts[name] = argument(value)
        if len(dtypes) > 1:
            raise TypeError(f"Type is mismatched. {self.name}: {sorted(map(str, dtypes))}")
        self._run(parameters, hosts)

    def _run(self, parameters: list[tuple[str, bool, str]], hosts: dict[str, Any]) -> None:
        shape = numpy.broadcast_shapes(*[numpy.shape(hosts[name]) for _, raw, name in parameters if not raw])
        scope: dict[str, Any] = {**FUNCTIONS, "i": numpy.arange(int(numpy.prod(shape)))}
        for _, raw, name in parameters:
            host = hosts[name]
            scope[name] = host.flat if raw else numpy.broadcast_to(host, shape).reshape(-1)
        exec(self.code, scope)  # noqa: S102
        for _, raw, name in self.outputs:
            if not raw:
                hosts[name][...] = scope[name].reshape(shape)


def _parameters(text: str) -> list[tuple[str, bool, str]]:
    """Type, whether raw, and name of each parameter."""
    found = []
    for parameter in filter(None, (part.strip() for part in text.split(","))):
        *words, name = parameter.split()
        found.append((words[-1], "raw" in words, name))
    return found


def _python(statement: str) -> str:
    """An assignment without its types."""
    declared = r"^\s*(const\s+)?(T|float|double|int|ptrdiff_t|size_t)\s+(?=\w)"
    return CHOICE.sub(_choice, re.sub(declared, "", statement.replace("(T)", "")).strip())


def _choice(found: re.Match[str]) -> str:
    return "{to} _chosen({condition}, {yes}, {no})".format(**{k: v.strip() for k, v in found.groupdict().items()})
