"""The public Python surface: a few lines in a notebook."""
