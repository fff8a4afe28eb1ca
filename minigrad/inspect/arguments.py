"""The arguments of a model, for running it to look at it: which tensors they hold, and what they are called."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from .. import creation
from ..backend import is_array
from ..call import wrap
from ..errors import GraphError
from ..nn import Module, Parameter
from ..node import Leaf
from ..tensor import Tensor


class Given(NamedTuple):
    """An input of the model: what its ``forward`` calls it, and the tensor."""

    name: str
    tensor: Tensor


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in an argument or a result: in tuples, lists, dictionaries and dataclasses, however nested."""
    if isinstance(value, Tensor):
        yield value
    else:
        for _, item in _items(value):
            yield from tensors_in(item)


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """What a container holds, with how that is spelled behind its name."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        yield from ((f".{name}", getattr(value, name)) for name in value._fields)
    elif isinstance(value, (tuple, list)):
        yield from ((f"[{i}]", item) for i, item in enumerate(value))
    elif isinstance(value, Mapping):
        yield from ((f"[{key!r}]", item) for key, item in value.items())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from ((f".{field.name}", getattr(value, field.name)) for field in dataclasses.fields(value))


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A copy of nested tuples, lists and dictionaries with other tensors in it; what is none of these stays."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, (tuple, list)):
        items = [mapped(item, change) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, dict):
        return {key: mapped(item, change) for key, item in value.items()}
    return value


def arguments(model: Module, inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What to call a model with, positional and by keyword.

    Raises:
        GraphError: its ``forward`` does not take that.
    """
    by_name, several = isinstance(inputs, dict), isinstance(inputs, tuple) and not hasattr(inputs, "_fields")
    kwargs = {str(name): value for name, value in inputs.items()} if by_name else {}
    args: tuple[Any, ...] = () if by_name else tuple(inputs) if several else (inputs,)
    if args and all(isinstance(size, int) for size in args):
        raise GraphError(
            f"{type(model).__name__} is run on its inputs, and {inputs!r} is no tensor\n"
            f"  hint: if this is the shape of one, hand over mg.zeros({', '.join(map(str, args))})"
        )
    try:
        inspect.signature(model.forward).bind(*args, **kwargs)
    except TypeError as error:
        raise GraphError(
            f"{type(model).__name__}.forward cannot be called with these inputs: {error}\n"
            f"  hint: it takes {inspect.signature(model.forward)}; hand over a tuple of positional arguments, or a"
            " dictionary of keyword arguments"
        ) from None
    return args, kwargs


def tracked(value: Any) -> Any:
    """Arguments with tensors of the same memory that ask for a gradient, so that what is done with them is recorded.

    Integers do too, which nobody else can ask of them: their way is of interest, and no gradient is ever computed.
    """
    if is_array(value):
        value = creation.tensor(value)
    if isinstance(value, Tensor):
        plain = value._node is None and not isinstance(value, Parameter)
        return wrap(value._data, Leaf(value._data, tracked=True)) if plain else value
    if isinstance(value, (tuple, list)):
        items = [tracked(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return {key: tracked(item) for key, item in value.items()} if isinstance(value, dict) else value


def named(model: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Given]:
    """The tensors among the arguments, by what ``forward`` calls them."""
    signature = inspect.signature(model.forward)
    values: dict[str, Any] = {}
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        values |= value if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD else {name: value}
    found: list[Given] = []
    todo = list(reversed(values.items()))
    while todo:
        name, value = todo.pop()
        if isinstance(value, Tensor):
            found.append(Given(name, value))
        else:
            todo += [(name + spelled, item) for spelled, item in reversed(list(_items(value)))]
    return found
