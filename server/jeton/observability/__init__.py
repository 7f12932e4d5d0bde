"""What the server tells its operators: log lines, and the escaping of text from outside."""
