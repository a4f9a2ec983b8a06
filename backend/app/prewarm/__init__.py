"""`python -m backend prewarm`: chapters made before anybody asks for them, and what an owner sees of it."""
