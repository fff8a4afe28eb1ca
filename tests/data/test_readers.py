"""Files in the usual formats are read, and what is wrong in them is told with its line."""

import gzip
import wave

import numpy as np
import pytest

import minigrad as mg
from minigrad_rnn.data import (
    Labelled,
    Pair,
    log_spectrogram,
    read_columns,
    read_digits,
    read_labelled,
    read_lines,
    read_pairs,
    read_series,
    read_sound,
    read_sounds,
)


@pytest.fixture
def write(tmp_path):
    def write(text, name="file.txt"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_lines_come_without_their_ends_whatever_these_are(write):
    assert read_lines(write("a\nb\r\nc")) == ["a", "b", "c"]
    assert read_lines(write("\ufeffa\n")) == ["a"], "a mark of byte order is no text"


def test_a_compressed_file_is_read_by_its_name(write):
    assert read_lines(write(gzip.compress(b"a\nb"), "file.gz")) == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (b"first\nsecond \xe9\n", "file.txt", "line 2: byte 0xe9 is not UTF-8"),
        (b"no gzip", "file.gz", "not a whole gzip file"),
        (gzip.compress(b"whole", mtime=0)[:-5], "file.gz", "not a whole gzip file"),
    ],
)
def test_unreadable_text_is_told_with_its_place(write, content, name, told):
    with pytest.raises(mg.FileError, match=told):
        read_lines(write(content, name))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(mg.FileError, match=r"cannot read .*nowhere: No such file"):
        read_lines(tmp_path / "nowhere")
    with pytest.raises(mg.FileError, match="cannot read"):
        read_lines(tmp_path)


def test_pairs_are_two_columns_and_the_rest_is_left_out(write):
    path = write("go\tva\tCC-BY 2.0\n\nhi \t salut\n")
    assert read_pairs(path) == [Pair("go", "va"), Pair("hi", "salut")]


def test_pairs_may_stand_in_two_files(write):
    pairs = read_pairs(write("go\n\nhi\n", "a"), write("va\nx\nsalut\n", "b"))
    assert pairs == [("go", "va"), ("hi", "salut")]


def test_what_are_no_pairs_is_told(write):
    with pytest.raises(mg.FileError, match="line 2: a text, a tab and its translation are expected, not 'alone'"):
        read_pairs(write("go\tva\nalone\n"))
    with pytest.raises(mg.FileError, match=r"has 1 lines and .* has 2"):
        read_pairs(write("a\n", "a"), write("b\nc\n", "b"))
    with pytest.raises(mg.FileError, match="no pairs"):
        read_pairs(write("\n"))


def test_columns_are_read_as_sentences(write):
    path = write("-DOCSTART- -X- O O\n\nJohn NNP B-PER\nruns VB O\n\n# a comment\nNew\tNNP\tB-LOC\n")
    assert read_columns(path) == [[("John", "B-PER"), ("runs", "O")], [("New", "B-LOC")]]
    assert read_columns(path, label=1)[0] == [("John", "NNP"), ("runs", "VB")]


def test_a_hash_may_be_a_word(write):
    assert read_columns(write("#\tO\n#tag\tO\n")) == [[("#", "O"), ("#tag", "O")]]


def test_what_are_no_columns_is_told(write):
    with pytest.raises(mg.FileError, match="line 2: a word and its label are expected, not 'alone'"):
        read_columns(write("word O\nalone\n"))
    with pytest.raises(mg.FileError, match="line 1: 2 columns in 'word O', which has no column 3"):
        read_columns(write("word O\n"), label=3)
    with pytest.raises(mg.FileError, match="no sentences"):
        read_columns(write("\n\n"))


def test_labelled_texts_stand_in_lines_or_in_a_file_for_each_label(write, tmp_path):
    assert read_labelled(write("4\t( + 2 2 )\n\n5\tfive\n")) == [("( + 2 2 )", "4"), ("five", "5")]
    for label, text in {"Irish": "Byrne\nKelly\n", "Greek": "Pappas\n"}.items():
        (tmp_path / "names").mkdir(exist_ok=True)
        (tmp_path / "names" / f"{label}.txt").write_text(text)
    (tmp_path / "names" / "LICENSE").write_text("not a name")
    assert read_labelled(tmp_path / "names") == [("Pappas", "Greek"), ("Byrne", "Irish"), ("Kelly", "Irish")]


