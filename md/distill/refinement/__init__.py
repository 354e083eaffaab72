"""A student taught further by a few labels of a better teacher, such as density functional theory."""
