"""The console scripts, a module each."""