def test_what_are_no_labelled_texts_is_told(write, tmp_path):
    with pytest.raises(mg.FileError, match="line 1: a label, a tab and a text are expected"):
        read_labelled(write("no tab\n"))
    with pytest.raises(mg.FileError, match="has 2 texts of fewer than two labels"):
        read_labelled(write("a\tx\na\ty\n"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(mg.FileError, match="has 0 texts of fewer than two labels"):
        read_labelled(tmp_path / "empty")


def test_a_series_is_a_column_of_a_table(write):
    path = write('"month","passengers","note"\n"1949-01",112,x\n1949-02,,y\n1949-03,1e2,z\n')
    np.testing.assert_array_equal(read_series(path), [112, np.nan, 100])
    np.testing.assert_array_equal(read_series(path, "passengers"), [112, np.nan, 100])


def test_what_is_no_series_is_told(write):
    path = write("a,b\n1,2\n3,x\n5\n")
    with pytest.raises(mg.FileError, match="has no column 'c'; it has a, b"):
        read_series(path, "c")
    with pytest.raises(mg.FileError, match="row 3: 'x' in column 'b' is no number"):
        read_series(path)
    np.testing.assert_array_equal(read_series(path, "a"), [1, 3, 5])
    with pytest.raises(mg.FileError, match="names of columns"):
        read_series(write("a\n"))


def _wav(path, samples, width=2, channels=1, rate=8000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


@pytest.mark.parametrize(
    ("dtype", "silence", "half"), [("u1", 128, 192), ("<i2", 0, 2**14), ("<i4", 0, 2**30)]
)
def test_a_sound_is_from_minus_one_to_one(tmp_path, dtype, silence, half):
    samples = np.array([[silence, silence], [half, half], [half, silence]], dtype)
    _wav(tmp_path / "a.wav", samples, width=samples.itemsize, channels=2, rate=44100)
    sound, rate = read_sound(tmp_path / "a.wav")
    assert sound.tolist() == [0.0, 0.5, 0.25]
    assert sound.dtype == np.float32
    assert rate == 44100


def test_what_is_no_sound_is_told(write, tmp_path):
    with pytest.raises(mg.FileError, match="no wav file"):
        read_sound(write(b"RIFFnothing"))
    with pytest.raises(mg.FileError, match="no wav file: it ends too early"):
        read_sound(write(b""))
    with pytest.raises(mg.FileError, match="cannot read"):
        read_sound(tmp_path / "nowhere.wav")
    _wav(tmp_path / "x_1.wav", np.zeros(6, "u1"), width=3)
    with pytest.raises(mg.FileError, match="samples of 24 bits"):
        read_sound(tmp_path / "x_1.wav")
    with pytest.raises(mg.FileError, match="1 recordings of fewer than two labels"):
        read_sounds(tmp_path)


def test_recordings_have_their_label_in_their_name(tmp_path):
    for name in ("7_theo_1.wav", "0_theo_1.wav", "7_theo_0.wav"):
        _wav(tmp_path / name, np.zeros(4, "<i2"))
    assert [(path.name, label) for path, label in read_sounds(tmp_path)] == [
        ("0_theo_1.wav", "0"), ("7_theo_0.wav", "7"), ("7_theo_1.wav", "7"),
    ]  # fmt: skip


def test_the_loudest_band_is_that_of_the_tone():
    time = np.arange(8000) / 8000
    for frequency in (300.0, 1000.0, 3000.0):
        chirp = np.sin(2 * np.pi * frequency * time) * (time > 0.5)  # silent at first: bands are normalised over time
        heard = log_spectrogram(chirp.astype("f4"), 8000, bands=24)
        rise = heard[60:].mean(0) - heard[:40].mean(0)
        mel = 2595 * np.log10(1 + frequency / 700) / (2595 * np.log10(1 + 4000 / 700)) * 25 - 1
        raw = np.abs(np.arange(24) - mel)
        assert rise[raw.argmin()] > 1.9, "mean 0 and deviation 1: off for half the time, on for the other half"
    assert np.isfinite(log_spectrogram(np.zeros(10, "f4"), 8000)).all(), "shorter than a frame, and silent"


def test_digits_are_read_from_a_table(write):
    row = ",".join(["0", "16"] + ["8"] * 62 + ["3"])
    pictures, digits = read_digits(write(row + "\n" + row))
    assert pictures.shape == (2, 64)
    assert digits.tolist() == [3, 3]
    assert pictures[0, :3].tolist() == [0, 1, 0.5]
    for broken in (row + ",1", row[:-1] + "10", row.replace("16", "x")):
        with pytest.raises(mg.FileError, match="line 2: 64 points and a digit are expected"):
            read_digits(write(row + "\n" + broken))


def test_labels_are_not_cut_at_a_second_tab(write):
    assert read_labelled(write("4\ta\n5\tfive\tsix\n")) == [Labelled("a", "4"), Labelled("five\tsix", "5")]
