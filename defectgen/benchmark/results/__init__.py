"""What a benchmark gives: table, plots and page."""
