"""Looking into recurrent networks: gradients through time, gates, parameters.

=========================  ==========================================================================================
:func:`gradient_flow`      the size of the gradient at every step, layer and direction: does it vanish, or explode?
:func:`gradient_terms`     what every step adds to the gradient of a weight that all share
:func:`attention_trace`    where a decoder looks at every step
:func:`gate_trace`         what every gate does at every step, in every unit
:func:`count_parameters`   how many parameters each part has
=========================  ==========================================================================================

What happens at a step can be seen where every op is recorded, on the unrolled path; these functions take care of it.
:func:`minigrad.inspect.detect_anomaly`, which finds the first NaN, does too: inside, recurrent layers take the
unrolled path, so that the report speaks of layer, step and gate.
"""

from .attention import AttentionTrace as AttentionTrace, attention_trace as attention_trace
from .count import ParameterCount as ParameterCount, PartCount as PartCount, count_parameters as count_parameters
from .flags import Flag as Flag
from .flow import StepFlow as StepFlow, gradient_flow as gradient_flow
from .gates import GateTrace as GateTrace, gate_trace as gate_trace
from .lines import FlowLine as FlowLine
from .terms import GradientTerms as GradientTerms, Term as Term, gradient_terms as gradient_terms
