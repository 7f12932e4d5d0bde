"""Logins by password: verification, rate limits, timing and concurrency; browser sessions; changes of passwords."""
