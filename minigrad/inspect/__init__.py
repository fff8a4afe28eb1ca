"""Looking at a computation while it runs.

All of this is a few lines each on what :func:`minigrad.observe` offers: a call for every op that runs.

========================  =========================================================================================
:func:`detect_anomaly`    stops at the first op whose output or gradient is not finite, and says where it is
:func:`profile`           how often each op ran, and how long it took
:func:`memory`            how many bytes the results of each op and each part of the model take
:func:`activations`       mean, spread and share of zeros of what each part of the model computes
:func:`gradient_flow`     the size of the gradient at every op, by place in the model and time step
:func:`uses`              what each op that uses a parameter adds to its gradient
========================  =========================================================================================
"""

from .anomaly import AnomalyError, detect_anomaly, detecting_anomalies
from .costs import memory, profile
from .flow import GradientFlow, gradient_flow, log_bar
from .origin import part_of
from .place import Places, path, place, places
from .summary import Summary, summary
from .uses import Use, uses
from .values import activations

__all__ = [
    "AnomalyError",
    "GradientFlow",
    "Places",
    "Summary",
    "Use",
    "activations",
    "detect_anomaly",
    "detecting_anomalies",
    "gradient_flow",
    "log_bar",
    "memory",
    "part_of",
    "path",
    "place",
    "places",
    "profile",
    "summary",
    "uses",
]
