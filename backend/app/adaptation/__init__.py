"""What adapting a chapter asks of a model, and what it accepts: translation and personalization by one set of rules.

Knows no network, no database and no clock: texts in, requests, problems and texts out.
"""
