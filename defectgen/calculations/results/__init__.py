"""Results of calculations: one file a code, each from its output files to the same quantities."""
