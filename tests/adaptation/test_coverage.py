"""Key sentences are what a chapter defines, names and begins with; coverage is the share that is said again."""

import numpy as np
import pytest

from backend.app.adaptation.coverage import FOUND, coverage, key_sentences, sentences

CHAPTER = """
# Sensors

Sensors fall into two groups. **Proprioception** is the measurement of the robot's own body. Finding a cup depends on
the second. Some say that the **first group** matters more for balance.

```python
rate = 100  # this sentence is code and nothing else.
```

- **Slow.** A camera takes many milliseconds for each picture. It is heavy too.
- Yes.

<Note>The encoder is a sensor that measures an angle.</Note>
"""


def test_key_sentences_are_definitions_bold_terms_and_beginnings() -> None:
    assert key_sentences(CHAPTER) == [
        "Sensors fall into two groups.",
        "Proprioception is the measurement of the robot's own body.",
        "Some say that the first group matters more for balance.",
        "The encoder is a sensor that measures an angle.",
    ]


def test_sentences_are_all_of_the_prose() -> None:
    assert "Finding a cup depends on the second." in sentences(CHAPTER)
    assert not any("this sentence" in sentence for sentence in sentences(CHAPTER))


def test_coverage_is_the_share_of_rows_that_are_found_again() -> None:
    source = np.eye(4, dtype=np.float32)
    near = np.array([[FOUND, np.sqrt(1 - FOUND**2), 0, 0]], dtype=np.float32)
    assert coverage(source, source) == 1.0
    assert coverage(source, near) == pytest.approx(0.5)  # its second component is 0.8
    assert coverage(source, source[:1]) == 0.25


def test_a_chapter_without_key_sentences_is_covered_and_an_empty_text_covers_nothing() -> None:
    none = np.empty((0, 4), dtype=np.float32)
    assert coverage(none, none) == 1.0
    assert coverage(np.eye(4, dtype=np.float32), none) == 0.0
