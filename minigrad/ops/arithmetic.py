"""Arithmetic: what the operators of Python do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..primitive import primitive, vjp

if TYPE_CHECKING:
    from ..tensor import Tensor


@primitive
def neg(x: Any, /) -> Tensor:
    """:math:`-x`"""
    return -x


@primitive(broadcasts=True)
def add(x: Any, y: Any, /) -> Tensor:
    """:math:`x + y`"""
    return x + y


@primitive(broadcasts=True)
def sub(x: Any, y: Any, /) -> Tensor:
    """:math:`x - y`"""
    return x - y


@primitive(broadcasts=True)
def mul(x: Any, y: Any, /) -> Tensor:
    """:math:`x y`, elementwise"""
    return x * y


@primitive(broadcasts=True)
def div(x: Any, y: Any, /) -> Tensor:
    """:math:`x / y`, elementwise"""
    return x / y


vjp(neg, x=lambda g: -g)
vjp(add, x=lambda g: g, y=lambda g: g)
vjp(sub, x=lambda g: g, y=lambda g: -g)
vjp(mul, x=lambda g, y: g * y, y=lambda g, x: g * x)
vjp(div, x=lambda g, y: g / y, y=lambda g, out, y: -g * out / y)
