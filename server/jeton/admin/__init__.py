"""What administrators do with clients, users, sessions and keys: functions over values that print nothing."""
