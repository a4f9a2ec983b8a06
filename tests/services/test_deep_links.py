"""Links that open the book at the quoted words."""

import pytest

from backend.app.services.deep_links import deep_link
from tests.fakes.book import NODE, chunk

PAGE = "/docs/ros/nodes#nodes"


def link(quote: str) -> str:
    return deep_link(chunk(), quote, None)


def test_a_short_quote_stands_whole_in_the_link() -> None:
    assert link("Nodes talk through topics.") == f"{PAGE}:~:text=Nodes%20talk%20through%20topics."


def test_a_long_quote_is_named_by_its_beginning_and_end() -> None:
    assert (
        link(NODE)
        == f"{PAGE}:~:text=A%20node%20is%20a%20process%20that,talk%20through%20topics%2C%20services%20and%20actions."
    )


def test_signs_with_a_meaning_are_escaped() -> None:
    assert link("sim-to-real, A & B #1") == f"{PAGE}:~:text=sim%2Dto%2Dreal%2C%20A%20%26%20B%20%231"


def test_markup_is_not_searched_for() -> None:
    assert (
        link("A **node** uses `rclpy` and [topics](./t.md).")
        == f"{PAGE}:~:text=A%20node%20uses%20rclpy%20and%20topics."
    )


@pytest.mark.parametrize(
    ("quote", "words"),
    [
        ("**Motors aren't magical. ", "Motors%20aren%27t%20magical."),
        ("Forces have consequences.**", "Forces%20have%20consequences."),
        ("But **this is bold. ", "But%20this%20is%20bold."),
        ("Bold to the end** and on.", "Bold%20to%20the%20end%20and%20on."),
        ("Last updated: December 2025*", "Last%20updated%3A%20December%202025"),
        ("A* finds `2 * 3` paths.", "A%2A%20finds%202%20%2A%203%20paths."),
    ],
)
def test_half_an_emphasis_is_not_searched_for(quote: str, words: str) -> None:
    assert link(quote) == f"{PAGE}:~:text={words}"


def test_a_quote_over_several_paragraphs_is_a_range() -> None:
    assert link("First one.\n\n- item two\n- item three") == f"{PAGE}:~:text=First%20one.,item%20three"


def test_urdu_is_encoded_as_utf_8() -> None:
    assert link("روبوٹ").endswith(":~:text=%D8%B1%D9%88%D8%A8%D9%88%D9%B9")


@pytest.mark.parametrize(
    "quote",
    [
        "```python\nrclpy.init()\n```",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "$$\nF = ma\n$$",
        "The force is $F = ma$.",
        "",
        "  \n",
        "---",
    ],
)
def test_what_the_page_shows_differently_links_to_the_heading_only(quote: str) -> None:
    assert link(quote) == PAGE


def test_the_site_comes_first_and_its_slash_once() -> None:
    assert deep_link(chunk(), "", "https://book.example/") == f"https://book.example{PAGE}"


def test_without_an_anchor_the_fragment_still_works() -> None:
    top = chunk(anchor="")
    assert deep_link(top, "Nodes talk.", None) == "/docs/ros/nodes#:~:text=Nodes%20talk."
    assert deep_link(top, "", None) == "/docs/ros/nodes"


def test_a_route_with_signs_of_a_url_still_leads_to_its_page() -> None:
    assert deep_link(chunk(url="/docs/C# or روبوٹ?", anchor=""), "", None) == (
        "/docs/C%23%20or%20%D8%B1%D9%88%D8%A8%D9%88%D9%B9%3F"
    )
    assert deep_link(chunk(url="/docs/a%20b", anchor=""), "", None) == "/docs/a%20b"
