"""A Ctrl-C that keeps what there is. Not a script: the experiments import it."""


class CtrlC:
    """Where Ctrl-C is pressed inside ``with ctrl_c:``, that block ends, a line says so, and what it did remains."""

    def __init__(self) -> None:
        self.pressed = False

    def __enter__(self) -> "CtrlC":
        return self

    def __exit__(self, kind, error, traceback) -> bool:
        if kind is not KeyboardInterrupt:
            return False
        self.pressed = True
        print("stopped by Ctrl-C", flush=True)
        return True

    def leave(self) -> None:
        """End the script: with status 130, as shells give for Ctrl-C, if it was pressed."""
        if self.pressed:
            raise SystemExit(130)
