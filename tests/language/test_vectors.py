"""Files of word vectors: GloVe's and word2vec's text, what goes wrong with them, and the table made of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad_rnn.language import Vocabulary
from minigrad_rnn.language.vectors import Vectors, VectorsError, read_vectors

GLOVE = "the 0.5 -1 2e-1\n. . . 1 2 3\ncafé -0.25 0 4\n"
WORD2VEC = "2 3\nthe 0.5 -1 0.2 \ncafé -0.25 0 4 \n"  # its lines end in a space


def written(folder: Path, content: str | bytes, name: str = "vectors.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_glove_text_whose_words_may_hold_spaces(tmp_path: Path) -> None:
    vectors = read_vectors(written(tmp_path, GLOVE))
    assert vectors.words == ["the", ". . .", "café"]
    assert vectors.dim == len(vectors) == 3
    np.testing.assert_array_equal(vectors.table, np.array([[0.5, -1, 0.2], [1, 2, 3], [-0.25, 0, 4]], "f4"))
    assert vectors["café"].tolist() == [-0.25, 0, 4]
    assert "cafe" not in vectors


def test_word2vec_text_and_compressed_text(tmp_path: Path) -> None:
    plain = read_vectors(written(tmp_path, WORD2VEC))
    packed = read_vectors(written(tmp_path, gzip.compress(WORD2VEC.encode()), "vectors.txt.gz"))
    windows = read_vectors(written(tmp_path, WORD2VEC.replace("\n", "\r\n"), "windows.txt"))
    assert plain.words == packed.words == windows.words == ["the", "café"]
    np.testing.assert_array_equal(plain.table, packed.table)


def test_words_with_strange_spaces_are_words(tmp_path: Path) -> None:
    """Such as GloVe's have: a no-break space, a line separator, a carriage return inside."""
    words = ["\N{NO-BREAK SPACE}", "a\N{LINE SEPARATOR}b", "c\rd"]
    vectors = read_vectors(written(tmp_path, "".join(f"{word} 1 2\n" for word in words)))
    assert vectors.words == words


def test_only_the_words_that_are_wanted(tmp_path: Path) -> None:
    vectors = read_vectors(written(tmp_path, GLOVE), words={"café", "tea"})
    assert vectors.words == ["café"]
    nothing = read_vectors(written(tmp_path, GLOVE), words=[])
    assert nothing.table.shape == (0, 3)


def test_of_a_word_twice_the_first_counts(tmp_path: Path) -> None:
    assert read_vectors(written(tmp_path, "a 1\nb 2\na 3\n"))["a"].tolist() == [1]


def test_a_table_for_a_vocabulary(tmp_path: Path) -> None:
    vocabulary = Vocabulary("The the café café café tea", kind="words")
    vectors = read_vectors(written(tmp_path, GLOVE))
    table, coverage = vectors.for_vocabulary(vocabulary)
    assert table.shape == (len(vocabulary), 3)
    assert table.dtype == mg.float32
    for word in ("the", "The", "café"):
        assert table[int(vocabulary.encode([word])[0])].tolist() == vectors[word.lower()].tolist()
    assert coverage.missing == ["<unk>", "tea"]
    assert coverage.lowered == 1
    assert coverage.of_text(vocabulary.encode(["the", "tea", "the", "café"])) == 0.75
    assert str(coverage).startswith("3 of 5 symbols have a vector (60.0%), 1 of them in lower case; without: '<unk>'")
    _, strict = vectors.for_vocabulary(vocabulary, lower=False)
    assert "The" in strict.missing


def test_missing_rows_are_random_like_the_others_and_the_same_every_time() -> None:
    rng = np.random.default_rng(0)
    vectors = Vectors([f"w{i}" for i in range(200)], rng.normal(0.5, 3.0, (200, 20)).astype("f4"))
    symbols = [*vectors.words, *(f"new{i}" for i in range(300))]
    table, coverage = vectors.for_vocabulary(symbols)
    drawn = table.numpy()[200:]
    assert drawn.mean() == pytest.approx(0.5, abs=0.15)
    assert drawn.std() == pytest.approx(3.0, rel=0.05)
    assert "..." in str(coverage)
    again, other = (vectors.for_vocabulary(symbols, seed=seed)[0].numpy() for seed in (0, 1))
    np.testing.assert_array_equal(table.numpy(), again)
    assert not np.allclose(drawn, other[200:])
    padded, _ = vectors.for_vocabulary(symbols, zero=[0, 499])
    assert not padded.numpy()[[0, 499]].any()


def test_nothing_in_common() -> None:
    table, coverage = Vectors(["a"], np.ones((1, 2), "f4")).for_vocabulary(["b"])
    assert np.isfinite(table.numpy()).all()
    assert coverage.missing == ["b"]
    assert str(Vectors(["a"], np.ones((1, 2), "f4")).for_vocabulary(["a"])[1]).endswith("(100.0%)")


def test_frozen_or_at_its_own_learning_rate() -> None:
    table, _ = Vectors(["a", "b"], np.ones((2, 2), "f4")).for_vocabulary(["a", "b"])
    frozen = nn.Embedding.from_pretrained(table)
    assert not frozen(mg.tensor([0, 1])).requires_grad
    tuned, head = nn.Embedding.from_pretrained(table, freeze=False), nn.Linear(2, 1)
    optimizer = mg.optim.SGD([{"params": [tuned.weight], "lr": 0.1}, {"params": list(head.parameters())}], lr=1.0)
    before = head.bias.item()
    head(tuned(mg.tensor([0]))).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(tuned.weight.numpy()[1], 1.0)
    np.testing.assert_allclose(tuned.weight.numpy()[0], 1.0 - 0.1 * tuned.weight.grad.numpy()[0])
    assert head.bias.item() == pytest.approx(before - 1.0)
    assert table.tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a 1 2\nb 1\n", r"line 2: a word and 2 numbers are expected, not 'b 1'"),
        ("a 1 2\n\n", "line 2: a word and 2 numbers"),
        ("a 1 2\nb 1 x\n", "line 2: could not convert string to float: 'x'"),
        ("a 1 2\nb 1 nan\n", "line 2: numbers that are not finite"),
        ("3 2\na 1 2\n", "the first line says 3 words, but there are 1: is the file complete"),
        ("", "there are no vectors in it"),
        ("word\n", "there are no vectors in it"),
        (b"a 1 2\nb\xff 1 2\n", "line 2: not UTF-8 text, byte 0xff\n  hint: .*binary"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(VectorsError, match=message):
        read_vectors(written(tmp_path, content))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(VectorsError, match=r"cannot read .*none.txt: No such file"):
        read_vectors(tmp_path / "none.txt")
    cut = gzip.compress("".join(f"w{i} {i} 2\n" for i in range(20_000)).encode())[:-3000]
    with pytest.raises(VectorsError, match=r"cannot read .* behind line [1-9].*ended before"):
        read_vectors(written(tmp_path, cut, "cut.gz"))
    with pytest.raises(VectorsError, match=r"cannot read .*: Not a gzipped file"):
        read_vectors(written(tmp_path, GLOVE, "plain.gz"))
