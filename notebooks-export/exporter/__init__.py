"""From a source to its exports: executing, the page, the index. `build.py` is the command."""
