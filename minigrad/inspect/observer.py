"""What the observers with a memory of their own share."""

from __future__ import annotations

from ..context import Context, Mode
from ..op import Event


class Observer(Mode):
    """Like :class:`minigrad.observe`, with a method in the place of a callback.

    The context holds the method, and only while the block runs; so nothing holds itself, and what the observer
    collected goes when the last name for it does.
    """

    def see(self, event: Event) -> None:
        """Take in what an op did."""
        raise NotImplementedError

    def change(self, context: Context) -> Context:
        """One observer more."""
        return context.but(observers=(*context.observers, self.see))
