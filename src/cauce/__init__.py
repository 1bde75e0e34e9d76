"""Cauce: every channel of a company in, one true customer out."""
