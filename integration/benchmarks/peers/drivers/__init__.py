"""One module for each peer; `measure.py` says what a module has to have."""
