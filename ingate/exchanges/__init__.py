"""The record of LLM calls: what happened, what it cost, what went over the wire."""
