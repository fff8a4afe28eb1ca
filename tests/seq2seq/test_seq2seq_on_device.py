"""Models on a device that is not the host: the same numbers, and no waiting in a training step."""

from __future__ import annotations

import numpy as np
import pytest
from seq2seq_cases import FORMS, batch_of, model_of, same

from minigrad_rnn.seq2seq import ScheduledSampling, beam_search, greedy_decode, sample

LENGTHS = ([5, 2, 4], [3, 4, 0])


@pytest.mark.parametrize("form", FORMS)
def test_training_and_decoding(cuda, form):
    here, there = model_of(form), model_of(form).cuda()
    batch = batch_of(*LENGTHS)
    on_device = [x.to("cuda") for x in batch]
    expected = here.loss(*batch, *LENGTHS)
    expected.backward()
    with cuda.waits(0):
        loss = there.loss(*on_device, *LENGTHS)
        loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-10)
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        same(q.grad.cpu(), p.grad, 1e-9)
    attends = here.decoder.attention is not None
    for decode in (greedy_decode, beam_search):
        found = decode(there.eval().steps(on_device[0], LENGTHS[0]), max_length=5, attention=attends)
        wanted = decode(here.eval().steps(batch[0], LENGTHS[0]), max_length=5, attention=attends)
        for one, other in zip(found, wanted, strict=True):
            first, second = (each[0] if isinstance(each, list) else each for each in (one, other))
            assert first.tokens == second.tokens
            assert first.log_probability == pytest.approx(second.log_probability, rel=1e-9)
            if attends:
                same(first.attention, second.attention, 1e-9)
    assert len(sample(there.steps(on_device[0], LENGTHS[0]), 4, top_k=3)) == 3


@pytest.mark.parametrize("choice", ["likeliest", "drawn"])
def test_scheduled_sampling_waits_for_nothing(cuda, choice):
    model = model_of("general").cuda()
    batch = [x.to("cuda") for x in batch_of(*LENGTHS)]
    with cuda.waits(0):
        model.loss(*batch, *LENGTHS, sampling=ScheduledSampling("linear", k=0.5, choice=choice)).backward()
    assert np.isfinite(model.decoder.output.weight.grad.cpu().numpy()).all()
