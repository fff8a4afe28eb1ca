"""Where in a model the running code is, as data for observers."""

from __future__ import annotations

from ..context import Scope, current

Places = tuple[tuple[str, int | None], ...]


def places() -> Places:
    """The scopes around the running code, outermost first: pairs of a name and a time step, or ``None``.

    >>> import minigrad as mg
    >>> with mg.scope("decoder"), mg.scope("lstm", step=3):
    ...     places()
    (('decoder', None), ('lstm', 3))
    """
    scope = current().scope
    return () if scope is None else tuple([(inner.name, inner.step) for inner in scope.chain()])


def place(scopes: Places) -> str:
    """The names of scopes as one path, without time steps.

    >>> place((("decoder", None), ("[0]", 3), ("forget_gate", None)))
    'decoder[0].forget_gate'
    """
    return ".".join(name for name, _ in scopes if name).replace(".[", "[")


def path(scopes: Places) -> str:
    """Scopes as errors and drawings spell them, with time steps.

    >>> path((("decoder", None), ("lstm", 3), ("forget_gate", None)))
    'decoder.lstm/t=3/forget_gate'
    """
    scope = None
    for name, step in scopes:
        scope = Scope(scope, name, step)
    return str(scope or "")
