"""Groups that act on sites and on cells: permutations, invariant displacements, subgroups, irreps."""
