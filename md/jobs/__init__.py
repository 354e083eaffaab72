"""Work in a folder: swept, batched, shared, checkpointed and resumed; no physics here."""
