"""Pictures of the concept pages, drawn from the package itself: `make pictures` writes them all again."""
