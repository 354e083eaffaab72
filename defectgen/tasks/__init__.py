"""What can be learnt on the one representation and by the one loop: displacements, subgroups, occupations, siblings."""
