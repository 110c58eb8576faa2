"""Training, evaluation and records of quantum architecture search."""
