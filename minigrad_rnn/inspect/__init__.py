"""Looking into recurrent networks: gradients through time, gates, parameters.

=========================  ==========================================================================================
:func:`gradient_flow`      the size of the gradient at every step, layer and direction: does it vanish, or explode?
:func:`gate_trace`         what every gate does at every step, in every unit
:func:`count_parameters`   how many parameters each part has
=========================  ==========================================================================================

What happens at a step can be seen where every op is recorded, on the unrolled path; these functions take care of it.
:func:`minigrad.inspect.detect_anomaly`, which finds the first NaN, does too: inside, recurrent layers take the
unrolled path, so that the report speaks of layer, step and gate.
"""

from .count import ParameterCount as ParameterCount, PartCount as PartCount, count_parameters as count_parameters
from .flow import Flag as Flag, FlowLine as FlowLine, StepFlow as StepFlow, gradient_flow as gradient_flow
from .gates import GateTrace as GateTrace, gate_trace as gate_trace
