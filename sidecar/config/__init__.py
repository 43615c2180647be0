"""The user's file: loaded with its line numbers, checked against the schema, compiled to a plan."""
