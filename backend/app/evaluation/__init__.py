"""Measures how well the product finds and answers, over a question set: `python -m backend evaluate`."""
