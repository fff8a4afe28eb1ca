"""What holds for the code that is running now: gradient mode, scope, observers, default device.

One immutable :class:`Context` in one context variable, so threads and async tasks never see each other's
``no_grad``, and an op reads everything it needs with one look-up of 15 ns.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Scope:
    """A place in a model, as a linked path: ``decoder.lstm[0]/t=7``.

    Names are joined by dots; a time step follows a slash, and so does whatever is inside the step.

    >>> str(Scope(Scope(Scope(None, "decoder"), "lstm", 7), "forget_gate"))
    'decoder.lstm/t=7/forget_gate'
    """

    __slots__ = ("name", "parent", "step")

    def __init__(self, parent: Scope | None, name: str = "", step: int | None = None) -> None:
        self.parent, self.name, self.step = parent, name, step

    def chain(self) -> list[Scope]:
        """The scopes from the outermost to this one."""
        scopes: list[Scope] = []
        scope: Scope | None = self
        while scope is not None:
            scopes.append(scope)
            scope = scope.parent
        return scopes[::-1]

    def __str__(self) -> str:
        path, inside_step = "", False
        for scope in self.chain():
            if scope.name:
                separator = ("/" if inside_step else "") if scope.name.startswith("[") else "/" if inside_step else "."
                path += (separator if path else "") + scope.name
            if scope.step is not None:
                path += ("/" if path else "") + f"t={scope.step}"
                inside_step = True
        return path

    def __repr__(self) -> str:
        return f"<scope {self}>"


class Context:
    """An immutable record of the modes in force; :meth:`but` gives a changed copy."""

    __slots__ = ("device", "grad", "observers", "scope")

    def __init__(
        self,
        grad: bool = True,
        scope: Scope | None = None,
        observers: tuple[Callable[[Any], None], ...] = (),
        device: str = "cpu",
    ) -> None:
        self.grad, self.scope, self.observers, self.device = grad, scope, observers, device

    def but(self, **changes: Any) -> Context:
        """A copy with some fields changed."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return Context(**{**fields, **changes})

    def inside(self, name: str, step: int | None = None) -> Context:
        """A copy one scope deeper; spelled out because every call of a module and every time step makes one."""
        return Context(self.grad, Scope(self.scope, name, step), self.observers, self.device)


_current: ContextVar[Context] = ContextVar("minigrad_context", default=Context())  # noqa: B039 - never changed
current = _current.get
enter, leave = _current.set, _current.reset


class Mode:
    """Base of the context managers that change one thing about the context. Also usable as decorators."""

    __slots__ = ("_tokens",)

    def __init__(self) -> None:
        self._tokens: list[Token[Context]] = []

    def change(self, context: Context) -> Context:
        """The context to run under."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        self._tokens.append(_current.set(self.change(current())))
        return self

    def __exit__(self, *exc: object) -> None:
        _current.reset(self._tokens.pop())

    def __call__(self, function: F) -> F:
        """Run ``function`` under this mode every time it is called; a generator or coroutine at every step."""

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self._fresh():
                return function(*args, **kwargs)

        @functools.wraps(function)
        def generate(*args: Any, **kwargs: Any) -> Any:
            steps, sent = function(*args, **kwargs), None
            try:
                while True:
                    with self._fresh():
                        value = steps.send(sent)
                    sent = yield value
            except StopIteration as end:
                return end.value
            finally:
                steps.close()

        @functools.wraps(function)
        async def wait(*args: Any, **kwargs: Any) -> Any:
            with self._fresh():
                return await function(*args, **kwargs)

        if inspect.iscoroutinefunction(function):
            return wait  # type: ignore[return-value]
        return generate if inspect.isgeneratorfunction(function) else run  # type: ignore[return-value]

    def _fresh(self) -> Mode:
        """A copy that has not been entered: several threads may run a decorated function at once."""
        fresh = copy.copy(self)
        fresh._tokens = []
        return fresh


class no_grad(Mode):
    """Record nothing inside: results do not require a gradient.

    >>> import minigrad as mg
    >>> x = mg.ones(2, requires_grad=True)
    >>> with mg.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    __slots__ = ()

    def change(self, context: Context) -> Context:
        """Gradient recording off."""
        return context.but(grad=False)


class enable_grad(Mode):
    """Record again, inside a :class:`no_grad` block."""

    __slots__ = ()

    def change(self, context: Context) -> Context:
        """Gradient recording on."""
        return context.but(grad=True)


def is_grad_enabled() -> bool:
    """Whether ops are being recorded now."""
    return current().grad


class scope(Mode):
    """Name the part of the model, and the time step, that the ops inside belong to.

    Errors, drawings and reports speak of ops by this path.

    Args:
        name: a name, or ``""`` when only the step changes.
        step: the time step, if there is one.

    >>> import minigrad as mg
    >>> x = mg.ones(2, requires_grad=True)
    >>> with mg.scope("rnn", step=3):
    ...     y = x.tanh()
    >>> str(mg.graph(y).nodes[-1].scope)
    'rnn/t=3'
    """

    __slots__ = ("_name", "_step")

    def __init__(self, name: str = "", step: int | None = None) -> None:
        super().__init__()
        self._name, self._step = name, step

    def change(self, context: Context) -> Context:
        """One scope deeper."""
        return context.inside(self._name, self._step)


class observe(Mode):
    """Call ``callback(event)`` for every op that runs inside, forward and backward.

    Args:
        callback: gets an :class:`minigrad.op.Event`.
    """

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[Any], None]) -> None:
        super().__init__()
        self._callback = callback

    def change(self, context: Context) -> Context:
        """One observer more."""
        return context.but(observers=(*context.observers, self._callback))
