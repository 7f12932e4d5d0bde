"""Requests that this server makes to addresses that others name (ADR 0029)."""
