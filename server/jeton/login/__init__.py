"""Proving who a person is: the password check, its rate limits, its timing, and how many run at once."""
