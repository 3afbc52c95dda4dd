"""The API of LuxOS."""
