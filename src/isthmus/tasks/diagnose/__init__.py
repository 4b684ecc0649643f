"""What a diagnosis is made of: one small function for each thing that can be wrong with a fitted model."""
