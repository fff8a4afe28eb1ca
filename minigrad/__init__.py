"""minigrad: a small reverse-mode autodiff engine with explicit computational graphs."""

from . import cuda as cuda
from .backend import device as device
from .backend import (
    default_device as default_device,
    float16 as float16,
    float32 as float32,
    float64 as float64,
    get_default_dtype as get_default_dtype,
    get_rng_state as get_rng_state,
    int8 as int8,
    int16 as int16,
    int32 as int32,
    int64 as int64,
    manual_seed as manual_seed,
    set_default_dtype as set_default_dtype,
    set_rng_state as set_rng_state,
    uint8 as uint8,
)
from .context import (
    enable_grad as enable_grad,
    is_grad_enabled as is_grad_enabled,
    no_grad as no_grad,
    observe as observe,
    scope as scope,
)
from .creation import (
    arange as arange,
    dropout_mask as dropout_mask,
    eye as eye,
    from_numpy as from_numpy,
    full as full,
    full_like as full_like,
    linspace as linspace,
    ones as ones,
    ones_like as ones_like,
    rand as rand,
    rand_like as rand_like,
    randint as randint,
    randn as randn,
    randn_like as randn_like,
    randperm as randperm,
    tensor as tensor,
    zeros as zeros,
    zeros_like as zeros_like,
)
from .engine import grad as grad
from .errors import (
    DeviceError as DeviceError,
    DtypeError as DtypeError,
    FileError as FileError,
    GraphError as GraphError,
    MinigradError as MinigradError,
    ShapeError as ShapeError,
    StateError as StateError,
)
from .graph import graph as graph
from .primitive import defvjp as defvjp, defvjp_joint as defvjp_joint, primitive as primitive
from .tensor import Tensor as Tensor
from .check import (
    CheckError as CheckError,
    GradcheckError as GradcheckError,
    gradcheck as gradcheck,
    gradgradcheck as gradgradcheck,
)
from .recompute import checkpoint as checkpoint
from .transforms import (
    hessian as hessian,
    hvp as hvp,
    jacobian as jacobian,
    jvp as jvp,
    value_and_grad as value_and_grad,
    vjp as vjp,
)

# ops: one line or block per family
from .ops.activation import (
    dropout as dropout, elu as elu, gelu as gelu, hardsigmoid as hardsigmoid, hardtanh as hardtanh,
    leaky_relu as leaky_relu, log_softmax as log_softmax, logsigmoid as logsigmoid, relu as relu, selu as selu,
    sigmoid as sigmoid, silu as silu, softmax as softmax, softplus as softplus, softsign as softsign,
)
from .ops.arithmetic import (
    abs as abs, add as add, ceil as ceil, div as div, floor as floor, floor_divide as floor_divide, fmod as fmod,
    lerp as lerp, mul as mul, neg as neg, positive as positive, reciprocal as reciprocal, remainder as remainder,
    round as round, rsqrt as rsqrt, sign as sign, sqrt as sqrt, square as square, sub as sub, trunc as trunc,
)
from .ops.elementary import (
    acos as acos, acosh as acosh, asin as asin, asinh as asinh, atan as atan, atan2 as atan2, atanh as atanh,
    cos as cos, cosh as cosh, erf as erf, exp as exp, expm1 as expm1, hypot as hypot, log as log, log10 as log10,
    log1p as log1p, log2 as log2, logaddexp as logaddexp, pow as pow, sin as sin, sinh as sinh, tan as tan,
    tanh as tanh,
)
from .ops.selection import (
    bitwise_and as bitwise_and, bitwise_not as bitwise_not, bitwise_or as bitwise_or, bitwise_xor as bitwise_xor,
    eq as eq, ge as ge, gt as gt, isfinite as isfinite, isinf as isinf, isnan as isnan, le as le,
    logical_and as logical_and, logical_not as logical_not, logical_or as logical_or, logical_xor as logical_xor,
    lt as lt, masked_fill as masked_fill, maximum as maximum, minimum as minimum,
    ne as ne, where as where,
)
from .ops.clamping import clamp as clamp, nan_to_num as nan_to_num
from .ops.conversion import clone as clone
from .ops.broadcast import broadcast_to as broadcast_to, expand as expand, expand_as as expand_as
from .ops.diagonals import diag as diag, diagonal as diagonal, tril as tril, triu as triu
from .ops.gathering import (
    embedding as embedding,
    gather as gather,
    index_add as index_add,
    index_select as index_select,
    masked_select as masked_select,
    scatter as scatter,
    scatter_add as scatter_add,
    take_along_dim as take_along_dim,
)
from .ops.indexing import getitem as getitem, index_put as index_put
from .ops.joining import (
    cat as cat,
    chunk as chunk,
    concat as concat,
    hstack as hstack,
    split as split,
    stack as stack,
    unbind as unbind,
    vstack as vstack,
)
from .ops.einsum import einsum as einsum, tensordot as tensordot
from .ops.linalg import (
    addmm as addmm, bmm as bmm, dot as dot, linear as linear, matmul as matmul, mm as mm, mv as mv, outer as outer,
)
from .ops.norm import norm as norm
from .ops.ordering import (
    amax as amax, amin as amin, argmax as argmax, argmin as argmin, argsort as argsort, max as max, min as min,
    sort as sort, topk as topk,
)
from .ops.reduction import (
    all as all, any as any, count_nonzero as count_nonzero, logsumexp as logsumexp, mean as mean,
    sum as sum,
)
from .ops.variance import std as std, var as var
from .ops.scan import cumprod as cumprod, cumsum as cumsum, diff as diff, prod as prod
from .ops.shape import (
    flatten as flatten,
    movedim as movedim,
    permute as permute,
    reshape as reshape,
    squeeze as squeeze,
    swapaxes as swapaxes,
    transpose as transpose,
    unflatten as unflatten,
    unsqueeze as unsqueeze,
)
from .ops.tiling import (
    flip as flip,
    pad as pad,
    repeat as repeat,
    repeat_interleave as repeat_interleave,
    roll as roll,
    tile as tile,
)

from . import nn as nn
from . import optim as optim
from .io import load as load, load_metadata as load_metadata, save as save
from . import inspect as inspect

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING, Any as _Any

if _TYPE_CHECKING:
    from .draw import draw as draw


def __getattr__(name: str) -> _Any:
    """Drawing is imported when it is first used: most programs never draw."""
    if name == "draw":
        return _import_module("minigrad.draw")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [name for name in list(globals()) if not name.startswith("_")]  # what is imported above, for the reference
__all__ += ["draw"]
