"""What a network sees of a defect: nodes, edges, conditions, arrangements."""
