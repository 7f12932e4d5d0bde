"""Endpoints: one object per operation, given what it uses. They know no HTTP framework and no SQL."""
