"""What `jeton doctor` checks: pure functions from facts to findings, one file per subject."""
