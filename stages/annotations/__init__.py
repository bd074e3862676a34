"""A tool, not a stage: other programs' annotations in and out, and a configuration for a data set of one's own."""
