"""One file per endpoint: the order of its steps. Takes and gives plain values; knows no HTTP framework and no SQL."""
