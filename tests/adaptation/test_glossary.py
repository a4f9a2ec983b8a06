"""Terms are found where a teacher would see them; the owner's lines win, and a bad one is named."""

import re
from pathlib import Path

import pytest

from backend.app.adaptation.glossary import Glossary, load_glossary
from backend.app.errors import ConfigurationError

TERMS = Glossary(
    {
        "ROS": "ر",
        "ROS 2": "ر۲",
        "neural network": "عصبی",
        "network": "جال",
        "time of flight": "و",
        "lidar": "ل",
        "C++": "س",
    }
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a neural network", ["neural network"]),
        ("Neural Networks and networks", ["neural network", "network"]),
        ("a neural\nnetwork", ["neural network"]),
        ("ROS 2 and ROS", ["ROS 2", "ROS"]),
        ("ros and Ros", []),
        ("LiDAR, lidar, LIDARs", ["lidar"]),
        ("Time-of-flight", ["time of flight"]),
        ("a network's edge", ["network"]),
        ("networking, subnetwork, network-like, network.py, a/network, x@network", []),
        ("⟦C1⟧network⟦F2⟧ network", ["network"]),
        ("**ROS 2**، lidarوالا", ["ROS 2"]),
        ("C++ is", ["C++"]),
        ("", []),
    ],
)
def test_finds_terms_at_word_boundaries_the_longest_first(text: str, found: list[str]) -> None:
    assert TERMS.terms_in(text) == found


def test_every_term_of_ours_is_found_in_itself_and_in_its_plural() -> None:
    glossary = load_glossary("ur")
    assert len(glossary.glosses) >= 250
    for term in glossary.glosses:
        assert glossary.terms_in(f"The {term} is here.") == [term]
        assert glossary.terms_in(f"Many {term}s are here.") == [term]


def test_our_glosses_are_in_the_letters_of_urdu() -> None:
    for term, gloss in load_glossary("ur").glosses.items():
        assert re.fullmatch(r"[ء-غف-ٖپٹچڈڑژکگںھہۂۃیےۓ، ]+", gloss), term
        assert not re.search("[يكهىة]", gloss), f"{term}: an Arabic letter instead of the Urdu one"


def test_only_urdu_has_a_glossary_of_ours() -> None:
    assert [language for language in ("hi", "ar", "es", "fr") if load_glossary(language).glosses] == []


def test_the_owners_lines_win_in_their_language(tmp_path: Path) -> None:
    own = tmp_path / "terms.tsv"
    own.write_text("\ufeff# ours\nNeural Network\tاعصابی جال\n\nquokka\tकुओका\thi\n", encoding="utf-8")
    urdu, shipped = load_glossary("ur", own), load_glossary("ur")
    assert urdu.glosses["Neural Network"] == "اعصابی جال"
    assert "neural network" not in urdu.glosses
    assert urdu.glosses["sensor"] == shipped.glosses["sensor"]
    assert urdu.version != shipped.version
    assert load_glossary("hi", own).glosses == {"quokka": "कुओका"}


def test_bad_lines_are_all_named_at_once(tmp_path: Path) -> None:
    own = tmp_path / "terms.tsv"
    own.write_text("sensor\nrobot\tروبوٹ\txx\nnode\t<b>گرہ</b>\nروبوٹ\tروبوٹ\nlidar\tل\nlidar\tل\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        load_glossary("ur", own)
    assert [re.findall(r"line (\d+)", problem) for problem in error.value.problems] == [
        ["1"],
        ["2"],
        ["3"],
        ["4"],
        ["6"],
    ]


def test_a_file_that_cannot_be_read_is_a_problem_of_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="TRANSLATION_GLOSSARY_FILE"):
        load_glossary("ur", tmp_path / "missing.tsv")
    (tmp_path / "latin.tsv").write_bytes(b"robot\t\xff\n")
    with pytest.raises(ConfigurationError, match="TRANSLATION_GLOSSARY_FILE"):
        load_glossary("ur", tmp_path / "latin.tsv")
