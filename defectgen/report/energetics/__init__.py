"""What defects cost, in the report: by reactions, calculations, charge and equilibrium."""
