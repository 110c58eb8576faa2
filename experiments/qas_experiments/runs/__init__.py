"""Run folders: writing and reading the files of a run."""
