"""`python -m backend usage`: the owner's report on a terminal, as JSON, as CSV and as a picture."""
