"""The product's name and version, in one place."""

NAME = "Textbook backend"
VERSION = "0.1.0"
