"""Readers and writers of the official text files: AVA csv, label maps, Kinetics clip lists; stdlib and numpy only."""
