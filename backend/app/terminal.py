"""What all commands share that show an owner figures: a console wide enough for tables, and dollars."""

from rich.console import Console

from backend.app.services.claude_prices import MICROUSD


def open_console(width: int) -> Console:
    """Standard output; `width` characters where it is no terminal but a pipe or a file."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=width, highlight=False)


def dollars(microusd: int, decimals: int = 4) -> str:
    return f"${microusd / MICROUSD:,.{decimals}f}"
