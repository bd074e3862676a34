"""Checkpoints of other projects: safe reading, naming tables, and what their names and shapes say about the network."""
