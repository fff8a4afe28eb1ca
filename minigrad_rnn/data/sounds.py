"""Recordings, and what a network hears of them."""

from __future__ import annotations

import wave
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy

import minigrad as mg


def read_sound(path: str | PathLike[str]) -> tuple[Any, int]:
    """The samples of a wav file, float32 ``(samples,)`` from -1 to 1, and how many there are in a second.

    Channels are averaged.

    Raises:
        FileError: a file that cannot be read, or samples that are not integers of 8, 16 or 32 bits.
    """
    try:
        with wave.open(fspath(path), "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            raw = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise mg.FileError(f"{fspath(path)} is no wav file: {str(error) or 'it ends too early'}") from None
    except OSError as error:
        raise mg.FileError(f"cannot read {fspath(path)}: {error.strerror or error}") from None
    if width not in (1, 2, 4):
        raise mg.FileError(f"{fspath(path)} has samples of {8 * width} bits; 8, 16 and 32 can be read")
    samples = numpy.frombuffer(raw, f"<{'u1' if width == 1 else f'i{width}'}")
    samples = samples[: len(samples) // channels * channels].astype(numpy.float32)
    if width == 1:
        samples -= 128
    return samples.reshape(-1, channels).mean(1) / 2.0 ** (8 * width - 1), rate


def read_sounds(folder: str | PathLike[str]) -> list[tuple[Path, str]]:
    """The wav files of a folder and their labels: what their names begin with, up to the first underscore.

    ``7_jackson_3.wav`` has the label ``7``; this is how the free spoken digit dataset is named.

    Raises:
        FileError: no such folder, or no wav files of at least two labels in it.
    """
    files = sorted(Path(folder).glob("*.wav"))
    found = [(file, file.stem.partition("_")[0]) for file in files]
    if len({label for _, label in found}) < 2:
        raise mg.FileError(
            f"{fspath(folder)} has {len(found)} recordings of fewer than two labels; LABEL_anything.wav is expected"
        )
    return found


def log_spectrogram(samples: Any, rate: int, bands: int = 32, step: float = 0.01) -> Any:
    r"""How loud each of ``bands`` ranges of frequency is over time, float32 ``(T, bands)``.

    Frames of ``2.5 * step`` seconds, one every ``step`` seconds, under a Hann window; the power of the spectrum is
    summed in bands that are equally wide on the mel scale, :math:`m = 2595 \log_{10}(1 + f/700)`, with triangles that
    overlap by half (Davis and Mermelstein 1980), and its logarithm taken. Each band is made of mean 0 and deviation 1
    over the recording.

    >>> tone = numpy.sin(numpy.arange(8000) * 2 * numpy.pi * 440 / 8000).astype("f4")
    >>> log_spectrogram(tone, 8000, bands=16).shape
    (98, 16)
    """
    hop, width = max(1, round(step * rate)), max(2, round(2.5 * step * rate))
    if len(samples) < width:
        samples = numpy.pad(samples, (0, width - len(samples)))
    frames = numpy.lib.stride_tricks.sliding_window_view(samples, width)[::hop]
    power = numpy.abs(numpy.fft.rfft(frames * numpy.hanning(width), axis=1)) ** 2
    loud = numpy.log(power @ _triangles(power.shape[1], rate, bands) + 1e-8)
    return ((loud - loud.mean(0)) / (loud.std(0) + 1e-5)).astype(numpy.float32)


def _triangles(bins: int, rate: int, bands: int) -> Any:
    """How much each bin of a spectrum counts in each band, ``(bins, bands)``."""
    mel = numpy.linspace(0, 2595 * numpy.log10(1 + rate / 2 / 700), bands + 2)
    corners = 700 * (10 ** (mel / 2595) - 1)
    low, peak, high = corners[:-2], corners[1:-1], corners[2:]
    bin = numpy.linspace(0, rate / 2, bins)[:, None]
    return numpy.clip(numpy.minimum((bin - low) / (peak - low), (high - bin) / (high - peak)), 0, None)
