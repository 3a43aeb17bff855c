"""Ingate, an open, self-hosted LLM gateway."""
