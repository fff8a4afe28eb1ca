"""Measuring side by side: every round runs each contender once, in turn, so that noise hits all alike."""

from __future__ import annotations

import ctypes
import datetime
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy


def compare(contenders: dict[str, Callable[[], object]], rounds: int, warmup: int = 5) -> dict[str, list[float]]:
    """Seconds of each contender in each round; every second round in the other order, as each leaves its caches."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(warmup + rounds):
        for name, run in list(contenders.items())[:: -1 if round_ % 2 else 1]:
            start = time.perf_counter()
            run()
            if round_ >= warmup:
                times[name].append(time.perf_counter() - start)
    return times


def table(title: str, times: dict[str, list[float]], scale: float, unit: str, base: str) -> None:
    """Print medians, quartiles, and the median over rounds of the ratio of the first contender to each other one."""
    print(f"\n{title}")
    first = next(iter(times))
    for name, values in times.items():
        low, middle, high = (q * scale for q in statistics.quantiles(values, n=4))
        ratio = statistics.median(a / b for a, b in zip(times[first], values, strict=True))
        note = "" if name == first else f"   {first} / {name}: {ratio:.2f}"
        mark = " (the bar)" if name == base else ""
        print(f"  {name:<24}{middle:9.2f} {unit}  ({low:.2f} to {high:.2f}){note}{mark}")


def peak(run: Callable[[], object], times: int = 3) -> float:
    """MB by which the peak of memory of some runs is above what was there before. For a process of its own."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():  # Linux: the peak of importing may be above what is resident now
        reset.write_text("5")
    before = _resident("VmRSS")
    for _ in range(times):
        run()
    return (_resident("VmHWM") - before) / 1024


def _resident(field: str) -> int:
    """Kilobytes: resident now, ``VmRSS``, or at most so far, ``VmHWM``; elsewhere than on Linux always the latter.

    Linux counts into ``ru_maxrss`` what the parent had, so that is used only where there is nothing better.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(next(line for line in status.read_text().splitlines() if line.startswith(field)).split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)


def environment(**versions: str) -> None:
    """Print what the figures depend on: date, versions, processor, BLAS with its core type and threads, load."""
    print(f"{datetime.datetime.now(datetime.timezone.utc).date()}  Python {platform.python_version()}  "
          f"NumPy {numpy.__version__}  " + "  ".join(f"{k} {v}" for k, v in versions.items()))
    print(f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}")
    print(f"BLAS: {_blas()}")
    pinned = [f"{n}={os.environ[n]}" for n in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if n in os.environ]
    if pinned:
        print(f"WARNING: {', '.join(pinned)} set: unset it, users do not have it")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0].partition(": ")[2] if names else platform.processor()


def _blas() -> str:
    """Version, core type and threads of the OpenBLAS that NumPy's wheel carries."""
    build = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    folder = Path(numpy.__file__).parent.parent / "numpy.libs"
    for path in folder.glob("*openblas*"):
        library = ctypes.CDLL(path)
        for suffix in ("64_", ""):
            try:
                core = getattr(library, f"scipy_openblas_get_corename{suffix}")
                threads = getattr(library, f"scipy_openblas_get_num_threads{suffix}")
            except AttributeError:
                continue
            core.restype = ctypes.c_char_p
            return f"{build['name']} {build['version']}, core {core().decode()}, {threads()} threads"
    return f"{build['name']} {build['version']}"
