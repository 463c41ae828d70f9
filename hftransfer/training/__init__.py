"""From examples and a model to trained weights: batches, optimizer, loop, evaluation."""
